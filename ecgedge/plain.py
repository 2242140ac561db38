"""Frozen dataclasses to and from plain JSON values, strictly: no key too few, none too many, no other type."""

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, TypeVar, cast, get_args, get_origin, get_type_hints

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


def from_plain(kind: type[T], raw: Mapping[str, Json], *, where: str) -> T:
    """Rebuild a dataclass from what `to_plain` gave.

    Raises
    ------
    ValueError
        A key is missing or unknown, or a value has another type; `where` is named.
    """
    assert is_dataclass(kind)
    names = [entry.name for entry in fields(kind)]
    if wrong := sorted(set(names).symmetric_difference(raw)):
        raise ValueError(f"{where} has missing or unknown keys {', '.join(wrong)}")
    hints = get_type_hints(kind)
    return cast(T, kind(**{name: _value(hints[name], raw[name], f"{where}.{name}") for name in names}))


def _value(hint: object, raw: Json, where: str) -> object:
    if isinstance(hint, type) and is_dataclass(hint):
        return from_plain(hint, _expect(raw, dict, where), where=where)
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], entry, where) for entry in _expect(raw, list, where))
    if hint is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    return _expect(raw, cast(type[object], hint), where)


def _expect(raw: object, kind: type[T], where: str) -> T:
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise ValueError(f"{where} is {raw!r}; it must be of type {kind.__name__}")
    return raw
