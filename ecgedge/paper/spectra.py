"""Power spectra of windows of a picture, and the peaks in them that regular lines make."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray, Pixels

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

TILE_PX = 128
MOST_TILES = 220
"""Windows over the whole picture; more gain no accuracy and cost 0.1 ms each."""
CLEAR = 8.0
"""Peak over the median of its surroundings, power. Noise exceeds it in about 1 of 250 places (exponential law)."""
STRAY_BINS = 0.7
"""How far from its predicted place a peak may lie, in bins of the transform of a window."""
LINE_CONTRAST, THICKEST = 0.03, 0.42
"""Pixels darker than their surroundings by this are lines; on checked cloth they are half of all."""


@dataclass(frozen=True, slots=True)
class Spectra:
    """Power spectra of windows of a picture."""

    centres: Floats
    """(n, 2) float64, px of the reduced picture."""
    power: FloatArray
    """(n, TILE_PX, TILE_PX / 2 + 1) float32; each window's sums to 1."""
    paper: Floats
    """(n,) float64, 0 to 1: whether a window is bright, as paper is, and its dark lines are thin."""


def spectra_of(signal: FloatArray, pixels: Pixels, *, looked_at: FloatArray | None = None) -> Spectra:
    """Spectra of windows over the whole picture, of another signal where one is given.

    Parameters
    ----------
    signal : (height, width) float32, as of `grid.line_signal`; it tells paper.
    pixels : (height, width, 3) uint8.
    looked_at : (height, width) float32.
    """
    looked_at = signal if looked_at is None else looked_at
    height, width = signal.shape
    step = max(TILE_PX // 2, round((height * width / MOST_TILES) ** 0.5))
    rows, columns = (np.arange(0, side - TILE_PX + 1, step) for side in (height, width))
    # No sliding_window_view: all windows of a picture are more numbers than a 32-bit processor can count.
    windows = np.array([looked_at[y : y + TILE_PX, x : x + TILE_PX] for y in rows for x in columns])
    bell = np.hanning(TILE_PX + 2)[1:-1].astype(np.float32)
    tiles = windows.reshape(-1, TILE_PX, TILE_PX) * np.outer(bell, bell)
    power = _powers(tiles)
    power[:, :2, :2] = power[:, -1:, :2] = 0
    power /= power.sum((1, 2), keepdims=True) + np.float32(1e-6)
    down, right = np.meshgrid(rows + (TILE_PX - 1) / 2, columns + (TILE_PX - 1) / 2, indexing="ij")
    lines = cv2.integral((signal > LINE_CONTRAST).view(np.uint8))
    upper, lower = lines[rows], lines[rows + TILE_PX]
    dark = np.ravel((lower - upper)[:, columns + TILE_PX] - (lower - upper)[:, columns]) / TILE_PX**2
    middles = tuple(np.rint([down.ravel(), right.ravel()]).astype(int))
    light = cv2.blur(pixels, (TILE_PX, TILE_PX))[middles].min(axis=1).astype(np.float64)
    paper = np.clip((THICKEST - dark) / 0.1, 0, 1) * light / max(float(light.max()), 1.0)
    return Spectra(np.stack([right.ravel(), down.ravel()], 1), power, paper)


def _powers(tiles: FloatArray) -> FloatArray:
    """(n, TILE_PX, TILE_PX / 2 + 1): OpenCV's transform of real numbers is three times as fast as NumPy's.

    It gives real and imaginary parts beside each other, and in the first and last column below each other.
    """
    half = TILE_PX // 2
    packed = np.empty_like(tiles)
    for tile, spectrum in zip(tiles, packed, strict=True):
        cv2.dft(tile, spectrum)
    packed *= packed
    power = np.empty((*tiles.shape[:2], half + 1), dtype=np.float32)
    np.add(packed[..., 1:-1:2], packed[..., 2:-1:2], out=power[..., 1:half])
    for column in (0, -1):
        ends = packed[..., column]
        power[:, 0, column], power[:, half, column] = ends[:, 0], ends[:, -1]
        power[:, 1:half, column] = ends[:, 1:-1:2] + ends[:, 2:-1:2]
        power[:, :half:-1, column] = power[:, 1:half, column]
    return power


def peaks(spectra: Spectra, tiles: Ints, wanted: Floats, stray: float = STRAY_BINS) -> tuple[Floats, Bools]:
    """The peak next to each wanted frequency: its frequency (n, 2), and whether it is clear."""
    sign = np.where(wanted[:, :1] < 0, -1, 1)
    middle = np.rint(wanted * sign * TILE_PX).astype(int)
    offsets = np.arange(-2, 3)
    columns = middle[:, 0, None, None] + offsets[None, None, :]
    rows = np.where(columns < 0, -1, 1) * (middle[:, 1, None, None] + offsets[None, :, None])
    columns = np.minimum(np.abs(columns), TILE_PX // 2)
    patch = spectra.power[tiles[:, None, None], rows % TILE_PX, columns]
    inner = patch[:, 1:4, 1:4].reshape(-1, 9)
    row, column = np.divmod(inner.argmax(1), 3)
    every, logs = np.arange(len(tiles)), np.log(patch + 1e-12)
    right = _summit(*(logs[every, row + 1, column + k] for k in range(3)))
    below = _summit(*(logs[every, row + k, column + 1] for k in range(3)))
    found = sign * (middle + np.stack([column - 1 + right, row - 1 + below], 1)) / TILE_PX
    rim = np.ones((5, 5), dtype=bool)
    rim[1:4, 1:4] = False
    clear = inner.max(1) > CLEAR * (np.median(patch[:, rim], axis=1) + 1e-9)
    inside = np.abs(wanted).max(1) < 0.48
    return found, clear & inside & (np.hypot(*(found - wanted).T) * TILE_PX < stray)


def _summit(left: FloatArray, middle: FloatArray, right: FloatArray) -> Floats:
    """Where a parabola through three values has its top, -0.5 to 0.5."""
    bend = np.minimum(left - 2 * middle + right, -1e-6)
    return np.asarray(np.clip(0.5 * (left - right) / bend, -0.5, 0.5), dtype=np.float64)


def power_at(spectra: Spectra, tiles: Ints, wanted: Floats) -> FloatArray:
    """Power at a frequency; none beyond what the window can show."""
    turned = wanted * np.where(wanted[:, :1] < 0, -1, 1) * TILE_PX
    column, row = np.rint(turned).astype(int).T
    shown = (column <= TILE_PX // 2) & (np.abs(row) <= TILE_PX // 2)
    return np.where(shown, spectra.power[tiles, row % TILE_PX, np.minimum(column, TILE_PX // 2)], 0)
