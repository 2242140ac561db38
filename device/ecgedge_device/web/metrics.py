"""The agent's figures as Prometheus reads them, text format 0.0.4. Knows nothing of HTTP.

Written by hand: a client library would keep a second count of what `Health` counts already.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

from ecgedge import __version__
from ecgedge.manifest import Json
from ecgedge_device.web.machine import look_at
from ecgedge_device.web.view import Site
from ecgedge_device.web.wording import mapping, text

MEDIA_TYPE = "text/plain; version=0.0.4"
_WELL = ("running", "waiting", "ended")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with its samples."""

    name: str
    kind: str
    """counter or gauge."""
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]


def metrics_text(site: Site) -> str:
    """All metrics."""
    lines = []
    for family in (*_machine(site), *_sources(site), *_reporters(site)):
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        lines += [f"{family.name}{_labels(labels)} {value:.15g}" for labels, value in family.samples]
    return "\n".join(lines) + "\n"


def _machine(site: Site) -> Iterable[Family]:
    machine = look_at(site.agent.store_path)
    yield _one("ecgedge_info", "gauge", "Version of the agent and names of its bundles", 1, _names(site))
    yield _one("ecgedge_uptime_seconds", "gauge", "Since the web page was started", monotonic() - site.started_s)
    yield _one("ecgedge_memory_bytes", "gauge", "Resident memory of the agent", machine.memory_bytes)
    yield _one("ecgedge_disk_free_bytes", "gauge", "Free on the disk of the store", machine.free_bytes)
    yield _one("ecgedge_store_bytes", "gauge", "Database with its journal", machine.store_bytes)
    yield _one("ecgedge_web_watchers", "gauge", "Browsers that get live events", site.broadcast.clients)
    if machine.temperature_c is not None:
        yield _one("ecgedge_temperature_celsius", "gauge", "Hottest thermal zone", machine.temperature_c)


def _names(site: Site) -> dict[str, str]:
    bundles = {task: f"{one.manifest.name} {one.manifest.version}" for task, one in site.agent.bundles.items()}
    return {"version": __version__, **bundles}


def _sources(site: Site) -> Iterable[Family]:
    busy = [({"source": name}, seconds) for name, seconds in site.agent.health.busy_s().items()]
    yield Family("ecgedge_source_busy_seconds", "gauge", "At one piece of work", tuple(busy))
    found = mapping(site.agent.health.snapshot(), "sources")
    yield _each("ecgedge_source_up", "gauge", "1 where a source is there", "source", found, _is_up)
    for key, words in (("judged", "Beats and pages judged"), ("refused", "Pictures and files refused")):
        yield _each(f"ecgedge_{key}_total", "counter", f"{words} since the start", "source", found, key)
    yield _each("ecgedge_source_retries", "gauge", "Attempts since it was last there", "source", found, "retries")


def _reporters(site: Site) -> Iterable[Family]:
    found = mapping(site.agent.health.snapshot(), "reporters")
    yield _each("ecgedge_reporter_up", "gauge", "1 where a reporter does well", "reporter", found, _is_well)
    yield _each("ecgedge_outbox_results", "gauge", "Results that wait", "reporter", found, "waiting")
    for key, words in (
        ("sent", "Results sent since the start"),
        ("given_up", "Results that its receiver refused for good"),
        ("dropped", "Results removed before they were sent"),
    ):
        yield _each(f"ecgedge_{key}_total", "counter", words, "reporter", found, key)


def _is_up(one: Mapping[str, Json]) -> float:
    return float(text(one, "state") in _WELL)


def _is_well(one: Mapping[str, Json]) -> float:
    return float(text(one, "state") != "failing")


def _one(name: str, kind: str, words: str, value: float, labels: Mapping[str, str] | None = None) -> Family:
    return Family(name, kind, words, ((labels or {}, value),))


def _each(
    name: str,
    kind: str,
    words: str,
    label: str,
    found: Mapping[str, Json],
    value: str | Callable[[Mapping[str, Json]], float],
) -> Family:
    """A sample per source or reporter: the value of a key, or of a function."""
    parts = [(key, one) for key, one in found.items() if isinstance(one, dict)]
    samples = [
        ({label: key}, float(text(one, value) or 0) if isinstance(value, str) else value(one)) for key, one in parts
    ]
    return Family(name, kind, words, tuple(samples))


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    marks = {"\\": r"\\", '"': r"\"", "\n": r"\n"}
    quoted = {name: "".join(marks.get(letter, letter) for letter in value) for name, value in labels.items()}
    return "{" + ",".join(f'{name}="{value}"' for name, value in quoted.items()) + "}"
