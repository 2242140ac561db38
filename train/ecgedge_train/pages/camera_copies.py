"""Offline copies of a page as a phone's camera would have brought it back: blurred, noisy, unevenly lit, compressed.

The page is photographed by the simulator and flattened again by the simulator's own truth, so that a copy has the
page's pixels in the page's places and its curves need not be read again: a scan of half the size, photographed, has
lead names too small to read. Departure from the device's way: the error of finding and flattening the page is left out;
`augment_images` bends pages by more than that.
"""

from dataclasses import replace

import cv2
import numpy as np

from ecgedge.paper.page import FloatArray, Page
from ecgedge.paper.shading import remove_shading
from ecgedge.paper.simulated.camera import Shot, photograph
from ecgedge.paper.simulated.scenes import MODERATE, Strength

STEP_PX = 16
"""Distance of the page's points whose place in the photo is asked for; folds are smoother than that."""


def camera_copy(
    page: Page, *, seed: int, strength: Strength = MODERATE, size_px: tuple[int, int] = (2400, 1800)
) -> Page:
    """A copy of a flat page.

    Parameters
    ----------
    seed : decides everything about the photo
    strength : how hard the photo is; what leaves its frame is white in the copy
    size_px : width and height of the photo; a smaller one is blunter and made faster

    Returns
    -------
    A page of the same size and places, its shading removed. Its quality is that of the page given.

    Raises
    ------
    InputError
        An argument that `photograph` refuses.
    """
    shot = photograph(page.pixels, px_per_mm=page.px_per_mm_x, seed=seed, strength=strength, size_px=size_px)
    height, width = page.pixels.shape[:2]
    x, y = cv2.split(_where(shot, height, width))
    white = (255, 255, 255)
    flat = cv2.remap(shot.picture.pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=white)
    even = remove_shading(np.asarray(flat, np.uint8), px_per_mm=page.px_per_mm_x)
    return replace(page, pixels=even, name=f"{page.name}, photo {seed}")


def _where(shot: Shot, height: int, width: int) -> FloatArray:
    """Where the page's pixels lie in the photo: (height, width, 2) float32, straight lines between lattice points."""
    rows, columns = (np.arange(-(-size // STEP_PX) + 1, dtype=np.float32) * STEP_PX for size in (height, width))
    points = np.stack(np.meshgrid(columns, rows), axis=-1)
    lattice = shot.to_photo(points.reshape(-1, 2)).reshape(points.shape)
    down, across = (_shares(size) for size in (height, width))
    planes = [down @ lattice[..., axis] @ across.T for axis in (0, 1)]
    return np.stack(planes, axis=-1).astype(np.float32)


def _shares(size: int) -> FloatArray:
    """Shares of the lattice points in each of `size` pixels."""
    knots = np.arange(-(-size // STEP_PX) + 1) * STEP_PX
    near = 1 - np.abs(np.arange(size)[:, None] - knots) / STEP_PX
    return np.asarray(np.maximum(0, near), np.float32)
