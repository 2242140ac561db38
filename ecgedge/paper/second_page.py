"""Whether there is one page in a picture, or a second beside it: whose signals would be asked for is then a guess."""

import cv2
import numpy as np

from ecgedge.errors import InputError
from ecgedge.pages import find_page
from ecgedge.paper.ink import find_ink
from ecgedge.paper.levels import find_levels
from ecgedge.paper.page import FloatArray, Page, Picture, Pixels

ROOM_MM = 60.0
"""A second page needs a free place as wide as this: two rows of curves; headers and footers are less high."""
AROUND_MM = 12.0
"""Left out around the curves read: the rim of their grid, and half of the distance to a header."""
FEWEST_ROWS = 3
"""Rows of curves that make a page: lines of handwriting and of text are rarely as even."""
SURE = 0.2
"""Confidence of these rows; of an unusual number of even ones, as where the last is lost, it is 0.3."""
LIGHT = 0.4
"""Brightness over that of the page read, from which something may be paper in a shadow; most tables are darker."""
LOOK_PX = 400
"""Long side of the sketch in which free places are looked for."""


def require_one_page(picture: Picture, page: Page) -> None:
    """Look for rows of curves on a grid beside those of a page, where there is room for them.

    Parameters
    ----------
    page : the page that was found in the picture, cut to its traces

    Raises
    ------
    InputError
        There is a second page.
    """
    taken = [_outline(page)] + ([page.corners_px] if page.corners_of == "sheet" else [])
    if not _has_room(picture.pixels, taken, ROOM_MM * _px_per_mm(page)):
        return
    try:
        other = find_page(Picture(_painted_over(picture.pixels, taken), picture.name))
    except InputError:
        return
    rows = find_levels(find_ink(other), px_per_mm_x=other.px_per_mm_x, px_per_mm_y=other.px_per_mm_y)
    if len(rows.baselines_px) >= FEWEST_ROWS and rows.confidence >= SURE:
        raise InputError(f"{picture.name}: a second page beside the first; photograph one page at a time")


def _px_per_mm(page: Page) -> float:
    """Pixels of the picture per mm of the page, mean."""
    rows, columns = page.map_px.shape[:2]
    cells_mm2 = (rows - 1) * (columns - 1) * page.map_step_px**2 / (page.px_per_mm_x * page.px_per_mm_y)
    return float(np.sqrt(cv2.contourArea(page.map_px[[0, 0, -1, -1], [0, -1, -1, 0]]) / cells_mm2))


def _outline(page: Page) -> FloatArray:
    """The corners of the page with what is around it, (4, 2) float32, px of the picture."""
    height, width = page.pixels.shape[:2]
    x, y = AROUND_MM * page.px_per_mm_x, AROUND_MM * page.px_per_mm_y
    return page.to_picture(np.array([[-x, -y], [width + x, -y], [width + x, height + y], [-x, height + y]], np.float32))


def _has_room(pixels: Pixels, taken: list[FloatArray], room_px: float) -> bool:
    """Whether a circle of a diameter fits on what may be paper beside some quadrilaterals, the first of which is."""
    step = max(1, max(pixels.shape) // LOOK_PX)
    tones = cv2.medianBlur(np.ascontiguousarray(pixels[::step, ::step]), 3).min(axis=2)
    light = cv2.morphologyEx(tones, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    sheets = [np.rint(quad / step).astype(np.int32) for quad in taken]
    on_page = cv2.fillConvexPoly(np.zeros_like(tones), sheets[0], 1) > 0
    free = (light >= LIGHT * np.median(light[on_page])).astype(np.uint8) if on_page.any() else np.ones_like(tones)
    for quad in sheets:
        cv2.fillConvexPoly(free, quad, 0)
    widest_px = 2 * step * float(cv2.distanceTransform(np.pad(free, 1), cv2.DIST_L2, 3).max())
    return bool(widest_px >= room_px)


def _painted_over(pixels: Pixels, taken: list[FloatArray]) -> Pixels:
    around = np.median(pixels[::16, ::16].reshape(-1, 3), axis=0)
    painted = pixels.copy()
    for quad in taken:
        cv2.fillConvexPoly(painted, np.rint(quad).astype(np.int32), around.tolist())
    return painted
