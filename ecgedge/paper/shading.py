"""Light and shadow taken off a page: the paper becomes evenly white, the ink keeps its colour."""

import cv2
import numpy as np

from ecgedge.paper.page import Pixels

PAPER = 250
"""Brightness given to the paper."""
LOOK_PX_PER_MM = 1.5
"""Scale at which the paper's brightness is estimated."""
INK_MM = 4.0
"""Wider than any stroke or letter's line; a square between 5-mm lines is wider."""
SMOOTH_MM = 3.0
STRIP = 48
"""Rows of the estimate that are divided by at a time; they stay in the cache."""


def remove_shading(pixels: Pixels, *, px_per_mm: float) -> Pixels:
    """Divide a flat page by the brightness of its paper, each colour by itself.

    Parameters
    ----------
    pixels : (height, width, 3) uint8

    Returns
    -------
    (height, width, 3) uint8, the paper near PAPER.
    """
    shrink = min(1.0, LOOK_PX_PER_MM / px_per_mm)
    paper = _paper(_shrunk(pixels, shrink), px_per_mm * shrink)
    even = np.empty_like(pixels)
    width, height = pixels.shape[1], pixels.shape[0]
    scale = height / paper.shape[0]
    for first in range(0, paper.shape[0], STRIP):
        # One more row on either side, so that strips meet without a seam.
        low, high = max(first - 1, 0), min(first + STRIP + 1, paper.shape[0])
        top, bottom = round(low * scale), round(high * scale)
        light = cv2.resize(paper[low:high], (width, bottom - top), interpolation=cv2.INTER_LINEAR)
        start, end = round(first * scale), round(min(first + STRIP, paper.shape[0]) * scale)
        cv2.divide(pixels[start:end], light[start - top : end - top], dst=even[start:end], scale=PAPER)
    return even


def _shrunk(pixels: Pixels, shrink: float) -> Pixels:
    """The page made smaller: halved as often as it may be, for halves are averaged quickly."""
    if shrink > 0.5:
        return np.asarray(cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    size = round(pixels.shape[1] * shrink), round(pixels.shape[0] * shrink)
    while shrink <= 0.5:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        halved = cv2.resize(pixels[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
        pixels, shrink = np.asarray(halved, dtype=np.uint8), 2 * shrink
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _paper(small: Pixels, px_per_mm: float) -> Pixels:
    """Brightness of the paper: closed over the ink, then smoothed."""
    side = max(3, round(INK_MM * px_per_mm) // 2 * 2 + 1)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), dtype=np.uint8))
    smooth = max(3, round(SMOOTH_MM * px_per_mm) // 2 * 2 + 1)
    return np.asarray(np.maximum(cv2.GaussianBlur(closed, (smooth, smooth), 0), 1), dtype=np.uint8)
