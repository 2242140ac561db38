"""Windows and features: causal, chunk-invariant, bounded in delay and memory, unharmed by gaps."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.beats import BeatBatch, BeatCutter, BeatSettings, cut_beats, join_batches
from ecgedge.errors import InputError
from ecgedge.rhythm import RhythmContext
from ecgedge.simulate import simulate_ecg
from ecgedge.templates import SHAPE_FEATURES

RHYTHM_FEATURES = tuple(RhythmContext().feed(np.array([np.nan]), np.array([0.8])))
ALL = RHYTHM_FEATURES + SHAPE_FEATURES
SETTINGS = BeatSettings(ALL, (0.0,) * len(ALL), (1.0,) * len(ALL))
ECG = simulate_ecg(50, fs_hz=360, seed=2, sveb_rate=8.0, veb_rate=8.0, leads=("MLII",))
assert ECG.beats is not None
PEAKS = ECG.beats.sample
WHOLE = cut_beats(ECG.signal, PEAKS, SETTINGS)
LAG_N = int(SETTINGS.peak_lag_s * 360)


def streamed(edges: list[int], *, restart_at: int = -1, signal: np.ndarray = ECG.signal) -> BeatBatch:
    """Fed in chunks, each R-peak told as late as it may be."""
    cutter, batches, told = BeatCutter(SETTINGS), [], 0
    edges = sorted({0, *edges, len(signal)})
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        if number == restart_at:
            saved = cutter.state()
            cutter = BeatCutter(SETTINGS)
            cutter.restore(saved)
        known = int(np.searchsorted(PEAKS, stop - LAG_N))
        batches.append(cutter.feed(signal[start:stop], PEAKS[told:known]))
        told = known
    batches += [cutter.feed(signal[:0], PEAKS[told:]), cutter.flush()]
    return join_batches(batches)


def assert_same(found: BeatBatch, expected: BeatBatch) -> None:
    np.testing.assert_array_equal(found.r_peak, expected.r_peak)
    np.testing.assert_array_equal(found.rr_ms, expected.rr_ms)
    for name, values in expected.inputs.items():
        np.testing.assert_array_equal(found.inputs[name], values)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, len(ECG.signal)), max_size=40), st.integers(0, 30))
def test_any_chunks_and_any_restart_give_the_same_inputs(edges: list[int], restart_at: int) -> None:
    assert_same(streamed(edges, restart_at=restart_at), WHOLE)


def test_every_beat_comes_once_and_intervals_are_right() -> None:
    np.testing.assert_array_equal(WHOLE.r_peak, PEAKS)
    assert np.isnan(WHOLE.rr_ms[0])
    np.testing.assert_allclose(WHOLE.rr_ms[1:], np.diff(PEAKS) / 0.36, rtol=1e-6)
    assert WHOLE.inputs["beat"].shape == (len(PEAKS), 1, 96, 2)
    assert np.abs(WHOLE.inputs["features"]).max() <= SETTINGS.clip


def test_an_early_beat_is_early_and_a_ventricular_beat_is_unlike() -> None:
    assert ECG.beats is not None
    symbols = np.array(ECG.beats.symbol)
    features = dict(zip(ALL, WHOLE.inputs["features"].T, strict=True))
    late = slice(10, None)
    assert features["before/q50_30"][late][symbols[late] == "A"].max() < -0.1
    assert np.median(features["qrs_correlation"][late][symbols[late] == "V"]) < 0.8
    assert np.median(features["qrs_correlation"][late][symbols[late] == "N"]) > 0.95


def test_a_pause_ends_after_the_limit() -> None:
    cutter = BeatCutter(SETTINGS)
    longest_n = int((SETTINGS.limit_s + SETTINGS.peak_lag_s) * 360)
    peaks = PEAKS[:5]
    end = int(peaks[-1]) + longest_n
    batch = cutter.feed(ECG.signal[:end], peaks)
    assert batch.r_peak.tolist() == peaks.tolist()
    assert BeatCutter(SETTINGS).feed(ECG.signal[: end - 1], peaks).r_peak.tolist() == peaks[:-1].tolist()


def test_memory_is_constant() -> None:
    cutter, peak_bytes = BeatCutter(SETTINGS), 0
    for start in range(0, 360 * 600, 360):
        cutter.feed(np.zeros((360, 1), np.float32), np.zeros(0, np.int64))
        if start > 3600:
            peak_bytes = max(peak_bytes, sum(value.nbytes for value in cutter.state().values()))
    assert 0 < peak_bytes < 200_000


def test_a_gap_leaves_later_beats_nearly_as_they_were() -> None:
    signal = ECG.signal.copy()
    gap = slice(int(PEAKS[20]) + 60, int(PEAKS[22]) + 60)
    signal[gap] = np.nan
    kept = np.concatenate([PEAKS[:21], PEAKS[23:]])
    found = cut_beats(signal, kept, SETTINGS)
    assert np.isfinite(found.inputs["features"]).all() and np.isfinite(found.inputs["beat"]).all()
    assert np.isnan(found.rr_ms[21]), "an interval across a gap is unknown"
    late = found.inputs["beat"][-10:] - WHOLE.inputs["beat"][-10:]
    assert np.abs(late).max() < 0.2


def test_gain_and_offset_do_not_matter() -> None:
    other = cut_beats((ECG.signal * 2.0 + 3.0).astype(np.float32), PEAKS, SETTINGS)
    np.testing.assert_allclose(other.inputs["features"], WHOLE.inputs["features"], atol=0.02)


def test_an_empty_stream_and_a_beat_at_the_edge() -> None:
    nothing = cut_beats(np.zeros((0, 1), np.float32), np.zeros(0, np.int64), SETTINGS)
    assert len(nothing.r_peak) == 0
    edge = cut_beats(ECG.signal[:400], np.array([0, 399]), SETTINGS)
    assert edge.r_peak.tolist() == [0, 399] and np.isfinite(edge.inputs["features"]).all()


def test_peaks_must_increase() -> None:
    with pytest.raises(InputError, match="do not increase"):
        cut_beats(ECG.signal, np.array([500, 400]), SETTINGS)


def test_settings_survive_the_manifest() -> None:
    raw = json.loads(json.dumps(SETTINGS.to_manifest()))
    assert BeatSettings.from_manifest(raw) == SETTINGS
    with pytest.raises(ValueError, match="differ in length"):
        BeatSettings.from_manifest({**raw, "centre": [0.0]})
