"""The sheet of paper around a printed grid: four straight edges, looked for from the grid outwards.

On the page as drawn flat the sheet's edges run along the grid, so each is one position and a small slant. What counts
is a lasting change of brightness or colour along the whole edge; lines, letters and grid are closed over beforehand.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.polynomial import Polynomial

from ecgedge.paper.bend import Bent
from ecgedge.paper.grid import Bools, Floats
from ecgedge.paper.outline import find_outline
from ecgedge.paper.page import FloatArray, Pixels
from ecgedge.paper.surface import Surface, Window, draw

PX_PER_MM = 1.5
"""Scale at which edges are looked for: a pixel is 1/550 of a page's diagonal, and edges are found to a part of it."""
BEYOND_MM = 100.0
"""How far outside the printed squares an edge may lie: header, margin, and squares too blurred to be seen."""
INSIDE_MM = 15.0
"""How far inside: the printed squares may reach a little too far."""
STROKE_MM = 3.0
"""Wider than lines and the strokes of letters."""
SIDE_MM = 2.5
"""What is compared on both sides of an edge."""
GREATEST_STEP = 0.5
"""A change by this factor (natural logarithm) is as sure as any greater one."""
SMALLEST_STEP = 0.06
"""Changes below are texture. White paper on a white table is not told apart, and need not be."""
FIRST_OF = 0.5
"""An edge that has this share of the strongest one's step and lies farther in is the sheet's."""
LEAST_SEEN = 0.25
"""Share of an edge's length that must lie within the picture."""
SLANTS = np.tan(np.radians(np.arange(-2.5, 2.6, 0.5)))
"""A grid is printed, or paper cut, askew by up to this."""
REACH_MM = 4.0
"""How far a curled edge may lie from a straight one."""
USUAL_MISS_MM = 0.5
"""Points this far off an edge count two thirds."""
MOSTLY_SEEN_MM = 120.0
"""Length of an edge over which a parabola is better than a straight line."""
END_MM = 35.0
"""The last piece of an edge before a corner, fitted by itself: a curl or fold may lift it."""
END_OFF_MM = 6.0
"""What the piece may lie off the whole edge at the corner."""
FEWEST_POINTS = 10
COLOUR = 1.5
"""Weight of a change of colour against one of brightness: shadows change brightness only."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet's outline: four edges, nearly straight, and where they meet."""

    corners_px: Floats
    """(4, 2) float64, picture px: top left, top right, bottom right, bottom left."""
    corners_mm: Floats
    """(4, 2) float64: the same on the page as drawn flat."""
    seen: tuple[bool, bool, bool, bool]
    """Whether the left, top, right and bottom edge are seen; what is not is taken from the printed squares."""


def find_sheet(reduced: Pixels, bent: Bent, *, reduced_by: int) -> Sheet:
    """Find the edges of the sheet around the printed squares.

    Parameters
    ----------
    reduced : (height, width, 3) uint8, the picture with `reduced_by` x `reduced_by` pixels in one.
    bent : the surface, for the picture at full size.
    """
    surface = bent.surface.of_reduced(reduced_by)
    found = find_outline(reduced, surface, bent.printed_mm())
    if any(points is None for points in found):
        on_plane_too = _edges_on_plane(reduced, bent, surface)
        found = [one if one is not None else other for one, other in zip(found, on_plane_too, strict=True)]
    left_seen, top_seen, right_seen, bottom_seen = (points is not None for points in found)
    ends = _printed_ends(bent)
    sides = [_Side(ends[side] if points is None else points, side) for side, points in enumerate(found)]
    on_plane = np.array([_corner(sides[one], sides[other]) for one, other in ((0, 1), (2, 1), (2, 3), (0, 3))])
    corners_px = cv2.perspectiveTransform(on_plane[None], np.linalg.inv(bent.surface.to_mm))[0]
    corners_mm = on_plane - bent.shifts.at(on_plane[None])[0]
    return Sheet(corners_px, corners_mm, (left_seen, top_seen, right_seen, bottom_seen))


