"""Black ink of a flat page, its grid suppressed. Knows nothing of rows, leads or letters."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray, Page, Pixels
from ecgedge.paper.pieces import find_pieces

GRID_PERIOD_MM = 5.0
"""Distance of the thick lines of every standard ECG paper."""
BAND_MM = 25.0
"""Length over which a grid line is taken for straight; a stroke of a QRS complex is rarely half as long."""
FAINTEST = 32
"""Darkness of 255 below which nothing is ink, however faint the print: twice the noise of a JPEG of usual quality."""
SAMPLE = 61
"""Every how many pixels colours are looked at: a prime, so that no period of a grid comes back in it."""
RIM_SHARE = 0.05
"""Share of a photographed page's height and width along its border where a dark table may show; no ink is learnt there,
or its colour would be the table's."""
INK_SHARE, FEWEST = 0.02, 20
"""At least the first share of what is no paper is ink; below the second number of samples a page is blank."""
CORE, RIM = 0.5, 0.33
"""Shares of the ink's darkness: a stroke has a core of at least the first, and reaches to the second (hysteresis)."""
LINE_MM = 0.5
"""Widest grid line, blurred."""
SPECK_MM2 = 0.1
"""Area below which a piece of ink is a speck."""


@dataclass(frozen=True, slots=True)
class Ink:
    """Where ink that is not the grid lies on a page."""

    mask: NDArray[np.bool_]
    """(height, width) bool."""
    darkness: Pixels
    """(height, width) uint8: 0 for paper and grid, 255 for the full darkness of the page's ink."""


def find_ink(page: Page) -> Ink:
    """Curves, letters, separators and pulses of a page, without its grid.

    A coloured grid is told by its colour, a grey or black one by its straightness and its period. Where ink lies on a
    grid line it is kept, if it is darker than the line.

    Parameters
    ----------
    page : a flat page; paper near 255, but colour cast and a dull white are allowed.

    Returns
    -------
    Ink, of the page's height and width. A blank page gives an empty mask.
    """
    raw = _blackness(page.pixels, 0.0 if page.corners_of == "picture" else RIM_SHARE)
    dark = _without_grid(raw, page.px_per_mm_x, page.px_per_mm_y)
    level = _ink_level(dark)
    darkness = np.asarray(cv2.convertScaleAbs(dark, alpha=255.0 / level), dtype=np.uint8)
    speck_px = max(3.0, SPECK_MM2 * page.px_per_mm_x * page.px_per_mm_y)
    strokes = _strokes(darkness, speck_px)
    return Ink(_bridged(strokes, raw >= RIM * level, page.px_per_mm_y), darkness)


def _blackness(pixels: Pixels, rim: float) -> Pixels:
    """Darkness in the channel that tells ink from grid best, less what other channels are darker by than in ink.

    So a red grid goes below black ink and below blue ink.
    """
    rim_y, rim_x = (int(rim * size) for size in pixels.shape[:2])
    inner = pixels[rim_y : len(pixels) - rim_y, rim_x : pixels.shape[1] - rim_x]
    sample = inner.reshape(-1, 3)[::SAMPLE]
    paper = np.maximum(np.median(sample, axis=0), 64.0)
    dark = np.clip(255.0 - sample * (255.0 / paper), 0, 255)
    chosen, tint = _contrast(dark[dark.max(axis=1) > FAINTEST])
    table = np.clip(255.0 - np.arange(256)[:, None] * (255.0 / paper), 0, 255).astype(np.uint8)[None]
    planes = [cv2.LUT(one, table[..., channel]) for channel, one in enumerate(cv2.split(pixels))]
    plane = planes.pop(chosen)
    excess = cv2.subtract(cv2.max(*planes), cv2.convertScaleAbs(plane, alpha=1.0 + tint))
    return np.asarray(cv2.subtract(plane, cv2.add(excess, excess)), dtype=np.uint8)


