"""Pictures with a row for each model: differences to float32 on a line, and bars of the recall of each class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

from ecgedge_convert.report.document import Picture
from ecgedge_convert.report.intervals import Figure
from ecgedge_convert.report.label_places import text_width
from ecgedge_convert.report.scatter import plain, ticks_of
from ecgedge_convert.report.svg import element, line, marker, picture, text

_WIDE, _NARROW = 900.0, 360.0
_ROW, _HEAD, _FOOT, _TYPE = 24.0, 30.0, 26.0, 13.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One model in one group."""

    name: str
    figure: Figure
    kind: str
    """Class of its colour."""
    words: str
    """The figure as it is read."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under a heading, on one scale."""

    title: str
    bars: tuple[Bar, ...]


Span = tuple[float, float]


def differences(groups: Sequence[Group], words: Callable[[float], str], *, title: str, caption: str) -> Picture:
    """Points with their intervals beside a line at 0; each group has its own scale."""
    return _both(groups, _difference_rows, words, title=title, caption=caption)


def bars(groups: Sequence[Group], words: Callable[[float], str], *, title: str, caption: str) -> Picture:
    """Bars from 0 to 1 with their intervals."""
    return _both(groups, _bar_rows, words, title=title, caption=caption)


@dataclass(frozen=True, slots=True)
class _Lane:
    """The part of a drawing that a scale runs over."""

    left: float
    right: float
    span: Span

    def at(self, value: float) -> float:
        low, high = self.span
        return self.left + (min(max(value, low), high) - low) / (high - low) * (self.right - self.left)


Rows = Callable[[Group, _Lane, float], list[str]]


def _both(groups: Sequence[Group], rows: Rows, words: Callable[[float], str], *, title: str, caption: str) -> Picture:
    told = ". ".join(f"{group.title}: {'; '.join(f'{one.name} {one.words}' for one in group.bars)}" for group in groups)
    wide, narrow = (_drawn(groups, rows, words, width, title=title, told=told) for width in (_WIDE, _NARROW))
    return Picture(title, wide, narrow, caption)


def _drawn(
    groups: Sequence[Group], rows: Rows, words: Callable[[float], str], width: float, *, title: str, told: str
) -> str:
    longest = max(text_width(one.name, _TYPE) for group in groups for one in group.bars)
    left = min(longest + 14, 0.42 * width)
    right = width - max(text_width(one.words, _TYPE) for group in groups for one in group.bars) - 22
    parts, top = [], 4.0
    for group in groups:
        lane = _Lane(left, right, _span(group, rows is _difference_rows))
        parts.append(text(group.title, 0, top + 15, class_="heading"))
        bottom = top + _HEAD + _ROW * len(group.bars)
        for value in ticks_of(*lane.span, most=6 if width > _NARROW else 4):
            x = lane.at(value)
            parts.append(line(x, top + _HEAD - 4, x, bottom, "axis" if value == 0 else "grid"))
            parts.append(text(plain(words(value)), x, bottom + 15, class_="tick mid"))
        parts += rows(group, lane, top + _HEAD)
        for k, one in enumerate(group.bars):
            middle = top + _HEAD + _ROW * (k + 0.5)
            parts.append(text(one.name, left - 10, middle + 4.5, class_="name end"))
            parts.append(text(one.words, width - 2, middle + 4.5, class_="value end"))
        top = bottom + _FOOT + 8
    return picture(width, top, element("g", *parts), title=title, description=told, class_="plot")


def _span(group: Group, around_zero: bool) -> Span:
    if not around_zero:
        return 0.0, 1.0
    ends = [end for one in group.bars for end in (one.figure.low, one.figure.high, one.figure.value) if isfinite(end)]
    most = max((abs(end) for end in ends), default=0.0) or 0.01
    low, high = min([*ends, -0.15 * most]), max([*ends, 0.15 * most])
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def _difference_rows(group: Group, lane: _Lane, top: float) -> list[str]:
    parts = []
    for k, one in enumerate(group.bars):
        y = top + _ROW * (k + 0.5)
        if isfinite(one.figure.low):
            parts.append(line(lane.at(one.figure.low), y, lane.at(one.figure.high), y, f"range {one.kind}"))
        if isfinite(one.figure.value):
            parts.append(marker("circle", lane.at(one.figure.value), y, 5, f"point {one.kind}"))
    return parts


def _bar_rows(group: Group, lane: _Lane, top: float) -> list[str]:
    parts = []
    for k, one in enumerate(group.bars):
        y = top + _ROW * (k + 0.5)
        if not isfinite(one.figure.value):
            continue
        length = lane.at(one.figure.value) - lane.left
        parts.append(element("rect", x=lane.left, y=y - 7, width=length, height=14, class_=f"bar {one.kind}"))
        if isfinite(one.figure.low):
            parts.append(line(lane.at(one.figure.low), y, lane.at(one.figure.high), y, "error"))
    return parts
