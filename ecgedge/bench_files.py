"""Files of measurements: ours (`ecgedge bench --json`) and those of pytest-benchmark, read as series of values.

Knows nothing of what a difference means.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ecgedge.bench_report import FORMAT, VERSION
from ecgedge.comparison import Series
from ecgedge.errors import InputError
from ecgedge.manifest import Json

_AGAIN = "give a JSON that `ecgedge bench BUNDLE --json FILE` or pytest's --benchmark-json wrote"


@dataclass(frozen=True, slots=True)
class BenchFile:
    """What one file holds."""

    kind: str
    """`ecgedge bench` or `pytest-benchmark`."""
    machine: str
    """Which machine it was measured on, in words, as far as the file says."""
    model: str
    """Which model part; empty where the file is not about one."""
    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()
    """What the measurement itself said against its figures."""


def read_bench_file(path: Path) -> BenchFile:
    """Read a file of either kind.

    Raises
    ------
    InputError
        The file cannot be read, is of another kind or of a later version, or lacks a part.
    """
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {_AGAIN}") from None
    except ValueError as error:
        raise InputError(f"{path}: no JSON ({error}); {_AGAIN}") from None
    try:
        found = _read(document)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InputError(f"{path}: a part is missing or not as it should be ({error!r}); {_AGAIN}") from None
    if not found.series:
        raise InputError(f"{path}: holds no benchmark; {_AGAIN}")
    return found


def _read(document: object) -> BenchFile:
    if not isinstance(document, dict):
        raise TypeError("not an object")
    if document.get("format") == FORMAT:
        return _ours(document)
    return _pytest_benchmark(document)


def _ours(document: Mapping[str, Json]) -> BenchFile:
    if document["format_version"] != VERSION:
        raise ValueError(f"format version {document['format_version']}, this ecgedge reads {VERSION}; update it")
    board, bundle = _object(document["board"]), _object(document["bundle"])
    series = [_latency(_object(entry)) for entry in _list(document["latency"])]
    starts = [_object(entry) for entry in _list(document["start_up"])]
    for title, field, unit in _START_UP:
        values = [_positive(entry[field]) for entry in starts if entry[field] is not None]
        if values:
            series.append(Series(title, unit, median(values), tuple(values)))
    return BenchFile(
        kind="ecgedge bench",
        machine=_words(board, ("model", "cpu", "architecture")),
        model=str(bundle["model_sha256"]),
        series=tuple(series),
        warnings=tuple(str(words) for words in _list(document["warnings"])),
    )


_START_UP = (
    ("start-up to the first answer", "process_s", "s"),
    ("first answer", "answer_s", "s"),
    ("the same answer once more", "again_s", "s"),
    ("memory with the bundle loaded", "loaded_mb", "MB"),
    ("peak memory", "peak_mb", "MB"),
)


def _latency(entry: Mapping[str, Json]) -> Series:
    values = tuple(_positive(value) for value in _list(entry["blocks_ms"]))
    name = f"set, invoke, get; threads {entry['threads']}, batch {entry['batch']}"
    return Series(name, "ms", _positive(entry["p50_ms"]), values)


def _pytest_benchmark(document: Mapping[str, Json]) -> BenchFile:
    machine = _object(document["machine_info"])
    cpu = machine.get("cpu")
    names = {**machine, "cpu": cpu.get("brand_raw") if isinstance(cpu, dict) else None}
    benchmarks = [_object(entry) for entry in _list(document["benchmarks"])]
    series = tuple(_benchmark(entry) for entry in benchmarks if not entry.get("error"))
    return BenchFile("pytest-benchmark", _words(names, ("cpu", "machine")), "", series)


def _benchmark(entry: Mapping[str, Json]) -> Series:
    stats = _object(entry["stats"])
    return Series(
        name=str(entry["name"]),
        unit="s",
        median=_positive(stats["median"]),
        values=tuple(_positive(value) for value in _list(stats.get("data") or [])),
        iqr=float(str(stats["iqr"])),
        rounds=int(str(stats["rounds"])),
    )


def _words(facts: Mapping[str, Json], names: tuple[str, ...]) -> str:
    return ", ".join(str(facts[name]) for name in names if facts.get(name))


def _positive(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{value!r} is no time or size above 0")
    return float(value)


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:40]!r} is no object")
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:40]!r} is no list")
    return value
