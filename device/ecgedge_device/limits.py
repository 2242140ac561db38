"""How a value in the settings is refused: with its key, the value, the limit and the remedy."""

import math
import re
from collections.abc import Sequence

from ecgedge.errors import SettingsError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class RefusedValue(SettingsError):
    """A value that cannot be; `key` lets the reader of the file add file and line."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key} {message}")
        self.key = key


def require_range(key: str, value: float | None, *, low: float, high: float, unit: str = "") -> None:
    """Refuse a number outside `low` to `high`; None passes."""
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise RefusedValue(key, f"= {value:.9g}; it must lie from {low:g} to {high:.9g}{f' {unit}' if unit else ''}")


def require_finite(key: str, value: float) -> None:
    """Refuse NaN and infinity."""
    if not math.isfinite(value):
        raise RefusedValue(key, f"= {value:g}; it must be a number")


def require_name(key: str, value: str) -> None:
    """Refuse a name that could not stand in a topic, a file name or an address."""
    if not _NAME.fullmatch(value):
        raise RefusedValue(key, f"= {value!r}; it must be 1 to 32 of a-z, 0-9, - and _, a letter or digit first")


def require_known(key: str, values: Sequence[str], known: Sequence[str]) -> None:
    """Refuse a list with an entry that is not known, or without any."""
    unknown = [value for value in values if value not in known]
    if unknown or not values:
        raise RefusedValue(key, f"= {list(values)}; it must list some of {', '.join(known)}")


def require_url(key: str, value: str, schemes: Sequence[str]) -> None:
    """Refuse what is no address of one of the schemes."""
    if not any(value.startswith(f"{scheme}://") and len(value) > len(scheme) + 3 for scheme in schemes):
        raise RefusedValue(key, f"= {value!r}; it must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
