"""Reads `agent.toml`. A path in it is relative to it. A refusal names the file, the line, the key and the remedy."""

import difflib
import re
import tomllib
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ecgedge.errors import SettingsError
from ecgedge_device.limits import RefusedValue
from ecgedge_device.report_settings import REPORTS, JsonLinesSettings, ReportSettings
from ecgedge_device.secrets import Secret
from ecgedge_device.settings import AgentSettings, AlarmSettings, KeepSettings, Settings, WebSettings
from ecgedge_device.source_settings import SOURCES, SourceSettings

_SECTIONS = ("agent", "source", "alarms", "keep", "report", "web")
_EXAMPLE = "device/agent.toml shows every key"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Place:
    """A section of the file; `index` counts those of one name from 0."""

    section: str
    index: int = 0


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
        self._check_known(_Place(""), self._tables, _SECTIONS)
        if "source" not in self._tables:
            raise SettingsError(f'{self._path}: no [[source]]; add one with a kind, such as "folder"; {_EXAMPLE}')
        default: ReportSettings = self._filled(_Place("report"), {}, JsonLinesSettings)
        found = Settings(
            agent=self._one("agent", AgentSettings),
            sources=cast(tuple[SourceSettings, ...], self._each("source", SOURCES, default="replay")),
            alarms=self._one("alarms", AlarmSettings),
            keep=self._one("keep", KeepSettings),
            reports=cast(tuple[ReportSettings, ...], self._each("report", REPORTS, default="json-lines")) or (default,),
            web=self._one("web", WebSettings) if "web" in self._tables else None,
        )
        self._check_names("source", [source.name for source in found.sources])
        self._check_names("report", [report.name for report in found.reports])
        return found

    def _one(self, section: str, into: type[T]) -> T:
        table = self._tables.get(section, {})
        if not isinstance(table, dict):
            raise self._refusal(_Place(""), section, f"= {table!r}; it must be a section, [{section}]")
        return self._filled(_Place(section), table, into)

    def _each(self, section: str, kinds: Mapping[str, type[T]], *, default: str) -> tuple[T, ...]:
        """Sections of one name, [[section]] or a single [section], each of its own kind."""
        tables = self._tables.get(section, [])
        if isinstance(tables, dict):
            tables = [tables]
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self._refusal(_Place(""), section, f"= {tables!r}; it must be sections, [[{section}]]")
        found = []
        for index, table in enumerate(tables):
            place, kind = _Place(section, index), table.get("kind", default)
            if not isinstance(kind, str) or kind not in kinds:
                raise self._refusal(place, "kind", f"= {kind!r}; it must be {', '.join(kinds)}")
            rest = {key: value for key, value in table.items() if key != "kind"}
            found.append(self._filled(place, rest, kinds[kind]))
        return tuple(found)

    def _check_names(self, section: str, names: Sequence[str]) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                place = _Place(section, index)
                raise self._refusal(place, "name", f"= {name!r} stands on two of them; give each its own")

    def _filled(self, place: _Place, table: Mapping[str, object], into: type[T]) -> T:
        hints: Mapping[str, object] = get_type_hints(into)
        self._check_known(place, table, list(hints))
        for entry in fields(into):  # type: ignore[arg-type]  # every section is a dataclass
            if entry.default is MISSING and entry.default_factory is MISSING and entry.name not in table:
                raise self._refusal(place, "", f"lacks {entry.name}; add a line: {entry.name} = ...; {_EXAMPLE}")
        values = self._defaults(into) | {key: self._value(place, key, table[key], hints[key]) for key in table}
        try:
            return into(**values)
        except RefusedValue as error:
            raise self._refusal(place, error.key, str(error).removeprefix(error.key).strip()) from None

    def _value(self, place: _Place, key: str, value: object, hint: object) -> object:
        word, accept = _reader_of(hint)
        found = accept(value)
        if found is None:
            shown = "= ..." if hint is Secret else f"= {value!r}"  # it may be the secret itself
            raise self._refusal(place, key, f"{shown}; it must be {word}")
        if isinstance(found, Path):
            return self._beside(found)
        if isinstance(found, Secret) and found.reference.startswith("file:"):
            return Secret(f"file:{self._beside(Path(found.reference[5:]))}")
        if key in ("bundle", "page_bundle") and str(found).endswith(".tflite"):
            return str(self._beside(Path(str(found))))
        return found

    def _defaults(self, into: type[T]) -> dict[str, object]:
        """Paths that are not in the file are relative to it as well."""
        entries = fields(into)  # type: ignore[arg-type]
        return {entry.name: self._beside(entry.default) for entry in entries if isinstance(entry.default, Path)}

    def _beside(self, path: Path) -> Path:
        return self._path.absolute().parent / path.expanduser()

    def _check_known(self, place: _Place, table: Mapping[str, object], known: Sequence[str]) -> None:
        for key in table:
            if key not in known:
                nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}"
                raise self._refusal(place, key, f"is not known; {hint}")

    def _refusal(self, place: _Place, key: str, message: str) -> SettingsError:
        line = self._line(place, key)
        where = f"{self._path}, line {line}" if line else str(self._path)
        words = [f"[{place.section}]" if place.section else "", key, message]
        return SettingsError(f"{where}: {' '.join(word for word in words if word)}")

    def _line(self, place: _Place, key: str) -> int | None:
        """Line of a key, of its section where the key has none, or of a section; None where this does not find it."""
        section, seen, header_line = "", -1, None
        for number, line in enumerate(self._text.splitlines(), start=1):
            if header := re.match(r"\s*\[+\s*([\w.\"'-]+)\s*\]+", line):
                section = header[1].strip("\"'")
                seen += section == place.section
                if not place.section and section.partition(".")[0] == key:
                    return number
                if section == place.section and seen == place.index:
                    header_line = number
            elif section == place.section and (not section or seen == place.index) and _sets(line, key):
                return number
        return header_line


def _sets(line: str, key: str) -> bool:
    """Whether a line gives a key a value."""
    return bool(key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line))


def _reader_of(hint: object) -> tuple[str, Callable[[object], object]]:
    """What to call a value of this type, and how to accept one (None: refused)."""
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = [each for each in get_args(hint) if each is not type(None)]
        return _reader_of(inner)
    if get_origin(hint) is Literal:
        words = get_args(hint)
        return " or ".join(f'"{word}"' for word in words), lambda value: value if value in words else None
    if get_origin(hint) is tuple:
        return 'a list of texts in quotes, ["...", "..."]', _texts
    return _READERS[hint]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and all(isinstance(one, str) and one for one in value) else None


def _path(value: object) -> Path | None:
    return Path(value) if isinstance(value, str) and value else None


def _secret(value: object) -> Secret | None:
    fits = isinstance(value, str) and re.fullmatch(r"(file|env):.+", value)
    return Secret(str(value)) if fits else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


_READERS: Mapping[object, tuple[str, Callable[[object], object]]] = {
    str: ("text in quotes", _text),
    Path: ("a path in quotes", _path),
    Secret: ('"file:PATH" or "env:NAME", never the secret itself', _secret),
    bool: ("true or false", _flag),
    int: ("a whole number", _whole),
    float: ("a number", _number),
}
