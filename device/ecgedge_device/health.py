"""How each part of the agent does, as the web page, the logs and the watchdog see it."""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import Literal, cast

from ecgedge.manifest import Json
from ecgedge_device.migrations import utc_now

SourceState = Literal["starting", "running", "waiting", "lost", "ended", "given up"]
"""`waiting`: open, and nothing to judge; `lost`: tried again later; `given up`: what it holds can never be judged."""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source."""

    kind: str
    state: SourceState = "starting"
    since_utc: str = ""
    trouble: str = ""
    """What it failed of, in one line; empty where it does well."""
    retries: int = 0
    """Attempts since it was last well."""
    judged: int = 0
    """Beats and pages judged since the start."""
    refused: int = 0
    """Pictures and files refused since the start."""
    last_utc: str = ""
    """When it last had something judged."""


@dataclass(frozen=True, slots=True)
class ReporterHealth:
    """One reporter."""

    kind: str
    state: Literal["starting", "well", "failing"] = "starting"
    since_utc: str = ""
    trouble: str = ""
    waiting: int = 0
    """Results that it has not taken yet."""
    sent: int = 0
    """Since the start."""
    given_up: int = 0
    """In the table of dead letters."""
    dropped: int = 0
    """Removed by retention before they were sent, ever."""


class Health:
    """Thread-safe. Who finishes work says so; nothing here asks anybody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sources: dict[str, SourceHealth] = {}
        self._reporters: dict[str, ReporterHealth] = {}
        self._facts: dict[str, Json] = {}
        self._worked_s = monotonic()
        self._busy: dict[str, float] = {}  # source -> since when it has been at one piece of work

    def source(self, name: str, **changes: object) -> SourceHealth:
        """Change what is known of a source; `since_utc` follows its state."""
        with self._lock:
            old = self._sources.get(name) or SourceHealth(kind=str(changes.get("kind", "")))
            if changes.get("state", old.state) != old.state or not old.since_utc:
                changes.setdefault("since_utc", utc_now())
            self._sources[name] = replace(old, **changes)  # type: ignore[arg-type]  # names and types of the fields
            if "state" in changes:
                self._busy.pop(name, None)
            if changes.get("state") == "running":
                self._busy[name] = monotonic()
            return self._sources[name]

    def count(self, name: str, *, judged: int = 0, refused: int = 0) -> None:
        """Add what a source has just had judged or refused."""
        with self._lock:
            old = self._sources[name]
            last = utc_now() if judged else old.last_utc
            new = replace(old, judged=old.judged + judged, refused=old.refused + refused, last_utc=last)
            self._sources[name] = new
            self._worked_s = monotonic()
            if name in self._busy:
                self._busy[name] = monotonic()

    def reporter(self, name: str, **changes: object) -> ReporterHealth:
        """Change what is known of a reporter."""
        with self._lock:
            old = self._reporters.get(name) or ReporterHealth(kind=str(changes.get("kind", "")))
            if changes.get("state", old.state) != old.state or not old.since_utc:
                changes.setdefault("since_utc", utc_now())
            self._reporters[name] = replace(old, **changes)  # type: ignore[arg-type]
            return self._reporters[name]

    def fact(self, name: str, value: Json) -> None:
        """A figure of the whole agent: `store_bytes`, `files_bytes`, `free_bytes`, `dropped`, `bundles`, ..."""
        with self._lock:
            self._facts[name] = value

    @property
    def idle_s(self) -> float:
        """Time since anything was last judged or refused, or since the start, s."""
        return monotonic() - self._worked_s

    def busy_s(self) -> dict[str, float]:
        """Source that is at work -> time since it last finished a piece of it, s."""
        with self._lock:
            now = monotonic()
            return {name: now - since for name, since in self._busy.items()}

    def judged(self) -> dict[str, int]:
        """Source -> beats and pages judged since the start."""
        with self._lock:
            return {name: one.judged for name, one in self._sources.items()}

    def snapshot(self) -> dict[str, Json]:
        """{"sources": {name: ..}, "reporters": {name: ..}, "facts": {name: value}}: as plain values."""
        with self._lock:
            found: Mapping[str, object] = {
                "sources": {name: asdict(one) for name, one in self._sources.items()},
                "reporters": {name: asdict(one) for name, one in self._reporters.items()},
                "facts": dict(self._facts),
            }
        return cast(dict[str, Json], found)
