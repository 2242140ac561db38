"""The engine: a stream gives what the file gives, a restart loses nothing, a bad signal gets a reason."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.bundle import read_bundle
from ecgedge.engine import BeatEngine, judge_recording
from ecgedge.errors import InputError, StoreError
from ecgedge.golden import selftest
from ecgedge.preprocess import pipeline_of
from ecgedge.records import Beat, Recording, SignalChunk
from ecgedge.signals import resample
from ecgedge.simulate import simulate_ecg

BUNDLE = read_bundle("beat")
ECG = simulate_ecg(60, fs_hz=360, seed=5, sveb_rate=6.0, veb_rate=8.0, leads=("MLII",))
WHOLE = judge_recording(BUNDLE, ECG)


def engine_for(recording: Recording = ECG) -> BeatEngine:
    return BeatEngine(BUNDLE, fs_hz=recording.fs_hz, leads=recording.leads)


def key(beat: Beat) -> tuple[int, str, tuple[float, ...], str, str]:
    return (beat.sample, beat.label, beat.probabilities, f"{beat.rr_ms:.3f}", beat.reason)


def streamed(recording: Recording, cuts: list[int], *, restart_at: int | None = None) -> list[Beat]:
    engine, beats = engine_for(recording), []
    edges = sorted({0, *cuts, len(recording.signal)})
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        if number == restart_at:
            saved = engine.state()
            engine = engine_for(recording)
            engine.restore(saved)
        beats += engine.judge(SignalChunk(recording.signal[start:stop], start))
    return beats + engine.finish()


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(0, len(ECG.signal)), max_size=30), st.integers(0, 20))
def test_any_chunks_and_any_restart_give_the_same_beats(cuts: list[int], restart_at: int) -> None:
    found = streamed(ECG, cuts, restart_at=restart_at)
    assert [key(beat) for beat in found] == [key(beat) for beat in WHOLE]


def test_beats_come_within_four_seconds() -> None:
    engine, worst_s = engine_for(), 0.0
    for start in range(0, len(ECG.signal), 36):
        for beat in engine.judge(SignalChunk(ECG.signal[start : start + 36], start)):
            worst_s = max(worst_s, (start + 36) / ECG.fs_hz - beat.time_s)
    assert 0 < worst_s < 4


def test_the_simulated_truth_is_found() -> None:
    assert ECG.beats is not None
    truth = dict(zip(ECG.beats.sample.tolist(), ECG.beats.symbol, strict=True))
    near = {sample: min(WHOLE, key=lambda beat: abs(beat.sample - sample)) for sample in truth}
    assert sum(abs(beat.sample - sample) > 18 for sample, beat in near.items()) <= 1
    right = [near[sample].label == "V" for sample, symbol in truth.items() if symbol == "V"]
    assert sum(right) / len(right) >= 0.8


def test_a_gap_is_named_and_not_judged() -> None:
    signal = ECG.signal.copy()
    signal[10 * 360 : 13 * 360] = np.nan
    beats = judge_recording(BUNDLE, Recording(signal, 360.0, ("MLII",)))
    inside = [beat for beat in beats if 10.05 < beat.time_s < 12.95]
    assert all(beat.label == "Q" and "bad" in beat.reason for beat in inside)
    after = [beat for beat in beats if beat.time_s > 16]
    assert Counter(beat.label for beat in after)["Q"] == 0
    assert len(after) >= sum(beat.time_s > 16 for beat in WHOLE) - 1


@pytest.mark.parametrize("fill", [np.nan, 0.0, 5.0])
def test_a_signal_without_an_ecg_has_no_judged_beats(fill: float) -> None:
    beats = judge_recording(BUNDLE, Recording(np.full((3600, 1), fill, np.float32), 360.0, ("II",)))
    assert [beat for beat in beats if beat.label != "Q"] == []


@pytest.mark.parametrize("fs_hz", [125.0, 250.0, 500.0, 1000.0])
def test_other_rates_give_the_same_answer(fs_hz: float) -> None:
    other = Recording(resample(ECG.signal, 360.0, fs_hz), fs_hz, ("MLII",))
    beats = judge_recording(BUNDLE, other)
    assert len(beats) == pytest.approx(len(WHOLE), abs=2)
    same = sum(any(abs(a.time_s - b.time_s) < 0.03 and a.label == b.label for b in WHOLE) for a in beats)
    assert same / len(beats) > 0.9


def test_a_second_lead_is_ignored_where_the_first_choice_is_there() -> None:
    noise = np.random.default_rng(0).normal(size=ECG.signal.shape).astype(np.float32)
    two = Recording(np.hstack([noise, ECG.signal]), 360.0, ("V5", "MLII"))
    assert engine_for(two).lead == "MLII"
    assert [key(beat) for beat in judge_recording(BUNDLE, two)] == [key(beat) for beat in WHOLE]


def test_given_peaks_are_all_judged() -> None:
    assert ECG.beats is not None
    beats = engine_for().judge_at(ECG, ECG.beats.sample)
    assert [beat.sample for beat in beats] == ECG.beats.sample.tolist()
    with pytest.raises(InputError, match="must increase and lie inside"):
        engine_for().judge_at(ECG, np.array([100, len(ECG.signal) + 1000]))


def test_chunks_that_do_not_fit_are_named() -> None:
    engine = engine_for()
    with pytest.raises(InputError, match="starts at sample 360, 0 is next"):
        engine.judge(SignalChunk(ECG.signal[360:720], 360))
    with pytest.raises(InputError, match="the stream has 1 leads"):
        engine.judge(SignalChunk(np.zeros((10, 2), np.float32), 0))


def test_a_damaged_state_is_named() -> None:
    engine = engine_for()
    for state in (b"", b"nonsense", engine.state()[:200]):
        with pytest.raises(StoreError, match="saved state cannot be taken up"):
            engine_for().restore(state)


def test_probabilities_sum_to_one_and_first_rr_is_unknown() -> None:
    judged = [beat for beat in WHOLE if beat.label != "Q"]
    sums = [sum(beat.probabilities) for beat in judged]
    assert np.allclose(sums, 1.0, atol=0.03)
    assert math.isnan(WHOLE[0].rr_ms) and WHOLE[1].rr_ms > 0


def test_self_test_passes_here_and_fails_on_other_answers() -> None:
    assert all(check.passed for check in selftest(BUNDLE))
    import io
    from dataclasses import replace

    arrays = dict(BUNDLE.golden)
    arrays["output"] = arrays["output"] + np.int8(5)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    assert not all(check.passed for check in selftest(replace(BUNDLE, golden_npz=buffer.getvalue())))


@pytest.mark.parametrize("fs_hz", [30.0, 69.0])
def test_a_rate_too_low_for_the_band_is_refused(fs_hz: float) -> None:
    with pytest.raises(InputError, match=rf"sampling rate {fs_hz:g} Hz; .* needs at least 70 Hz"):
        engine_for(Recording(np.zeros((600, 1), np.float32), fs_hz, ("MLII",)))


def test_a_lead_the_model_does_not_know_is_doubted() -> None:
    pipeline = pipeline_of(BUNDLE.manifest)
    assert pipeline.doubt_about("mlii") == ""
    assert "lead V1 is not one the model was trained on (MLII, II" in pipeline.doubt_about("V1")
