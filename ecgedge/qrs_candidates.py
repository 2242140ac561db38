"""From a raw lead to QRS candidates: the vectorised, streaming front end of the R-peak detector.

It decides nothing: every place where a beat could be is described by a few numbers that do not depend on gain,
offset or polarity. `rpeaks.py` decides. All arithmetic is element by element in a fixed order, so the result is
bit for bit the same for any chunking.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from ecgedge.errors import InputError
from ecgedge.records import FloatArray, IntArray

BoolArray = NDArray[np.bool_]
DoubleArray = NDArray[np.float64]

STATIC_FEATURES = ("sharp", "quiet_before", "quiet_after", "fine_noise", "larger_next", "larger_before")
"""Rows of `Candidates.static`, in order."""

_LOWEST_POWER = np.float32(1e-30)
_BLOCK = 1 << 15


@dataclass(frozen=True, slots=True)
class CandidateSettings:
    """Filters and windows of the front end, chosen on DS1 by `benchmarks/rpeaks_search.py`."""

    internal_rate_hz: float = 125.0
    """Rate of the detection signal; the nearest whole fraction of the input rate is taken."""
    band_low_hz: float = 5.0
    """Lower edge of the QRS band (Pan & Tompkins 1985, 10.1109/TBME.1985.325532)."""
    band_high_hz: float = 22.0
    """Upper edge of the QRS band; higher than in Pan & Tompkins (15 Hz), against tall T waves."""
    taps_ms: float = 250.0
    """Length of the linear-phase band-pass."""
    energy_ms: float = 130.0
    """Window of the moving slope energy."""
    dominance_ms: float = 160.0
    """A candidate is the largest energy within this distance on both sides."""
    fiducial_ms: float = 80.0
    """The R-peak is the largest deflection within this distance of the largest energy."""
    neighbour_ms: float = 350.0
    """A larger candidate within this distance counts against the smaller one."""
    flat_ms: float = 300.0
    """A line exactly flat for so long was not measured (lead off, rail); a jump to or from it is no beat."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Places where a beat could be, in order of time."""

    time_s: DoubleArray
    """(n,) float64, s since the start of the signal, at the largest slope energy."""
    level: DoubleArray
    """(n,) float64, natural logarithm of the slope energy's root."""
    static: DoubleArray
    """(6, n) float64, one row per name in `STATIC_FEATURES`, all without unit."""
    peak: IntArray
    """(n,) int64, R-peak, sample index since the start, at the input rate."""
    clock_s: float
    """There are no other candidates up to this time, s."""


