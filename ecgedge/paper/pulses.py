"""Calibration pulses: the rectangles, open at the bottom, that say how many millimetres one millivolt is high."""

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.ink import Ink
from ecgedge.paper.page import Pixels
from ecgedge.paper.pieces import find_pieces
from ecgedge.paper.rows import Rows
from ecgedge.paper.small_ink import PX_PER_MM, SmallInk, shrink

STROKE_MM = 4.0
"""Shortest upright stroke that may be a pulse's side; letters are lower."""
PALE, GAP_MM = 64, 0.25
"""Darkness, of 255, from which ink counts here; half of the longest gap that is closed along a stroke."""
WIDTH_MM = (1.5, 6.5)
"""A pulse lasts 100 to 250 ms (2.5 to 6 mm at 25 mm/s); some printers draw it narrower to save space."""
HEIGHT_MM = (4.3, 22.0)
"""5, 10 and 20 mm are usual, with a tenth of play."""
LEVEL_MM = 1.0
"""Play for the level of a top and of a foot."""
ALIKE_MM = 1.5
"""Pulses of one page stand one above the other within this, and are equally high within this."""
BAR, HOLLOW = 0.75, 0.2
"""Least share of ink along the top, most share of ink between the sides."""
REACH_MM = 6.0
"""A pulse's foot is at most this far from its row's baseline: a steady offset of 0.6 mV."""
USUAL_MM_PER_MV = (2.5, 5.0, 10.0, 20.0)
"""Gains that electrocardiographs print."""
NEAR, NEAR_MM = 0.03, 0.15
"""A measured gain this close to a usual one, as a share and in mm, is taken for it: 0.45 mm of 10. On
photos the median pulse is 9.9 to 10.0 mm high; a scale misread by a sixteenth must not pass."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """One calibration pulse: 1 mV high."""

    row: int
    """Row it stands in, from the top; -1 where there is no row."""
    left_px: float
    """Centre of the left side."""
    right_px: float
    """Centre of the right side."""
    top_px: float
    """Centre of the top: 1 mV."""
    foot_px: float
    """Level of the foot: 0 mV."""
    at_end: bool
    """Whether it stands at the end of its row, or else at the start."""
    height_mm: float


@dataclass(frozen=True, slots=True)
class Gain:
    """Millimetres per millivolt."""

    mm_per_mv: float
    source: Literal["pulse", "assumed"]
    agreement: float
    """0 to 1: share of the rows with a pulse of this height; 0 where it is assumed."""


def find_pulses(ink: Ink, rows: Rows, *, px_per_mm_x: float, px_per_mm_y: float) -> tuple[Pulse, ...]:
    """Pulses of a page's rows, at most one per row, all one above the other and equally high.

    Parameters
    ----------
    ink, rows : of the same page.

    Returns
    -------
    Pulses from the top; empty where there are none.
    """
    reach_px = REACH_MM * px_per_mm_y
    middle = (rows.left_px + rows.right_px) / 2
    found: dict[int, Pulse] = {}
    for pulse in find_boxes(ink, px_per_mm_x=px_per_mm_x, px_per_mm_y=px_per_mm_y):
        off = np.abs(rows.baselines_px - pulse.foot_px)
        if off.size and off.min() <= reach_px:
            row = int(off.argmin())
            at_end = pulse.left_px > middle
            found.setdefault(row, _sharpened(replace(pulse, row=row, at_end=at_end), ink, px_per_mm_x, px_per_mm_y))
    return tuple(found[row] for row in sorted(found))


def find_boxes(ink: Ink, *, px_per_mm_x: float, px_per_mm_y: float) -> tuple[Pulse, ...]:
    """The largest set of pulses one above the other and equally high, whatever the rows are; `row` is -1."""
    small = shrink(ink, px_per_mm_x=px_per_mm_x, px_per_mm_y=px_per_mm_y)
    mask = _healed(small)
    candidates = _candidates(_sides(mask), mask)
    if not candidates:
        return ()
    boxes = _like_most(candidates)
    height = float(np.median([box.foot - box.top for box in boxes]))
    return tuple(_in_page(box, height, small) for box in boxes)


def gain_of(pulses: tuple[Pulse, ...], n_rows: int) -> Gain:
    """What the pulses say, or the usual 10 mm/mV where there are none."""
    if not pulses:
        return Gain(10.0, "assumed", 0.0)
    measured = float(np.median([pulse.height_mm for pulse in pulses]))
    usual = min(USUAL_MM_PER_MV, key=lambda mm: abs(mm - measured))
    near_mm = NEAR * usual + NEAR_MM
    gain = usual if abs(measured - usual) <= near_mm else measured
    agreeing = sum(abs(pulse.height_mm - gain) <= 2 * near_mm for pulse in pulses)
    return Gain(gain, "pulse", agreeing / max(n_rows, agreeing, 1))


@dataclass(frozen=True, slots=True)
class _Side:
    """An upright stroke, in pixels of the working scale."""

    x: float
    top: int
    end: int


@dataclass(frozen=True, slots=True)
class _Box:
    """A pulse, pen centres, in pixels of the working scale."""

    left: float
    right: float
    top: float
    foot: float
    weight: float
    """Its height, less where its sides go on beyond it, as those of a cell of the grid do."""


def _healed(small: SmallInk) -> Pixels:
    """Ink, pale ink too, gaps along upright strokes closed: thin pens break up where a page is reduced or blurred."""
    pale = cv2.max(small.mask, cv2.threshold(small.darkness, PALE, 1, cv2.THRESH_BINARY)[1])
    gap = 2 * round(GAP_MM * PX_PER_MM) + 1
    return np.asarray(cv2.morphologyEx(pale, cv2.MORPH_CLOSE, np.ones((gap, 1), np.uint8)), dtype=np.uint8)


def _sides(mask: Pixels) -> list[_Side]:
    """Upright strokes of the height of a pulse, from left to right."""
    slanting = cv2.dilate(mask, np.ones((1, 2), np.uint8))
    upright = cv2.morphologyEx(slanting, cv2.MORPH_OPEN, np.ones((round(STROKE_MM * PX_PER_MM), 1), np.uint8))
    strokes = find_pieces(np.asarray(upright, dtype=np.uint8))
    low, high = STROKE_MM * PX_PER_MM, (HEIGHT_MM[1] + 3 * REACH_MM) * PX_PER_MM
    tall, centre = strokes.height_px, strokes.centre_px
    fitting = (low <= tall) & (tall <= high) & (strokes.width_px <= 2.0 * PX_PER_MM)
    sides = [
        _Side(float(centre[k]) - 0.5, int(strokes.top_px[k]), int(strokes.bottom_px[k]))
        for k in np.flatnonzero(fitting)
    ]
    return sorted(sides, key=lambda side: side.x)


def _candidates(sides: list[_Side], mask: Pixels) -> list[_Box]:
    """Pairs of sides as far apart as those of a pulse, with a bar between them and nothing below it."""
    nearest, farthest = (mm * PX_PER_MM for mm in WIDTH_MM)
    boxes = []
    for i, left in enumerate(sides):
        for right in sides[i + 1 :]:
            if right.x - left.x > farthest:
                break
            if right.x - left.x >= nearest:
                boxes += _boxes(mask, left, right)
    return boxes


def _boxes(mask: Pixels, left: _Side, right: _Side) -> list[_Box]:
    """The pulse between two sides, if there is one: sides may reach above the bar, where a grid line is left."""
    low, high = (mm * PX_PER_MM for mm in HEIGHT_MM)
    play = round(LEVEL_MM * PX_PER_MM)
    first, last = round(left.x) + 2, round(right.x) - 1
    top, foot = max(0, max(left.top, right.top) - play), min(left.end, right.end)
    if foot - top < low or last <= first:
        return []
    inside = mask[top : foot + play, first:last]
    barred = np.flatnonzero(cv2.dilate(inside, np.ones((3, 1), np.uint8)).mean(axis=1) >= BAR)
    for bar, thickness in _bars(barred):
        if low <= foot - top - bar <= high and inside[bar + play :].mean() <= HOLLOW:
            beyond = sum(side.top < top + bar - play for side in (left, right)) + (
                max(left.end, right.end) > foot + play
            )
            weight = (foot - top - bar) / (1.0 + beyond)
            return [_Box(left.x, right.x, float(top + bar), foot - (thickness + 1) / 2, weight)]
    return []


def _bars(barred: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Middle and thickness of each stretch of neighbouring rows; they were made thicker by one on either side."""
    parts = np.split(barred, np.flatnonzero(np.diff(barred) > 1) + 1)
    return [(int(part[len(part) // 2]), max(1, len(part) - 2)) for part in parts if part.size]


def _like_most(boxes: list[_Box]) -> list[_Box]:
    """The set of boxes at the same x and of the same height that weighs most, one per level."""
    table = np.array([(box.left, box.right, box.foot - box.top) for box in boxes])
    alike = (np.abs(table[:, None] - table[None]) <= ALIKE_MM * PX_PER_MM).all(axis=2)
    chosen = alike[int((alike @ np.array([box.weight for box in boxes])).argmax())]
    middle = np.median(table[chosen], axis=0)
    apart = STROKE_MM * PX_PER_MM
    kept: list[_Box] = []
    for i in sorted(np.flatnonzero(chosen), key=lambda i: float(np.abs(table[i] - middle).sum())):
        if all(abs(boxes[i].top - box.top) > apart for box in kept):
            kept.append(boxes[i])
    return sorted(kept, key=lambda box: box.foot)


def _in_page(box: _Box, height: float, small: SmallInk) -> Pulse:
    """A box in page pixels; a foot far from where the other boxes have it was hidden or lengthened by other ink."""
    play = LEVEL_MM / 2 * PX_PER_MM
    foot = box.foot if abs(box.foot - box.top - height) <= play else box.top + height
    left_px, right_px = small.x_on_page(box.left), small.x_on_page(box.right)
    height_mm = (foot - box.top) / PX_PER_MM
    return Pulse(-1, left_px, right_px, small.y_on_page(box.top), small.y_on_page(foot), False, height_mm)


def _sharpened(pulse: Pulse, ink: Ink, px_per_mm_x: float, px_per_mm_y: float) -> Pulse:
    """The pulse with its top and foot measured on the page's own pixels, at the half darkness of the pen's edges.

    The foot is the end of the side away from the curve, which nothing but the pulse's own foot line touches.
    """
    play_px, pen_px = LEVEL_MM * px_per_mm_y, max(1.0, 0.3 * px_per_mm_x)
    free_px = pulse.right_px if pulse.at_end else pulse.left_px
    side = _profile(ink, (free_px - pen_px, free_px + pen_px), (pulse.foot_px - play_px, pulse.foot_px + play_px))
    inner = pulse.left_px + 2 * pen_px, pulse.right_px - 2 * pen_px
    bar = _profile(ink, inner, (pulse.top_px - play_px, pulse.top_px + play_px), typical=True)
    if not (side[0] >= 0.5 > side[-1] and bar[0] < 0.5 > bar[-1] and bar.max() >= 0.5):
        return pulse
    first, last = _rise(bar), len(bar) - 1 - _rise(bar[::-1])
    pen = last - first
    top_px = max(0, round(pulse.top_px - play_px)) + (first + last) / 2
    foot_px = max(0, round(pulse.foot_px - play_px)) + len(side) - 1 - _rise(side[::-1]) - pen / 2
    return replace(pulse, top_px=top_px, foot_px=foot_px, height_mm=(foot_px - top_px) / px_per_mm_y)


def _profile(
    ink: Ink, columns: tuple[float, float], rows: tuple[float, float], *, typical: bool = False
) -> NDArray[np.float32]:
    """Darkness from top to bottom, 0 to 1: of the darkest of some columns, or of the typical one."""
    left, right = max(0, round(columns[0])), max(0, round(columns[1]))
    part = ink.darkness[max(0, round(rows[0])) : max(0, round(rows[1])) + 1, left : max(left, right) + 1]
    if part.size == 0:
        return np.zeros(1, np.float32)
    profile = np.median(part, axis=1) if typical else part.max(axis=1)
    return np.asarray(profile / 255, dtype=np.float32)


def _rise(profile: NDArray[np.float32]) -> float:
    """Where the profile first reaches a half, between two of its values."""
    k = int(np.argmax(profile >= 0.5))
    return k - float((profile[k] - 0.5) / (profile[k] - profile[k - 1])) if k else 0.0
