"""The squares of a printed grid as drawn from a picture: how far each one's lines lie off their places.

The first Fourier coefficient of a square says, by its phase, how far the square's line is shifted, and by its size,
whether there is a line at all. Curves and letters are told from lines by the neighbours: of a square and the eight
around it, each place within the square has its middle darkness looked at, and what is not printed in most of them goes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.grid import Floats, Grid, darkness
from ecgedge.paper.page import FloatArray, Pixels
from ecgedge.paper.surface import Shifts, Surface, Window, draw

Complexes = NDArray[np.complex64]

PX_PER_LINE = {5.0: 12, 1.0: 5}
"""Drawing scale: 2.4 px/mm shows 5-mm lines, 1-mm lines need 5 px/mm."""
MARGIN_MM = 25.0
"""Drawn around the windows in which the grid was seen."""
LONGEST_MM = 460.0
LIKE_GRID, SURELY_GRID = 0.08, 0.24
"""Shares of what changes within a square, in each direction, that a line makes: from the first on a square may be
printed, from the second on it is. Blank paper, tables and text have 0.1."""
DARK_ENOUGH = 64
"""Darkness, of 255, beyond which darker counts no more: lines rarely have it, curves have twice to four times that."""
LEAST_CHANGE = 0.1
"""Variance within a square, darkness of 255: blank paper has less."""
SPREAD = 1.0
"""Squares over which lines are looked at together (Gaussian)."""
FINE_SPREAD = 0.6
"""The same when it is known where the lines are: wrinkled paper shifts neighbouring squares by tenths of a mm."""
NEAR_MM = 1.25
"""Once lines are known to half of this, ink farther from them is no longer looked at."""
GRAIN = 0.75
"""What is this many times as dark as most of the page is paper."""
INK_DARKER = 1.6
"""Darker than a line by this factor is a curve or a letter: drawn black and twice as wide, they are so by 2 or more."""


@dataclass(frozen=True, slots=True)
class Squares:
    """How dark a grid's picture is, and the rectangle of whole squares that is drawn from it."""

    dark: Pixels
    """(height, width) uint8, see `grid.darkness`; no sharper than the drawing."""
    window: Window
    """The crossings of lines are in the middles of its squares."""
    line_mm: float
    rows: int
    columns: int
    px: int
    """Side of a square in the drawing."""

    def middles_mm(self) -> Floats:
        """(rows, columns, 2) float64."""
        x, y = np.meshgrid(np.arange(self.columns) + 0.5, np.arange(self.rows) + 0.5)
        return np.asarray(np.stack([x, y], -1) * self.line_mm + [self.window.left_mm, self.window.top_mm])

    def shifts(self, shift_mm: FloatArray) -> Shifts:
        """Shifts (rows, columns, 2) float32, mm, in their places."""
        left, top = self.window.left_mm + self.line_mm / 2, self.window.top_mm + self.line_mm / 2
        return Shifts(left, top, self.line_mm, shift_mm)

    def inside(self, surface: Surface) -> FloatArray:
        """(rows, columns) float32: 1 where a square lies in the picture, 0 elsewhere."""
        where = surface.to_picture(self.middles_mm())
        height, width = self.dark.shape
        return np.asarray(((where >= 0) & (where <= [width - 1, height - 1])).all(-1), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of the lines on a surface."""

    waves: tuple[Complexes, Complexes]
    """(rows, columns) each, of upright and of level lines: a square's line lies -phase / (2 pi) lines to the right, or
    down; the size is how clear it is, 1 for most, 0 where lines of one direction or both are not seen."""
    weight: FloatArray
    """(rows, columns) float32: how clear lines of both directions are hereabouts, 0 to 1."""


def squares_of(grid: Grid) -> Squares:
    """Whole squares around the windows in which the grid is seen."""
    half = grid.window_px / 2
    corners = [grid.seen_px + np.array([x, y]) for x in (-half, half) for y in (-half, half)]
    seen_mm = cv2.perspectiveTransform(np.concatenate(corners)[None], grid.to_mm)[0]
    middle = np.median(seen_mm, axis=0)
    low = np.maximum(seen_mm.min(0) - MARGIN_MM, middle - LONGEST_MM / 2)
    high = np.minimum(seen_mm.max(0) + MARGIN_MM, middle + LONGEST_MM / 2)
    first, last = np.floor(low / grid.line_mm), np.ceil(high / grid.line_mm)
    columns, rows = (last - first).astype(int).tolist()
    px = PX_PER_LINE[grid.line_mm]
    left, top = ((first - 0.5) * grid.line_mm).tolist()
    window = Window(left, top, columns * px, rows * px, px / grid.line_mm)
    coarser = Surface(grid.to_mm).of_reduced(grid.reduced_by).px_per_mm(window) / window.px_per_mm
    return Squares(_softened(darkness(grid.reduced), coarser), window, grid.line_mm, rows, columns, px)


def look(squares: Squares, surface: Surface) -> Look:
    """Draw the squares on a surface and see how far their lines are off, to within whole lines.

    Parameters
    ----------
    squares : of the picture that the surface belongs to.
    """
    return _seen(draw(squares.dark, surface, squares.window), squares, surface)


def look_closely(squares: Squares, surface: Surface) -> tuple[FloatArray, FloatArray]:
    """The same where lines lie within NEAR_MM / 2 of their places, square by square.

    Returns
    -------
    (rows, columns, 2) float32: how far upright lines lie to the right and level ones down, in lines, -0.5 to 0.5; and
    their weight (rows, columns) float32.
    """
    drawing = draw(squares.dark, surface, squares.window)
    weight = _seen(drawing, squares, surface).weight
    grain = np.uint8(GRAIN * _typical(drawing, weight > 0, squares.px))
    lines = _without_curves(np.maximum(drawing, grain) - grain, squares.px)
    waves = _coefficients(lines, _wave(squares.px, NEAR_MM / squares.line_mm), between=True)
    return np.stack([in_lines(blurred(wave * (weight > 0), FINE_SPREAD)) for wave in waves], -1), weight


def in_lines(wave: Complexes) -> FloatArray:
    """How far a wave's lines are off, -0.5 to 0.5."""
    return np.asarray(-np.angle(wave) / np.float32(2 * np.pi), dtype=np.float32)


def blurred(field: Complexes, spread: float) -> Complexes:
    """Mean of neighbouring squares (Gaussian), with nothing beyond the last."""
    real, imaginary = (
        cv2.GaussianBlur(np.ascontiguousarray(part), (0, 0), spread, borderType=cv2.BORDER_CONSTANT)
        for part in (field.real, field.imag)
    )
    return np.asarray(real + 1j * imaginary, dtype=np.complex64)


def _softened(dark: Pixels, px: float) -> Pixels:
    """Without what pixels `px` times as large could not show."""
    return dark if px < 1 else np.asarray(cv2.GaussianBlur(dark, (0, 0), 0.5 * px), dtype=np.uint8)


def _seen(drawing: Pixels, squares: Squares, surface: Surface) -> Look:
    """The waves that most of nine squares have, none larger than is usual where there is a grid."""
    steady = _steady(drawing, squares.px)
    inside = squares.inside(surface)
    raw = _coefficients(steady, _wave(squares.px))
    changes = _changes(steady, squares.px)
    of_lines = (np.abs(wave) ** 2 * inside / changes for wave in raw)
    share = np.minimum(*(cv2.GaussianBlur(one, (0, 0), SPREAD) for one in of_lines))
    printed = share > LIKE_GRID
    trust = np.minimum(share / SURELY_GRID, 1) * printed
    waves = (_levelled(raw[0], printed) * trust, _levelled(raw[1], printed) * trust)
    clear = np.sqrt(np.abs(blurred(waves[0], SPREAD)) * np.abs(blurred(waves[1], SPREAD))) * printed
    return Look(waves, np.asarray(clear, dtype=np.float32))


def _levelled(wave: Complexes, printed: NDArray[np.bool_]) -> Complexes:
    """Sizes relative to the usual one, at most 1."""
    size = np.abs(wave)
    usual = float(np.median(size[printed])) if printed.any() else 1.0
    return np.asarray(wave / np.maximum(np.maximum(size, usual), 1e-6), dtype=np.complex64)


def _steady(drawing: Pixels, px: int) -> Pixels:
    """Each pixel's median over its own square and the two beside it, and then over the two above and below; no dots."""
    beside = _middle(drawing, *(np.roll(drawing, step, axis=1) for step in (px, -px)))
    both = _middle(beside, *(np.roll(beside, step, axis=0) for step in (px, -px)))
    smooth = cv2.blur(both, (px // 4, px // 4))
    return np.minimum(np.asarray(smooth, dtype=np.uint8), np.uint8(DARK_ENOUGH))


def _middle(one: Pixels, other: Pixels, third: Pixels) -> Pixels:
    """Median of three."""
    higher, lower = cv2.max(one, other), cv2.min(one, other)
    return np.asarray(cv2.max(lower, cv2.min(higher, third)), dtype=np.uint8)


def _changes(drawing: Pixels, px: int) -> FloatArray:
    """Variance within each square, in units of the square of a `_coefficients` value that a pure line has."""
    size = drawing.shape[1] // px, drawing.shape[0] // px
    values = drawing.astype(np.float32)
    mean, power = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (values, values * values))
    return np.asarray((power - mean * mean + np.float32(LEAST_CHANGE)) * np.float32(px**4 / 2), dtype=np.float32)


def _wave(px: int, near: float | None = None) -> Complexes:
    """What a square of px, with its line in the middle, is multiplied with; at most `near` (in lines) off the line."""
    off = (np.arange(px) + 0.5) / px - 0.5
    window = np.ones(px) if near is None else np.cos(np.clip(off / near, -1, 1) * np.pi / 2) ** 2
    return np.asarray(window * np.exp(-2j * np.pi * off), dtype=np.complex64)


def _cells(drawing: FloatArray, px: int) -> FloatArray:
    """(rows, px, columns, px)"""
    return drawing.reshape(drawing.shape[0] // px, px, drawing.shape[1] // px, px)


def _coefficients(drawing: Pixels, wave: Complexes, *, between: bool = False) -> tuple[Complexes, Complexes]:
    """Fourier coefficient, across and down, of each square; only halfway between the lines that cross, if so wished."""
    px = len(wave)
    counts = np.ones(px, dtype=np.float32)
    if between:
        counts[px // 3 : px - px // 3] = 0
    # One product instead of sums over px numbers each, which are slow.
    rows, columns = drawing.shape[0] // px, drawing.shape[1] // px
    along = drawing.astype(np.float32).reshape(-1, px) @ np.stack([wave.real, wave.imag, counts], 1)
    cells = along.reshape(rows, px, columns * 3)
    across = np.matmul(counts, cells).reshape(rows, columns, 3)
    down = np.matmul(np.stack([wave.real, wave.imag]), cells).reshape(rows, 2, columns, 3)[..., 2]
    return across[..., 0] + 1j * across[..., 1], down[:, 0] + 1j * down[:, 1]


def _typical(drawing: Pixels, printed: NDArray[np.bool_], px: int) -> float:
    """Median darkness of the squares that are printed, told by one pixel in nine."""
    some = drawing.reshape(len(printed), px, -1, px)[:, ::3, :, ::3].transpose(0, 2, 1, 3)[printed]
    return float(np.median(some)) if some.size else 0.0


def _without_curves(ink: Pixels, px: int) -> Pixels:
    """The drawing without what is much darker, over its width, than the lines thereabouts."""
    spread = np.asarray(cv2.blur(ink.astype(np.float32), (3, 3)), dtype=np.float32)
    cells, line = _cells(spread, px), slice(px // 2 - 2, px // 2 + 2)
    upright = cells[:, : px // 4, :, line].mean(1).max(-1)
    level = cells[:, line, :, : px // 4].mean(3).max(1)
    usual = cv2.medianBlur(np.maximum(upright, level), 5)
    limit = cv2.resize(usual * np.float32(INK_DARKER), (ink.shape[1], ink.shape[0]), interpolation=cv2.INTER_LINEAR)
    curves = cv2.dilate((spread > limit).astype(np.uint8), np.ones((3, 3), dtype=np.uint8))
    return np.where(curves > 0, np.uint8(0), ink)
