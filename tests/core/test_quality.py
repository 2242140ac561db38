"""Each fault is named, where it is and why; a clean signal has none; chunks and restarts change nothing."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.errors import InputError
from ecgedge.formats import read_recording
from ecgedge.quality import FLAT_MV, KINDS, Fault, FaultFinder, find_faults
from ecgedge.records import FloatArray, Recording
from ecgedge.signals import BoolArray
from ecgedge.simulate import simulate_ecg
from ecgedge.spoil import parse_spoiling, spoil

DATA = Path(os.environ.get("ECGEDGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
FS_HZ = 250.0
CLEAN = simulate_ecg(60, seed=3, fs_hz=FS_HZ)
ALL_FAULTS = ("missing@5:8", "flat@12:14.5", "saturated@20:21/V1", "dropout@30:33", "missing@40:40.1", "flat@59:60/V1")


def spoilt(*texts: str) -> Recording:
    return spoil(CLEAN, [parse_spoiling(text) for text in texts])


def marks(recording: Recording) -> BoolArray:
    finder = FaultFinder(recording.fs_hz, recording.leads)
    finder.feed(recording.signal)
    first = finder.bad
    finder.flush()
    return np.concatenate([first, finder.bad])


@pytest.mark.parametrize(
    ("text", "kind", "start_s", "end_s", "message"),
    [
        ("missing@12:15", "missing", 12, 15, "no signal from 12.0 s to 15.0 s (3 s; limit 0.2 s); check the electrode"),
        (
            "dropout@12:15",
            "dropout",
            12,
            15,
            "nothing but 0 mV from 12.0 s to 15.0 s (3 s; limit 0.5 s); check the cable",
        ),
        ("flat@12:13.5", "flat", 12, 13.5, "mV from 12.0 s to 13.5 s (1.5 s; limit 0.8 s); check the electrode"),
        (
            "saturated@12:12.5",
            "saturated",
            12,
            12.5,
            "saturated near 5.11 mV from 12.0 s to 12.5 s (0.5 s; limit 0.05 s)",
        ),
    ],
)
@pytest.mark.parametrize("lead", ["MLII", "V1"])
def test_fault_is_named(text: str, kind: str, start_s: float, end_s: float, message: str, lead: str) -> None:
    (fault,) = find_faults(spoilt(f"{text}/{lead}"))
    assert (fault.kind, fault.lead, fault.is_warning) == (kind, lead, False)
    # A flat line may take in a quiet sample or two beside it.
    assert (fault.start_s, fault.end_s) == pytest.approx((start_s, end_s), abs=0.02)
    assert fault.value == pytest.approx(end_s - start_s, abs=0.02)
    assert fault.value >= fault.limit
    if kind != "flat":
        assert message in fault.message
    assert fault.message.startswith(f"lead {lead}: ")


def test_clean_signal_has_no_faults() -> None:
    for seed, rhythm in enumerate(("sinus", "bigeminy", "fibrillation")):
        for noise_mv in (0, 0.03):
            assert find_faults(simulate_ecg(120, seed=seed, rhythm=rhythm, noise_mv=noise_mv)) == []


@pytest.mark.parametrize("record", ["101", "106", "118", "209"])
def test_mit_bih_records_have_no_false_faults(record: str) -> None:
    if not (DATA / "mitdb" / f"{record}.hea").exists():
        pytest.skip(f"no MIT-BIH records in {DATA}")
    assert find_faults(read_recording(DATA / "mitdb" / record)) == []


def test_marks_cover_the_faults_and_nothing_else() -> None:
    recording = spoilt(*ALL_FAULTS)
    expected = np.zeros(recording.signal.shape, dtype=bool)
    for text in ALL_FAULTS:
        spoiling = parse_spoiling(text)
        span = slice(round(spoiling.start_s * FS_HZ), round(spoiling.stop_s * FS_HZ))
        expected[span, recording.lead(spoiling.lead)] = True
    wrong = np.argwhere(marks(recording) != expected)
    assert len(wrong) <= 6  # quiet samples beside a flat line


def test_short_gap_is_marked_but_not_reported() -> None:
    recording = spoilt("missing@12:12.1")
    assert find_faults(recording) == []
    assert marks(recording).sum() == 25


def test_gap_that_comes_and_goes_is_one_fault() -> None:
    signal = CLEAN.signal.copy()
    for start in range(1000, 2000, 20):
        signal[start : start + 10, 0] = np.nan
    (fault,) = find_faults(Recording(signal, FS_HZ, CLEAN.leads))
    assert (fault.kind, fault.start_s, fault.end_s, fault.value) == ("missing", 4.0, 7.96, 2.0)


def test_clipped_r_waves_are_one_saturation() -> None:
    slow = simulate_ecg(30, seed=1, rhythm="bigeminy", noise_mv=0, fs_hz=1000)
    clipped = Recording(np.clip(slow.signal, -1.1, 1.1), 1000.0, slow.leads)
    (fault,) = [fault for fault in find_faults(clipped) if fault.lead == "MLII"]
    assert fault.kind == "saturated"
    assert "1.10 mV" in fault.message
    assert fault.end_s - fault.start_s > 20


def test_plateau_near_the_usual_level_is_no_saturation() -> None:
    signal = CLEAN.signal.copy()
    signal[1000:1030, 0] = signal[1000, 0]
    assert find_faults(Recording(signal, FS_HZ, CLEAN.leads)) == []


@pytest.mark.parametrize("lead", ["I", "II", "MLII"])
def test_inverted_lead_is_a_warning(lead: str) -> None:
    upright = simulate_ecg(60, seed=0, leads=(lead, "V1"))
    (fault,) = find_faults(spoil(upright, [parse_spoiling("inverted")]))
    assert (fault.kind, fault.lead, fault.is_warning) == ("inverted", lead, True)
    assert fault.value > fault.limit
    assert "QRS and T point down in" in fault.message
    assert "check for swapped electrodes" in fault.message


def test_polarity_of_other_leads_and_short_recordings_is_not_judged() -> None:
    other = Recording(-CLEAN.signal, FS_HZ, ("V2", "V1"))
    assert find_faults(other) == []
    assert find_faults(Recording(-CLEAN.signal[:5000], FS_HZ, CLEAN.leads)) == []


@pytest.mark.parametrize("signal", [np.nan, 0.0, np.inf])
def test_recording_of_nothing_is_one_fault(signal: float) -> None:
    (fault,) = find_faults(Recording(np.full((2500, 1), signal, dtype=np.float32), FS_HZ, ("II",)))
    assert fault.kind == ("dropout" if signal == 0 else "missing")
    assert (fault.start_s, fault.end_s) == (0, 10)


def test_one_sample_is_no_fault() -> None:
    assert find_faults(Recording(np.zeros((1, 1), dtype=np.float32), FS_HZ, ("II",))) == []


def streamed(signal: FloatArray, sizes: list[int], *, restart: bool) -> tuple[list[Fault], BoolArray]:
    """Faults and marks of a stream in chunks of these sizes over and over."""
    finder = FaultFinder(FS_HZ, CLEAN.leads)
    faults, parts, start, turn = [], [], 0, 0
    while start < len(signal):
        size = sizes[turn % len(sizes)]
        faults += finder.feed(signal[start : start + size])
        parts.append(finder.bad)
        start, turn = min(start + size, len(signal)), turn + 1
        assert start - finder.n_judged < FS_HZ
        assert finder.n_judged == sum(len(part) for part in parts)
        if restart:
            state, finder = finder.state(), FaultFinder(FS_HZ, CLEAN.leads)
            finder.restore(state)
    faults += finder.flush()
    return faults, np.concatenate([*parts, finder.bad])


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 700), min_size=1, max_size=10).filter(lambda sizes: sum(sizes) > 200),
    restart=st.booleans(),
)
def test_chunks_and_restarts_change_nothing(sizes: list[int], restart: bool) -> None:
    signal = spoilt(*ALL_FAULTS, "inverted@42:60").signal
    signal = np.where(np.arange(len(signal))[:, np.newaxis] < 9000, signal, -signal).astype(np.float32)
    faults, found = streamed(signal, sizes, restart=restart)
    whole, expected = streamed(signal, [len(signal)], restart=False)
    assert sorted(faults, key=str) == sorted(whole, key=str)
    np.testing.assert_array_equal(found, expected)
    assert {fault.kind for fault in faults} >= set(KINDS)


def test_one_sample_at_a_time_is_the_same() -> None:
    signal = spoilt("dropout@2:3", "saturated@5:5.2").signal[:1500]
    faults, found = streamed(signal, [1], restart=False)
    whole, expected = streamed(signal, [1500], restart=False)
    assert faults == whole
    assert len(faults) == 2
    np.testing.assert_array_equal(found, expected)


def test_memory_is_constant() -> None:
    finder = FaultFinder(FS_HZ, CLEAN.leads)
    sizes = []
    for start in range(0, 15_000, 50):
        finder.feed(CLEAN.signal[start : start + 50])
        sizes.append(sum(array.size for array in finder.state().values()))
    assert max(sizes) < 8 * FS_HZ


def test_wrong_rates_shapes_and_states_are_refused() -> None:
    with pytest.raises(InputError, match="sampling rate 0 Hz"):
        FaultFinder(0, ("II",))
    with pytest.raises(InputError, match="one column per lead"):
        FaultFinder(FS_HZ, ("II",)).feed(CLEAN.signal)
    with pytest.raises(InputError, match="saved state"):
        FaultFinder(FS_HZ, ("II",)).restore(FaultFinder(FS_HZ, CLEAN.leads).state())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 50]))
def test_flat_and_dropout_marks_are_those_of_every_window(seed: int, steps: int) -> None:
    """Against the definition, window by window: a dropout is one value for 0.5 s, flat within 12 uV for 0.8 s."""
    rng = np.random.default_rng(seed)
    values = 0.3 + 0.005 * rng.integers(0, steps + 1, 900).astype(np.float32)
    for _ in range(4):
        start, length = rng.integers(0, 850), rng.integers(3, 260)
        values[start : start + length] = rng.choice([values[start], np.nan, 0.3])
    found = marks(Recording(values[:, np.newaxis], FS_HZ, ("V5",)))[:, 0]
    assert (found == _bad_by_definition(values.astype(np.float64))).all()


def _bad_by_definition(values: FloatArray) -> BoolArray:
    bad = np.isnan(values)
    for n, within_mv in ((125, 0.0), (200, FLAT_MV)):
        for start in range(len(values) - n + 1):
            window = values[start : start + n]
            if np.isfinite(window).all() and np.ptp(window) <= within_mv:
                bad[start : start + n] = True
    return bad
