"""Separators: long lines and ticks are found; waves, frames and pulses are not taken for them."""

import cv2
import numpy as np
import pytest

from ecgedge.paper.page import Pixels
from ecgedge.paper.rows import Rows
from ecgedge.paper.separators import Separator, find_separators
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_photos
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from tests.paper.marked_pages import ink_of, page_marks, scan_page

PX_PER_MM = 6.0
LEVELS_MM = (30.0, 65.0, 100.0, 135.0)


def four_rows() -> Pixels:
    """Four flat rows from 20 to 270 mm, with a spike of 12 mm every 20 mm."""
    grey = np.zeros((round(160 * PX_PER_MM), round(290 * PX_PER_MM)), np.uint8)
    for level in LEVELS_MM:
        line(grey, (20.0, level), (270.0, level), 0.35)
        for beat in np.arange(30.0, 268.0, 20.0):
            line(grey, (beat - 0.6, level), (beat, level - 12.0), 0.35)
            line(grey, (beat, level - 12.0), (beat + 0.6, level), 0.35)
    return grey


def line(grey: Pixels, start_mm: tuple[float, float], end_mm: tuple[float, float], width_mm: float) -> None:
    """A straight stroke, its ends in mm from the top left corner."""
    start, end = ((round(x * PX_PER_MM), round(y * PX_PER_MM)) for x, y in (start_mm, end_mm))
    cv2.line(grey, start, end, 255, max(1, round(width_mm * PX_PER_MM)))


def found_on(grey: Pixels) -> tuple[Separator, ...]:
    rows = Rows(np.array(LEVELS_MM, dtype=np.float32) * np.float32(PX_PER_MM), 20 * PX_PER_MM, 270 * PX_PER_MM, 1.0)
    return find_separators(ink_of(grey), rows, (), px_per_mm_x=PX_PER_MM, px_per_mm_y=PX_PER_MM)


def test_waves_alone_are_no_separators() -> None:
    assert found_on(four_rows()) == ()


@pytest.mark.parametrize("lean_mm", [0.0, 0.4])
def test_lines_through_three_rows_are_found(lean_mm: float) -> None:
    grey = four_rows()
    for x in (82.5, 145.0, 207.5):
        line(grey, (x, LEVELS_MM[0] - 6), (x + lean_mm, LEVELS_MM[2] + 6), 0.3)

    found = found_on(grey)

    assert [(separator.kind, separator.rows) for separator in found] == [("line", (0, 1, 2))] * 3
    assert np.allclose([s.x_px / PX_PER_MM for s in found], [82.5, 145.0, 207.5], atol=0.6)


def test_the_frame_of_the_grid_is_no_separator() -> None:
    grey = four_rows()
    for x in (12.0, 278.0):
        line(grey, (x, 5.0), (x, 155.0), 0.3)

    assert found_on(grey) == ()


def test_thick_ticks_are_found_on_their_rows() -> None:
    grey = four_rows()
    for level in LEVELS_MM[:3]:
        for x in (82.5, 145.0, 207.5):
            line(grey, (x, level - 3.0), (x, level + 3.0), 0.9)

    found = found_on(grey)

    assert {(s.kind, s.rows) for s in found} == {("tick", (row,)) for row in range(3)}
    assert sorted({round(s.x_px / PX_PER_MM * 2) / 2 for s in found}) == [82.5, 145.0, 207.5]


def test_a_page_without_ink_has_none() -> None:
    assert found_on(np.zeros((400, 900), np.uint8)) == ()


@pytest.mark.parametrize("name", ["HB(10).jpg", "Normal(84).jpg", "PMI(59).jpg"])
def test_scans_have_three_lines_a_quarter_of_the_row_apart(name: str) -> None:
    marks = page_marks(*scan_page(name))

    assert [(line.kind, line.rows) for line in marks.separators] == [("line", (0, 1, 2))] * 3
    assert np.allclose(np.diff([line.x_px for line in marks.separators]) / marks.px_per_mm, 62.5, rtol=0.015)


def test_ticks_of_a_drawn_page_stand_where_they_were_drawn() -> None:
    page = draw_page(
        simulate_twelve_leads(10.0, seed=3), layout="3x4+1-ticks", seed=3, style=like_photos(3), px_per_mm=5.0
    )
    drawn = np.array([(box.box_px[0] + box.box_px[2]) / 2 for box in page.boxes if box.kind == "tick"])

    found = np.array([tick.x_px for tick in page_marks(page.pixels, 5.0).separators])

    near = np.abs(drawn[:, None] - found[None]).min(axis=1) <= 0.6 * 5.0
    assert near.mean() >= 0.7