class CandidateFinder:
    """Streaming front end: constant memory, the same result for any chunking.

    The block means of the signal are differenced first: an offset vanishes, and a gap becomes a stretch of zeros that
    no filter can ring on. What lies on both sides of a gap is joined without a step.
    """

    def __init__(self, fs_hz: float, settings: CandidateSettings) -> None:
        self.fs_hz = fs_hz
        self.decimation = max(1, round(fs_hz / settings.internal_rate_hz))
        self.rate_hz = fs_hz / self.decimation
        self._settings = settings
        self._kernel = _difference_kernel(settings, self.rate_hz)
        self._energy_n = self._count(settings.energy_ms) | 1
        self._dominance_n = self._count(settings.dominance_ms)
        self._neighbour_n = self._count(settings.neighbour_ms)
        self._reach_n = len(self._kernel) + 1 + self._energy_n // 2
        self._margin_n = max(self._neighbour_n + self._dominance_n + self._reach_n, self._count(600.0)) + 1
        self._rest = np.empty(0, np.float32)
        self._last = np.float32(np.nan)
        self._slope = np.zeros(2 * self._margin_n, np.float32)
        self._valid = np.zeros(2 * self._margin_n, np.bool_)
        self._seen_n = 0

    @property
    def delay_s(self) -> float:
        """How far the clock lies behind the signal."""
        return (self._margin_n + 1) / self.rate_hz

    def feed(self, signal: FloatArray) -> list[Candidates]:
        """Take the next samples ((n,) float32, mV, NaN where nothing was measured); return what is certain now.

        A long chunk is worked off in stretches that fit the cache, and each has its `Candidates`.
        """
        signal = np.concatenate([self._rest, signal])
        whole_n = len(signal) // self.decimation * self.decimation
        self._rest = signal[whole_n:].copy()
        slope, valid = self._difference(signal[:whole_n])
        return [self._advance(slope[k : k + _BLOCK], valid[k : k + _BLOCK]) for k in range(0, len(slope), _BLOCK)]

    def flush(self) -> Candidates:
        """Return the candidates that still waited for later samples."""
        self._rest = np.empty(0, np.float32)
        return self._advance(np.zeros(self._margin_n, np.float32), np.zeros(self._margin_n, np.bool_))

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything that changes while running, as arrays."""
        return {
            "rest": self._rest.copy(),
            "last": np.array(self._last),
            "slope": self._slope.copy(),
            "valid": self._valid.copy(),
            "seen_n": np.array(self._seen_n),
        }

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Go on from what `state` returned."""
        if state["slope"].shape != self._slope.shape:
            raise InputError(
                f"detector state of {len(state['slope'])} samples where {len(self._slope)} are needed; "
                "it belongs to another rate or other settings; start without it"
            )
        self._rest = state["rest"].astype(np.float32)
        self._last = np.float32(state["last"].astype(np.float32)[()])
        self._slope = state["slope"].astype(np.float32)
        self._valid = state["valid"].astype(np.bool_)
        self._seen_n = int(state["seen_n"].astype(np.int64)[()])

    def _count(self, duration_ms: float) -> int:
        return round(duration_ms / 1000 * self.rate_hz)

    def _difference(self, signal: FloatArray) -> tuple[FloatArray, BoolArray]:
        total = signal[:: self.decimation].copy()
        with np.errstate(invalid="ignore", over="ignore"):
            for k in range(1, self.decimation):
                total += signal[k :: self.decimation]
            total *= np.float32(1 / self.decimation)
            slope = np.diff(total, prepend=self._last)
        valid = np.isfinite(slope)
        if len(total):
            self._last = total[-1]
        return np.where(valid, slope, np.float32(0)), valid

    def _advance(self, slope: FloatArray, valid: BoolArray) -> Candidates:
        keep_n = len(self._slope)
        slope = np.concatenate([self._slope, slope])
        valid = np.concatenate([self._valid, valid])
        start = self._seen_n - keep_n
        self._slope, self._valid = slope[-keep_n:].copy(), valid[-keep_n:].copy()
        self._seen_n += len(slope) - keep_n
        return self._describe(slope, valid, start)

    def _describe(self, slope: FloatArray, valid: BoolArray, start: int) -> Candidates:
        """Find and measure the candidates of one stretch; `start` is the absolute index of its first sample."""
        margin_n = self._margin_n
        valid = valid & ~self._stands_still(slope)
        band, power, offset = self._filter(slope)
        every = self._maxima(power) + offset
        wanted = (every >= margin_n) & (every < len(slope) - margin_n)
        at = every[wanted]
        level = 0.5 * np.log(np.maximum(power, _LOWEST_POWER)[every - offset].astype(np.float64))
        neighbours = [larger[wanted] for larger in _larger_neighbours(every, level, self._neighbour_n)]
        peak_at, peak = self._fiducial(band, valid, at)
        sharp = level[wanted] - _safe_log(self._swing(slope, at))
        quiet = np.clip(self._quiet(power, valid, at, offset=offset) - level[wanted], -5.0, 0.0)
        fine_noise = np.maximum(_safe_log(self._fine_noise(slope, at)) - level[wanted], -5.0)
        static = np.stack([sharp, *quiet, fine_noise, *neighbours])
        good = valid[peak_at] & ~self._is_jump(slope, valid, at)
        return Candidates(
            time_s=((at + start) / self.rate_hz)[good],
            level=level[wanted][good],
            static=static[:, good],
            peak=(peak + start * self.decimation)[good],
            clock_s=(start + len(slope) - margin_n) / self.rate_hz,
        )

    def _filter(self, slope: FloatArray) -> tuple[FloatArray, FloatArray, int]:
        """Band-passed signal, its moving slope energy, and the sample that the energy's first element belongs to."""
        band = _band_pass(slope, self._kernel)
        steep = (band[2:] - band[:-2]) * np.float32(self.rate_hz / 2)
        return band, slide(steep * steep, self._energy_n, np.add), len(self._kernel) + self._energy_n // 2

    def _maxima(self, power: FloatArray) -> IntArray:
        reach_n = self._dominance_n
        largest = slide(power, 2 * reach_n + 1, np.maximum)
        inner = power[reach_n : len(power) - reach_n]
        found = np.flatnonzero((inner == largest) & (inner > _LOWEST_POWER)) + reach_n
        first = np.diff(found, prepend=-reach_n - 1) > reach_n
        return found[first].astype(np.int64)

    def _fiducial(self, band: FloatArray, valid: BoolArray, at: IntArray) -> tuple[IntArray, IntArray]:
        """R-peak within the stretch: sample of the detection signal, and sample at the input rate."""
        reach_n, half_n = self._count(self._settings.fiducial_ms), len(self._kernel)
        window = at[:, None] + np.arange(-reach_n, reach_n + 1)
        size = np.abs(band[window - half_n + 1])
        size[~valid[window]] = 0
        peak_at = at - reach_n + size.argmax(axis=1)
        left, top, right = (np.abs(band[peak_at - half_n + 1 + k]).astype(np.float64) for k in (-1, 0, 1))
        bend = left - 2 * top + right
        shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0)
        exact = (peak_at + np.clip(shift, -0.5, 0.5)) * self.decimation + (self.decimation - 1) / 2
        return peak_at, np.rint(exact).astype(np.int64)

    def _swing(self, slope: FloatArray, at: IntArray) -> DoubleArray:
        """Peak to peak of the signal itself within 100 ms, mV."""
        reach_n = self._count(100.0)
        path = np.cumsum(slope[at[:, None] + np.arange(-reach_n, reach_n + 1)], axis=1, dtype=np.float64)
        return np.asarray(path.max(axis=1) - path.min(axis=1), np.float64)

    def _quiet(self, power: FloatArray, valid: BoolArray, at: IntArray, *, offset: int) -> DoubleArray:
        """Level of the calmest moment 280 to 70 ms before and after the candidate, (2, n).

        A side that touches a gap says nothing, and the other one stands in for it.
        """
        width_n = self._count(210.0) + 1
        calmest = slide(np.where(valid[offset : offset + len(power)], power, np.float32(np.inf)), width_n, np.minimum)
        measured = slide(valid.astype(np.float32), width_n, np.minimum)
        begin = np.stack([at + self._count(-280.0), at + self._count(70.0)])
        level = 0.5 * np.log(np.clip(calmest[begin - offset], _LOWEST_POWER, 1e30).astype(np.float64))
        return np.asarray(np.where(measured[begin] > 0, level, level[::-1]), np.float64)

    def _fine_noise(self, slope: FloatArray, at: IntArray) -> DoubleArray:
        """Mean second difference beside the candidate (80 to 250 ms on both sides), mV/s."""
        width_n = self._count(170.0) + 1
        rough = slide(np.abs(np.diff(slope)), width_n, np.add)
        both = rough[at - 1 + self._count(-250.0)].astype(np.float64) + rough[at - 1 + self._count(80.0)]
        return np.asarray(both * (self.rate_hz / (2 * width_n)), np.float64)

    def _stands_still(self, slope: FloatArray) -> BoolArray:
        """True in every exactly flat run of at least `flat_ms`."""
        flat_n = self._count(self._settings.flat_ms)
        begins = (slide((slope != 0).astype(np.float32), flat_n, np.maximum) == 0).astype(np.float32)
        padding = np.zeros(flat_n - 1, np.float32)
        return slide(np.concatenate([padding, begins, padding]), flat_n, np.maximum) > 0

    def _is_jump(self, slope: FloatArray, valid: BoolArray, at: IntArray) -> BoolArray:
        """True where the signal goes from or to a gap or flat line without coming back."""
        near_n, reach_n = self._count(50.0), self._count(150.0)
        beside_gap = ~(valid[at + near_n] & valid[at - near_n])
        path = np.cumsum(slope[at[:, None] + np.arange(-reach_n, reach_n + 1)], axis=1, dtype=np.float64)
        swing = np.maximum(path.max(axis=1), 0) - np.minimum(path.min(axis=1), 0)
        return np.asarray(beside_gap & (np.abs(path[:, -1]) > 0.7 * swing), np.bool_)


