"""Header and footer go, curves and lead names stay, and the way back to the picture is kept."""

import cv2
import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.paper.crop import cut_to_traces
from ecgedge.paper.page import Pixels

from .test_ink import page_of

PX_PER_MM = 4.0
LEVELS = (260, 400, 540, 680)


def report(tallest_px: int = 40) -> Pixels:
    """Four rows; a header; a wave of the first row that reaches up into the header; a footer."""
    pixels = np.full((860, 1100, 3), 250, np.uint8)
    for level in LEVELS:
        x = np.arange(60, 1060)
        height = np.where((level == LEVELS[0]) & (x > 500) & (x < 600), tallest_px, 30)
        points = np.stack([x, level - height * np.exp(-(((x % 100) - 50.0) ** 2) / 12)], -1).astype(np.int32)
        cv2.polylines(pixels, [points.reshape(-1, 1, 2)], False, (20, 20, 20), 2)
    cv2.putText(pixels, "NAME", (60, 150), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1)
    cv2.putText(pixels, "aVR", (300, 240), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1)
    cv2.putText(pixels, "25 mm/s", (60, 800), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1)
    return pixels


def test_header_and_footer_are_cut_off() -> None:
    cut = cut_to_traces(page_of(report(), PX_PER_MM))
    top = float(cut.to_picture(np.zeros((1, 2), np.float32))[0, 1])
    assert 160 < top < 220
    assert 690 < top + len(cut.pixels) < 780
    assert cut.pixels.shape[1] == 1100


def test_text_beside_a_tall_wave_is_painted_over() -> None:
    tall = cut_to_traces(page_of(report(tallest_px=140), PX_PER_MM))
    top = round(float(tall.to_picture(np.zeros((1, 2), np.float32))[0, 1]))
    assert top < 125  # the wave stays
    assert (tall.pixels[135 - top : 155 - top, 55:130] > 200).all()
    assert (tall.pixels[225 - top : 245 - top, 295:340] < 100).any()  # the lead's name stays


def test_points_lead_back_to_the_picture() -> None:
    whole = page_of(report(), PX_PER_MM)
    cut = cut_to_traces(whole)
    points = np.array([[0, 0], [333, 77], [1099, len(cut.pixels) - 1]], np.float32)
    there = cut.to_picture(points)
    for (x, y), (column, row) in zip(there.tolist(), points.astype(int).tolist(), strict=True):
        assert x == pytest.approx(column, abs=0.01)
        assert (cut.pixels[row, column] == whole.pixels[round(y), column]).all()
    assert (cut.corners_px == whole.corners_px).all()


def test_a_page_without_rows_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^page: 0 rows of curves"):
        cut_to_traces(page_of(np.full((400, 600, 3), 250, np.uint8), PX_PER_MM))
