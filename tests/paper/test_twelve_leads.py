"""Simulated twelve leads: they fit together, and people differ."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.errors import InputError
from ecgedge.paper.layouts import LEADS
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.records import FloatArray, Recording


def lead(recording: Recording, name: str) -> FloatArray:
    return recording.signal[:, recording.lead(name)]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), fs_hz=st.sampled_from([100.0, 250.0, 500.0]), noise_mv=st.floats(0, 0.1))
def test_limb_leads_fit_together(seed: int, fs_hz: float, noise_mv: float) -> None:
    recording = simulate_twelve_leads(4.0, seed=seed, fs_hz=fs_hz, noise_mv=noise_mv)
    assert recording.leads == LEADS
    assert recording.signal.shape == (round(4 * fs_hz), 12) and recording.signal.dtype == np.float32
    assert np.isfinite(recording.signal).all()
    einthoven = lead(recording, "I") + lead(recording, "III") - lead(recording, "II")
    goldberger = lead(recording, "aVR") + lead(recording, "aVL") + lead(recording, "aVF")
    assert np.abs(einthoven).max() < 2e-6 and np.abs(goldberger).max() < 2e-6  # the rounding of float32


def test_same_seed_same_samples_other_seed_another_person() -> None:
    first, again, other = (simulate_twelve_leads(seed=seed).signal for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, atol=0.05)


def test_people_differ_as_people_do() -> None:
    people = [simulate_twelve_leads(seed=seed) for seed in range(60)]
    beats = [recording.beats for recording in people]
    rates = [6 * len(beat.sample) for beat in beats if beat is not None]
    assert min(rates) < 55 and max(rates) > 100 and 60 < np.median(rates) < 90
    ectopic = [beat is not None and "V" in beat.symbol for beat in beats]
    assert 0.1 < np.mean(ectopic) < 0.4
    heights = np.array([np.ptp(recording.signal, axis=0).max() for recording in people])
    assert heights.min() < 1.2 and heights.max() > 3.8, "some of low voltage, some that cross the next row"
    assert heights.max() < 10


def test_beats_lie_on_large_deflections() -> None:
    recording = simulate_twelve_leads(seed=1, noise_mv=0, wander_mv=0)
    assert recording.beats is not None
    steepness = np.abs(np.diff(recording.signal, axis=0)).max(axis=1)
    for sample in recording.beats.sample[1:-1]:
        assert steepness[sample - 25 : sample + 25].max() > 4 * np.median(steepness)


@pytest.mark.parametrize(
    "wrong", [{"duration_s": 0.5}, {"fs_hz": 20.0}, {"noise_mv": -1.0}, {"wander_mv": float("nan")}]
)
def test_impossible_arguments_are_refused(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(InputError, match=name):
        simulate_twelve_leads(seed=0, **wrong)
