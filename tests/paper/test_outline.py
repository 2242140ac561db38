"""The outline of a sheet on a table, from colours alone: each side, sides out of the picture, and no table at all."""

import cv2
import numpy as np
import pytest

from ecgedge.paper.grid import Floats
from ecgedge.paper.outline import find_outline
from ecgedge.paper.page import Pixels
from ecgedge.paper.surface import Surface

PX_PER_MM = 3.0
SHEET_MM = (-20.0, -40.0, 250.0, 170.0)
PRINTED_MM = (0.0, 0.0, 230.0, 150.0)


def on_table(sheet_mm: tuple[float, float, float, float], turn_deg: float) -> tuple[Pixels, Surface]:
    """A grey sheet with a grid on a brown table, and the surface that it lies on."""
    turn = cv2.getRotationMatrix2D((0.0, 0.0), turn_deg, PX_PER_MM)
    to_px = np.vstack([turn, [0, 0, 1]]) + np.array([[0, 0, 110.0], [0, 0, 190.0], [0, 0, 0]])
    rng = np.random.default_rng(0)
    pixels = np.full((800, 1000, 3), (60, 80, 110), np.uint8) + rng.integers(0, 12, (800, 1000, 3), dtype=np.uint8)
    left, top, right, bottom = sheet_mm
    corners = np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]])
    cv2.fillConvexPoly(pixels, np.rint(cv2.perspectiveTransform(corners, to_px)).astype(np.int32), (205, 210, 215))
    for x in np.arange(PRINTED_MM[0], PRINTED_MM[2] + 1, 5):
        ends = cv2.perspectiveTransform(np.array([[[x, PRINTED_MM[1]], [x, PRINTED_MM[3]]]]), to_px)[0]
        start, end = np.rint(ends).astype(int).tolist()
        cv2.line(pixels, start, end, (150, 140, 220), 1)
    return pixels, Surface(np.linalg.inv(to_px))


def off_mm(points: Floats | None, side: int) -> float:
    """How far points lie from a side of the sheet, mm, median and sign left aside."""
    assert points is not None
    return float(abs(np.median(points[:, side % 2]) - SHEET_MM[side]))


@pytest.mark.parametrize("turn_deg", [-6.0, 0.0, 4.0])
def test_all_sides_of_a_sheet_are_found(turn_deg: float) -> None:
    pixels, surface = on_table(SHEET_MM, turn_deg)
    sides = find_outline(pixels, surface, PRINTED_MM)
    assert [off_mm(points, side) < 0.6 for side, points in enumerate(sides)] == [True] * 4


def test_a_side_that_is_out_of_the_picture_is_not_seen() -> None:
    pixels, surface = on_table((SHEET_MM[0], SHEET_MM[1], 400.0, SHEET_MM[3]), 0.0)
    left, top, right, bottom = find_outline(pixels, surface, PRINTED_MM)
    assert right is None
    assert max(off_mm(points, side) for side, points in ((0, left), (1, top), (3, bottom))) < 0.6


@pytest.mark.parametrize("level", [0, 128, 255])
def test_without_a_table_no_side_is_seen(level: int) -> None:
    _, surface = on_table(SHEET_MM, 0.0)
    assert find_outline(np.full((800, 1000, 3), level, np.uint8), surface, PRINTED_MM) == [None] * 4


@pytest.mark.parametrize("place_mm", [-1000.0, 1000.0])
def test_squares_out_of_the_picture_have_no_outline(place_mm: float) -> None:
    pixels, surface = on_table(SHEET_MM, 0.0)
    printed = (place_mm, place_mm, place_mm + 230, place_mm + 150)
    assert find_outline(pixels, surface, printed) == [None] * 4
