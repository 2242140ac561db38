"""Whether there is one page in a picture, or a second beside it: whose signals would be asked for is then a guess."""

from collections.abc import Callable

import cv2
import numpy as np

from ecgedge.errors import InputError
from ecgedge.paper.page import FloatArray, Page, Picture, Pixels, Traces

_MOST_SHARE = 0.5  # of the picture: beside a page that fills more there is no room for another as large
_MARGIN = 0.06  # of the page's size, painted over with it: the sheet's rim


def require_one_page(picture: Picture, page: Page, *, read: Callable[[Picture], Traces]) -> None:
    """Look for a second page that can be read, where there is room for one.

    Parameters
    ----------
    page : the page that was found in the picture
    read : reads the traces of a page in a picture, or raises InputError

    Raises
    ------
    InputError
        There is a second page.
    """
    height, width = picture.pixels.shape[:2]
    if cv2.contourArea(page.corners_px) > _MOST_SHARE * height * width:
        return
    try:
        read(Picture(_painted_over(picture.pixels, page.corners_px), picture.name))
    except InputError:
        return
    raise InputError(f"{picture.name}: a second page beside the first; photograph one page at a time")


def _painted_over(pixels: Pixels, corners_px: FloatArray) -> Pixels:
    middle = corners_px.mean(axis=0)
    larger = np.rint(middle + (corners_px - middle) * (1 + 2 * _MARGIN)).astype(np.int32)
    around = np.median(pixels[::16, ::16].reshape(-1, 3), axis=0)
    painted = pixels.copy()
    cv2.fillConvexPoly(painted, larger, around.tolist())
    return painted
