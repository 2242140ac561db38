"""Clean scans and drawn pages: flat already, evenly lit, and to be left as they are."""

import cv2
import numpy as np

from ecgedge.paper.grid import Floats, Grid
from ecgedge.paper.page import FloatArray, Pixels

MOST_ASKEW_MM = 1.5
"""How far a grid may seem to lie off the picture's rows and columns: as exact as windows of a faint grid are."""
EVEN = 0.9
"""Darkest paper over the usual: a photo's light falls off by more."""
LOOK_PX = 300
SCALE_ERROR = 0.12
"""Of a scale read from windows, where lines of a screen's picture are a pixel or two off (natural logarithm)."""
SCALE_STEP = 0.0001
NOT_SQUARE = 0.01
"""By how much the scales of rows and columns differ from a common one (natural logarithm)."""
FREQUENCIES_PER_BIN = 8


def is_clean(pixels: Pixels, grid: Grid) -> bool:
    """Whether the grid lies along the picture's rows and columns and the paper reaches its edges, evenly lit."""
    on_page = cv2.perspectiveTransform(grid.seen_px[None].astype(np.float64), grid.to_mm)[0]
    return _askew_mm(grid.seen_px, on_page) < MOST_ASKEW_MM and _is_even(pixels)


def scale_of(grid: Grid) -> tuple[float, float]:
    """Pixels per mm along the rows and the columns of a clean scan, from lines added up over its whole length."""
    middle = grid.seen_px.mean(axis=0)
    steps = np.stack([np.add(middle, shift) for shift in ((0, 0), (1, 0), (0, 1))]).astype(np.float64)
    here, right, below = cv2.perspectiveTransform(steps[None], grid.to_mm)[0]
    rough = (abs(right[0] - here[0]) * abs(below[1] - here[1])) ** -0.5 / grid.reduced_by
    lines = np.maximum(grid.signal, 0)
    scales = rough * np.exp(np.arange(-SCALE_ERROR, SCALE_ERROR, SCALE_STEP))
    across, down = (_clearness(lines.mean(axis), scales) for axis in (0, 1))
    best = int((across + down).argmax())
    near = slice(max(0, best - round(NOT_SQUARE / SCALE_STEP)), best + round(NOT_SQUARE / SCALE_STEP) + 1)
    exact = [scales[near][clear[near].argmax()] * grid.reduced_by for clear in (across, down)]
    return float(exact[0]), float(exact[1])


def _askew_mm(seen_px: FloatArray, on_page: Floats) -> float:
    worst = 0.0
    for axis in (0, 1):
        straight = np.polynomial.Polynomial.fit(seen_px[:, axis], on_page[:, axis], 1)
        off = np.abs(straight(seen_px[:, axis]) - on_page[:, axis])
        worst = max(worst, float(np.percentile(off, 90)))
    return worst


def _is_even(pixels: Pixels) -> bool:
    shrink = min(1.0, LOOK_PX / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((9, 9), dtype=np.uint8))
    dark, usual = np.percentile(paper.reshape(-1, 3), [2, 50], axis=0)
    return bool((dark >= EVEN * usual).all())


def _clearness(profile: FloatArray, scales: Floats) -> Floats:
    """How far the frequency of the 5-mm lines and its multiples stand out together, at each scale in px/mm."""
    length = len(profile)
    spectrum = np.abs(np.fft.rfft((profile - profile.mean()) * np.hanning(length), FREQUENCIES_PER_BIN * length)) ** 2
    multiples = np.array([multiple for multiple in (1, 2, 3, 4, 5, 10) if multiple / (5 * scales[0]) < 0.48])
    bins = np.rint(multiples[:, None] / (5 * scales) * FREQUENCIES_PER_BIN * length).astype(int)
    return np.asarray(np.log(spectrum[bins] + np.mean(spectrum)).sum(axis=0))
