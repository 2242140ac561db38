"""Filtering and resampling: what they do to a signal, and that chunks and restarts change nothing."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as dsp

from ecgedge.errors import InputError
from ecgedge.records import FloatArray, check_rate
from ecgedge.signals import (
    StreamingFilter,
    StreamingResampler,
    butterworth_bandpass,
    filter_once,
    resample,
)

FS_HZ = 360.0
SOS = butterworth_bandpass(0.5, 40, FS_HZ, order=2)
CHUNKS = st.lists(st.integers(0, 90), min_size=1, max_size=12).filter(any)
RATES = st.sampled_from([(360, 250), (250, 360), (360, 360), (360.5, 360), (250 / 3, 360), (128.0, 250), (1000, 125)])


def noisy(n_samples: int = 700, *, seed: int = 0, gaps: bool = True) -> FloatArray:
    """A drifting signal of two leads with an offset, a gap in the middle of one and at the start of the other."""
    rng = np.random.default_rng(seed)
    signal = (3 + 0.05 * rng.standard_normal((n_samples, 2)).cumsum(axis=0)).astype(np.float32)
    if gaps:
        signal[300:340, 0] = np.nan
        signal[:20, 1] = np.nan
        signal[500, 1] = np.inf
    return signal


def in_chunks(
    make: Callable[[], StreamingFilter | StreamingResampler], signal: FloatArray, sizes: list[int], *, restart: bool
) -> FloatArray:
    """Feed the signal in chunks of these sizes over and over, optionally in a new object after every chunk."""
    stream, parts, start, turn = make(), [], 0, 0
    while start < len(signal):
        size = sizes[turn % len(sizes)]
        parts.append(stream.feed(signal[start : start + size]))
        start, turn = start + size, turn + 1
        if restart:
            state, stream = stream.state(), make()
            stream.restore(state)
    if isinstance(stream, StreamingResampler):
        parts.append(stream.flush())
    return np.concatenate(parts)


@settings(max_examples=40, deadline=None)
@given(sizes=CHUNKS, restart=st.booleans())
def test_filter_gives_the_same_in_chunks_as_in_one_pass(sizes: list[int], restart: bool) -> None:
    signal = noisy()
    whole = filter_once(SOS, signal)
    np.testing.assert_allclose(
        in_chunks(lambda: StreamingFilter(SOS, 2), signal, sizes, restart=restart), whole, atol=1e-6, rtol=0
    )
    np.testing.assert_array_equal(np.isnan(whole), ~np.isfinite(signal))


@settings(max_examples=60, deadline=None)
@given(sizes=CHUNKS, rates=RATES, restart=st.booleans())
def test_resampler_gives_the_same_in_chunks_as_in_one_pass(
    sizes: list[int], rates: tuple[float, float], restart: bool
) -> None:
    signal = noisy()
    whole = resample(signal, *rates)
    parts = in_chunks(lambda: StreamingResampler(*rates, 2), signal, sizes, restart=restart)
    np.testing.assert_allclose(parts, whole, atol=1e-6, rtol=0)


def test_filter_agrees_with_scipy_where_nothing_is_missing() -> None:
    signal = noisy(gaps=False)
    start = dsp.sosfilt_zi(SOS)[:, :, np.newaxis] * signal[0]
    expected, _ = dsp.sosfilt(SOS, signal.astype(float), axis=0, zi=start)
    np.testing.assert_allclose(filter_once(SOS, signal), expected, atol=1e-6)


def test_filter_starts_without_a_step_whatever_the_offset() -> None:
    flat = np.full((500, 1), 7.0, dtype=np.float32)
    assert np.abs(filter_once(SOS, flat)).max() < 1e-6
    late = np.concatenate([np.full((50, 1), np.nan, dtype=np.float32), flat])
    assert np.abs(filter_once(SOS, late)[50:]).max() < 1e-6


def test_gap_leaves_the_filter_as_if_the_last_value_had_been_held() -> None:
    signal = noisy(gaps=False)[:, :1]
    held = signal.copy()
    held[300:340] = held[299]
    broken = signal.copy()
    broken[300:340] = np.nan
    np.testing.assert_array_equal(filter_once(SOS, broken)[340:], filter_once(SOS, held)[340:])


def test_leads_are_filtered_apart() -> None:
    signal = noisy()
    together = filter_once(SOS, signal)
    for lead in range(2):
        np.testing.assert_array_equal(together[:, [lead]], filter_once(SOS, signal[:, [lead]]))


@pytest.mark.parametrize(
    ("fs_in_hz", "fs_out_hz"), [(360, 250), (250, 360), (250 / 3, 360), (360.5, 128), (128.1234, 360)]
)
def test_resampled_sine_lies_on_its_time(fs_in_hz: float, fs_out_hz: float) -> None:
    time_s = np.arange(int(8 * fs_in_hz)) / fs_in_hz
    sine = (2 + np.sin(2 * np.pi * 5 * time_s)).astype(np.float32)[:, np.newaxis]
    found = resample(sine, fs_in_hz, fs_out_hz)[:, 0]
    expected = 2 + np.sin(2 * np.pi * 5 * np.arange(len(found)) / fs_out_hz)
    edge = int(fs_out_hz)
    # A shift by a tenth of a sample at 360 Hz would show as 0.009.
    assert np.abs(found - expected)[edge:-edge].max() < 0.003


def test_resampling_takes_out_what_the_new_rate_cannot_hold() -> None:
    time_s = np.arange(3600) / 360
    hum = np.sin(2 * np.pi * 150 * time_s).astype(np.float32)[:, np.newaxis]
    assert np.abs(resample(hum, 360, 125)[60:-60]).max() < 0.01


@pytest.mark.parametrize(("n_samples", "expected"), [(0, 0), (1, 1), (36, 25), (37, 26), (360, 250)])
def test_resampled_length_covers_the_duration(n_samples: int, expected: int) -> None:
    assert resample(np.ones((n_samples, 2), dtype=np.float32), 360, 250).shape == (expected, 2)


def test_offset_passes_exactly_up_to_both_ends() -> None:
    offset = np.full((100, 1), 5.0, dtype=np.float32)
    np.testing.assert_allclose(resample(offset, 360, 250), 5.0, atol=1e-6)


def test_gap_is_not_interpolated_when_resampling() -> None:
    signal = np.ones((3600, 1), dtype=np.float32)
    signal[1800] = np.nan
    gap = np.flatnonzero(np.isnan(resample(signal, 360, 250)[:, 0])) / 250
    assert gap.min() < 5.0 < gap.max()
    assert gap.max() - gap.min() < 0.1


def test_equal_rates_pass_the_samples_through() -> None:
    signal = noisy()
    np.testing.assert_array_equal(resample(signal, 360, 360.0), np.where(np.isfinite(signal), signal, np.nan))
    assert StreamingResampler(360, 360, 2).delay_s == 0


def test_stream_keeps_to_its_delay_and_to_constant_memory() -> None:
    resampler = StreamingResampler(360, 250, 1)
    n_out, sizes = 0, set()
    for n_in in range(1, 2000):
        n_out += len(resampler.feed(np.ones((1, 1), dtype=np.float32)))
        assert n_in / 360 - n_out / 250 <= resampler.delay_s + 1 / 250 + 1e-9
        sizes.add(len(resampler.state()["buffer"]))
    assert max(sizes) < 40


def test_time_does_not_drift_over_a_day() -> None:
    resampler = StreamingResampler(250 / 3, 25, 1)
    hour = np.ones((300_000, 1), dtype=np.float32)
    n_out = sum(len(resampler.feed(hour)) for _ in range(24)) + len(resampler.flush())
    assert n_out == 24 * 90_000


def test_flush_leaves_the_resampler_as_new() -> None:
    resampler, signal = StreamingResampler(360, 250, 2), noisy()
    first = np.concatenate([resampler.feed(signal), resampler.flush()])
    np.testing.assert_array_equal(np.concatenate([resampler.feed(signal), resampler.flush()]), first)
    assert resampler.flush().shape == (0, 2)


@pytest.mark.parametrize("fs_hz", [0, -360, float("nan"), float("inf")])
def test_impossible_rates_are_refused(fs_hz: float) -> None:
    for refused in (
        lambda: check_rate(fs_hz),
        lambda: resample(noisy(), fs_hz, 250),
        lambda: resample(noisy(), 250, fs_hz),
    ):
        with pytest.raises(InputError, match=r"sampling rate .* must be above 0"):
            refused()


def test_impossible_ratio_and_corners_are_refused() -> None:
    with pytest.raises(InputError, match=r"36000 Hz to 100 Hz; the ratio may be 100"):
        resample(noisy(), 36_000, 100)
    for low_hz, high_hz in ((0, 40), (40, 0.5), (0.5, 180), (float("nan"), 40)):
        with pytest.raises(InputError, match="move the corners"):
            butterworth_bandpass(low_hz, high_hz, FS_HZ, order=2)
    with pytest.raises(InputError, match="order 0"):
        butterworth_bandpass(0.5, 40, FS_HZ, order=0)


def test_chunks_and_states_of_another_shape_are_refused() -> None:
    for stream in (StreamingFilter(SOS, 2), StreamingResampler(360, 250, 2)):
        with pytest.raises(InputError, match="one column per lead"):
            stream.feed(np.zeros((10, 3), dtype=np.float32))
        with pytest.raises(InputError, match="one column per lead"):
            stream.feed(np.zeros(10, dtype=np.float32))
        with pytest.raises(InputError, match="saved state"):
            stream.restore({})
    with pytest.raises(InputError, match="saved state"):
        StreamingFilter(SOS, 2).restore(StreamingFilter(SOS, 1).state())
