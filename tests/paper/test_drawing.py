"""Drawn pages: the truth lies on the ink, the same seed gives the same bytes, every layout and look draws."""

from dataclasses import replace
from itertools import product

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.errors import InputError, LeadNotFound
from ecgedge.paper.layouts import LEADS, STRIP, layouts
from ecgedge.paper.page import FloatArray
from ecgedge.paper.simulated.canvas import lines_coverage, new_canvas
from ecgedge.paper.simulated.drawing import MM_PER_S, DrawnPage, draw_page
from ecgedge.paper.simulated.lettering import LETTERS, strokes_of
from ecgedge.paper.simulated.page_style import STYLES, PageStyle, random_style
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.records import Recording

PX_PER_MM = 5.0
PLAIN = PageStyle(name="plain", grid="coarse dots", fine_strength=0.0, coarse_strength=0.0, footer="none")
"""White paper: what is dark is ink."""


@pytest.fixture(scope="module")
def recording() -> Recording:
    return simulate_twelve_leads(seed=2)


def darkness_at(page: DrawnPage, points_px: FloatArray) -> FloatArray:
    """Darkness of the picture at points, 0 (paper) to 1 (full ink), between pixels."""
    grey = cv2.cvtColor(page.pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    x, y = (np.ascontiguousarray(points_px[:, [k]]) for k in (0, 1))
    return np.asarray(1 - cv2.remap(grey, x, y, cv2.INTER_LINEAR)[:, 0] / grey.max(), dtype=np.float32)


@pytest.mark.parametrize(("layout", "look"), list(product(layouts(), STYLES)))
def test_every_layout_and_look_draws_with_its_truth_on_the_ink(recording: Recording, layout: str, look: str) -> None:
    style = STYLES[look](5)
    page = draw_page(recording, layout=layout, seed=5, style=style, px_per_mm=PX_PER_MM)
    width_mm, height_mm = style.sheet_mm
    assert page.pixels.shape == (round(height_mm * PX_PER_MM), round(width_mm * PX_PER_MM), 3)
    assert page.pixels.dtype == np.uint8
    assert [curve.lead for curve in page.curves] == [
        style.strip_lead if lead == STRIP else lead for row in layouts()[layout].rows for lead in row
    ]
    for curve in page.curves:
        assert np.median(darkness_at(page, curve.points_px)) > 0.5, f"{curve.lead} does not lie on its ink"


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), px_per_mm=st.sampled_from([3.5, 4.0, 6.3]))
def test_the_ink_lies_where_the_signal_says(seed: int, px_per_mm: float) -> None:
    """Millivolts read from the polyline are those of the truth, at the time that its place says."""
    page = draw_page(
        simulate_twelve_leads(seed=seed), layout="3x4+1", seed=seed, style=random_style(seed), px_per_mm=px_per_mm
    )
    left = page.curves[0].points_px[0, 0]
    for curve in page.curves:
        mv = (curve.baseline_px - curve.points_px[:, 1]) / (page.px_per_mm * page.mm_per_mv)
        time_s = (curve.points_px[:, 0] - left) / (page.px_per_mm * MM_PER_S)
        sample = np.rint(time_s * page.truth.fs_hz).astype(int)
        assert abs(time_s[0] - curve.start_s) < 1e-3
        assert np.allclose(mv, page.truth.signal[sample, page.truth.lead(curve.lead)], atol=1e-3)


