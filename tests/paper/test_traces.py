"""Leads of drawn pages agree with what was drawn; limb leads of scans with each other; what is no ECG is refused."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from ecgedge.catalogue import locate
from ecgedge.errors import DataError, InputError
from ecgedge.paper.crop import cut_to_traces
from ecgedge.paper.page import LeadTrace, Traces
from ecgedge.paper.simulated.drawing import DrawnPage, draw_page
from ecgedge.paper.simulated.page_style import like_ecg_images, like_photos
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.traces import read_traces

from .test_ink import page_of

SCANS = ("HB(10).jpg", "Normal(44).jpg", "PMI(59).jpg")
SCAN_PX_PER_MM = 3.97


def drawn(layout: str, seed: int) -> DrawnPage:
    style = like_photos(seed) if layout == "3x4+1-ticks" else like_ecg_images(seed)
    return draw_page(simulate_twelve_leads(10.0, seed=seed), layout=layout, seed=seed, style=style, px_per_mm=6.0)


def correlation(trace: LeadTrace, page: DrawnPage, traces: Traces) -> float:
    """With the truth, after the best shift of at most 0.2 s."""
    true = page.truth.signal[:, page.truth.leads.index(trace.lead)]
    seconds = trace.start_s + (trace.x_px - trace.x_px[0]) / traces.px_per_mm_x / traces.mm_per_s
    seen = np.isfinite(trace.y_px)
    best = -1.0
    for shift in np.arange(-0.2, 0.2, 0.01):
        at = np.interp(seconds[seen] + shift, np.arange(len(true)) / 500.0, np.nan_to_num(true))
        best = max(best, float(np.corrcoef(at, -trace.y_px[seen])[0, 1]))
    return best


@pytest.mark.parametrize("layout", ["3x4+1", "3x4+1-ticks"])
def test_leads_are_what_was_drawn(layout: str) -> None:
    page = drawn(layout, 4)
    traces = read_traces(cut_to_traces(page_of(page.pixels, page.px_per_mm)))
    short = [trace for trace in traces.leads if not trace.strip]
    assert traces.layout == layout
    assert len({trace.lead for trace in short}) == 12
    assert traces.mm_per_mv == pytest.approx(10.0)
    assert traces.mm_per_s == pytest.approx(25.0, rel=0.01)
    assert np.median([correlation(trace, page, traces) for trace in short]) > 0.95
    for trace in traces.leads:
        assert len(trace.x_px) == len(trace.y_px)
        assert all(later - earlier == 1 for earlier, later in pairwise(trace.x_px.tolist()))
        assert 0 <= trace.confidence <= 1


def test_levels_of_zero_are_the_feet_of_the_pulses() -> None:
    page = drawn("3x4+1", 4)
    traces = read_traces(cut := cut_to_traces(page_of(page.pixels, page.px_per_mm)))
    top = float(cut.to_picture(np.zeros((1, 2), np.float32))[0, 1])
    expected = {curve.row: curve.baseline_px - top for curve in page.curves}
    assert traces.gain_from == "pulse"
    for trace in traces.leads:
        assert trace.baseline_px == pytest.approx(expected[trace.row], abs=0.5 * page.px_per_mm)


@pytest.mark.parametrize("name", SCANS)
def test_limb_leads_of_scans_keep_einthovens_law(name: str) -> None:
    try:
        folder = locate("ecg_images", wanted=[f"unique/{name}"])
    except DataError as error:
        pytest.skip(str(error))
    pixels = np.asarray(cv2.imread(str(folder / "unique" / name)), dtype=np.uint8)
    traces = read_traces(cut_to_traces(page_of(pixels, SCAN_PX_PER_MM)))
    leads = {trace.lead: -trace.y_px / SCAN_PX_PER_MM / traces.mm_per_mv for trace in traces.leads if not trace.strip}
    for first, second, third, sign in (("I", "III", "II", -1), ("aVR", "aVL", "aVF", 1)):
        columns = min(len(leads[lead]) for lead in (first, second, third))
        rest = leads[first][:columns] + leads[second][:columns] + sign * leads[third][:columns]
        rest = rest - np.nanmedian(rest)
        assert np.isfinite(rest).mean() > 0.9
        assert float(np.sqrt(np.nanmean(rest**2))) < 0.1


def test_a_page_without_names_and_pulses_is_refused_by_name() -> None:
    pixels = np.full((600, 1000, 3), 250, np.uint8)
    for level in (100, 230, 360, 490):
        x = np.arange(50, 950)
        y = level - 30 * np.exp(-(((x % 90) - 45.0) ** 2) / 12)
        cv2.polylines(pixels, [np.stack([x, y], -1).astype(np.int32).reshape(-1, 1, 2)], False, (20, 20, 20), 2)
    with pytest.raises(InputError, match=r"^page: "):
        read_traces(page_of(pixels, 4.0))
