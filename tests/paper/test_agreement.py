"""Agreement with a truth: shift, gain, noise and missing samples come back as they were put in."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.paper.agreement import agreement, limb_residuals
from ecgedge.paper.layouts import LEADS
from ecgedge.paper.page import LeadTrace, Traces
from ecgedge.records import Recording
from ecgedge.simulate import simulate_ecg


def truth_of() -> Recording:
    return simulate_ecg(10, fs_hz=250, seed=1, leads=("MLII", "V1"))


@given(shift=st.integers(-45, 45), gain=st.floats(0.3, 3.0), offset_mv=st.floats(-2, 2))
@settings(max_examples=15, deadline=None)
def test_shift_gain_and_offset_come_back(shift: int, gain: float, offset_mv: float) -> None:
    truth = truth_of()
    signal = np.full_like(truth.signal, np.nan)
    moved = truth.signal * gain + offset_mv
    signal[max(0, shift) : len(signal) + min(0, shift)] = moved[max(0, -shift) : len(signal) - max(0, shift)]
    for lead in agreement(replace(truth, signal=signal.astype(np.float32)), truth):
        assert lead.shift_s == pytest.approx(shift / 250)
        assert lead.correlation > 0.9999 and lead.gain == pytest.approx(gain, rel=0.01)
        assert lead.coverage == pytest.approx(1 - abs(shift) / len(signal))


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_noise_of_known_power(snr_db: float) -> None:
    truth = truth_of()
    noise = np.random.default_rng(0).standard_normal(truth.signal.shape)
    noise *= truth.signal.std(axis=0) * 10 ** (-snr_db / 20)
    found = agreement(replace(truth, signal=(truth.signal + noise).astype(np.float32)), truth, max_shift_s=0.0)
    assert [lead.snr_db for lead in found] == pytest.approx([snr_db, snr_db], abs=0.3)


def test_what_is_not_there_scores_nothing() -> None:
    truth = truth_of()
    half = truth.signal.copy()
    half[: len(half) * 6 // 10] = np.nan
    lead, other = agreement(Recording(half[:, :1], 250, ("mlii",)), truth)
    assert (lead.correlation, lead.snr_db, lead.recovered) == (0.0, 0.0, False)
    assert (other.correlation, other.snr_db, other.coverage) == (0.0, 0.0, 0.0)


def test_a_third_missing_costs_signal_to_noise() -> None:
    truth = truth_of()
    gaps = truth.signal.copy()
    gaps[::3] = np.nan
    found = agreement(replace(truth, signal=gaps), truth)
    assert [lead.snr_db for lead in found] == pytest.approx([10 * np.log10(3)] * 2, abs=0.5)
    assert all(lead.recovered and lead.correlation > 0.999 for lead in found)


def limb_traces(*, wrong: str = "", late_px: int = 0) -> Traces:
    """Six short leads that obey Einthoven, at 4 px/mm; `wrong` has the curve of another row."""
    first, third = simulate_ecg(2.5, fs_hz=100, seed=2, leads=("MLII", "V1")).signal.T
    leads = {"I": first, "III": third, "II": first + third, "aVR": -first - third / 2}
    leads |= {"aVL": (first - third) / 2, "aVF": third + first / 2}
    leads[wrong or "I"] = leads["aVR"] if wrong else leads["I"]
    made = []
    for row, lead in enumerate(LEADS[:6]):
        y_px = (500 - 40 * leads[lead]).astype(np.float32)
        y_px = np.roll(y_px, late_px) if lead == "I" else y_px
        made.append(LeadTrace(lead, row % 3, False, 0.0, np.arange(250, dtype=np.float32), y_px, 500.0 + row, 1.0))
    made.append(replace(made[1], strip=True, y_px=made[1].y_px * 0))
    return Traces(tuple(made), "3x4+1", 1.0, 4.0, 4.0, 25.0, 10.0, "pulse")


def test_limb_leads_cancel_out_whatever_their_offsets() -> None:
    for late_px in (0, 3):
        found = limb_residuals(limb_traces(late_px=late_px))
        assert found.einthoven_mv < 0.01 and found.goldberger_mv < 0.01


def test_a_wrong_limb_lead_is_found_out() -> None:
    assert limb_residuals(limb_traces(wrong="III")).einthoven_mv > 0.1
    assert limb_residuals(limb_traces(wrong="aVF")).goldberger_mv > 0.1


def test_an_unread_limb_lead_is_infinite() -> None:
    traces = limb_traces()
    found = limb_residuals(replace(traces, leads=tuple(lead for lead in traces.leads if lead.lead != "III")))
    assert found.einthoven_mv == np.inf and found.goldberger_mv < 0.01
    assert limb_residuals(replace(traces, leads=())).goldberger_mv == np.inf
