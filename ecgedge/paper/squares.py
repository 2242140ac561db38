"""The squares of a printed grid as drawn from a picture: how far each one's lines lie off their places.

The first Fourier coefficient of a square says, by its phase, how far the square's line is shifted, and by its size,
whether there is a line at all.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.grid import Floats, Grid, ink_signal
from ecgedge.paper.page import FloatArray
from ecgedge.paper.spectra import limited
from ecgedge.paper.surface import Shifts, Surface, Window, draw

Complexes = NDArray[np.complex64]

PX_PER_LINE = {5.0: 12, 1.0: 5}
"""Drawing scale: 2.4 px/mm shows 5-mm lines, 1-mm lines need 5 px/mm."""
MARGIN_MM = 25.0
"""Drawn around the windows in which the grid was seen."""
LONGEST_MM = 460.0
SPREADS = ((1.0, 0.6), (2.5, 0.35))
"""Over how many squares coefficients are averaged (Gaussian), and how long their mean must then be against their mean
length: for noise it is 0.28 and 0.11."""
FINE_SPREAD = 0.6
"""The same when it is known where the lines are: wrinkled paper shifts neighbouring squares by tenths of a mm."""
FAINTEST = 0.25
"""Of the usual contrast of the lines: what is fainter is a gap in the print, or the table."""
NEAR_MM = 1.25
"""Once lines are known to half of this, ink farther from them is no longer looked at."""
INK_DARKER = 1.6
"""Darker than a line by this factor is a curve or a letter: drawn black and twice as wide, they are so by 2 or more."""


@dataclass(frozen=True, slots=True)
class Squares:
    """A grid's line signal, and the rectangle of whole squares that is drawn from it."""

    signal: FloatArray
    """(height, width) float32, see `line_signal`; no sharper than the drawing."""
    ink: FloatArray
    """The same, see `ink_signal`."""
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
        height, width = self.signal.shape
        return np.asarray(((where >= 0) & (where <= [width - 1, height - 1])).all(-1), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of the lines on a surface."""

    lines: FloatArray
    """(rows, columns, 2) float32: how far upright lines lie to the right and level ones down, in lines, -0.5 to 0.5."""
    weight: FloatArray
    """(rows, columns) float32, 0 where lines of one direction or both are not seen."""


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
    return Squares(
        _softened(limited(grid.signal), coarser),
        _softened(ink_signal(grid.reduced), coarser),
        window,
        grid.line_mm,
        rows,
        columns,
        px,
    )


def look(squares: Squares, surface: Surface, *, near_only: bool = False) -> Look:
    """Draw the squares on a surface and see how far their lines are off.

    Parameters
    ----------
    squares : of the picture that the surface belongs to.
    near_only : whether to look only at what lies within NEAR_MM of the lines' places and is not darker than they.
    """
    inside = squares.inside(surface)
    whole = [one * inside for one in _coefficients(draw(squares.signal, surface, squares.window), _wave(squares.px))]
    means, weights = zip(*(_mean(one, SPREADS[:1] if near_only else SPREADS) for one in whole), strict=True)
    weight = np.sqrt(weights[0] * weights[1])
    if near_only:
        lines = _without_curves(draw(squares.ink, surface, squares.window), squares.px)
        near = _coefficients(lines, _wave(squares.px, NEAR_MM / squares.line_mm), between=True)
        means = tuple(_blur(one * (weight > 0), FINE_SPREAD) for one in near)
    return Look(np.stack([_phase(mean) for mean in means], -1), weight)


def _softened(signal: FloatArray, px: float) -> FloatArray:
    """Without what pixels `px` times as large could not show."""
    return signal if px < 1 else np.asarray(cv2.GaussianBlur(signal, (0, 0), 0.5 * px), dtype=np.float32)


def _wave(px: int, near: float | None = None) -> Complexes:
    """What a square of px, with its line in the middle, is multiplied with; at most `near` (in lines) off the line."""
    off = (np.arange(px) + 0.5) / px - 0.5
    window = np.ones(px) if near is None else np.cos(np.clip(off / near, -1, 1) * np.pi / 2) ** 2
    return np.asarray(window * np.exp(-2j * np.pi * off), dtype=np.complex64)


def _cells(drawing: FloatArray, px: int) -> FloatArray:
    """(rows, px, columns, px)"""
    return drawing.reshape(drawing.shape[0] // px, px, drawing.shape[1] // px, px)


def _coefficients(drawing: FloatArray, wave: Complexes, *, between: bool = False) -> tuple[Complexes, Complexes]:
    """Fourier coefficient, across and down, of each square; only halfway between the lines that cross, if so wished."""
    px = len(wave)
    counts = np.ones(px, dtype=np.float32)
    if between:
        counts[px // 3 : px - px // 3] = 0
    # One product instead of sums over px numbers each, which are slow.
    rows, columns = drawing.shape[0] // px, drawing.shape[1] // px
    along = drawing.reshape(-1, px) @ np.stack([wave.real, wave.imag, counts], 1)
    cells = along.reshape(rows, px, columns * 3)
    across = np.matmul(counts, cells).reshape(rows, columns, 3)
    down = np.matmul(np.stack([wave.real, wave.imag]), cells).reshape(rows, 2, columns, 3)[..., 2]
    return across[..., 0] + 1j * across[..., 1], down[:, 0] + 1j * down[:, 1]


def _blur(field: Complexes, spread: float) -> Complexes:
    real, imaginary = (
        cv2.GaussianBlur(np.ascontiguousarray(part), (0, 0), spread, borderType=cv2.BORDER_CONSTANT)
        for part in (field.real, field.imag)
    )
    return np.asarray(real + 1j * imaginary, dtype=np.complex64)


def _mean(coefficients: Complexes, spreads: tuple[tuple[float, float], ...]) -> tuple[Complexes, FloatArray]:
    """Mean coefficients of squares with their neighbours, of few where these agree and of many elsewhere; weights."""
    mean, weight = np.zeros_like(coefficients), np.zeros(coefficients.shape, dtype=np.float32)
    for spread, alike in spreads:
        wide = _blur(coefficients, spread)
        size = cv2.GaussianBlur(np.abs(coefficients), (0, 0), spread, borderType=cv2.BORDER_CONSTANT)
        length = np.abs(wide)
        usual = np.percentile(length, 75)
        seen = (weight == 0) & (length > alike * size + 1e-6) & (length > FAINTEST * usual)
        mean, weight = np.where(seen, wide, mean), np.where(seen, length, weight)
    return mean, weight


def _phase(coefficients: Complexes) -> FloatArray:
    return np.asarray(-np.angle(coefficients) / np.float32(2 * np.pi), dtype=np.float32)


def _without_curves(ink: FloatArray, px: int) -> FloatArray:
    """The drawing without what is much darker, over its width, than the lines thereabouts."""
    spread = np.asarray(cv2.blur(ink, (3, 3)), dtype=np.float32)
    cells, line = _cells(spread, px), slice(px // 2 - 2, px // 2 + 2)
    upright = cells[:, : px // 4, :, line].mean(1).max(-1)
    level = cells[:, line, :, : px // 4].mean(3).max(1)
    usual = cv2.medianBlur(np.maximum(upright, level), 5)
    limit = cv2.resize(usual * np.float32(INK_DARKER), (ink.shape[1], ink.shape[0]), interpolation=cv2.INTER_LINEAR)
    curves = cv2.dilate((spread > limit).astype(np.uint8), np.ones((3, 3), dtype=np.uint8))
    return np.where(curves > 0, 0, ink)
