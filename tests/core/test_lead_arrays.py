"""Curves become arrays: in place, in time, to scale, and nothing is made up where nothing was seen."""

from dataclasses import replace

import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.lead_arrays import LeadArraySettings, lead_arrays, places
from ecgedge.paper.layouts import LEADS, layouts
from ecgedge.paper.page import LeadTrace, Traces

SETTINGS = LeadArraySettings()
BASELINE_PX = 400.0


def wave_mv(time_s: np.ndarray, lead: str) -> np.ndarray:
    """0.5 Hz, so that its median over 2.4 s and 9.6 s is near 0 and its phase tells the time; each lead its size."""
    return (0.2 + 0.05 * LEADS.index(lead)) * np.sin(np.pi * time_s)


def traces_of(layout: str = "3x4+1", *, px_per_mm: float = 4.0, mm_per_mv: float = 10.0, strip: str = "II") -> Traces:
    plan = layouts()[layout]
    column_hz = px_per_mm * 25.0
    found = []
    for row, names in enumerate(plan.rows):
        for column, name in enumerate(names):
            lead = strip if name == "*" else name
            start_s = column * plan.column_s
            length_s = plan.duration_s if name == "*" else plan.column_s
            x_px = np.arange(round(length_s * column_hz), dtype=np.float32) + 50 + np.float32(start_s * column_hz)
            time_s = start_s + np.arange(len(x_px)) / column_hz
            y_px = BASELINE_PX - wave_mv(time_s, lead) * mm_per_mv * px_per_mm
            found.append(LeadTrace(lead, row, name == "*", start_s, x_px, y_px.astype(np.float32), BASELINE_PX, 1.0))
    return Traces(tuple(found), layout, 1.0, px_per_mm, px_per_mm, 25.0, mm_per_mv, "pulse")


def with_curve(traces: Traces, lead: str, y_px: np.ndarray) -> Traces:
    changed = [replace(t, y_px=y_px.astype(np.float32)) if t.lead == lead and not t.strip else t for t in traces.leads]
    return replace(traces, leads=tuple(changed))


def expected(lead: str, first_s: float, samples: int) -> np.ndarray:
    values = wave_mv(first_s + np.arange(samples) / SETTINGS.fs_hz, lead)
    return (values - np.median(values)) / SETTINGS.full_scale_mv


@pytest.mark.parametrize("px_per_mm", [3.0, 3.97, 8.0, 12.0])
def test_leads_lie_where_they_were_drawn_at_any_resolution(px_per_mm: float) -> None:
    found = lead_arrays(traces_of(px_per_mm=px_per_mm), SETTINGS)
    assert {name: (a.shape, a.dtype.name) for name, a in found.items()} == {
        "leads": ((1, 12, 240, 2), "float32"),
        "strip": ((1, 1, 960, 2), "float32"),
    }
    for k, lead in enumerate(LEADS):
        first_s = 2.5 * (k // 3) + 0.05
        np.testing.assert_allclose(found["leads"][0, k, :, 0], expected(lead, first_s, 240), atol=0.012)
    np.testing.assert_allclose(found["strip"][0, 0, :, 0], expected("II", 0.2, 960), atol=0.012)
    assert found["leads"][..., 1].min() == found["strip"][..., 1].min() == 1


def test_gain_and_full_scale_are_taken_off() -> None:
    low, high = (lead_arrays(traces_of(mm_per_mv=gain), SETTINGS)["leads"] for gain in (5.0, 20.0))
    np.testing.assert_allclose(low, high, atol=1e-3)
    narrow = lead_arrays(traces_of(), LeadArraySettings(full_scale_mv=1.0))["leads"]
    np.testing.assert_allclose(narrow[..., 0], 2 * low[..., 0], atol=1e-3)


def test_beyond_full_scale_is_clipped() -> None:
    found = lead_arrays(traces_of(), LeadArraySettings(full_scale_mv=0.1))
    assert np.abs(found["leads"][..., 0]).max() == 1.0


def test_what_was_not_seen_is_zero_and_said_so() -> None:
    traces = traces_of()
    y_px = np.array(next(t.y_px for t in traces.leads if t.lead == "V3"))
    y_px[100:150] = np.nan
    found = lead_arrays(with_curve(traces, "V3", y_px), SETTINGS)["leads"][0, LEADS.index("V3")]
    assert found[95:145, 1].max() == 0 and found[:95, 1].min() == found[145:, 1].min() == 1
    assert not found[95:145, 0].any()


def test_a_lead_that_was_not_read_is_all_zero() -> None:
    traces = traces_of()
    gone = with_curve(traces, "aVF", np.full(250, np.nan))
    assert not lead_arrays(gone, SETTINGS)["leads"][0, LEADS.index("aVF")].any()
    assert "aVF" not in places(gone, SETTINGS)[0]


def test_the_strip_is_the_long_row_whatever_lead_it_repeats() -> None:
    found = lead_arrays(traces_of(strip="V1"), SETTINGS)
    np.testing.assert_allclose(found["strip"][0, 0, :, 0], expected("V1", 0.2, 960), atol=0.012)
    np.testing.assert_allclose(found["leads"][0, 1, :, 0], expected("II", 0.05, 240), atol=0.012)  # not the strip's


@pytest.mark.parametrize(("layout", "seen"), [("6x2", 500), ("12x1", 960)])
def test_without_a_strip_a_long_lead_ii_stands_for_it(layout: str, seen: int) -> None:
    traces = traces_of(layout)
    found = lead_arrays(traces, SETTINGS)
    assert found["strip"][0, 0, :, 1].sum() == pytest.approx(seen, abs=1)
    assert found["leads"][..., 1].min() == 1
    middle_s = layouts()[layout].column_s / 2
    np.testing.assert_allclose(found["leads"][0, 1, :, 0], expected("II", middle_s - 1.2, 240), atol=0.012)


def test_without_any_long_row_there_is_no_strip() -> None:
    traces = traces_of()
    short = replace(traces, leads=tuple(t for t in traces.leads if not t.strip))
    assert not lead_arrays(short, SETTINGS)["strip"].any()


def test_every_sample_knows_its_column() -> None:
    traces = traces_of()
    place = places(traces, SETTINGS)[0]["V1"]
    columns_px = place.columns_px(traces, SETTINGS.fs_hz)
    assert columns_px.shape == (240,)
    assert columns_px[0] == pytest.approx(50 + (5.0 + 0.05) * 100, abs=0.6)
    assert columns_px[-1] - columns_px[0] == pytest.approx(239.0, abs=0.01)


def test_a_page_without_leads_is_named() -> None:
    with pytest.raises(InputError, match="no curve of any of the twelve leads"):
        lead_arrays(replace(traces_of(), leads=()), SETTINGS)


@pytest.mark.parametrize("change", [{"fs_hz": 0.0}, {"full_scale_mv": float("nan")}, {"lead_samples": 0}])
def test_settings_without_sense_are_named(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(change))} "):
        LeadArraySettings(**change)  # type: ignore[arg-type]
