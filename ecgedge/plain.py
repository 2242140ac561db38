"""Frozen dataclasses to and from plain JSON values, strictly: no key too many, no other type, none too few."""

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from ecgedge.manifest import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def to_plain(value: "DataclassInstance") -> dict[str, Json]:
    """A dataclass of numbers, strings, tuples and other such dataclasses, as JSON holds it."""
    return cast(dict[str, Json], _listed(asdict(value)))


def _listed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, list | tuple) else value


def from_plain(kind: type[T], raw: Mapping[str, Json], *, where: str, defaults: bool = False) -> T:
    """Rebuild a dataclass from what `to_plain` gave, or from what a person wrote in TOML.

    Parameters
    ----------
    where : begins every message
    defaults : take those of the dataclass for keys that are missing

    Raises
    ------
    ValueError
        A key is missing or unknown, or a value has another type.
    """
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    for key in raw:
        if key not in hints:
            near = difflib.get_close_matches(str(key), list(hints), n=1, cutoff=0.0)[0]
            raise ValueError(f"{where}: unknown key {key!r}; did you mean {near!r}?")
    needed = [entry.name for entry in fields(kind) if not defaults or _has_no_default(entry)]
    if missing := [name for name in needed if name not in raw]:
        raise ValueError(f"{where}: no key {missing[0]!r}; add it")
    return kind(**{key: _value(hints[key], raw[key], where=f"{where}: {key}", defaults=defaults) for key in raw})


def _has_no_default(entry: "Field[object]") -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _value(hint: object, raw: Json, *, where: str, defaults: bool) -> object:
    if isinstance(hint, type) and is_dataclass(hint):
        return from_plain(hint, _expect(raw, dict, where), where=where, defaults=defaults)
    if get_origin(hint) is Literal:
        if raw not in get_args(hint):
            raise ValueError(f"{where}: {raw!r}; choose one of {', '.join(map(str, get_args(hint)))}")
        return raw
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return tuple(_value(item, entry, where=where, defaults=defaults) for entry in _expect(raw, list, where))
    if hint is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    return _expect(raw, cast(type[object], hint), where)


def _expect(raw: object, kind: type[T], where: str) -> T:
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise ValueError(f"{where} is {raw!r}; it must be of type {kind.__name__}")
    return raw
