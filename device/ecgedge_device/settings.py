"""`agent.toml` as frozen values. Defaults stand here and nowhere else.

A path in the file is relative to the file. Every refusal names the file, the line, the key and the remedy.
"""

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Literal, TypeVar, get_type_hints

from ecgedge.errors import SettingsError

Speed = Literal["real", "full"]


class _Refused(SettingsError):
    """A value that cannot be; `key` lets the reader of the file add the line."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key} {message}")
        self.key = key


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Section [agent]."""

    bundle: str = "beat"
    """Name of a shipped bundle, or path of a file ending in .tflite."""
    store: Path = Path("state/beats.sqlite")
    """SQLite file of all results; made where it does not exist."""
    threads: int = 1
    """Threads of the interpreter, 1 to 64."""
    drain_s: float = 10.0
    """Longest time to hand over beats when stopping, s, 0 to 600; the rest is sent at the next start."""

    def __post_init__(self) -> None:
        _check_range("threads", self.threads, low=1, high=64, unit="")
        _check_range("drain_s", self.drain_s, low=0, high=600, unit=" s")


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """Section [source] of kind `replay`."""

    path: Path
    """Recording: WFDB record (with or without .hea), EDF, CSV, .npy or .npz."""
    speed: Speed = "full"
    """`real` plays it at the speed it was recorded, `full` as fast as the machine can."""
    chunk_s: float = 1.0
    """Signal judged and stored in one step, s, 0.02 to 600; longer is faster, shorter is sooner."""
    lead: str | None = None
    """Name of the only lead to read; without it the bundle chooses."""
    fs_hz: float | None = None
    """Sampling rate, Hz, where the file does not say it."""

    def __post_init__(self) -> None:
        _check_range("chunk_s", self.chunk_s, low=0.02, high=600, unit=" s")
        if self.fs_hz is not None:
            _check_range("fs_hz", self.fs_hz, low=1, high=100_000, unit=" Hz")


@dataclass(frozen=True, slots=True)
class JsonLinesSettings:
    """Section [report] of kind `json-lines`."""

    path: Path = Path("beats.jsonl")
    """File that one line of JSON per beat is appended to."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole of `agent.toml`."""

    source: ReplaySettings
    agent: AgentSettings = field(default_factory=AgentSettings)
    report: JsonLinesSettings = field(default_factory=JsonLinesSettings)


def _check_range(key: str, value: float, *, low: float, high: float, unit: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise _Refused(key, f"= {value:g}; it must lie from {low:g} to {high:g}{unit}")


SOURCES: Mapping[str, type[ReplaySettings]] = {"replay": ReplaySettings}
"""Kind of [source] -> its settings."""
REPORTS: Mapping[str, type[JsonLinesSettings]] = {"json-lines": JsonLinesSettings}
"""Kind of [report] -> its settings."""

Section = TypeVar("Section", AgentSettings, ReplaySettings, JsonLinesSettings)


def read_settings(path: Path) -> Settings:
    """Read and check a settings file.

    Raises
    ------
    SettingsError
        The file is missing or no TOML, or has an unknown key, a wrong type or an impossible value.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return _Reader(path, text).settings()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; name the settings file with --config") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not text in UTF-8; a settings file is TOML; name another with --config") from None


class _Reader:
    """One settings file: its text, to find lines in, and its tables."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        try:
            self._tables: Mapping[str, object] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f'{path}: no TOML: {error}; strings stand in "quotes"') from None

    def settings(self) -> Settings:
        self._check_known("", self._tables, [entry.name for entry in fields(Settings)])
        return Settings(
            agent=self._section("agent", AgentSettings),
            source=self._section("source", SOURCES[self._kind("source", SOURCES, "replay")]),
            report=self._section("report", REPORTS[self._kind("report", REPORTS, "json-lines")]),
        )

    def _table(self, section: str) -> Mapping[str, object]:
        table = self._tables.get(section, {})
        if not isinstance(table, dict):
            raise self._refusal("", section, f"= {table!r}; it must be a section, [{section}]")
        return table

    def _kind(self, section: str, known: Mapping[str, object], default: str) -> str:
        kind = self._table(section).get("kind", default)
        if not isinstance(kind, str) or kind not in known:
            raise self._refusal(section, "kind", f"= {kind!r}; it must be {_listed(known)}")
        return kind

    def _section(self, section: str, into: type[Section]) -> Section:
        hints: Mapping[str, object] = get_type_hints(into)
        table = {key: value for key, value in self._table(section).items() if key != "kind" or section == "agent"}
        self._check_known(section, table, list(hints))
        if missing := [entry.name for entry in fields(into) if entry.default is MISSING and entry.name not in table]:
            raise SettingsError(f'{self._path}: [{section}] lacks {missing[0]}; add a line: {missing[0]} = "..."')
        values = self._defaults(into) | {key: self._value(section, key, table[key], hints[key]) for key in table}
        try:
            return into(**values)  # type: ignore[arg-type]  # each value was read by the type of its field
        except _Refused as error:
            raise self._refusal(section, error.key, str(error).removeprefix(error.key).strip()) from None

    def _value(self, section: str, key: str, value: object, hint: object) -> object:
        word, accept = _READERS[hint]
        found = accept(value)
        if found is None:
            raise self._refusal(section, key, f"= {value!r}; it must be {word}")
        if isinstance(found, Path):
            return self._beside(found)
        if key == "bundle" and str(found).endswith(".tflite"):
            return str(self._beside(Path(str(found))))
        return found

    def _defaults(self, into: type[Section]) -> dict[str, object]:
        """Paths that are not in the file are relative to it as well."""
        return {entry.name: self._beside(entry.default) for entry in fields(into) if isinstance(entry.default, Path)}

    def _beside(self, path: Path) -> Path:
        return self._path.absolute().parent / path.expanduser()

    def _check_known(self, section: str, table: Mapping[str, object], known: list[str]) -> None:
        for key in table:
            if key not in known:
                nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"did you mean {nearest[0]}?" if nearest else f"known are {_listed(known)}"
                raise self._refusal(section, key, f"is not known; {hint}")

    def _refusal(self, section: str, key: str, message: str) -> SettingsError:
        line = self._line(section, key)
        where = f"{self._path}, line {line}" if line else str(self._path)
        return SettingsError(f"{where}: {f'[{section}] ' if section else ''}{key} {message}")

    def _line(self, section: str, key: str) -> int | None:
        """Line of a key or section; None where it is written in a form that this does not find."""
        current = ""
        for number, line in enumerate(self._text.splitlines(), start=1):
            if header := re.match(r"\s*\[+\s*([\w.\"'-]+)\s*\]+", line):
                current = header[1].strip("\"'")
                if not section and current.partition(".")[0] == key:
                    return number
            elif current == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
                return number
        return None


def _listed(names: Mapping[str, object] | list[str]) -> str:
    return ", ".join(names)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _path(value: object) -> Path | None:
    return Path(value) if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _speed(value: object) -> str | None:
    return value if value in ("real", "full") and isinstance(value, str) else None


_READERS: Mapping[object, tuple[str, Callable[[object], object]]] = {
    str: ("text in quotes", _text),
    str | None: ("text in quotes", _text),
    Path: ("a path in quotes", _path),
    int: ("a whole number", _whole),
    float: ("a number", _number),
    float | None: ("a number", _number),
    Speed: ('"real" or "full"', _speed),
}
"""Type of a field -> what to call it, and how to accept a value of it (None: refused)."""
