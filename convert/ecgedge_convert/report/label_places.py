"""Where the names of points go, so that no name lies on another, on a point, or beyond the frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin

_GAP = 8.0
_RINGS = (0.0, 6.0, 12.0, 20.0, 30.0, 44.0, 60.0, 82.0, 108.0, 140.0, 180.0, 230.0)
_NEAR = 12.0
_CLASH = 500.0
_ON_TEXT, _OUTSIDE, _ON_LINE = 10.0, 300.0, 0.25  # costs against a px of distance: per square px, px, square px
_TURNS = (0, 16, 28, 4, 20, 12, 24, 8, 30, 2, 18, 14, 26, 6, 22, 10)
_ANGLES = tuple(pi * k / 16 for k in (*_TURNS, *(k for k in range(32) if k % 2)))  # right, left, then upwards
_GLYPH = 0.6
"""Width of a letter over the size of the type: sans-serif, on the safe side."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, px."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """Shared area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0

    def outside(self, frame: "Box") -> float:
        """How far it sticks out, px."""
        over = (frame.left - self.left, self.right - frame.right, frame.top - self.top, self.bottom - frame.bottom)
        return sum(max(0.0, one) for one in over)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name is written."""

    box: Box
    far: bool
    """Whether a line should lead from the point to its name."""


def text_width(words: str, size: float) -> float:
    """Width of a text, px, estimated."""
    return _GLYPH * size * len(words)


def places(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    *,
    frame: Box,
    size: float,
    lines: Sequence[Box] = (),
) -> list[Place]:
    """A place for every name, in the order of the points.

    Parameters
    ----------
    points : px
    size : of the type, px
    lines : where a name is hard to read, but may be if there is no other place
    """
    marks = [Box(x - _GAP, y - _GAP, x + _GAP, y + _GAP) for x, y in points]
    found: list[Place] = []
    for (x, y), name in zip(points, names, strict=True):
        taken = [*marks, *(place.box for place in found)]
        candidates = _candidates(x, y, text_width(name, size), size)
        costs = [_cost(place, distance, taken, lines, frame) for place, distance in candidates]
        found.append(candidates[costs.index(min(costs))][0])
    return found


def _candidates(x: float, y: float, width: float, size: float) -> list[tuple[Place, float]]:
    """Places around a point, each with its distance."""
    found = []
    for ring in _RINGS:
        for angle in _ANGLES:
            toward = cos(angle), sin(angle)
            centre_x = x + toward[0] * (_GAP + 3 + ring + width / 2 * min(1.0, 1.4 * abs(toward[0])))
            centre_y = y + toward[1] * (_GAP + 3 + ring + size / 2)
            box = Box(centre_x - width / 2, centre_y - size * 0.6, centre_x + width / 2, centre_y + size * 0.6)
            found.append((Place(box, far=ring > _NEAR), ring))
    return found


def _cost(place: Place, distance: float, taken: Sequence[Box], lines: Sequence[Box], frame: Box) -> float:
    on_text = sum(place.box.overlap(other) for other in taken)
    on_lines = sum(place.box.overlap(other) for other in lines)
    clash = _CLASH if on_text else 0.0
    return clash + _ON_TEXT * on_text + _OUTSIDE * place.box.outside(frame) + _ON_LINE * on_lines + distance


def edge_toward(box: Box, x: float, y: float) -> tuple[float, float]:
    """The point of a box that is nearest to a point."""
    nearest = min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)
    return nearest if hypot(nearest[0] - x, nearest[1] - y) > 0 else (box.left, box.bottom)
