"""Curves on a page become millivolts at an even rate: known polylines come back, gaps stay gaps."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.digitise import RHYTHM, recording_of
from ecgedge.errors import InputError
from ecgedge.paper.layouts import LEADS
from ecgedge.paper.page import FloatArray, LeadTrace, Traces

MM_PER_S, MM_PER_MV = 25.0, 10.0
BASELINE_PX = 300.0


def wave_mv(time_s: FloatArray) -> FloatArray:
    """A signal that a curve at 4 px/mm can hold: nothing above 8 Hz."""
    return 0.8 * np.sin(2 * np.pi * 1.3 * time_s) + 0.3 * np.cos(2 * np.pi * 8.0 * time_s)


def trace_of(lead: str, start_s: float, length_s: float, px_per_mm: float, *, strip: bool = False) -> LeadTrace:
    """The curve of `wave_mv` from `start_s` on."""
    n_columns = round(length_s * px_per_mm * MM_PER_S)
    time_s = start_s + np.arange(n_columns) / (px_per_mm * MM_PER_S)
    y_px = BASELINE_PX - wave_mv(time_s) * px_per_mm * MM_PER_MV
    x_px = 57 + np.arange(n_columns, dtype=np.float32)
    return LeadTrace(lead, 0, strip, start_s, x_px, y_px.astype(np.float32), BASELINE_PX, 0.9)


def traces_of(*leads: LeadTrace, px_per_mm: float = 6.0) -> Traces:
    return Traces(leads, "3x4+1", 0.9, px_per_mm, px_per_mm, MM_PER_S, MM_PER_MV, "pulse", "page")


@given(
    px_per_mm=st.floats(3.5, 8.0),
    rate_hz=st.sampled_from([100.0, 125.0, 250.0, 360.0, 500.0, 1000.0]),
    start_s=st.floats(0.0, 7.5),
)
@settings(max_examples=40, deadline=None)
def test_a_known_curve_comes_back_in_millivolts(px_per_mm: float, rate_hz: float, start_s: float) -> None:
    recording = recording_of(traces_of(trace_of("V2", start_s, 2.5, px_per_mm), px_per_mm=px_per_mm), rate_hz=rate_hz)
    lead = recording.signal[:, recording.lead("V2")]
    time_s = np.arange(len(lead)) / rate_hz
    inside = np.isfinite(lead)
    assert recording.leads == LEADS and recording.fs_hz == rate_hz
    length_s = round(2.5 * px_per_mm * MM_PER_S) / (px_per_mm * MM_PER_S)
    assert inside.sum() == pytest.approx(length_s * rate_hz, abs=2)
    interior = inside & (time_s > start_s + 0.1) & (time_s < start_s + 2.4)
    np.testing.assert_allclose(lead[interior], wave_mv(time_s[interior]), atol=0.04)
    assert np.isnan(recording.signal[:, recording.lead("I")]).all()


@given(
    gaps=st.lists(st.tuples(st.integers(0, 370), st.integers(1, 40)), max_size=5), rate_hz=st.sampled_from([90, 500])
)
@settings(max_examples=40, deadline=None)
def test_gaps_stay_and_nothing_else_is_lost(gaps: list[tuple[int, int]], rate_hz: float) -> None:
    trace = trace_of("aVF", 2.5, 2.5, 6.0)
    y_px = trace.y_px.copy()
    for start, length in gaps:
        y_px[start : start + length] = np.nan
    if np.isnan(y_px).all():
        return
    recording = recording_of(traces_of(replace(trace, y_px=y_px)), rate_hz=rate_hz)
    lead = recording.signal[:, recording.lead("aVF")]
    at = (np.arange(len(lead)) / rate_hz - 2.5) * 150
    column = np.where(at < -1e-6, -1, np.rint(at)).astype(int)
    column = np.where(column == len(y_px), len(y_px) - 1, column)  # the last column lasts until its right edge
    expected = [0 <= c < len(y_px) and bool(np.isfinite(y_px[c])) for c in column]
    np.testing.assert_array_equal(np.isfinite(lead), expected)


@given(offset_px=st.floats(-50, 50), gain=st.floats(0.25, 4.0))
@settings(max_examples=20, deadline=None)
def test_moving_and_scaling_the_curve(offset_px: float, gain: float) -> None:
    """Baseline and curve moved together change nothing; twice the mm/mV is half the millivolts."""
    trace = trace_of("I", 0.0, 2.5, 6.0)
    plain = recording_of(traces_of(trace)).signal
    moved = replace(trace, y_px=trace.y_px + np.float32(offset_px), baseline_px=trace.baseline_px + offset_px)
    np.testing.assert_allclose(recording_of(traces_of(moved)).signal, plain, atol=1e-4)
    scaled = replace(traces_of(trace), mm_per_mv=MM_PER_MV * gain)
    np.testing.assert_allclose(recording_of(scaled).signal * gain, plain, atol=1e-4)


def test_what_a_low_rate_cannot_hold_is_filtered_out() -> None:
    """60 Hz at 200 columns a second, written at 100 Hz, would come back as 40 Hz."""
    trace = trace_of("I", 0.0, 5.0, 8.0)
    time_s = np.arange(len(trace.x_px)) / 200
    y_px = (BASELINE_PX - 80 * np.sin(2 * np.pi * 60 * time_s)).astype(np.float32)
    lead = recording_of(traces_of(replace(trace, y_px=y_px), px_per_mm=8.0), rate_hz=100.0).signal[:, 0]
    assert np.sqrt(np.mean(lead[50:-50] ** 2)) < 0.02


def test_the_strip_stands_under_the_name_of_its_lead() -> None:
    short, long = trace_of("II", 0.0, 2.5, 6.0), trace_of("II", 0.0, 10.0, 6.0, strip=True)
    for order in ((short, long), (long, short)):
        recording = recording_of(traces_of(*order, trace_of("V4", 7.5, 2.5, 6.0)))
        assert recording.signal.shape == (5000, 12)
        assert np.isfinite(recording.signal[:, recording.lead("II")]).all()
        v4 = np.isfinite(recording.signal[:, recording.lead("V4")])
        assert not v4[:3748].any() and v4[3752:].all()


@pytest.mark.parametrize("name", ["", "*"])
def test_a_strip_of_unknown_lead_is_appended(name: str) -> None:
    recording = recording_of(traces_of(trace_of("II", 0.0, 2.5, 6.0), trace_of(name, 0.0, 10.0, 6.0, strip=True)))
    assert recording.leads == (*LEADS, RHYTHM)


@pytest.mark.parametrize(
    ("change", "rate_hz", "said"),
    [
        ({"px_per_mm_x": 0.0}, 500.0, "px_per_mm_x"),
        ({"px_per_mm_y": float("nan")}, 500.0, "px_per_mm_y"),
        ({"mm_per_mv": -10.0}, 500.0, "mm_per_mv"),
        ({}, 0.0, "sampling rate"),
        ({}, 1e6, "ratio"),
        ({"mm_per_s": 0.25}, 100.0, "s fit on paper"),
        ({"leads": ()}, 500.0, "0 columns"),
    ],
)
def test_impossible_scales_are_named(change: dict[str, float], rate_hz: float, said: str) -> None:
    traces = replace(traces_of(trace_of("I", 0.0, 2.5, 6.0)), **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=said):
        recording_of(traces, rate_hz=rate_hz)


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_interpolation_is_that_of_scipy(data: st.DataObject) -> None:
    """scipy's PCHIP is the reference; only the two end intervals differ."""
    from scipy.interpolate import PchipInterpolator

    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    column = np.sort(rng.choice(200, 60, replace=False))
    lead_mv = np.full(200, np.nan)
    lead_mv[column] = np.round(np.cumsum(rng.normal(size=60)), data.draw(st.integers(0, 3)))
    trace = LeadTrace("I", 0, False, 0.0, np.arange(200.0, dtype=np.float32), -lead_mv.astype(np.float32), 0.0, 1.0)
    traces = Traces((trace,), "3x4+1", 1.0, 4.0, 1.0, 25.0, 1.0, "pulse")
    found = recording_of(traces, rate_hz=700.0).signal[:, 0]
    at = np.arange(len(found)) / 7
    compared = np.isfinite(found) & (at > column[1]) & (at < column[-2])
    expected = PchipInterpolator(column, lead_mv[column])(at)
    np.testing.assert_allclose(found[compared], expected[compared], atol=1e-4)
