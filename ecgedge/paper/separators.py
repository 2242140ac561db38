"""Separators between leads: long upright lines through several rows, or thick ticks on each row."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ecgedge.paper.ink import Ink
from ecgedge.paper.page import FloatArray, Pixels
from ecgedge.paper.pieces import find_pieces, upright_lines
from ecgedge.paper.pulses import Pulse
from ecgedge.paper.rows import Rows
from ecgedge.paper.small_ink import PX_PER_MM, SmallInk, ink_width_mm, shrink

LINE_SHARE = 0.8
"""A line has ink along this share of the way from row to row; a QRS complex is not as straight and not as high."""
BEYOND_MM = 1.0
"""A line goes on beyond the rows that it passes by at least this."""
WAVE_MM = 15.0
"""Upright ink no higher than this may be a wave."""
WANDER_MM, BESIDE_MM, CURVE_SHARE = 6.0, (1.5, 11.5), 0.8
"""Within the first of a row's level, and between the second on either side of a line, this share of columns has ink."""
MERGED_MM = 4.0
"""Widest piece of upright ink in which a line is looked for, with the waves that touch it."""
PAIR_MM = 1.25
"""Ink within this of a tick or of a pen's stroke is summed up; wider apart are the two sides of a QRS complex."""
TICK_HEIGHT_MM = (3.0, 9.0)
TICK_WIDTH_MM, TICK_OF_PEN = 0.5, 1.5
"""Least width of a tick, and as a multiple of the pen's width; pens are 0.25 to 0.45 mm wide."""
LEAN_MM, UNEVEN = 0.1, 0.12
"""Median deviation of a tick's centre, and of its width as a share, along its height."""
ALIGNED_MM = 1.0
"""Ticks of several rows stand one above the other within this."""


@dataclass(frozen=True, slots=True)
class Separator:
    """One line through several rows, or one tick on one row."""

    x_px: float
    """Centre."""
    top_px: float
    bottom_px: float
    width_px: float
    kind: Literal["line", "tick"]
    rows: tuple[int, ...]
    """Rows that it passes through, from the top."""


def find_separators(
    ink: Ink, rows: Rows, pulses: tuple[Pulse, ...], *, px_per_mm_x: float, px_per_mm_y: float
) -> tuple[Separator, ...]:
    """Separators of a page, from left to right: its lines, or where there are none its ticks.

    Ticks are told from QRS complexes by their width and by standing on at least two rows one above the other; which of
    them begin a lead is for the layout to say, which is matched later.

    Parameters
    ----------
    ink, rows, pulses : of the same page; a pulse's sides are no separators.

    Returns
    -------
    Separators; empty where there are none.
    """
    small = shrink(ink, px_per_mm_x=px_per_mm_x, px_per_mm_y=px_per_mm_y)
    levels = np.array([small.y_here(float(y)) for y in rows.baselines_px], dtype=np.float32)
    boxes = [_around(small, pulse) for pulse in pulses]
    tick_mm = max(TICK_WIDTH_MM, TICK_OF_PEN * _pen_mm(small, boxes))
    for top, bottom, left, right in boxes:
        small.mask[top:bottom, left:right] = 0
        small.darkness[top:bottom, left:right] = 0
    lines = _lines(small, levels)
    return lines if lines else _ticks(small, levels, tick_mm)


