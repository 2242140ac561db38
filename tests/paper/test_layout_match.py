"""Layouts are told by names that are read; pages whose names are missing, or in another order, are refused."""

import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.paper.layout_match import LayoutMatch, match_layout
from ecgedge.paper.layouts import LEADS, layouts
from ecgedge.paper.page import Pixels
from ecgedge.paper.simulated.drawing import DrawnPage, draw_page
from ecgedge.paper.simulated.page_style import like_ecg_images, like_photos
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from tests.paper.marked_pages import page_marks, scan_page

PX_PER_MM = 6.0


def drawn(layout: str, seed: int = 1) -> DrawnPage:
    style = like_photos(seed) if layout == "3x4+1-ticks" else like_ecg_images(seed)
    leads = simulate_twelve_leads(10.0, seed=seed)
    return draw_page(leads, layout=layout, seed=seed, style=style, px_per_mm=PX_PER_MM)


def match(pixels: Pixels, px_per_mm: float = PX_PER_MM) -> LayoutMatch:
    marks = page_marks(pixels, px_per_mm)
    return match_layout(
        marks.ink, marks.rows, marks.pulses, marks.separators, px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm, name="test"
    )


def without(page: DrawnPage, texts: set[str]) -> Pixels:
    """The page with names painted over: the curve's ink goes with them."""
    pixels = page.pixels.copy()
    for box in page.boxes:
        if box.kind == "name" and box.text in texts:
            left, top, right, bottom = (round(edge) for edge in box.box_px)
            pixels[top - 1 : bottom + 2, left - 1 : right + 2] = np.median(page.pixels.reshape(-1, 3), axis=0)
    return pixels


def exchanged(page: DrawnPage, first: str, second: str) -> Pixels:
    """The page with two names in each other's place."""
    pixels = without(page, {first, second})
    boxes = {box.text: box.box_px for box in reversed(page.boxes) if box.kind == "name"}
    for text, place in ((first, second), (second, first)):
        left, top, right, bottom = (round(edge) for edge in boxes[text])
        x, y = round(boxes[place][0]), round(boxes[place][3])
        height, width = bottom - top + 1, right - left + 1
        pixels[y - height + 1 : y + 1, x : x + width] = page.pixels[top : bottom + 1, left : right + 1]
    return pixels


@pytest.mark.parametrize("layout", list(layouts()))
def test_a_drawn_page_gives_its_layout_and_the_places_of_its_leads(layout: str) -> None:
    page = drawn(layout)

    found = match(page.pixels)

    assert found.layout.rows == layouts()[layout].rows
    assert found.confidence > 0.9
    starts = {(curve.row, curve.lead): float(np.nanmin(curve.points_px[:, 0])) for curve in page.curves}
    spans = {(i, span.lead): span.left_px for i, row in enumerate(found.rows) for span in row}
    assert spans.keys() == starts.keys()
    assert max(abs(spans[key] - starts[key]) for key in starts) <= 0.8 * PX_PER_MM


def test_separators_and_the_place_of_names_tell_layouts_with_the_same_leads_apart() -> None:
    assert match(drawn("3x4+1").pixels).layout.name == "3x4+1"
    assert match(drawn("3x4+1-ticks").pixels).layout.name == "3x4+1-ticks"


@pytest.mark.parametrize(("first", "second"), [("aVR", "aVL"), ("V1", "V2"), ("I", "III"), ("V4", "aVF")])
def test_exchanged_names_are_refused(first: str, second: str) -> None:
    page = drawn("3x4+1-ticks")

    with pytest.raises(InputError, match=r"^test: lead names .*; photograph"):
        match(exchanged(page, first, second))


def test_a_page_without_names_is_refused() -> None:
    with pytest.raises(InputError, match=r"^test: lead names not found"):
        match(without(drawn("3x4+1-ticks"), set(LEADS)))


def test_an_unknown_number_of_rows_is_refused() -> None:
    page = drawn("3x4+1-ticks")
    marks = page_marks(page.pixels, PX_PER_MM)
    marks.rows.baselines_px.resize(3, refcheck=False)

    with pytest.raises(InputError, match=r"^test: 3 rows of curves, known layouts have 4, 6, 12; photograph"):
        match_layout(marks.ink, marks.rows, marks.pulses[:3], (), px_per_mm_x=6.0, px_per_mm_y=6.0, name="test")


def test_a_scale_that_makes_pulses_of_an_unusual_height_is_refused() -> None:
    page = drawn("3x4+1-ticks")

    with pytest.raises(InputError, match=r"^test: calibration pulses .* the grid was misread"):
        match(page.pixels, PX_PER_MM * 1.25)


def test_a_strip_whose_name_stands_to_the_left_is_not_taken_for_another_lead() -> None:
    page = drawn("3x4+1-ticks")
    pixels = page.pixels.copy()
    strip = next(curve for curve in page.curves if curve.strip)
    left, top, right, bottom = (
        round(edge) for box in page.boxes if box.kind == "name" and box.row == strip.row for edge in box.box_px
    )
    word = pixels[top : bottom + 1, left - 1 : right + 2].copy()
    pixels[top : bottom + 1, left - 1 : right + 2] = np.median(pixels.reshape(-1, 3), axis=0)
    off_px = round(1.2 * PX_PER_MM)
    pixels[top : bottom + 1, left - 1 - off_px : right + 2 - off_px] = word

    assert [span.lead for span in match(pixels).rows[strip.row]] == [strip.lead]


def test_a_strip_without_a_name_and_like_no_lead_is_left_out() -> None:
    page = drawn("3x4+1-ticks")
    pixels = page.pixels.copy()
    strip = next(curve for curve in page.curves if curve.strip)
    name = [box for box in page.boxes if box.kind == "name" and box.row == strip.row]
    assert name
    left, top, right, bottom = (round(edge) for edge in name[0].box_px)
    paper = np.median(pixels.reshape(-1, 3), axis=0)
    pixels[top - 1 : bottom + 2, left - 1 : right + 2] = paper
    level, reach = round(strip.baseline_px), round(12 * PX_PER_MM)
    start = round(float(np.nanmin(strip.points_px[:, 0]))) + 2
    band = pixels[level - reach : level + reach, start : start + round(249 * PX_PER_MM)]
    band[:] = band[:, ::-1]

    assert match(pixels).rows[strip.row] == ()


@pytest.mark.parametrize(("name", "strip"), [("HB(10).jpg", "III"), ("Normal(84).jpg", "II"), ("PMI(59).jpg", "II")])
def test_scans_have_their_layout_and_their_rhythm_strip(name: str, strip: str) -> None:
    found = match(*scan_page(name))

    assert found.layout.name == "3x4+1"
    assert [[span.lead for span in row] for row in found.rows[:3]] == [list(row) for row in found.layout.rows[:3]]
    assert [(span.lead, span.strip) for span in found.rows[3]] == [(strip, True)]
