"""Which of a page's leads a rhythm strip repeats: where both were recorded at once their curves are alike."""

from collections.abc import Mapping

import cv2
import numpy as np

from ecgedge.paper.layouts import LEADS
from ecgedge.paper.page import FloatArray
from ecgedge.paper.small_ink import PX_PER_MM, SmallInk

BAND_MM = 9.0
"""Curves are compared within this of their row's level; rows are 25 mm apart or more where there are strips."""
PLAY_MM = (0.5, 1.5)
"""Play to the side, and up and down."""
NAME_MM, END_MM = 12.0, 1.5
"""Left out at the beginning of a lead, where its name stands, and at its end, where the next separator stands."""
SMOOTH_PX = 1.0
"""Standard deviation, working scale: curves that are half a pen apart still count as alike."""


def likeness(small: SmallInk, strip_y_px: float, leads: Mapping[str, tuple[float, float, float]]) -> FloatArray:
    """How much the strip looks like each lead beside or above it.

    Parameters
    ----------
    small : ink of the page at the working scale.
    strip_y_px : level of the strip's row, px of the page.
    leads : name -> left end, right end and level, px of the page.

    Returns
    -------
    (12,) float32: normalised correlation as in LEADS, -1 for leads that are not given. About 1 for the lead repeated,
    if the strip was recorded at the same time; no lead stands out if it was not.
    """
    inked: FloatArray = np.asarray(cv2.GaussianBlur(small.mask.astype(np.float32), (0, 0), SMOOTH_PX), np.float32)
    found = np.full(len(LEADS), -1.0, dtype=np.float32)
    for lead, (left_px, right_px, y_px) in leads.items():
        first = round(small.x_here(left_px) + NAME_MM * PX_PER_MM)
        last = round(small.x_here(right_px) - END_MM * PX_PER_MM)
        found[LEADS.index(lead)] = _alike(inked, first, last, small.y_here(strip_y_px), small.y_here(y_px))
    return found


def _alike(inked: FloatArray, first: int, last: int, strip_y: float, lead_y: float) -> float:
    """Best correlation of the strip's band with the lead's, between two columns."""
    reach, side, upright = (round(mm * PX_PER_MM) for mm in (BAND_MM, *PLAY_MM))
    strip = inked[max(0, round(strip_y) - reach) : round(strip_y) + reach + 1, max(0, first) : max(0, last)]
    top = round(lead_y) - reach - upright
    band = inked[max(0, top) : round(lead_y) + reach + upright + 1, max(0, first - side) : max(0, last + side)]
    if strip.size == 0 or band.shape[0] < strip.shape[0] or band.shape[1] < strip.shape[1] or not strip.any():
        return -1.0
    return float(cv2.matchTemplate(band, strip, cv2.TM_CCOEFF_NORMED).max())
