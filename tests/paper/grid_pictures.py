"""Plain pages with a grid, drawn for the tests of grid, bend, sheet and pages: nothing of the simulator is needed."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray, Pixels

MM = 6
"""Pixels per mm of the page before it is warped."""
SIZE_MM = (280, 200)
MARGIN_MM = 10


def page(*, fine: bool = False, thick_px: int = 2) -> Pixels:
    """White paper with 5-mm lines, MARGIN_MM from its edges, and 1-mm lines if wished."""
    width, height = SIZE_MM
    paper = np.full((height * MM, width * MM, 3), 240, dtype=np.uint8)
    for step, colour, thick in ((1, (215, 215, 250), 1), (5, (130, 130, 210), thick_px)):
        if step == 1 and not fine:
            continue
        for x in range(MARGIN_MM, width - MARGIN_MM + 1, step):
            cv2.line(paper, (x * MM, MARGIN_MM * MM), (x * MM, (height - MARGIN_MM) * MM), colour, thick)
        for y in range(MARGIN_MM, height - MARGIN_MM + 1, step):
            cv2.line(paper, (MARGIN_MM * MM, y * MM), ((width - MARGIN_MM) * MM, y * MM), colour, thick)
    return paper


def photo(
    corners: FloatArray, *, size: tuple[int, int] = (1600, 1200), wave_mm: float = 0.0, fine: bool = False
) -> tuple[Pixels, NDArray[np.float64]]:
    """The page on a brown table, its corners as given; and the homography from mm of the page to px of the photo.

    With `wave_mm` points of the page lie off the plane along x by a sine of that height, 120 mm long down the page.
    """
    paper = page(fine=fine)
    height, width = paper.shape[:2]
    mm = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32) / MM
    to_photo = cv2.getPerspectiveTransform(mm, corners.astype(np.float32))
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    at = cv2.perspectiveTransform(np.stack([x, y], -1).astype(np.float64), np.linalg.inv(to_photo))
    at[..., 0] -= wave_mm * np.sin(2 * np.pi * at[..., 1] / 120)
    where = (at * MM - 0.5).astype(np.float32)
    table = (60, 90, 120)
    flat = cv2.remap(paper, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderValue=table)
    noise = np.random.default_rng(0).normal(0, 2, flat.shape)
    return np.clip(cv2.GaussianBlur(flat, (0, 0), 0.6) + noise, 0, 255).astype(np.uint8), np.asarray(to_photo)


TILTED = np.array([[210, 130], [1420, 190], [1500, 1050], [120, 960]], dtype=np.float32)
"""Corners of a page seen from below its middle, turned by three degrees."""