def _contrast(tinted: FloatArray) -> tuple[int, float]:
    """Channel in which ink is far darker than grid, and by which share ink is darker in the others.

    Parameters
    ----------
    tinted : (n, 3) darkness of pixels that are no paper: grid for the most part, ink where they are darkest.
    """
    if len(tinted) < FEWEST:
        return 2, 0.0
    strength = tinted.max(axis=1)
    ink = np.median(tinted[strength >= np.percentile(strength, 100 * (1 - INK_SHARE))], axis=0)
    grid = np.median(tinted, axis=0)
    chosen = int(np.argmax(ink - 1.5 * grid))
    return chosen, float(np.clip(np.delete(ink, chosen).max() / max(ink[chosen], 1.0) - 1.0, 0.0, 1.0))


def _without_grid(dark: Pixels, px_per_mm_x: float, px_per_mm_y: float) -> Pixels:
    """Straight lines that come back at the period of the grid taken off, ink on them kept."""
    upright = _lines(dark, GRID_PERIOD_MM * px_per_mm_x, round(BAND_MM * px_per_mm_y))
    turned = np.asarray(cv2.transpose(dark), dtype=np.uint8)
    level = cv2.transpose(_lines(turned, GRID_PERIOD_MM * px_per_mm_y, round(BAND_MM * px_per_mm_x)))
    grid = cv2.max(upright, level)
    return np.asarray(cv2.subtract(dark, grid), dtype=np.uint8)


def _lines(dark: Pixels, period_px: float, band_px: int) -> Pixels:
    """Darkness of the upright grid lines: the median of each column of a band, if columns a period off have it too."""
    height, width = dark.shape
    bands = max(1, round(height / band_px))
    edges = np.linspace(0, height, bands + 1).astype(int)
    step = max(1, band_px // 48)
    profiles = np.stack([_median(dark[top:bottom:step]) for top, bottom in pairwise(edges)])
    typical = _at_period(profiles, period_px)
    lines = np.minimum(profiles, typical)
    wide = cv2.dilate(lines, np.ones((1, 3), np.uint8))
    return np.asarray(cv2.resize(wide, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _median(rows: Pixels) -> Pixels:
    middle = len(rows) // 2
    return np.asarray(np.partition(rows, middle, axis=0)[middle], dtype=np.uint8)


def _at_period(profiles: Pixels, period_px: float) -> Pixels:
    """Median of the profile one to three periods to the left and to the right, a pixel of play allowed."""
    play = np.asarray(cv2.dilate(profiles, np.ones((1, 3), np.uint8)), dtype=np.uint8)
    shifts = [round(k * period_px) for k in (-3, -2, -1, 1, 2, 3)]
    reach = max(shifts)
    padded = np.pad(play, ((0, 0), (reach, reach)), mode="reflect")
    width = profiles.shape[1]
    stack = np.stack([padded[:, reach + s : reach + s + width] for s in shifts])
    return _median(stack)


def _ink_level(dark: Pixels) -> float:
    """Darkness of the page's ink: the upper quartile of what is certainly not paper."""
    sample = dark[::2, ::2]
    inked = sample[sample > FAINTEST]
    return max(float(np.percentile(inked, 75)), 2.0 * FAINTEST) if inked.size else 255.0


def _strokes(darkness: Pixels, speck_px: float) -> NDArray[np.bool_]:
    """Pieces of ink above the rim's darkness that hold a core and are no speck."""
    pieces = find_pieces(np.asarray(cv2.threshold(darkness, RIM * 255, 1, cv2.THRESH_BINARY)[1], dtype=np.uint8))
    cored = np.zeros(len(pieces.area_px), dtype=np.bool_)
    cored[pieces.piece[darkness.reshape(-1)[pieces.at] >= CORE * 255]] = True
    return pieces.of(cored & (pieces.area_px >= speck_px))


def _bridged(mask: NDArray[np.bool_], dark: NDArray[np.bool_], px_per_mm_y: float) -> NDArray[np.bool_]:
    """Upright strokes that a grid line cut in two made whole: gaps as wide as a line, dark before the grid was off."""
    across = 2 * round(LINE_MM * px_per_mm_y / 2) + 1
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((across, 1), np.uint8))
    return mask | ((closed > 0) & dark)
