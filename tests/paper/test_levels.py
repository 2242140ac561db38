"""Where the curves leave a doubt how many rows there are, the feet of the calibration pulses tell."""

import numpy as np

from ecgedge.paper.ink import Ink
from ecgedge.paper.levels import find_levels
from ecgedge.paper.rows import find_rows

LEVELS = (150, 290, 430, 570)
PX_PER_MM = 4.0


def page(curves: int) -> Ink:
    """Four pulses, but curves on the first rows only: the others are too faint."""
    mask = np.zeros((680, 1000), np.bool_)
    for number, level in enumerate(LEVELS):
        top = level - 40
        mask[top : level + 1, 60:62] = mask[top : level + 1, 79:81] = mask[top : top + 2, 60:81] = True
        mask[level - 1 : level + 1, 50:60] = mask[level - 1 : level + 1, 81:90] = True
        if number < curves:
            mask[level - 1 : level + 1, 100:950] = True
            for beat in range(150, 950, 100):
                mask[level - 25 : level, beat : beat + 2] = True
                mask[level - 1 : level + 1, beat - 12 : beat - 6] = False
                mask[level - 5 : level - 3, beat - 12 : beat - 6] = True
    return Ink(mask, mask * np.uint8(255))


def test_pulses_tell_the_rows_that_the_curves_do_not() -> None:
    ink = page(curves=2)
    assert len(find_rows(ink, px_per_mm_x=PX_PER_MM, px_per_mm_y=PX_PER_MM).baselines_px) != 4
    rows = find_levels(ink, px_per_mm_x=PX_PER_MM, px_per_mm_y=PX_PER_MM)
    assert np.abs(rows.baselines_px - LEVELS).max() < 2 * PX_PER_MM


def test_sure_rows_stand() -> None:
    ink = page(curves=4)
    found = find_rows(ink, px_per_mm_x=PX_PER_MM, px_per_mm_y=PX_PER_MM)
    rows = find_levels(ink, px_per_mm_x=PX_PER_MM, px_per_mm_y=PX_PER_MM)
    assert (rows.baselines_px == found.baselines_px).all()
    assert rows.confidence == found.confidence
