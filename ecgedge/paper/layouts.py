"""Which lead stands where on a page: data (layouts.toml), not code."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

from ecgedge.manifest import Json
from ecgedge.plain import from_plain

STRIP = "*"
"""Stands for the lead of a rhythm strip, whose name is read from the page."""

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The twelve standard leads, in the order in which recordings are written."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows and columns of a 12-lead page."""

    name: str
    title: str
    rows: tuple[tuple[str, ...], ...]
    """Names of the leads of each row, left to right; `*` for a rhythm strip."""
    column_s: float
    """Length of one column, s; a rhythm strip is as long as a row."""
    separators: Literal["lines", "ticks", "none"]
    labels: Literal["above", "below"]

    @property
    def duration_s(self) -> float:
        """Length of a row, s."""
        return self.column_s * max(map(len, self.rows))


@dataclass(frozen=True, slots=True)
class _Entry:
    title: str
    rows: tuple[str, ...]
    column_s: float
    separators: Literal["lines", "ticks", "none"]
    labels: Literal["above", "below"]


@cache
def layouts() -> Mapping[str, Layout]:
    """Name -> layout, in the order of layouts.toml."""
    text = resources.files("ecgedge.paper").joinpath("layouts.toml").read_text(encoding="utf-8")
    return MappingProxyType({name: _layout(name, table) for name, table in tomllib.loads(text).items()})


def _layout(name: str, table: Mapping[str, Json]) -> Layout:
    entry = from_plain(_Entry, table, where=f"layouts.toml, {name}")
    rows = tuple(tuple(row.split()) for row in entry.rows)
    return Layout(name, entry.title, rows, entry.column_s, entry.separators, entry.labels)
