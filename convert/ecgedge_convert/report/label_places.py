"""Where the names of points go, so that no name lies on another, on a point, or beyond the frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin

_GAP = 7.0
_RINGS = (0.0, 12.0, 26.0, 42.0, 60.0, 82.0, 108.0)
_ANGLES = tuple(pi * k / 8 for k in (0, 8, 14, 2, 10, 6, 12, 4, 15, 1, 9, 7, 13, 3, 11, 5))  # right, left, then upwards
_GLYPH = 0.56
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
    taken: Sequence[Box] = (),
) -> list[Place]:
    """A place for every name, in the order of the points.

    Parameters
    ----------
    points : px
    size : of the type, px
    taken : where nothing may be written
    """
    marks = [Box(x - _GAP, y - _GAP, x + _GAP, y + _GAP) for x, y in points]
    found: list[Place] = []
    for (x, y), name in zip(points, names, strict=True):
        others = [*taken, *marks, *(place.box for place in found)]
        candidates = _candidates(x, y, text_width(name, size), size)
        found.append(min(candidates, key=lambda place, o=others: _cost(place, o, frame)))  # type: ignore[misc]
    return found


def _candidates(x: float, y: float, width: float, size: float) -> list[Place]:
    found = []
    for ring in _RINGS:
        for angle in _ANGLES:
            toward = cos(angle), sin(angle)
            centre_x = x + toward[0] * (_GAP + 2 + ring + width / 2 * abs(toward[0]))
            centre_y = y + toward[1] * (_GAP + 2 + ring + size / 2)
            box = Box(centre_x - width / 2, centre_y - size * 0.6, centre_x + width / 2, centre_y + size * 0.6)
            found.append(Place(box, far=ring > _RINGS[1]))
    return found


def _cost(place: Place, taken: Sequence[Box], frame: Box) -> float:
    hit = sum(place.box.overlap(other) for other in taken)
    return 1000 * (hit + 20 * place.box.outside(frame)) + 0.0


def edge_toward(box: Box, x: float, y: float) -> tuple[float, float]:
    """The point of a box that is nearest to a point."""
    nearest = min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)
    return nearest if hypot(nearest[0] - x, nearest[1] - y) > 0 else (box.left, box.bottom)