def test_ink_is_centred_on_the_truth(recording: Recording) -> None:
    """A flat line's centre of darkness is its truth, to less than a tenth of a pixel."""
    flat = replace(recording, signal=np.full_like(recording.signal, 0.13))
    for px_per_mm in (3.97, 5.0, 8.0):
        page = draw_page(flat, layout="12x1", seed=0, style=PLAIN, px_per_mm=px_per_mm, note="")
        for curve in page.curves:
            middle = curve.points_px[len(curve.points_px) // 2]
            x, y = round(float(middle[0])), round(float(middle[1]))
            column = 252.0 - page.pixels[y - 4 : y + 5, x].mean(axis=1)
            centre = y - 4 + (column * np.arange(9)).sum() / column.sum()
            assert abs(centre - middle[1]) < 0.08


def test_truth_holds_what_is_drawn_and_nothing_else(recording: Recording) -> None:
    page = draw_page(recording, layout="3x4+1", seed=0, style=replace(PLAIN, strip_lead="V1"))
    drawn = np.asarray(np.isfinite(page.truth.signal)).reshape(4, 1250, 12).min(axis=1)
    shown = {0: {"I", "II", "III"}, 1: {"aVR", "aVL", "aVF"}, 2: {"V2", "V3"}, 3: {"V4", "V5", "V6"}}
    for column, leads in shown.items():
        assert {lead for lead, here in zip(LEADS, drawn[column], strict=True) if here} == leads | {"V1"}
    assert np.isnan(page.truth.signal).sum() == 5000 * 12 - 5000 - 11 * 1250


def test_same_seed_same_bytes(recording: Recording) -> None:
    first, again, other = (draw_page(recording, layout="6x2", seed=seed, px_per_mm=4) for seed in (7, 7, 8))
    assert np.array_equal(first.pixels, again.pixels)
    assert first.pixels.shape != other.pixels.shape or not np.array_equal(first.pixels, other.pixels)
    assert first.style == again.style != other.style


def test_pulses_say_the_gain(recording: Recording) -> None:
    for wish in (5.0, 10.0):
        page = draw_page(recording, layout="3x4+1", seed=0, style=replace(PLAIN, mm_per_mv=wish))
        pulses = [box for box in page.boxes if box.kind == "pulse"]
        assert [box.row for box in pulses] == [0, 1, 2, 3] and page.mm_per_mv == wish
        for box in pulses:
            left, top, right, bottom = box.box_px
            assert bottom - top == pytest.approx(wish * page.px_per_mm)
            assert right - left == pytest.approx(PLAIN.pulse_width_mm * page.px_per_mm)
            edges = np.array([[(left + right) / 2, top], [left, (top + bottom) / 2], [right, (top + bottom) / 2]])
            assert darkness_at(page, edges.astype(np.float32)).min() > 0.7


@pytest.mark.parametrize("layout", ["12x1", "3x4+1"])
def test_curves_never_leave_the_sheet(recording: Recording, layout: str) -> None:
    giant = replace(recording, signal=recording.signal * 4)
    page = draw_page(giant, layout=layout, seed=0, style=PLAIN, px_per_mm=4)
    height, width = page.pixels.shape[:2]
    assert page.mm_per_mv < 10
    points = np.concatenate([curve.points_px for curve in page.curves])
    assert points.min() > 0 and points[:, 0].max() < width and points[:, 1].max() < height


def test_a_gap_in_the_recording_is_a_gap_on_the_page(recording: Recording) -> None:
    signal = recording.signal.copy()
    signal[500:800] = np.nan
    page = draw_page(replace(recording, signal=signal), layout="12x1", seed=0, style=PLAIN, note="")
    curve = page.curves[3]
    assert np.isnan(curve.points_px[500:800, 1]).all()
    x = round(float(curve.points_px[650, 0]))
    baselines = [round(curve.baseline_px) for curve in page.curves]
    assert page.pixels[baselines[0] - 20 : baselines[-1] + 20, x].min() > 240


def test_other_rates_and_lengths() -> None:
    slow = simulate_twelve_leads(6.0, seed=2, fs_hz=250)
    page = draw_page(slow, layout="12x1", seed=0, style=PLAIN, px_per_mm=4)
    assert page.truth.fs_hz == 500 and page.truth.duration_s == 10
    assert np.isfinite(page.truth.signal[:3000]).all() and np.isnan(page.truth.signal[3000:]).all()


def test_what_cannot_be_drawn_is_refused(recording: Recording) -> None:
    with pytest.raises(InputError, match="7x3"):
        draw_page(recording, layout="7x3", seed=0)
    with pytest.raises(InputError, match="px/mm"):
        draw_page(recording, layout="6x2", seed=0, px_per_mm=100)
    with pytest.raises(LeadNotFound, match="V6"):
        draw_page(Recording(recording.signal[:, :11], 500.0, LEADS[:11]), layout="6x2", seed=0)


def test_grid_lines_stand_every_millimetre() -> None:
    style = PageStyle(name="grid", grid="coarse lines", grid_margins_mm=(0, 0, 0, 0), header="none")
    blank = Recording(np.full((5000, 12), np.nan, np.float32), 500.0, LEADS)
    page = draw_page(blank, layout="12x1", seed=0, style=replace(style, pulse="none"), px_per_mm=8, note="")
    line = page.pixels[4, :, 1].astype(int)  # between two lines
    dark = np.flatnonzero((line[1:-1] < line[:-2]) & (line[1:-1] <= line[2:])) + 1
    assert len(dark) == 59 and set(np.diff(dark)) == {40}


@given(centre=st.floats(1, 9), width=st.floats(0.05, 1), scale=st.floats(2, 12))
def test_coverage_of_a_line_adds_up_to_its_width(centre: float, width: float, scale: float) -> None:
    covered = lines_coverage(round(10 * scale) + 2, np.array([centre]), width_mm=width, px_per_mm=scale)
    assert covered.sum() == pytest.approx(width * scale, rel=1e-4)
    middle = (covered * (np.arange(len(covered)) + 0.5)).sum() / covered.sum()
    assert middle == pytest.approx(centre * scale, abs=0.5), "a share of a pixel says no more"


@pytest.mark.parametrize("serif", [False, True])
def test_every_lead_name_can_be_written_and_told_apart(serif: bool) -> None:
    assert set("".join(LEADS)) == set(LETTERS)
    drawn = []
    for name in LEADS:
        canvas = new_canvas(14, 8, px_per_mm=8)
        strokes, width = strokes_of(name, height=4, pen=0.4, serif=serif)
        assert 0 <= width < 12
        for stroke in strokes:
            canvas.stroke(stroke + np.array([1.0, 6.0]), width_mm=0.4)
        drawn.append(canvas.ink() / 255)
    for one, other in product(range(12), repeat=2):
        assert one == other or np.abs(drawn[one] - drawn[other]).sum() > 40