def slide(values: FloatArray, width: int, combine: Callable[[FloatArray, FloatArray], FloatArray]) -> FloatArray:
    """Combine every run of `width` neighbours, element by element in a fixed order.

    Parameters
    ----------
    values : (n,) float32.
    combine : `np.add`, `np.maximum` or `np.minimum`.

    Returns
    -------
    (n - width + 1,) float32; element k is the run that begins at k. The work grows with log2 of the width.
    """
    size_n = len(values) - width + 1
    run, run_n, offset = values, 1, 0
    result: FloatArray | None = None
    while run_n <= width:
        if width & run_n:
            piece = run[offset : offset + size_n]
            result = piece if result is None else combine(result, piece)
            offset += run_n
        run = combine(run[:-run_n], run[run_n:])
        run_n *= 2
    return values[:size_n] if result is None else result


def _difference_kernel(settings: CandidateSettings, rate_hz: float) -> FloatArray:
    """First half of the band-pass that acts on differences; the second half is its negative mirror image."""
    taps_n = round(settings.taps_ms / 1000 * rate_hz) | 1
    edges_hz = [settings.band_low_hz, min(settings.band_high_hz, 0.45 * rate_hz)]
    taps = scipy_signal.firwin(taps_n, edges_hz, fs=rate_hz, pass_zero=False)
    taps = taps - taps.mean()
    return np.cumsum(taps)[: taps_n // 2].astype(np.float32)


def _band_pass(slope: FloatArray, kernel: FloatArray) -> FloatArray:
    """Band-passed signal from its differences; element 0 belongs to sample `len(kernel) - 1` of the input."""
    half_n = len(kernel)
    size_n = len(slope) - 2 * half_n + 1
    band = np.zeros(size_n, np.float32)
    for k, weight in enumerate(kernel):
        last = 2 * half_n - 1 - k
        band += weight * (slope[last : last + size_n] - slope[k : k + size_n])
    return band


def _larger_neighbours(at: IntArray, level: DoubleArray, reach_n: int) -> tuple[DoubleArray, DoubleArray]:
    """By how much the next and the previous candidate are larger, if near; limited to 2 (a factor of 7)."""
    rise = np.where(np.diff(at) < reach_n, np.diff(level), 0.0)
    nothing = np.zeros(min(1, len(at)))
    following = np.concatenate([np.clip(rise, 0.0, 2.0), nothing])
    return following, np.concatenate([nothing, np.clip(-rise, 0.0, 2.0)])


def _safe_log(values: DoubleArray) -> DoubleArray:
    return np.asarray(np.log(np.maximum(values, 1e-15)), np.float64)