def _printed_ends(bent: Bent) -> list[Floats]:
    """The ends of the left, top, right and bottom edge of the printed squares, (2, 2) each, mm on the plane."""
    left, top, right, bottom = bent.printed_mm()
    corners = np.array([[left, bottom], [left, top], [right, top], [right, bottom], [left, bottom]])
    bowed = corners + bent.shifts.at(corners[None])[0]
    return [bowed[side : side + 2] for side in range(4)]


def _edges_on_plane(reduced: Pixels, bent: Bent, surface: Surface) -> list[Floats | None]:
    """Points (n, 2) on the four edges, mm on the plane, looked for on the page drawn flat; None where none is seen."""
    left, top, right, bottom = bent.printed_mm()
    around = BEYOND_MM + SIDE_MM
    size = [int((high - low + 2 * around) * PX_PER_MM) for low, high in ((left, right), (top, bottom))]
    window = Window(left - around, top - around, size[0], size[1], PX_PER_MM)
    tones = _tones(draw(reduced, surface, window))
    inside = draw(np.ones(reduced.shape[:2], dtype=np.uint8), surface, window, outside=0).astype(bool)
    edges = [_edge(tones, inside, side) for side in range(4)]
    return [None if points is None else _on_plane(bent, points, window) for points in edges]


def _on_plane(bent: Bent, points: Floats, window: Window) -> Floats:
    """Points of the drawing (n, 2) as mm on the plane, where a lens or a curl bends edges a little, wrinkles not."""
    flat = (points + 0.5) / PX_PER_MM + [window.left_mm, window.top_mm]
    return np.asarray(flat + bent.shifts.at(flat[None])[0])


class _Side:
    """One edge of the sheet: points on it, and the curve through all of them."""

    def __init__(self, points: Floats, side: int) -> None:
        self.off, self.along = points.T if side % 2 == 0 else points[:, ::-1].T
        seen = np.ptp(self.along) > MOSTLY_SEEN_MM
        self.whole = _curve(self.off, self.along, 2 if len(self.off) > FEWEST_POINTS and seen else 1)

    def near(self, place: float) -> Polynomial:
        """The edge near one of its ends: a straight line, where it agrees with the whole."""
        close = np.abs(self.along - place) < END_MM
        if np.count_nonzero(close) < FEWEST_POINTS or np.ptp(self.along[close]) < END_MM / 2:
            return self.whole
        piece = _curve(self.off[close], self.along[close], 1)
        return piece if abs(piece(place) - self.whole(place)) < END_OFF_MM else self.whole


def _curve(off: Floats, along: Floats, degree: int) -> Polynomial:
    """Where an edge lies along itself; far points count little."""
    weight = np.ones(len(off))
    for _ in range(6):
        curve = Polynomial.fit(along, off, degree, w=weight)
        weight = 1 / np.hypot(1, (off - curve(along)) / USUAL_MISS_MM)
    return curve


def _corner(upright: _Side, level: _Side) -> Floats:
    """Where two edges meet, (2,): first as wholes, then their last pieces."""
    x, y = _crossing(upright.whole, level.whole)
    return np.array(_crossing(upright.near(y), level.near(x)))


def _crossing(upright: Polynomial, level: Polynomial) -> tuple[float, float]:
    x = float(upright(upright.domain.mean()))
    for _ in range(8):
        y = float(level(x))
        x = float(upright(y))
    return x, y


def _tones(pixels: Pixels) -> FloatArray:
    """(height, width, 3) float32: logarithm of brightness, two of colour, strokes closed over."""
    side = round(STROKE_MM * PX_PER_MM) // 2 * 2 + 1
    closed = cv2.morphologyEx(pixels, cv2.MORPH_CLOSE, np.ones((side, side), dtype=np.uint8))
    blue, green, red = cv2.split(np.log(closed.astype(np.float32) + 8))
    return np.stack([(blue + green + red) / 3, COLOUR * (red - green), COLOUR * (blue - green)], -1)


