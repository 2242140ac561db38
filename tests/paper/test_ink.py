"""Ink is found on coloured, grey and blank paper, and the grid is not."""

import cv2
import numpy as np
import pytest

from ecgedge.paper.ink import find_ink
from ecgedge.paper.page import Page, Pixels

PX_PER_MM = 6.0


def page_of(pixels: Pixels, px_per_mm: float = PX_PER_MM) -> Page:
    height, width = pixels.shape[:2]
    x, y = np.meshgrid(np.arange(0, width + 16, 16), np.arange(0, height + 16, 16))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return Page(pixels, px_per_mm, px_per_mm, corners, "picture", 0, np.stack([x, y], -1).astype(np.float32), 16.0)


def gridded(colour: tuple[int, int, int], period_mm: float = 5.0, width_px: int = 2) -> Pixels:
    pixels = np.full((540, 720, 3), 250, np.uint8)
    step = period_mm * PX_PER_MM
    for k in range(int(720 / step) + 1):
        at = round(k * step)
        cv2.line(pixels, (at, 0), (at, 539), colour, width_px)
        cv2.line(pixels, (0, at), (719, at), colour, width_px)
    return pixels


def wave() -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    x = np.arange(60, 660)
    return np.stack([x, (270 + 70 * np.sin(x / 40)).astype(int)], -1).astype(np.int32)


@pytest.mark.parametrize(
    ("grid", "curve"),
    [
        ((150, 150, 240), (30, 30, 30)),  # pink, black
        ((70, 70, 160), (30, 30, 30)),  # dark red, black
        ((70, 70, 200), (120, 60, 30)),  # red, blue
        ((200, 165, 140), (120, 60, 30)),  # blue, blue
        ((150, 150, 150), (20, 20, 20)),  # grey, black
    ],
)
@pytest.mark.parametrize("period_mm", [1.0, 5.0])
def test_curve_is_ink_and_grid_is_not(
    grid: tuple[int, int, int], curve: tuple[int, int, int], period_mm: float
) -> None:
    pixels = gridded(grid, period_mm, width_px=1 if period_mm == 1.0 else 2)
    cv2.polylines(pixels, [wave().reshape(-1, 1, 2)], False, curve, 3)
    drawn = np.zeros(pixels.shape[:2], np.uint8)
    cv2.polylines(drawn, [wave().reshape(-1, 1, 2)], False, 1, 3)
    mask = find_ink(page_of(pixels)).mask
    near = cv2.dilate(drawn, np.ones((5, 5), np.uint8)) > 0
    assert mask[drawn > 0].mean() > 0.95
    assert mask[~near].mean() < 0.002


@pytest.mark.parametrize("paper", [250, 210, 128])
def test_blank_paper_has_no_ink(paper: int) -> None:
    ink = find_ink(page_of(np.full((200, 300, 3), paper, np.uint8)))
    assert not ink.mask.any()
    assert ink.darkness.shape == ink.mask.shape == (200, 300)


def test_specks_are_no_ink() -> None:
    pixels = np.full((200, 300, 3), 250, np.uint8)
    pixels[100, 50:250:20] = 0
    cv2.line(pixels, (20, 150), (280, 150), (0, 0, 0), 3)
    mask = find_ink(page_of(pixels)).mask
    assert mask[150, 100]
    assert not mask[100].any()


def test_a_stroke_on_a_grid_line_is_kept() -> None:
    pixels = gridded((120, 120, 200))
    cv2.line(pixels, (100, 150), (400, 150), (20, 20, 20), 3)  # 150 px = 25 mm: on a grid line
    assert find_ink(page_of(pixels)).mask[150, 110:390].mean() > 0.95
