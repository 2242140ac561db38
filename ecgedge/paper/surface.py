"""A sheet of paper as the camera sees it: from millimetres on the page to pixels of the picture, and drawn flat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.grid import Floats
from ecgedge.paper.page import FloatArray, Pixels

Kind = TypeVar("Kind", Pixels, FloatArray)
Map = NDArray[np.floating | np.integer]

STEP_PX = 16
"""Distance of a lattice's points on the page: 2 mm at 8 px/mm, 4 mm at 4 px/mm, less than a square."""
STRIP = 16
"""Rows of lattice cells drawn at a time: 256 lines, whose map stays in the cache."""
_MOST_FIXED_PX = 1 << 15
"""Maps in fixed point, 1/32 px and nearly twice as fast, reach no farther."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle on the page, and how it is drawn."""

    left_mm: float
    top_mm: float
    width_px: int
    """Of the drawing, turned."""
    height_px: int
    px_per_mm: float
    turned_deg: int = 0
    """Clockwise: 0, 90, 180 or 270."""

    def lattice_mm(self, step_px: float, *, before_px: float = 0.0) -> Floats:
        """(rows, columns, 2) float64, mm: points on the page at every `step_px`, the last beyond the window.

        The first is the top left pixel, or a point `before_px` to the left of it and above.
        """
        # A pixel's value belongs to its centre, half a pixel from the window's edge.
        width, height = self.width_px + 2 * before_px, self.height_px + 2 * before_px
        drawn = lattice_px(width, height, step_px) + 0.5 - before_px
        back = turned_back(drawn, self.width_px, self.height_px, self.turned_deg)
        return np.asarray(back / self.px_per_mm + [self.left_mm, self.top_mm])


def lattice_px(width_px: float, height_px: float, step_px: float) -> Floats:
    """(rows, columns, 2) float64: points at every `step_px`, the last ones at or beyond the far edges."""
    columns, rows = (int(np.ceil(side / step_px)) + 1 for side in (width_px, height_px))
    return np.asarray(np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1) * float(step_px))


def turned_back(points: Floats, width: float, height: float, turned_deg: int) -> Floats:
    """Where points of a rectangle of `width` x `height` lay before it was turned clockwise."""
    x, y = points[..., 0], points[..., 1]
    before = {0: (x, y), 90: (y, width - x), 180: (width - x, height - y), 270: (height - y, x)}
    return np.stack(before[turned_deg], -1)


@dataclass(frozen=True, slots=True)
class Shifts:
    """By how much the lines of a page lie off a plane; one value per square of a window."""

    left_mm: float
    """Centre of the first square."""
    top_mm: float
    step_mm: float
    shift_mm: FloatArray
    """(rows, columns, 2) float32: right and down, from where a plane would have a point to where it is."""

    def at(self, points_mm: Floats) -> FloatArray:
        """Shifts (rows, columns, 2) float32 of points (rows, columns, 2); beyond the squares as at their border."""
        squares = (points_mm - [self.left_mm, self.top_mm]) / self.step_mm
        where = squares.astype(np.float32)
        x, y = cv2.split(where)
        shifts = cv2.remap(self.shift_mm, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(shifts, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Surface:
    """A homography, and shifts where the paper is no plane."""

    to_mm: Floats
    """(3, 3) float64, from picture px to mm on the plane."""
    shifts: Shifts | None = None

    def to_picture(self, points_mm: Floats) -> FloatArray:
        """Picture px (rows, columns, 2) float32 of points on the page (rows, columns, 2), mm."""
        on_plane = points_mm if self.shifts is None else points_mm + self.shifts.at(points_mm)
        return np.asarray(cv2.perspectiveTransform(on_plane, np.linalg.inv(self.to_mm)), dtype=np.float32)

    def of_reduced(self, times: int) -> "Surface":
        """The same for a picture in which `times` x `times` pixels are one."""
        middle = (times - 1) / 2
        return Surface(self.to_mm @ np.array([[times, 0, middle], [0, times, middle], [0, 0, 1.0]]), self.shifts)

    def of_enlarged(self, times: int) -> "Surface":
        """The same for the picture of which `times` x `times` pixels are one here."""
        middle = (1 - times) / 2
        shrink = np.array([[1, 0, middle], [0, 1, middle], [0, 0, times]]) / times
        return Surface(self.to_mm @ shrink, self.shifts)

    def px_per_mm(self, window: Window) -> float:
        """Pixels of the picture per mm of page, median over a window."""
        lattice = self.to_picture(window.lattice_mm(max(window.width_px, window.height_px) / 8))
        step_mm = max(window.width_px, window.height_px) / 8 / window.px_per_mm
        across, down = np.diff(lattice, axis=1), np.diff(lattice, axis=0)
        areas = np.abs(across[:-1, :, 0] * down[:, :-1, 1] - across[:-1, :, 1] * down[:, :-1, 0])
        return float(np.sqrt(np.median(areas))) / step_mm


def draw(pixels: Kind, surface: Surface, window: Window, *, outside: int | None = None) -> Kind:
    """Draw a window of the page flat.

    Parameters
    ----------
    pixels : (height, width, ...) uint8 or float32, the picture of the surface.
    outside : what lies beyond the picture's edge; its border is repeated where None.

    Returns
    -------
    (height_px, width_px, ...), same dtype.
    """
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    value = [outside or 0] * 4
    flat = np.empty((window.height_px, window.width_px, *pixels.shape[2:]), dtype=pixels.dtype)
    # cv2.resize, ten times as fast as cv2.warpAffine, takes values to belong to the middles of cells.
    lattice = surface.to_picture(window.lattice_mm(STEP_PX, before_px=STEP_PX / 2 + 0.5))
    planes = [np.ascontiguousarray(lattice[..., axis]) for axis in (0, 1)]
    for row in range(0, -(-window.height_px // STEP_PX), STRIP):
        strip = flat[row * STEP_PX : (row + STRIP) * STEP_PX]
        lattices = [one[row : row + STRIP + 2] for one in planes]
        x, y = _maps(lattices, strip.shape[1], strip.shape[0], fixed=max(pixels.shape[:2]) < _MOST_FIXED_PX)
        cv2.remap(pixels, x, y, cv2.INTER_LINEAR, dst=strip, borderMode=border, borderValue=value)
    return flat


def _maps(lattices: Sequence[FloatArray], width: int, height: int, *, fixed: bool) -> tuple[Map, Map]:
    """Where each pixel comes from, as cv2.remap takes it."""
    x, y = (_every_pixel(one, width, height) for one in lattices)
    if not fixed:
        return x, y
    whole, rest = cv2.convertMaps(x, y, cv2.CV_16SC2)
    return np.asarray(whole), np.asarray(rest)


def _every_pixel(coarse: FloatArray, width: int, height: int) -> FloatArray:
    """One coordinate between points of a lattice that begins half a step and half a pixel before the first pixel."""
    full = cv2.resize(coarse, None, fx=STEP_PX, fy=STEP_PX, interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[STEP_PX : STEP_PX + height, STEP_PX : STEP_PX + width], dtype=np.float32)
