"""The R-peak detector: what must not change its peaks (as in sleepecg's tests), delay, state, real records."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as scipy_signal

from ecgedge.beat_matching import match_beats
from ecgedge.catalogue import locate
from ecgedge.errors import DataError, InputError
from ecgedge.records import FloatArray, IntArray
from ecgedge.rpeaks import RPeakDetector, detect_rpeaks

FS_HZ = 360.0
LONGEST_DELAY_S = 1.5


def ecg(duration_s: float, *, fs_hz: float = FS_HZ, seed: int = 0) -> tuple[FloatArray, IntArray]:
    """P, QRS and T as Gaussians over a little noise, RR 0.6 to 1.0 s; the signal in mV and its R-peaks."""
    rng = np.random.default_rng(seed)
    beats_s = np.cumsum(rng.uniform(0.6, 1.0, int(duration_s / 0.6)))
    beats_s = beats_s[beats_s < duration_s - 0.5]
    time_s = np.arange(round(duration_s * fs_hz)) / fs_hz
    lead = 0.2 * np.sin(2 * np.pi * 0.25 * time_s) + 0.01 * rng.standard_normal(len(time_s))
    for height_mv, delay_s, width_s in (
        (0.12, -0.17, 0.025), (-0.12, -0.025, 0.01), (1.0, 0.0, 0.011), (-0.25, 0.028, 0.01), (0.3, 0.26, 0.05),
    ):  # fmt: skip
        for beat_s in beats_s:
            near = slice(max(0, int((beat_s + delay_s - 0.4) * fs_hz)), int((beat_s + delay_s + 0.4) * fs_hz))
            lead[near] += height_mv * np.exp(-0.5 * ((time_s[near] - beat_s - delay_s) / width_s) ** 2)
    return lead.astype(np.float32), np.rint(beats_s * fs_hz).astype(np.int64)


def in_chunks(lead: FloatArray, sizes: Sequence[int], *, fs_hz: float = FS_HZ) -> list[int]:
    """Peaks of the stream fed in chunks of these sizes, in turn."""
    detector = RPeakDetector(fs_hz)
    found: list[int] = []
    start = 0
    while start < len(lead):
        size = sizes[start % len(sizes)]
        found += detector.feed(lead[start : start + size]).tolist()
        start += size
    found += detector.flush().tolist()
    return found


def assert_same_beats(found: IntArray, expected: IntArray, *, fs_hz: float = FS_HZ, within_ms: float = 15.0) -> None:
    match = match_beats(expected, found, tolerance_samples=round(within_ms / 1000 * fs_hz))
    assert match.missed.tolist() == []
    assert match.extra.tolist() == []


@pytest.fixture(scope="module")
def minute() -> tuple[FloatArray, IntArray]:
    return ecg(60.0)


@pytest.fixture(scope="module")
def mitdb() -> Path:
    try:
        return locate("mitdb")
    except DataError as error:
        pytest.skip(f"MIT-BIH is not on this machine: {error}")


def test_finds_every_beat(minute: tuple[FloatArray, IntArray]) -> None:
    lead, beats = minute
    found = detect_rpeaks(lead, FS_HZ)
    assert found.dtype == np.int64
    assert_same_beats(found, beats)


@settings(deadline=None, max_examples=15)
@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=8), seed=st.integers(0, 3))
def test_chunks_do_not_matter(sizes: list[int], seed: int) -> None:
    lead, _ = ecg(14.0, seed=seed)
    lead[3000:3400] = np.nan
    assert in_chunks(lead, sizes) == detect_rpeaks(lead, FS_HZ).tolist()


def test_single_samples_and_empty_chunks() -> None:
    lead, _ = ecg(8.0)
    detector = RPeakDetector(FS_HZ)
    assert len(detector.feed(np.empty(0, np.float32))) == 0
    assert in_chunks(lead, [1]) == detect_rpeaks(lead, FS_HZ).tolist()


@pytest.mark.parametrize("fs_hz", [100.0, 128.0, 187.5, 250.0, 257.0, 500.0, 1000.0, 2000.0])
def test_another_rate(fs_hz: float) -> None:
    lead, beats = ecg(40.0, fs_hz=fs_hz)
    assert_same_beats(detect_rpeaks(lead, fs_hz), beats, fs_hz=fs_hz)


def test_resampled(minute: tuple[FloatArray, IntArray]) -> None:
    lead, beats = minute
    faster = scipy_signal.resample_poly(lead, 25, 18).astype(np.float32)
    assert_same_beats(detect_rpeaks(faster, 500.0), np.rint(beats * 25 / 18).astype(np.int64), fs_hz=500.0)


@pytest.mark.parametrize("gain", [0.01, 0.1, 7.0, 200.0, -1.0, -0.3])
@pytest.mark.parametrize("offset", [0.0, -3.0, 40.0])
def test_gain_offset_and_polarity(minute: tuple[FloatArray, IntArray], gain: float, offset: float) -> None:
    lead, beats = minute
    assert_same_beats(detect_rpeaks((gain * (lead + np.float32(offset))).astype(np.float32), FS_HZ), beats)


@pytest.mark.parametrize("pad_s", [0.05, 1.0, 30.0])
def test_flat_before_and_after(minute: tuple[FloatArray, IntArray], pad_s: float) -> None:
    lead, beats = minute
    pad_n = round(pad_s * FS_HZ)
    padded = np.concatenate([np.full(pad_n, lead[0]), lead, np.full(pad_n, lead[-1])]).astype(np.float32)
    assert_same_beats(detect_rpeaks(padded, FS_HZ), beats + pad_n)


@pytest.mark.parametrize(
    "filling", [np.nan, np.inf, 0.0, 5.0, -5.0], ids=["nan", "inf", "zero", "top rail", "bottom rail"]
)
@pytest.mark.parametrize("gap_s", [0.5, 3.0, 20.0])
def test_nothing_is_invented_in_a_gap(minute: tuple[FloatArray, IntArray], filling: float, gap_s: float) -> None:
    """No peak in the gap, and every beat that lies half a second clear of it stays."""
    lead, beats = minute
    start, stop = round(25.2 * FS_HZ), round((25.2 + gap_s) * FS_HZ)
    broken = lead.copy()
    broken[start:stop] = filling
    found = detect_rpeaks(broken, FS_HZ)
    assert not np.any((found >= start) & (found < stop))
    clear = round(0.5 * FS_HZ)
    outside = [part[(part < start - clear) | (part >= stop + clear)] for part in (found, beats)]
    assert_same_beats(outside[0], outside[1])


@pytest.mark.parametrize("value", [0.0, np.nan, 3.3])
def test_nothing_in_nothing(value: float) -> None:
    assert detect_rpeaks(np.full(7200, value, np.float32), FS_HZ).tolist() == []


def test_finds_the_rhythm_again_when_the_gain_falls() -> None:
    """After a tenfold loss of amplitude beats come back within 5 s."""
    lead, beats = ecg(60.0)
    lead[10800:] *= np.float32(0.1)
    late = 10800 + round(5 * FS_HZ)
    found = detect_rpeaks(lead, FS_HZ)
    assert_same_beats(found[found > late], beats[beats > late])


def test_nothing_is_invented_in_asystole(minute: tuple[FloatArray, IntArray]) -> None:
    """15 s of faint noise where the heart stands still; the beats after it are found from the first on."""
    lead, beats = minute
    start, stop = round(30 * FS_HZ), round(45 * FS_HZ)
    standing = lead.copy()
    standing[start:stop] = 0.01 * np.random.default_rng(1).standard_normal(stop - start)
    found = detect_rpeaks(standing, FS_HZ)
    clear = round(0.3 * FS_HZ)
    assert not np.any((found > start + clear) & (found < stop - clear))
    assert_same_beats(found[found > stop + clear], beats[beats > stop + clear])


def test_tall_t_waves_and_noise(minute: tuple[FloatArray, IntArray]) -> None:
    lead, beats = minute
    time_s = np.arange(len(lead)) / FS_HZ
    tall = lead + sum(0.9 * np.exp(-0.5 * ((time_s - beat / FS_HZ - 0.27) / 0.06) ** 2) for beat in beats)
    noisy = lead + 0.15 * np.random.default_rng(2).standard_normal(len(lead))
    for changed in (tall, noisy):
        assert_same_beats(detect_rpeaks(changed.astype(np.float32), FS_HZ), beats, within_ms=25)


@pytest.mark.parametrize("fs_hz", [100.0, 360.0, 1000.0])
def test_never_more_than_1500_ms_behind(fs_hz: float) -> None:
    lead, _ = ecg(30.0, fs_hz=fs_hz)
    lead[round(12 * fs_hz) : round(14.4 * fs_hz)] *= np.float32(0.3)
    step = max(1, round(fs_hz / 100))
    detector = RPeakDetector(fs_hz)
    assert detector.delay_s <= LONGEST_DELAY_S
    total = 0
    for start in range(0, len(lead), step):
        for peak in detector.feed(lead[start : start + step]).tolist():
            total += 1
            assert start + step - 1 - peak <= LONGEST_DELAY_S * fs_hz + step
    assert total > 25


@settings(deadline=None, max_examples=15)
@given(cut=st.integers(0, 7200))
def test_restart_goes_on_bit_for_bit(cut: int) -> None:
    lead, _ = ecg(20.0, seed=2)
    first = RPeakDetector(FS_HZ)
    head = first.feed(lead[:cut])
    second = RPeakDetector(FS_HZ)
    second.restore(first.state())
    tails = [np.concatenate([detector.feed(lead[cut:]), detector.flush()]) for detector in (first, second)]
    np.testing.assert_array_equal(tails[0], tails[1])
    np.testing.assert_array_equal(np.concatenate([head, tails[1]]), detect_rpeaks(lead, FS_HZ))
    assert {name: value.tolist() for name, value in first.state().items()} == {
        name: value.tolist() for name, value in second.state().items()
    }


def test_state_survives_a_file(tmp_path: Path) -> None:
    lead, _ = ecg(20.0)
    first, second = RPeakDetector(FS_HZ), RPeakDetector(FS_HZ)
    first.feed(lead[:4000])
    np.savez(tmp_path / "state.npz", allow_pickle=False, **first.state())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as stored:
        second.restore(dict(stored))
    np.testing.assert_array_equal(first.feed(lead[4000:]), second.feed(lead[4000:]))


def test_memory_is_constant() -> None:
    detector = RPeakDetector(FS_HZ)
    lead, _ = ecg(10.0)
    sizes = []
    for _ in range(20):
        detector.feed(lead)
        sizes.append(sum(value.nbytes for value in detector.state().values()))
    assert max(sizes) < 8000
    assert max(sizes) - min(sizes) < 500


@pytest.mark.parametrize("fs_hz", [0.0, -360.0, float("nan"), 10.0])
def test_an_impossible_rate_is_refused(fs_hz: float) -> None:
    with pytest.raises(InputError, match="sampling rate"):
        detect_rpeaks(np.zeros(10, np.float32), fs_hz)


def test_two_leads_at_once_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(10, 2\)"):
        RPeakDetector(FS_HZ).feed(np.zeros((10, 2), np.float32))


def test_a_foreign_state_is_refused() -> None:
    with pytest.raises(InputError, match="another rate"):
        RPeakDetector(FS_HZ).restore(RPeakDetector(250.0).state())
    with pytest.raises(InputError, match="cut short"):
        RPeakDetector(FS_HZ).restore({})


@pytest.mark.parametrize(("record", "lowest_f1"), [("101", 0.995), ("119", 0.995), ("208", 0.99)])
def test_real_records(mitdb: Path, record: str, lowest_f1: float) -> None:
    """DS1 records: normal rhythm with noise, ventricular bigeminy, ventricular and fusion beats of many shapes."""
    from ecgedge.formats import read_recording

    recording = read_recording(mitdb / f"{record}.hea")
    assert recording.beats is not None
    found = detect_rpeaks(recording.signal[:, 0], recording.fs_hz)
    match = match_beats(recording.beats.sample, found, tolerance_samples=54)
    assert match.f1 >= lowest_f1
    error = np.abs(recording.beats.sample[match.pairs[:, 0]] - found[match.pairs[:, 1]])
    assert error.mean() / recording.fs_hz < 0.010