def _pen_mm(small: SmallInk, boxes: list[tuple[int, int, int, int]]) -> float:
    """Width of the strokes of the pulses at half their height; 0 without pulses."""
    widths = []
    for top, bottom, left, right in boxes:
        middle = small.darkness[(2 * top + bottom) // 3 : (top + 2 * bottom) // 3 + 1, left:right]
        widths.append(float(middle.mean(axis=0).sum()) / 255 / 2 / PX_PER_MM)
    return float(np.median(widths)) if widths else 0.0


def _around(small: SmallInk, pulse: Pulse) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the ink of a pulse at the working scale."""
    left, right = small.x_here(pulse.left_px), small.x_here(pulse.right_px)
    top, bottom = small.y_here(pulse.top_px), small.y_here(pulse.foot_px)
    return max(0, round(top) - 2), round(bottom) + 3, max(0, round(left) - 3), round(right) + 4


def _lines(small: SmallInk, levels: FloatArray) -> tuple[Separator, ...]:
    """Upright lines that pass at least two rows."""
    if len(levels) < 2:
        return ()
    spacing = float(np.median(np.diff(levels)))
    length = max(round(LINE_SHARE * spacing), round(WAVE_MM * PX_PER_MM))
    slanting = cv2.dilate(small.mask, np.ones((1, 2), np.uint8))
    upright = upright_lines(np.asarray(slanting, dtype=np.uint8), length)
    beyond = BEYOND_MM * PX_PER_MM
    found = []
    for left, top, wide, tall in find_pieces(np.asarray(upright, dtype=np.uint8)).boxes_px():
        passed = tuple(i for i, y in enumerate(levels) if top <= y - beyond and y + beyond <= top + tall)
        if (
            len(passed) >= 2
            and wide <= MERGED_MM * PX_PER_MM
            and _amid_curves(small, levels[list(passed)], left + wide // 2)
        ):
            x, width = _straightest(np.asarray(slanting[top : top + tall, left : left + wide], dtype=np.uint8))
            found.append(_separator(small, (left + x, top, width, tall), "line", passed))
    return tuple(sorted(found, key=lambda line: line.x_px))


def _straightest(part: Pixels) -> tuple[int, int]:
    """First column and width of the line in a piece of upright ink: waves that touch it are shorter."""
    filled = part.sum(axis=0, dtype=np.int64)
    columns = np.flatnonzero(filled >= 0.8 * filled.max())
    first = int(columns[0])
    last = first + int(np.argmin(np.isin(np.arange(first, first + len(filled) + 1), columns))) - 1
    return first, max(1, last - first)


def _amid_curves(small: SmallInk, levels: FloatArray, x: int) -> bool:
    """Whether curves run on both sides of a line: a frame or the margin of the grid has them on one side at most."""
    wander, near, far = (round(mm * PX_PER_MM) for mm in (WANDER_MM, *BESIDE_MM))
    for first, last in ((x - far, x - near), (x + near, x + far)):
        if first < 0 or last > small.mask.shape[1]:
            return False
        bands = [small.mask[max(0, round(y) - wander) : round(y) + wander + 1, first:last] for y in levels.tolist()]
        if np.median([band.max(axis=0).mean() for band in bands]) < CURVE_SHARE:
            return False
    return True


def _ticks(small: SmallInk, levels: FloatArray, tick_mm: float) -> tuple[Separator, ...]:
    """Thick short strokes across a row, where another row has one above or below it."""
    found = [tick for row, level in enumerate(levels) for tick in _ticks_of(small, row, float(level), tick_mm)]
    reach_px = ALIGNED_MM * PX_PER_MM * small.scale_x
    return tuple(
        tick
        for tick in sorted(found, key=lambda tick: tick.x_px)
        if any(other.rows != tick.rows and abs(other.x_px - tick.x_px) <= reach_px for other in found)
    )


def _ticks_of(small: SmallInk, row: int, level: float, tick_mm: float) -> list[Separator]:
    """Ticks of one row."""
    low, high = (mm * PX_PER_MM for mm in TICK_HEIGHT_MM)
    top = max(0, round(level - high))
    band = small.darkness[top : max(0, round(level + high) + 1)]
    if not len(band):
        return []
    thick = _thick(band, tick_mm)
    upright = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((round(low), 1), np.uint8))
    found = []
    for left, first, wide, tall in find_pieces(np.asarray(upright, dtype=np.uint8)).boxes_px():
        across = top + first < level < top + first + tall
        box = left, top + first, wide, tall
        if low <= tall <= high and across and wide <= 2 * PX_PER_MM and _straight(small, box):
            found.append(_separator(small, box, "tick", (row,)))
    return found


def _straight(small: SmallInk, box: tuple[int, int, int, int]) -> bool:
    """Whether a stroke is upright and of one width, the crossing curve left aside; a QRS complex leans and tapers."""
    left, top, wide, tall = box
    reach = round(PAIR_MM / 2 * PX_PER_MM)
    part = small.darkness[top + 1 : top + tall - 1, max(0, left - reach) : left + wide + reach].astype(np.float32)
    columns = np.arange(part.shape[1], dtype=np.float32)
    ink = part.sum(axis=1)
    centre = part @ columns / np.maximum(ink, 1.0)
    width_mm = ink / 255 / PX_PER_MM
    lean_mm = float(np.median(np.abs(centre - np.median(centre)))) / PX_PER_MM
    spread = float(np.median(np.abs(width_mm - np.median(width_mm))) / np.median(width_mm))
    return lean_mm <= LEAN_MM and spread <= UNEVEN


def _thick(band: Pixels, tick_mm: float) -> Pixels:
    """Where ink is wider than a pen and all of it in one stroke."""
    width_mm = ink_width_mm(band, PAIR_MM / 2)
    dark = band >= 0.5 * 255
    return np.asarray((width_mm >= tick_mm) & dark, dtype=np.uint8)


def _separator(
    small: SmallInk, box: tuple[int, int, int, int], kind: Literal["line", "tick"], passed: tuple[int, ...]
) -> Separator:
    """A box of the working scale as a separator of the page."""
    left, top, wide, tall = box
    part = small.darkness[top : top + tall, left : left + wide + 1].astype(np.float32)
    columns = np.arange(left, left + part.shape[1])
    x = float((part.sum(axis=0) @ columns) / max(float(part.sum()), 1.0))
    return Separator(
        small.x_on_page(x), small.y_on_page(top), small.y_on_page(top + tall - 1), wide * small.scale_x, kind, passed
    )
