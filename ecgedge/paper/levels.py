"""Rows of a page told by their curves, and where these mislead by their calibration pulses."""

from dataclasses import replace

import numpy as np

from ecgedge.paper.ink import Ink
from ecgedge.paper.page import FloatArray
from ecgedge.paper.pulses import find_boxes
from ecgedge.paper.rows import USUAL, Rows, find_rows

SURE = 0.6
"""Confidence above which the curves tell the rows, though there are fewer pulses."""
NEAR_MM = 6.0
"""A row's pulse has its foot within this of the height at which most of the row's ink runs along."""
EVEN = 0.1
"""Pulses tell rows if their distances differ by less than this share."""


def find_levels(ink: Ink, *, px_per_mm_x: float, px_per_mm_y: float) -> Rows:
    """Rows of curves of a page; the feet of a usual number of even pulses, where the curves say something else.

    Parameters
    ----------
    ink : ink of the whole page.

    Returns
    -------
    Rows; without any row, `baselines_px` is empty and the confidence 0.
    """
    rows = find_rows(ink, px_per_mm_x=px_per_mm_x, px_per_mm_y=px_per_mm_y)
    boxes = find_boxes(ink, px_per_mm_x=px_per_mm_x, px_per_mm_y=px_per_mm_y)
    feet = np.sort(np.array([box.foot_px for box in boxes], dtype=np.float32))
    gaps = np.diff(feet)
    if len(feet) not in USUAL or gaps.std() > EVEN * gaps.mean() or _agree(rows, feet, NEAR_MM * px_per_mm_y):
        return rows
    return replace(rows, baselines_px=feet, confidence=max(rows.confidence, SURE))


def _agree(rows: Rows, feet: FloatArray, near_px: float) -> bool:
    """Whether there is a row at every pulse, or more rows than pulses and no doubt about them."""
    count = len(rows.baselines_px)
    if count > len(feet):
        return count in USUAL and rows.confidence >= SURE
    return count == len(feet) and bool(np.abs(rows.baselines_px - feet).max() <= near_px)
