"""What a report says, as plain parts: words, tables, pictures. `page` and `markdown` render it and know no more.

A text is plain: no markup in it.
"""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["", "good", "bad", "soft", "strong"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table."""

    text: str
    below: str = ""
    """A second, smaller line."""
    tone: Tone = ""
    shade: float | None = None
    """Share from 0 to 1 that the cell is shaded by."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows side by side; the first cell of a row names it."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing, once for wide and once for narrow screens."""

    title: str
    wide: str
    """SVG."""
    narrow: str
    caption: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Small tables or pictures of one kind, one for each model."""

    note: str
    items: tuple[Table | Picture, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A question, its answer in a word or two, and why."""

    question: str
    answer: str
    why: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The answers that a reader looks for first."""

    items: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; a warning where it must not be overlooked."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Points:
    """A list of sentences."""

    items: tuple[str, ...]


Block = Table | Picture | Gallery | Verdicts | Text | Points


@dataclass(frozen=True, slots=True)
class Part:
    """Blocks under a heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """A model with its variants, or what holds for all of them."""

    title: str
    anchor: str
    lead: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    notice: str
    lead: str
    chapters: tuple[Chapter, ...]
