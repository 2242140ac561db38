"""Separators, pulses and lead names erased from the ink, so that the curves remain."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.lead_names import LeadName
from ecgedge.paper.pulses import Pulse
from ecgedge.paper.separators import Separator

Mask = NDArray[np.bool_]

PEN_MM = 0.5
"""Half of a pulse's stroke, its blur included, is less than this."""
LETTER_MM = 1.2
"""A letter's stroke and a curve's together are thinner than this: where they cross, the curve is made whole again."""
STEEP_MM, BROKEN_MM = 4.0, 0.9
"""Ink that runs upright for as long as the first, with no break longer than the second, is one steep stroke."""


def erase_marks(
    mask: Mask,
    pulses: tuple[Pulse, ...],
    separators: tuple[Separator, ...],
    names: tuple[LeadName, ...],
    *,
    px_per_mm_x: float,
    px_per_mm_y: float,
) -> Mask:
    """Ink less the marks of a page; a curve that a letter's stroke crosses stays whole.

    Parameters
    ----------
    mask : (height, width) bool, ink.

    Returns
    -------
    (height, width) bool.
    """
    left = mask.copy()
    for name in names:
        _erase_letters(left, name)
    left = _made_whole(left, mask, LETTER_MM * px_per_mm_x, LETTER_MM * px_per_mm_y) if names else left
    for pulse in pulses:
        pen_x, pen_y = PEN_MM * px_per_mm_x, PEN_MM * px_per_mm_y
        _erase(left, pulse.left_px - pen_x, pulse.right_px + pen_x, pulse.top_px - 2 * pen_y, pulse.foot_px + 2 * pen_y)
    for mark in separators:
        half, beyond = mark.width_px / 2 + 1, 2 * PEN_MM * px_per_mm_y
        _erase(left, mark.x_px - half, mark.x_px + half, mark.top_px - beyond, mark.bottom_px + beyond)
    return left


def _erase(mask: Mask, left: float, right: float, top: float, bottom: float) -> None:
    mask[max(0, round(top)) : max(0, round(bottom) + 1), max(0, round(left)) : max(0, round(right) + 1)] = False


def _erase_letters(mask: Mask, name: LeadName) -> None:
    """The pixels of the letters, and one around them."""
    letters = cv2.dilate(np.pad(name.glyph, 1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    top, left = round(name.top_px) - 1, round(name.left_px) - 1
    height, width = letters.shape
    first_y, first_x = max(0, -top), max(0, -left)
    area = mask[top + first_y : top + height, left + first_x : left + width]
    area &= ~letters[first_y : first_y + area.shape[0], first_x : first_x + area.shape[1]]


def _made_whole(left: Mask, mask: Mask, across_px: float, along_px: float) -> Mask:
    """Gaps in what is left that were ink before, as narrow as a letter's stroke."""
    ink = left.astype(np.uint8)
    closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((1, 2 * round(across_px / 2) + 1), np.uint8))
    closed = cv2.max(
        closed, cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((2 * round(along_px / 2) + 1, 1), np.uint8))
    )
    return left | ((closed > 0) & mask)


def with_steep_strokes(mask: Mask, px_per_mm_y: float) -> Mask:
    """Ink whose steep strokes, broken by noise and by lines of the grid that were taken off, are whole again.

    Parameters
    ----------
    mask : (height, width) bool, ink without marks.

    Returns
    -------
    (height, width) bool, all of `mask` and what its steep strokes lack.
    """
    broken, steep = (np.ones((2 * round(mm * px_per_mm_y / 2) + 1, 1), np.uint8) for mm in (BROKEN_MM, STEEP_MM))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, broken)
    return np.asarray(cv2.morphologyEx(closed, cv2.MORPH_OPEN, steep) > 0) | mask
