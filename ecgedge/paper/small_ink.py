"""Ink of a page at one working scale: pens, letters and pulses have the same size whatever the scale of the page is."""

from dataclasses import dataclass

import cv2
import numpy as np

from ecgedge.paper.ink import Ink
from ecgedge.paper.page import FloatArray, Pixels

PX_PER_MM = 4.0
"""Scale of a half-size scan: a pen is 1 to 3 px wide, letters are 8 to 14 px high."""
WHOLE = 1e-6
"""Scales this close to a whole multiple of the working scale are one."""
INKED = 80
"""Of 255: share of ink from which a pixel of the smaller scale counts as ink, so that thin pens stay whole."""


@dataclass(frozen=True, slots=True)
class SmallInk:
    """A page's ink at `PX_PER_MM`."""

    mask: Pixels
    """(height, width) uint8, 0 or 1; gaps of one pixel along upright strokes closed."""
    darkness: Pixels
    """(height, width) uint8: 0 for paper and grid, 255 for full ink."""
    scale_x: float
    """Page pixels per pixel here."""
    scale_y: float

    def x_on_page(self, x: float) -> float:
        """Page column of a column here, both counted in pixel centres."""
        return (x + 0.5) * self.scale_x - 0.5

    def y_on_page(self, y: float) -> float:
        """Page row of a row here."""
        return (y + 0.5) * self.scale_y - 0.5

    def x_here(self, x_px: float) -> float:
        """Column here of a page column."""
        return (x_px + 0.5) / self.scale_x - 0.5

    def y_here(self, y_px: float) -> float:
        """Row here of a page row."""
        return (y_px + 0.5) / self.scale_y - 0.5


def shrink(ink: Ink, *, px_per_mm_x: float, px_per_mm_y: float) -> SmallInk:
    """The ink of a page at the working scale.

    Parameters
    ----------
    ink : of a page with the given scale.
    """
    height, width = ink.mask.shape
    times_x, times_y = px_per_mm_x / PX_PER_MM, px_per_mm_y / PX_PER_MM
    size = max(1, round(width / times_x)), max(1, round(height / times_y))
    if max(abs(times - round(times)) for times in (times_x, times_y)) < WHOLE:
        # Whole numbers of pixels are averaged thirty times as fast; the rest of a division is left.
        size = width // round(times_x), height // round(times_y)
        width, height = size[0] * round(times_x), size[1] * round(times_y)
    # Enlarged by area, lines of one pixel would be lost between the new ones.
    how = cv2.INTER_AREA if size[0] <= width else cv2.INTER_LINEAR
    inked = ink.mask[:height, :width].view(np.uint8) * np.uint8(255)
    mask = cv2.threshold(cv2.resize(inked, size, interpolation=how), INKED, 1, cv2.THRESH_BINARY)[1]
    whole = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 1), np.uint8))
    darkness = cv2.resize(ink.darkness[:height, :width], size, interpolation=how)
    return SmallInk(np.asarray(whole, np.uint8), np.asarray(darkness, np.uint8), width / size[0], height / size[1])


def ink_width_mm(darkness: Pixels, reach_mm: float) -> FloatArray:
    """How wide the ink is around each pixel, whether it is sharp or blurred: its darkness summed along the row.

    Parameters
    ----------
    darkness : (height, width) uint8, at the working scale.
    reach_mm : the sum goes this far to the left and to the right.

    Returns
    -------
    (height, width) float32, mm.
    """
    columns = 2 * round(reach_mm * PX_PER_MM) + 1
    scale = columns / (255.0 * PX_PER_MM)
    mean = cv2.blur(darkness.astype(np.float32), (columns, 1), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(mean * np.float32(scale), dtype=np.float32)