def _edge(tones: FloatArray, inside: Bools, side: int) -> Floats | None:
    """Points (n, 2) along the sheet's left, top, right or bottom edge (0 to 3), px of the drawing."""
    if side % 2 == 1:
        tones, inside = tones.transpose(1, 0, 2), inside.T
    if side >= 2:
        tones, inside = tones[:, ::-1], inside[:, ::-1]
    part = slice(0, round((BEYOND_MM + SIDE_MM + INSIDE_MM) * PX_PER_MM))
    points = _left_edge(np.ascontiguousarray(tones[:, part]), np.ascontiguousarray(inside[:, part]))
    if points is None:
        return None
    if side >= 2:
        points[:, 0] = tones.shape[1] - 1 - points[:, 0]
    return points if side % 2 == 0 else points[:, ::-1]


def _left_edge(tones: FloatArray, inside: Bools) -> Floats | None:
    """Points along the left edge of a sheet whose grid begins BEYOND_MM from the left."""
    margin = round((BEYOND_MM + SIDE_MM) * PX_PER_MM)
    rows = slice(margin, tones.shape[0] - margin)
    step, known = _steps(tones[rows], inside[rows])
    profiles = [_profile(step, known, slant) for slant in SLANTS]
    strongest = max(float(profile.max()) for profile in profiles)
    if strongest < SMALLEST_STEP:
        return None
    clear = [np.flatnonzero(profile >= FIRST_OF * strongest) for profile in profiles]
    innermost = max(int(places[-1]) for places in clear if len(places))
    near = slice(max(0, innermost - round(SIDE_MM * PX_PER_MM)), innermost + 1)
    best = max(range(len(SLANTS)), key=lambda index: float(profiles[index][near].max()))
    points = _along(step, known, near.start + int(profiles[best][near].argmax()), SLANTS[best])
    return None if len(points) < FEWEST_POINTS else np.add(points, (0, margin))


def _steps(tones: FloatArray, inside: Bools) -> tuple[FloatArray, FloatArray]:
    """How much the tones left and right of each place differ (height, width) float32, and where that is known."""
    side = round(SIDE_MM * PX_PER_MM)
    known = inside.astype(np.float32)
    mean = cv2.blur(tones, (side, 3))
    whole = cv2.erode(known, np.ones((3, 2 * side + 3), dtype=np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    step = np.zeros(tones.shape[:2], dtype=np.float32)
    off = side // 2 + 1
    step[:, off:-off] = np.linalg.norm(mean[:, 2 * off :] - mean[:, : -2 * off], axis=2)
    sure = np.asarray(whole, dtype=np.float32)
    return np.minimum(step, np.float32(GREATEST_STEP)) * sure, sure


def _profile(step: FloatArray, known: FloatArray, slant: float) -> FloatArray:
    """Mean step along every line of one slant (width,) float32; 0 where too little of it is known."""
    height, width = step.shape
    shear = np.array([[1, slant, -slant * height / 2], [0, 1, 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    total, count = (cv2.warpAffine(one, shear, (width, height), flags=flags).sum(axis=0) for one in (step, known))
    return np.where(count > LEAST_SEEN * height, total / np.maximum(count, 1), 0)


def _along(step: FloatArray, known: FloatArray, place: int, slant: float) -> Floats:
    """The greatest step of each row (n, 2), near a line given by its place at half height."""
    height, width = step.shape
    rows = np.arange(height)
    reach = round(REACH_MM * PX_PER_MM)
    expected = np.rint(place + slant * (rows - height / 2)).astype(int)
    columns = expected[:, None] + np.arange(-reach, reach + 1)
    values = np.where((columns >= 0) & (columns < width), step[rows[:, None], np.clip(columns, 0, width - 1)], 0)
    in_picture = known[rows, np.clip(expected, 0, width - 1)] > 0
    strong = in_picture & (values.max(axis=1) > SMALLEST_STEP / 2)
    weight = values[strong] ** 4
    return np.stack([(columns[strong] * weight).sum(1) / weight.sum(1), rows[strong]], 1)
