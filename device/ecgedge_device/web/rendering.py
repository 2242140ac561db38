"""Templates into HTML: everything escaped, an unknown name is an error. Knows nothing of requests."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ecgedge import NOTICE, __version__

FOLDER = Path(__file__).parent
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Renderer:
    """The templates, and what stands on every page.

    Parameters
    ----------
    device : name of this device
    """

    def __init__(self, device: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Callable[..., str]] = {"bytes": bytes_words, "span": span_words, "time": time_words}
        self._environment.filters.update(filters)
        self._environment.globals.update(device=device, notice=NOTICE, version=__version__)

    def page(self, template: str, values: Mapping[str, object]) -> str:
        """HTML of a template."""
        return self._environment.get_template(template).render(values)


def bytes_words(count: float) -> str:
    """Bytes for people: `3.4 MB`."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.3g} {unit}"
        count /= 1000
    return ""


def span_words(seconds: float) -> str:
    """A length of time for people: `2 d 3 h`."""
    minutes, _ = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"


def time_words(utc: str) -> str:
    """A stored time for people: `2026-01-31 14:05:09 UTC`; the script of the page turns it into local time."""
    if not utc:
        return "unknown"
    return f"{datetime.fromisoformat(utc).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
