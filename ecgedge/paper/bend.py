"""The surface of a folded, curled or wrinkled page: followed line by line from the plane it nearly is."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.grid import Bools, Floats, Grid
from ecgedge.paper.page import FloatArray
from ecgedge.paper.squares import look, look_closely, squares_of
from ecgedge.paper.surface import Shifts, Surface
from ecgedge.paper.unwrap import continued, unwrapped

FEWEST_SQUARES = 12
DENSE = 0.3
"""Share of the fullest row or column that a row or column of the print has; folds and frames cost less."""
COARSE, FINE = 1.0, 0.8
"""Squares over which shifts are smoothed (Gaussian), at first and at last."""
FINE_LOOKS = 3
PRINTED = 0.35
"""Clearness of the lines from which a square counts as printed: most have 0.5 to 1, table and text 0.3 at most."""
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
    weight = seen.weight
    if np.count_nonzero(weight) < FEWEST_SQUARES:
        return None
    lines = unwrapped(seen.waves)
    to_mm, shift = _refit(plane.to_mm, squares.middles_mm(), lines * np.float32(squares.line_mm), weight)
    field = continued(shift, weight, COARSE)
    for _ in range(FINE_LOOKS):
        lines, weight = look_closely(squares, Surface(to_mm, squares.shifts(field)))
        field = field + continued(lines * np.float32(squares.line_mm), weight, FINE)
    shifts = squares.shifts(field)
    return Bent(Surface(to_mm, shifts).of_enlarged(grid.reduced_by), shifts, _largest(weight > PRINTED))


def _refit(to_mm: Floats, middles: Floats, shift: FloatArray, weight: FloatArray) -> tuple[Floats, FloatArray]:
    """The plane through the lines as they lie, and the shifts from it."""
    seen = weight > 0
    moved = cv2.findHomography(middles[seen], middles[seen] + shift[seen], cv2.RANSAC, ON_PLANE_MM)[0]
    if moved is None:
        return to_mm, shift
    back = np.linalg.inv(moved)
    rest = cv2.perspectiveTransform(middles + shift, back) - middles
    return np.asarray(back @ to_mm), np.asarray(rest, dtype=np.float32)


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
