"""Calibration pulses: found wherever they stand, whatever the scale and the gain; and not where there are none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.paper.ink import Ink
from ecgedge.paper.pulses import Pulse, find_boxes, find_pulses, gain_of
from ecgedge.paper.rows import Rows
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_photos
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from tests.paper.marked_pages import ink_of, page_marks, scan_page

ROWS_MM = (40.0, 75.0, 110.0)


def drawn(px_per_mm: float, height_mm: float, left_mm: float, width_mm: float) -> tuple[Ink, Rows]:
    """Three flat rows of 150 mm, each with a pulse of a pen 0.4 mm wide."""
    grey = np.zeros((round(130 * px_per_mm), round(200 * px_per_mm)), np.uint8)
    pen = max(1, round(0.4 * px_per_mm))
    x = [round(mm * px_per_mm) for mm in (left_mm, left_mm + width_mm)]
    for mm in ROWS_MM:
        foot, top = round(mm * px_per_mm), round((mm - height_mm) * px_per_mm)
        for side in x:
            grey[top : foot + pen, side : side + pen] = 255
        grey[top : top + pen, x[0] : x[1] + pen] = 255
        grey[foot : foot + pen, round(25 * px_per_mm) : round(175 * px_per_mm)] = 255
    levels = np.array(ROWS_MM, dtype=np.float32) * np.float32(px_per_mm)
    return ink_of(grey), Rows(levels, 25 * px_per_mm, 175 * px_per_mm, 1.0)


@settings(max_examples=25, deadline=None)
@given(
    px_per_mm=st.floats(3.5, 8.0),
    gain=st.sampled_from((5.0, 10.0, 20.0)),
    width_mm=st.floats(2.3, 5.2),
    at_end=st.booleans(),
)
def test_the_gain_is_read_at_any_scale(px_per_mm: float, gain: float, width_mm: float, at_end: bool) -> None:
    ink, rows = drawn(px_per_mm, gain, 178.0 if at_end else 15.0, width_mm)

    pulses = find_pulses(ink, rows, px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)

    assert [pulse.row for pulse in pulses] == [0, 1, 2]
    assert all(pulse.at_end == at_end for pulse in pulses)
    measured = gain_of(pulses, 3)
    assert (measured.mm_per_mv, measured.source, measured.agreement) == (gain, "pulse", 1.0)
    feet = np.array([pulse.foot_px for pulse in pulses])
    assert np.abs(feet - rows.baselines_px).max() <= 0.4 * px_per_mm


def test_a_page_without_pulses_has_the_usual_gain_and_says_so() -> None:
    ink, rows = drawn(5.0, 10.0, 15.0, 5.0)
    ink.mask[:, : round(24 * 5.0)] = False
    ink.darkness[:, : round(24 * 5.0)] = 0

    assert find_pulses(ink, rows, px_per_mm_x=5.0, px_per_mm_y=5.0) == ()
    gain = gain_of((), 3)
    assert (gain.mm_per_mv, gain.source, gain.agreement) == (10.0, "assumed", 0.0)


def test_an_unusual_gain_is_given_as_measured() -> None:
    ink, rows = drawn(8.0, 7.2, 15.0, 5.0)

    gain = gain_of(find_pulses(ink, rows, px_per_mm_x=8.0, px_per_mm_y=8.0), 3)

    assert gain.mm_per_mv == pytest.approx(7.2, abs=0.4)


def test_the_cells_of_a_grid_are_no_pulses() -> None:
    grey = np.zeros((600, 800), np.uint8)
    grey[:, ::20] = 255
    grey[::20] = 255

    assert find_boxes(ink_of(grey), px_per_mm_x=4.0, px_per_mm_y=4.0) == ()


@pytest.mark.parametrize("seed", [1, 2])
def test_all_pulses_of_a_drawn_page_are_found_where_they_were_drawn(seed: int) -> None:
    page = draw_page(
        simulate_twelve_leads(10.0, seed=seed), layout="3x4+1-ticks", seed=seed, style=like_photos(seed), px_per_mm=5.0
    )
    marks = page_marks(page.pixels, 5.0)

    boxes = [box.box_px for box in page.boxes if box.kind == "pulse"]
    assert len(marks.pulses) == len(boxes) == 4
    for pulse, (left, top, right, _) in zip(marks.pulses, boxes, strict=True):
        assert pulse.top_px == pytest.approx(top, abs=3)
        assert left - 3 <= pulse.left_px < pulse.right_px <= right + 3


@pytest.mark.parametrize("name", ["HB(10).jpg", "Normal(84).jpg", "PMI(59).jpg"])
def test_scans_have_a_pulse_of_ten_millimetres_in_each_row(name: str) -> None:
    marks = page_marks(*scan_page(name))

    assert len(marks.pulses) == 4
    assert gain_of(marks.pulses, 4).mm_per_mv == 10.0


@pytest.mark.parametrize(("height_mm", "mm_per_mv"), [(9.7, 10.0), (10.3, 10.0), (5.2, 5.0), (10.7, 10.7), (9.4, 9.4)])
def test_a_gain_far_from_the_usual_ones_is_not_made_usual(height_mm: float, mm_per_mv: float) -> None:
    pulses = tuple(Pulse(row, 10.0, 40.0, 0.0, 80.0, False, height_mm) for row in range(4))
    assert gain_of(pulses, 4).mm_per_mv == mm_per_mv
