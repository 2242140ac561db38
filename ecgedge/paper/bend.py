"""The surface of a folded, curled or wrinkled page: followed line by line from the plane it nearly is."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.grid import Bools, Floats, Grid
from ecgedge.paper.page import FloatArray
from ecgedge.paper.squares import Look, look, squares_of
from ecgedge.paper.surface import Shifts, Surface

FEWEST_SQUARES = 12
DENSE = 0.3
"""Share of the fullest row or column that a row or column of the print has; folds and frames cost less."""
COARSE, FINE = 1.0, 0.6
"""Squares over which shifts are smoothed (Gaussian), at first and at last."""
FINE_LOOKS = 3
FARTHER = np.float32(1.4)
"""Each look sees the lines drawn a little towards their places, by what lies around them; its steps are too short."""
ON_PLANE_MM = 1.5
"""Squares within this of the plane decide where it lies."""


@dataclass(frozen=True, slots=True)
class Bent:
    """A surface that follows the printed lines."""

    surface: Surface
    shifts: Shifts
    """Of the surface."""
    printed: Bools
    """(rows, columns) bool: squares of the shifts in which lines of both directions are seen."""

    def printed_mm(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the squares in which lines are seen."""
        rows, columns = (_dense(self.printed.sum(axis)) for axis in (1, 0))
        step, half = self.shifts.step_mm, self.shifts.step_mm / 2
        left, right = (self.shifts.left_mm + int(end) * step for end in (columns[0], columns[-1]))
        top, bottom = (self.shifts.top_mm + int(end) * step for end in (rows[0], rows[-1]))
        return left - half, top - half, right + half, bottom + half


def follow_lines(grid: Grid) -> Bent | None:
    """Find the surface on which the printed lines are straight and evenly spaced.

    Returns
    -------
    The surface, or None where too few lines are seen to follow them.
    """
    squares = squares_of(grid)
    plane = Surface(grid.to_mm).of_reduced(grid.reduced_by)
    seen = look(squares, plane)
    if np.count_nonzero(seen.weight) < FEWEST_SQUARES:
        return None
    to_mm, shift = _refit(plane.to_mm, squares.middles_mm(), _unwrapped(seen) * squares.line_mm, seen.weight)
    field = _continued(shift, seen.weight, COARSE)
    # Again, for squares that are only now within half a line of their places.
    seen = look(squares, Surface(to_mm, squares.shifts(field)))
    printed = _largest(seen.weight > 0)
    field = field + _continued(_unwrapped(seen) * squares.line_mm, seen.weight, COARSE)
    for _ in range(FINE_LOOKS):
        seen = look(squares, Surface(to_mm, squares.shifts(field)), near_only=True)
        field = field + FARTHER * _continued(seen.lines * squares.line_mm, seen.weight, FINE)
    shifts = squares.shifts(field)
    return Bent(Surface(to_mm, shifts).of_enlarged(grid.reduced_by), shifts, printed)


def _unwrapped(seen: Look) -> FloatArray:
    """Lines (rows, columns, 2), of which each look knows to within whole lines only, made to agree with neighbours."""
    return np.stack([_agreeing(seen.lines[..., axis], seen.weight) for axis in (0, 1)], -1)


def _agreeing(shift: FloatArray, weight: FloatArray) -> FloatArray:
    """Whole lines added so that neighbours differ by less than half a line, from the clearest square outwards."""
    known, have = (np.zeros(shift.shape, dtype=np.float32) for _ in range(2))
    clearest = np.unravel_index(weight.argmax(), weight.shape)
    known[clearest], have[clearest] = shift[clearest], 1
    for level in np.quantile(weight[weight > 0], [0.6, 0.3, 0.0]):
        left = (weight >= level) & (have == 0)
        while True:
            count = cv2.boxFilter(have, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
            total = cv2.boxFilter(known, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
            new = np.nonzero(left & (count > 0.5))
            if not len(new[0]):
                break
            known[new] = shift[new] + np.rint(total[new] / count[new] - shift[new])
            have[new], left[new] = 1, False
    return known


def _refit(to_mm: Floats, middles: Floats, shift: FloatArray, weight: FloatArray) -> tuple[Floats, FloatArray]:
    """The plane through the lines as they lie, and the shifts from it."""
    seen = weight > 0
    moved = cv2.findHomography(middles[seen], middles[seen] + shift[seen], cv2.RANSAC, ON_PLANE_MM)[0]
    if moved is None:
        return to_mm, shift
    back = np.linalg.inv(moved)
    rest = cv2.perspectiveTransform(middles + shift, back) - middles
    return np.asarray(back @ to_mm), np.asarray(rest, dtype=np.float32)


def _continued(shift: FloatArray, weight: FloatArray, spread: float) -> FloatArray:
    """Smoothed by weight, and continued ever more coarsely where there is none."""
    usual = max(float(np.median(weight[weight > 0])), 1e-9) if (weight > 0).any() else 1.0
    share = (weight / usual).astype(np.float32)
    field = np.zeros_like(shift)
    for wide in (16.0, 6.0, 2.5, spread):
        amount = cv2.GaussianBlur(share, (0, 0), wide, borderType=cv2.BORDER_CONSTANT)[..., None]
        total = cv2.GaussianBlur(shift * share[..., None], (0, 0), wide, borderType=cv2.BORDER_CONSTANT)
        field = (total + np.float32(0.02) * field) / (amount + np.float32(0.02))
    return field


def _largest(seen: Bools) -> Bools:
    """The largest patch of squares, without what hangs on it by less than three."""
    patches = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), dtype=np.uint8))
    _, labels, figures, _ = cv2.connectedComponentsWithStats(patches, connectivity=4)
    if len(figures) < 2:
        return seen
    return np.asarray(labels == 1 + int(figures[1:, cv2.CC_STAT_AREA].argmax()))


def _dense(count: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows or columns that are printed over a good part of their length."""
    return np.flatnonzero(count >= DENSE * count.max())
