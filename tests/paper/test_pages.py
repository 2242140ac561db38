"""From pictures to pages: clean scans unchanged, photos flat, everything else refused by name."""

import cv2
import numpy as np
import pytest

from ecgedge.catalogue import data_roots
from ecgedge.errors import InputError
from ecgedge.pages import find_page, flat_page
from ecgedge.paper.page import Picture
from tests.paper.grid_pictures import TILTED, page, photo


def test_clean_scan_is_untouched() -> None:
    pixels = page(fine=True)
    flat = flat_page(Picture(pixels, "scan"))
    assert flat.corners_of == "picture" and flat.turned_deg == 0
    assert flat.pixels is pixels
    assert (flat.px_per_mm_x, flat.px_per_mm_y) == pytest.approx((6, 6), rel=0.002)
    assert flat.to_picture(np.array([[100, 200]], dtype=np.float32)) == pytest.approx(np.array([[100, 200]]), abs=0.01)


def test_photo_is_flattened_and_its_map_leads_back() -> None:
    pixels, to_photo = photo(TILTED)
    flat = flat_page(Picture(pixels, "photo"))
    assert flat.corners_of == "sheet"
    assert np.hypot(*(flat.corners_px - TILTED).T).max() < 6
    height, width = flat.pixels.shape[:2]
    ends = np.array([[0.2, 0.3], [0.8, 0.3], [0.8, 0.7], [0.2, 0.7]], dtype=np.float32) * np.float32([width, height])
    mm = cv2.perspectiveTransform(flat.to_picture(ends)[None].astype(np.float64), np.linalg.inv(to_photo))[0]
    sides_mm = np.hypot(*(np.roll(mm, -1, axis=0) - mm).T)
    sides_px = np.hypot(*(np.roll(ends, -1, axis=0) - ends).T)
    assert sides_px / flat.px_per_mm_x == pytest.approx(sides_mm, rel=0.004)


@pytest.mark.parametrize("kind", ["white", "black", "chessboard"])
def test_no_page_is_refused_in_one_line(kind: str) -> None:
    squares = np.indices((800, 800)).sum(0) if kind == "chessboard" else np.zeros((800, 800), dtype=int)
    board = np.where((np.indices((800, 800)) // 100).sum(0) % 2, 230, 30)
    pixels = {"white": squares + 255, "black": squares, "chessboard": board}[kind]
    with pytest.raises(InputError, match=f"^{kind}: no ECG page found: .*photograph") as refusal:
        flat_page(Picture(np.repeat(pixels[..., None], 3, axis=2).astype(np.uint8), kind))
    assert "\n" not in str(refusal.value)


def test_a_real_photo_has_straight_lines() -> None:
    """One of the photos that may be opened: verticals of the flat page are a whole number of squares apart."""
    found = [root / "photos" / "02694_hr-0.jpg" for root in data_roots()]
    here = [path for path in found if path.exists()]
    if not here:
        pytest.skip("02694_hr-0.jpg of ../shared/data/photos is not here")
    pixels = np.asarray(cv2.imread(str(here[0])), dtype=np.uint8)
    flat = find_page(Picture(pixels, "02694"))
    red = np.clip(flat.pixels[..., 2].astype(int) - flat.pixels[..., 1], 0, None).astype(np.float64)
    square = 5 * flat.px_per_mm_x
    wave = np.exp(-2j * np.pi * np.arange(red.shape[1]) / square)
    bands = [np.angle((red[top : top + 60] * wave).sum()) for top in range(60, red.shape[0] - 120, 60)]
    assert np.ptp(np.unwrap(bands)) / (2 * np.pi) * 5 < 0.4
