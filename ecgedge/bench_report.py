"""What `ecgedge bench` found, as one JSON that may be sent in, and what must be said beside it.

Format `ecgedge-bench`, version 1: the fields of `BenchReport`, in plain JSON, numbers to six decimals. It holds no host
name, user name, path or serial number. A field that is unknown on a machine is null. Later versions may add fields, and
who reads must let them pass.
"""

import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from ecgedge import NOTICE, __version__
from ecgedge.board import Board, Condition
from ecgedge.bundle import Bundle
from ecgedge.first_answer import FirstAnswer
from ecgedge.latency import Latency
from ecgedge.manifest import Json
from ecgedge.plain import to_plain
from ecgedge.revision import commit
from ecgedge.runtime import find_runtime

FORMAT, VERSION = "ecgedge-bench", 1
_MUCH_ABOVE = 2.0
"""A p99 of so many times the p50 is said."""
_OTHER_CORES = 0.1
"""Other programs that take more than this share of one core are said."""
_BUSY_LOAD = 0.3
"""Processes for each core that run before we start."""
_OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv")
_HOT_C = 80.0
"""A Pi begins to lower its clock here."""


@dataclass(frozen=True, slots=True)
class Software:
    """What ran."""

    ecgedge: str
    commit: str | None
    """Of the checkout or of what pip fetched; `+` behind it where it was changed."""
    python: str
    interpreter: str
    numpy: str
    opencv: str | None


@dataclass(frozen=True, slots=True)
class Measured:
    """Which model."""

    name: str
    version: str
    task: str
    model_bytes: int
    model_sha256: str
    """Of the model part alone, so that the same model is known under any name."""
    input_dtype: str


@dataclass(frozen=True, slots=True)
class Energy:
    """What the meter of the machine gave while the model ran, and while nothing of ours did."""

    meter: str
    idle_w: float
    busy_w: float
    threads: int
    per_input_mj: float
    """Above idle, for one input with its share of everything, mJ."""


@dataclass(frozen=True, slots=True)
class BenchReport:
    """One measurement of one bundle on one machine."""

    date_utc: str
    board: Board
    software: Software
    bundle: Measured
    before: Condition
    after: Condition
    other_cores: float | None
    """Cores that other programs kept busy while the latency was measured; 0.5 is half of one."""
    latency: tuple[Latency, ...]
    start_up: tuple[FirstAnswer, ...]
    """Fresh processes, in their order; the first may have read from disk what the others found in memory."""
    energy: Energy | None

    def to_json(self) -> dict[str, Json]:
        """The document, with format, version, warnings and notice."""
        head: dict[str, Json] = {"format": FORMAT, "format_version": VERSION}
        return {**head, **_rounded(to_plain(self)), "warnings": list(warnings_of(self)), "notice": NOTICE}


def _rounded(facts: dict[str, Json]) -> dict[str, Json]:
    return {key: _rounded_value(value) for key, value in facts.items()}


def _rounded_value(value: Json) -> Json:
    if isinstance(value, dict):
        return _rounded(value)
    if isinstance(value, list):
        return [_rounded_value(entry) for entry in value]
    return round(value, 6) if isinstance(value, float) else value


def software() -> Software:
    """What runs here."""
    runtime = find_runtime()
    return Software(
        ecgedge=__version__,
        commit=commit(),
        python=platform.python_version(),
        interpreter=f"{runtime.name} {runtime.version}",
        numpy=np.__version__,
        opencv=_opencv_version(),
    )


def measured_model(bundle: Bundle) -> Measured:
    """Which model this is."""
    manifest = bundle.manifest
    return Measured(
        name=manifest.name,
        version=manifest.version,
        task=manifest.task,
        model_bytes=manifest.model_bytes,
        model_sha256=manifest.model_sha256,
        input_dtype=manifest.inputs[0].dtype,
    )


def today_utc() -> str:
    """The date, UTC; the hour says nothing and is left out."""
    return datetime.now(UTC).date().isoformat()


def warnings_of(report: BenchReport) -> tuple[str, ...]:
    """What makes the figures doubtful, in words that say what to do; nothing where nothing does."""
    conditions = (report.before, report.after)
    return (*_of_throttling(conditions), *_of_warmth(conditions), *_of_load(report), *_of_spread(report.latency))


def _of_throttling(conditions: Sequence[Condition]) -> list[str]:
    said = {words: None for condition in conditions for words in condition.throttling_words}
    if not said:
        return []
    remedy = "a stronger power supply" if any("voltage" in words for words in said) else "a fan or heat sink"
    return [
        f"the board says: {', '.join(said)}; these are not its full speed; give it {remedy}, restart, measure again"
    ]


def _of_warmth(conditions: Sequence[Condition]) -> list[str]:
    warmest = max((value for condition in conditions for value in condition.temperatures_c.values()), default=0.0)
    if warmest < _HOT_C:
        return []
    return [f"{warmest:.0f} \u00b0C: boards lower their clock near {_HOT_C:.0f}; cool it and measure again"]


def _of_load(report: BenchReport) -> list[str]:
    found = []
    if report.before.load is not None and report.before.load > _BUSY_LOAD * report.board.cores:
        found.append(
            f"a load of {report.before.load:.1f} on {report.board.cores} cores before the start; stop what else runs"
        )
    if report.other_cores is not None and report.other_cores > _OTHER_CORES:
        found.append(
            f"other programs took {100 * report.other_cores:.0f} % of a core while this measured; stop them, measure "
            "again"
        )
    return found


def _of_spread(latency: Sequence[Latency]) -> list[str]:
    return [
        f"p99 is {one.p99_ms / one.p50_ms:.1f} times p50 (threads {one.threads}, batch {one.batch}): something "
        "interrupts; p50 is nearer to what the board can do"
        for one in latency
        if one.p99_ms > _MUCH_ABOVE * one.p50_ms
    ]


def _opencv_version() -> str | None:
    for name in _OPENCV:
        with suppress(PackageNotFoundError):
            return version(name)
    return None
