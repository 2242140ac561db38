"""Header and footer cut off a flat page, so that neither a model nor a disk ever sees name, number, sex or date."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.paper.ink import SAMPLE, find_ink
from ecgedge.paper.levels import find_levels
from ecgedge.paper.page import FloatArray, Page, Pixels
from ecgedge.paper.pieces import find_pieces, level_lines, upright_lines
from ecgedge.paper.rows import ENOUGH_PX_PER_MM, RULE_LENGTH, Rows

NAMES_MM = 10.5
"""Lead names and calibration pulses lie within this distance of a row; text beyond it is header or footer."""
HIGHEST_MM = 50.0
"""No wave is higher: 5 mV at 10 mm/mV."""
MARGIN_MM = 1.5
"""Paper kept around what is kept."""
LONG_MM, TALL_MM = 8.0, 5.5
"""A piece of ink as wide or as tall as this is no letter of a header (4 mm at most)."""


def cut_to_traces(page: Page) -> Page:
    """The page from the top of the first row's highest wave to the bottom of the last row's lowest.

    Text that a tall wave leaves inside is painted over with paper where it is no curve and too far from the rows for a
    lead name. The width stays.

    Parameters
    ----------
    page : flat and upright.

    Returns
    -------
    Page, less high; `map_px` goes with it, `corners_px` still bound what they bound in the picture.

    Raises
    ------
    InputError
        If there are no rows of curves.
    """
    factor = max(1, int(min(page.px_per_mm_x, page.px_per_mm_y) / ENOUGH_PX_PER_MM))
    small = _shrunk(page, factor)
    ink = find_ink(small)
    rows = find_levels(ink, px_per_mm_x=small.px_per_mm_x, px_per_mm_y=small.px_per_mm_y)
    if not len(rows.baselines_px):
        raise InputError(
            f"{page.name}: 0 rows of curves found, an ECG page has 4, 6 or 12; "
            "photograph the whole sheet, upright and sharp"
        )
    pieces = _Pieces(ink.mask, small.px_per_mm_x, small.px_per_mm_y)
    top, bottom = _kept(pieces, rows, small.px_per_mm_y, len(small.pixels))
    end = len(page.pixels) if bottom == len(small.pixels) else bottom * factor
    cut = _slice(page, top * factor, end)
    return replace(cut, pixels=_painted(cut.pixels, _text(pieces, rows, small.px_per_mm_y)[top:bottom], factor))


def _shrunk(page: Page, factor: int) -> Page:
    """The page at a whole part of its size; where the rest of a division is left, a little less of it."""
    if factor == 1:
        return page
    height, width = (size // factor * factor for size in page.pixels.shape[:2])
    pixels = cv2.resize(page.pixels[:height, :width], (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    return replace(
        page,
        pixels=np.asarray(pixels, dtype=np.uint8),
        px_per_mm_x=page.px_per_mm_x / factor,
        px_per_mm_y=page.px_per_mm_y / factor,
    )


class _Pieces:
    """Connected pieces of ink, and which of them are curve-like."""

    def __init__(self, mask: NDArray[np.bool_], px_per_mm_x: float, px_per_mm_y: float) -> None:
        self.ink = find_pieces(_without_lines(mask.view(np.uint8), px_per_mm_y))
        self.top, self.bottom = self.ink.top_px, self.ink.bottom_px
        wide, tall = self.ink.width_px >= LONG_MM * px_per_mm_x, self.ink.height_px >= TALL_MM * px_per_mm_y
        self.curve = wide | tall


def _without_lines(ink: Pixels, px_per_mm_y: float) -> Pixels:
    """Ink less rules, frames and long separators: straight, and longer than curves run level or waves are high."""
    height, width = ink.shape
    level, upright = round(RULE_LENGTH * width), round(1.1 * HIGHEST_MM * px_per_mm_y)
    thick = np.asarray(cv2.dilate(ink, np.ones((3, 3), np.uint8)), dtype=np.uint8)
    lines = level_lines(thick, level)
    if upright < height:
        lines = np.maximum(lines, upright_lines(thick, upright))
    return np.asarray(cv2.subtract(ink, lines), dtype=np.uint8)


def _kept(pieces: _Pieces, rows: Rows, px_per_mm_y: float, height: int) -> tuple[int, int]:
    """First row of pixels kept, and the row after the last one."""
    first, last = float(rows.baselines_px[0]), float(rows.baselines_px[-1])
    near, far, margin = (mm * px_per_mm_y for mm in (NAMES_MM, HIGHEST_MM, MARGIN_MM))
    upper = pieces.curve & (pieces.bottom >= first - near) & (pieces.top >= first - far) & (pieces.top < first)
    lower = pieces.curve & (pieces.top <= last + near) & (pieces.bottom <= last + far) & (pieces.bottom > last)
    top = min(first - near, float(pieces.top[upper].min(initial=height))) - margin
    bottom = max(last + near, float(pieces.bottom[lower].max(initial=0))) + margin
    return max(0, round(top)), min(height, round(bottom))


def _text(pieces: _Pieces, rows: Rows, px_per_mm_y: float) -> NDArray[np.bool_]:
    """(height, width) small pieces beyond the reach of lead names, above the first row or below the last."""
    near = NAMES_MM * px_per_mm_y
    above = pieces.bottom < rows.baselines_px[0] - near
    below = pieces.top > rows.baselines_px[-1] + near
    return pieces.ink.of((above | below) & ~pieces.curve)


def _painted(pixels: Pixels, text: NDArray[np.bool_], factor: int) -> Pixels:
    """Text, and two pixels around it, painted over with paper."""
    if not text.any():
        return pixels
    spread = cv2.dilate(text.astype(np.uint8), np.ones((5, 5), np.uint8))
    height, width = (size * factor for size in spread.shape)
    painted = cv2.resize(spread, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    blanked = pixels.copy()
    blanked[:height, :width][painted] = np.median(pixels.reshape(-1, 3)[::SAMPLE], axis=0).astype(np.uint8)
    return blanked


def _slice(page: Page, top: int, bottom: int) -> Page:
    """Rows top to bottom - 1 of the page, its lattice begun anew at the new first row."""
    rows, columns = page.map_px.shape[:2]
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    points: FloatArray = np.stack([x * page.map_step_px, y * page.map_step_px + top], axis=-1).astype(np.float32)
    lattice = page.to_picture(points.reshape(-1, 2)).reshape(rows, columns, 2)
    needed = min(rows, max(2, int(np.ceil((bottom - top) / page.map_step_px)) + 1))
    return replace(page, pixels=np.ascontiguousarray(page.pixels[top:bottom]), map_px=lattice[:needed])
