"""What is had for what is paid: a figure against bytes or milliseconds, with the front of the unbeaten models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from re import sub

from ecgedge_convert.report.document import Picture
from ecgedge_convert.report.label_places import Box, edge_toward, places
from ecgedge_convert.report.svg import line, marker, path, picture, text

_WIDE, _NARROW = (900.0, 440.0), (360.0, 400.0)
_TYPE = 13.0
_POINT = 5.5


@dataclass(frozen=True, slots=True)
class Point:
    """One model."""

    name: str
    x: float
    """Bytes or milliseconds."""
    y: float
    low: float
    """95 % interval of y; NaN for none."""
    high: float
    kind: str = "other"
    """Class of its colour: how its numbers are written, or `published`."""
    shape: str = "circle"
    x_high: float = float("nan")
    """Where a thin line to the right ends, such as the 99th percentile."""
    named: bool = True
    """Whether its name is written beside it."""


@dataclass(frozen=True, slots=True)
class Axes:
    """What is drawn against what."""

    x_title: str
    y_title: str
    x_words: Callable[[float], str]
    """Writes a value of the x axis."""
    y_words: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class _Frame:
    box: Box
    x_span: tuple[float, float]
    y_span: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        low, high = (log10(end) for end in self.x_span)
        across = (log10(x) - low) / (high - low)
        up = (y - self.y_span[0]) / (self.y_span[1] - self.y_span[0])
        left, right, bottom, top = self.box.left, self.box.right, self.box.bottom, self.box.top
        return left + across * (right - left), bottom - up * (bottom - top)


def scatter(
    points: Sequence[Point], front: Sequence[str], axes: Axes, *, title: str, caption: str, others: Sequence[Point] = ()
) -> Picture:
    """Draw models as points, the front as a line through its members, others' published figures in grey.

    Parameters
    ----------
    points : those whose y is NaN are not drawn
    front : names of its members, the cheapest first
    """
    points = [one for one in points if isfinite(one.y)]
    told = "; ".join(f"{one.name}: {axes.x_words(one.x)}, {axes.y_words(one.y)}" for one in points)
    description = f"{told}. On the front: {', '.join(front)}."
    wide, narrow = (
        _drawn(points, front, axes, others, size, title=title, description=description) for size in (_WIDE, _NARROW)
    )
    return Picture(title, wide, narrow, caption)


def _drawn(
    points: Sequence[Point],
    front: Sequence[str],
    axes: Axes,
    others: Sequence[Point],
    size: tuple[float, float],
    *,
    title: str,
    description: str,
) -> str:
    width, height = size
    frame = _Frame(Box(52, 26, width - 14, height - 46), _x_span([*points, *others]), _y_span([*points, *others]))
    members = [one for name in front for one in points if one.name == name]
    parts = [
        *_grid(frame, axes, narrow=width < 500),
        *(_whisker(frame, one) for one in points),
        _front_line(frame, members),
        *(marker("circle", *frame.at(one.x, one.y), _POINT - 1, "published") for one in others),
        *_markers(frame, points, front),
        *_names(frame, points, members, others),
    ]
    return picture(width, height, *parts, title=title, description=description, class_="plot")


def _x_span(points: Sequence[Point]) -> tuple[float, float]:
    ends = [one.x for one in points] + [one.x_high for one in points if isfinite(one.x_high)]
    low, high = min(ends), max(ends)
    room = max(10**0.12, (high / low) ** 0.12)
    return low / room, high * room


def _y_span(points: Sequence[Point]) -> tuple[float, float]:
    ends = [value for one in points for value in (one.y, one.low, one.high) if isfinite(value)]
    low, high = min(ends), max(ends)
    room = max(0.01, 0.06 * (high - low))
    return max(0.0, low - room), min(1.0, high + room) if high <= 1 else high + room


def ticks_of(low: float, high: float, *, most: int = 6) -> list[float]:
    """Round values between two ends, evenly spaced."""
    step = (high - low) / most
    power = 10.0 ** floor(log10(step))
    step = next(power * one for one in (1, 2, 2.5, 5, 10) if power * one >= step)
    first = ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float, *, most: int) -> list[float]:
    """1, 2 and 5 of every decade between two ends; fewer where there are too many."""
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    for steps in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(found) <= most:
            return found
    return found[:: ceil(len(found) / most)]


def _grid(frame: _Frame, axes: Axes, *, narrow: bool) -> list[str]:
    box, parts = frame.box, []
    for value in ticks_of(*frame.y_span):
        _, y = frame.at(frame.x_span[0], value)
        parts += [
            line(box.left, y, box.right, y, "grid"),
            text(plain(axes.y_words(value)), box.left - 7, y + 4, class_="tick end"),
        ]
    for value in log_ticks(*frame.x_span, most=4 if narrow else 8):
        x, _ = frame.at(value, frame.y_span[0])
        parts += [
            line(x, box.top, x, box.bottom, "grid"),
            text(plain(axes.x_words(value)), x, box.bottom + 17, class_="tick mid"),
        ]
    parts.append(line(box.left, box.bottom, box.right, box.bottom, "axis"))
    parts.append(text(axes.y_title, 4, 14, class_="title"))
    parts.append(text(axes.x_title, box.right, box.bottom + 37, class_="title end"))
    return parts


def plain(words: str) -> str:
    """A number on an axis without zeros that say nothing: `1.00 MB` -> `1 MB`."""
    return sub(r"(\.\d*?)0+(?!\d)", r"\1", words).replace(". ", " ").removesuffix(".")


def _whisker(frame: _Frame, one: Point) -> str:
    x, y = frame.at(one.x, one.y)
    parts = []
    if isfinite(one.low) and isfinite(one.high):
        parts.append(line(x, frame.at(one.x, one.low)[1], x, frame.at(one.x, one.high)[1], f"whisker {one.kind}"))
    if isfinite(one.x_high):
        parts.append(line(x, y, frame.at(one.x_high, one.y)[0], y, f"whisker {one.kind}"))
    return "".join(parts)


def _front_line(frame: _Frame, members: Sequence[Point]) -> str:
    corners = _front_corners(frame, members)
    return path(corners, "front") if corners else ""


def _front_corners(frame: _Frame, members: Sequence[Point]) -> list[tuple[float, float]]:
    """Steps: between two members nothing is better than the cheaper one."""
    corners: list[tuple[float, float]] = []
    for one in members:
        x, y = frame.at(one.x, one.y)
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    if corners:
        corners.append((frame.box.right, corners[-1][1]))
    return corners


def _markers(frame: _Frame, points: Sequence[Point], front: Sequence[str]) -> list[str]:
    return [
        marker(
            one.shape, *frame.at(one.x, one.y), _POINT, f"point {one.kind}" + ("" if one.name in front else " beaten")
        )
        for one in points
    ]


def _names(frame: _Frame, points: Sequence[Point], members: Sequence[Point], others: Sequence[Point]) -> list[str]:
    named = [one for one in (*points, *others) if one.named]
    spots = [frame.at(one.x, one.y) for one in named]
    lines = _lines(frame, points, members)
    wide = [one.name + "n" * (one in members) for one in named]  # bold type is wider
    found = places(spots, wide, frame=frame.box, size=_TYPE, lines=lines)
    parts = []
    for place, one, (x, y) in zip(found, named, spots, strict=True):
        if place.far:
            parts.append(line(x, y, *edge_toward(place.box, x, y), "leader"))
        class_ = "name published" if one.kind == "published" else "name front" if one in members else "name"
        parts.append(
            text(one.name, (place.box.left + place.box.right) / 2, place.box.bottom - 4, class_=f"{class_} mid")
        )
    return parts


def _lines(frame: _Frame, points: Sequence[Point], members: Sequence[Point]) -> list[Box]:
    """What lies on the plot as lines: intervals and the front."""
    found = []
    for one in points:
        x, y = frame.at(one.x, one.y)
        if isfinite(one.low) and isfinite(one.high):
            found.append(Box(x - 2, frame.at(one.x, one.high)[1], x + 2, frame.at(one.x, one.low)[1]))
        if isfinite(one.x_high):
            found.append(Box(x, y - 2, frame.at(one.x_high, one.y)[0], y + 2))
    for (x1, y1), (x2, y2) in pairwise(_front_corners(frame, members)):
        found.append(Box(min(x1, x2) - 2, min(y1, y2) - 2, max(x1, x2) + 2, max(y1, y2) + 2))
    return found
