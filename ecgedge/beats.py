"""From a lead and its R-peaks to the inputs of a beat model: causal, and the same for file and stream.

A beat is complete when the next R-peak is known, or when none can come any more within the limit of the settings;
so nothing waits for ever. Knows nothing of models, labels or detectors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge.plain import from_plain, to_plain
from ecgedge.records import FloatArray, IntArray
from ecgedge.rhythm import Features, RhythmContext
from ecgedge.signals import StreamingFilter, butterworth_bandpass
from ecgedge.templates import RunningTemplate, landmarks, no_shape_past, shape_features

State = dict[str, NDArray[np.generic]]
Float64Array = NDArray[np.float64]

_BLOCK_BEATS = 1024  # worked on at once; bounds memory
_QRS_MS = (-100.0, 150.0)
"""Where the size of the usual QRS is taken, around the R-peak."""
_SMALLEST_QRS_MV = 0.2
_SEARCH_MS = 70.0
"""How far the centre of the QRS may lie from the R-peak; windows are cut around the centre."""


@dataclass(frozen=True, slots=True)
class BeatSettings:
    """All numbers between a filtered lead and a beat model's inputs."""

    features: tuple[str, ...]
    """Names of the features, in the model's order."""
    centre: tuple[float, ...]
    """Subtracted from each feature; fitted on the training patients."""
    scale: tuple[float, ...]
    """Each feature is divided by it; fitted on the training patients."""
    clip: float = 2.0
    """Inputs are clipped to plus or minus this, so that 8 bits suffice."""
    fs_hz: float = 360.0
    """Rate of the signal that is fed, Hz."""
    low_hz: float = 0.5
    """Lower edge of the causal Butterworth band-pass, Hz."""
    high_hz: float = 35.0
    """Upper edge, Hz."""
    order: int = 3
    """Of each slope."""
    stride: int = 3
    """Every so many samples one is taken into the window: 120 Hz from 360 Hz."""
    n_before: int = 43
    """Window samples before the centre of the QRS."""
    n_window: int = 96
    """Window samples in all."""
    limit_s: float = 1.5
    """Longest interval to the next beat that counts; a longer one is this, s."""
    peak_lag_s: float = 1.5
    """An R-peak is known so long after it at the latest, s."""
    template_beats: int = 32
    """The usual beat is the median of so many."""
    template_every: int = 8
    """It is renewed after so many beats."""
    early_30: float = -0.12
    """A beat with a shorter log interval against the median of 30 is not usual."""
    early_200: float = -0.35
    """The same against the upper quantile of 200."""

    def to_manifest(self) -> dict[str, Json]:
        """As plain values."""
        return to_plain(self)

    @classmethod
    def from_manifest(cls, raw: Mapping[str, Json]) -> "BeatSettings":
        """From plain values; ValueError where a key or type is wrong."""
        settings = from_plain(cls, raw, where="beats")
        if not len(settings.features) == len(settings.centre) == len(settings.scale):
            raise ValueError("beats.features, centre and scale differ in length")
        return settings


@dataclass(frozen=True)
class BeatBatch:
    """Inputs of some beats, in order of time."""

    r_peak: IntArray
    """(n,) int64, sample index at the rate of the settings."""
    rr_ms: FloatArray
    """(n,) float32, ms since the beat before; NaN for the first and across gaps."""
    inputs: dict[str, FloatArray]
    """`beat` (n, 1, n_window, 2): the window and the usual beat, in units of the usual QRS; `features` (n, k)."""

    def __getitem__(self, part: slice) -> "BeatBatch":
        inputs = {name: values[part] for name, values in self.inputs.items()}
        return BeatBatch(self.r_peak[part], self.rr_ms[part], inputs)


def empty_batch(settings: BeatSettings) -> BeatBatch:
    """A batch of no beats."""
    beat = np.zeros((0, 1, settings.n_window, 2), np.float32)
    features = np.zeros((0, len(settings.features)), np.float32)
    return BeatBatch(np.zeros(0, np.int64), np.zeros(0, np.float32), {"beat": beat, "features": features})


def join_batches(batches: Sequence[BeatBatch]) -> BeatBatch:
    """One batch of several, in their order."""
    inputs = {name: np.concatenate([batch.inputs[name] for batch in batches]) for name in batches[0].inputs}
    r_peak = np.concatenate([batch.r_peak for batch in batches])
    return BeatBatch(r_peak, np.concatenate([batch.rr_ms for batch in batches]), inputs)


def cut_beats(signal: FloatArray, r_peaks: IntArray, settings: BeatSettings) -> BeatBatch:
    """Inputs of all beats of a lead: `BeatCutter` fed once.

    Parameters
    ----------
    signal : (n_samples, 1) float32, mV, raw, at `settings.fs_hz`; NaN where nothing was measured
    r_peaks : (n,) int64, increasing
    """
    cutter = BeatCutter(settings)
    return join_batches([cutter.feed(signal, r_peaks), cutter.flush()])


class BeatCutter:
    """Cut and describe the beats of one lead while it is being recorded; memory is constant."""

    def __init__(self, settings: BeatSettings) -> None:
        self._settings = settings
        sos = butterworth_bandpass(settings.low_hz, settings.high_hz, settings.fs_hz, order=settings.order)
        self._filter = StreamingFilter(sos, 1)
        self._describer = BeatDescriber(settings)
        self._signal = np.zeros(0, np.float32)
        self._start = 0  # index of the buffer's first sample
        self._missing = np.zeros(1, np.int64)  # samples not measured before each of the buffer, and in all
        self._peaks = np.zeros(0, np.int64)  # not yet given out
        self._last = np.array([-1, 0])  # R-peak given out last, and the samples not measured before it
        self._search_n = round(_SEARCH_MS / 1000 * settings.fs_hz)

    def feed(self, signal: FloatArray, r_peaks: IntArray) -> BeatBatch:
        """Take the next samples, and the R-peaks that have become known; give the beats that are complete.

        Parameters
        ----------
        signal : (n_samples, 1) float32, mV
        r_peaks : (n,) int64, samples since the start, increasing over all calls, at most `peak_lag_s` behind

        Raises
        ------
        InputError
            R-peaks that do not increase.
        """
        filtered = self._filter.feed(signal)[:, 0]
        self._signal = np.concatenate([self._signal, filtered])
        self._missing = np.concatenate([self._missing, self._missing[-1] + np.cumsum(np.isnan(filtered))])
        self._peaks = np.concatenate([self._peaks, r_peaks])
        if np.any(np.diff(self._peaks, prepend=self._last[0]) <= 0):
            raise InputError("R-peaks do not increase; give each once, in order of time")
        return self._give(self._n_complete())

    def flush(self) -> BeatBatch:
        """The beats still open at the end of the signal; an R-peak beyond it is left out."""
        self._peaks = self._peaks[: int(np.searchsorted(self._peaks, self._end))]
        return self._give(len(self._peaks))

    @property
    def _end(self) -> int:
        return self._start + len(self._signal)

    def _n_complete(self) -> int:
        """Beats whose window is there, and whose next R-peak is known or cannot come in time any more."""
        settings = self._settings
        settled = self._end - (settings.limit_s + settings.peak_lag_s) * settings.fs_hz
        reach_n = 2 * self._search_n + (settings.n_window - settings.n_before) * settings.stride
        followed = np.arange(1, len(self._peaks) + 1) < len(self._peaks)
        complete = (followed | (self._peaks <= settled)) & (self._peaks + reach_n < self._end)
        return int(np.argmin(np.append(complete, False)))

    def _give(self, n: int) -> BeatBatch:
        batches = [empty_batch(self._settings)]
        while n:
            batches.append(self._block(min(n, _BLOCK_BEATS)))
            n -= len(batches[-1].r_peak)
        self._forget()
        return join_batches(batches)

    def _block(self, n: int) -> BeatBatch:
        peaks = self._peaks[: n + 1]
        missing = self._missing[np.clip(peaks - self._start, 0, len(self._signal))]
        rr_s = self._intervals_s(np.append(self._last[0], peaks), np.append(self._last[1], missing))
        limit_s = self._settings.limit_s
        after_s = np.minimum(np.nan_to_num(np.append(rr_s[1:], limit_s)[:n], nan=limit_s), limit_s)
        inputs = self._describer.feed(self._windows(peaks[:n]), rr_s[:n], after_s)
        self._last = np.array([peaks[n - 1], missing[n - 1]])
        self._peaks = self._peaks[n:]
        return BeatBatch(peaks[:n].copy(), (1000 * rr_s[:n]).astype(np.float32), inputs)

    def _intervals_s(self, peaks: IntArray, missing: IntArray) -> Float64Array:
        """(n - 1,) s between peaks; NaN across a gap in the signal, and before the first beat."""
        whole = (np.diff(missing) == 0) & (peaks[:-1] >= 0)
        return np.where(whole, np.diff(peaks) / self._settings.fs_hz, np.nan)

    def _windows(self, peaks: IntArray) -> FloatArray:
        """(n, n_window) float32, mV, around the centre of each QRS; NaN where nothing was measured."""
        offsets = (np.arange(self._settings.n_window) - self._settings.n_before) * self._settings.stride
        return self._at(self._centres(peaks)[:, np.newaxis] + offsets)

    def _centres(self, peaks: IntArray) -> IntArray:
        """Centre of gravity of the slope energy, found twice: steadier than an R-peak in wide or notched QRS."""
        offsets = np.arange(-self._search_n, self._search_n + 1)
        centres = peaks
        for _ in range(2):
            index = centres[:, np.newaxis] + offsets
            energy = np.nan_to_num((self._at(index) - self._at(index - 1)).astype(np.float64)) ** 2
            shift = np.ascontiguousarray(energy * offsets).sum(1) / (energy.sum(1) + 1e-9)
            centres = centres + np.rint(shift).astype(np.int64)
        return np.asarray(centres, dtype=np.int64)

    def _at(self, index: IntArray) -> FloatArray:
        """The signal at sample indices; its ends are held."""
        return self._signal[np.clip(index - self._start, 0, len(self._signal) - 1)]

    def _forget(self) -> None:
        """Drop the signal that no coming beat needs."""
        settings = self._settings
        oldest = self._end - round(settings.peak_lag_s * settings.fs_hz)
        if len(self._peaks):
            oldest = min(oldest, int(self._peaks[0]))
        n_old = oldest - (3 * self._search_n + settings.n_before * settings.stride + 2) - self._start
        if n_old > 0:
            self._signal, self._missing = self._signal[n_old:].copy(), self._missing[n_old:].copy()
            self._start += n_old

    def state(self) -> State:
        """Everything that changes while running, as arrays."""
        own: State = {
            "signal": self._signal.copy(),
            "start": np.array(self._start),
            "missing": self._missing.copy(),
            "peaks": self._peaks.copy(),
            "last": self._last.copy(),
        }
        own |= {f"filter.{key}": value for key, value in self._filter.state().items()}
        return own | {f"describer.{key}": value for key, value in self._describer.state().items()}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from the `state()` of a cutter with the same settings; KeyError where a part is missing."""
        self._signal = state["signal"].astype(np.float32)
        self._start = int(state["start"].astype(np.int64)[()])
        self._missing, self._peaks, self._last = (state[name].astype(np.int64) for name in ("missing", "peaks", "last"))
        self._filter.restore(part_of(state, "filter"))
        self._describer.restore(part_of(state, "describer"))


class BeatDescriber:
    """Inputs of the model from windows and intervals, with the memory of rhythm and usual beat."""

    def __init__(self, settings: BeatSettings) -> None:
        self._settings = settings
        self._rhythm = RhythmContext()
        self._template = RunningTemplate(settings.template_beats, settings.template_every, settings.n_window)
        self._marks = landmarks(settings.n_before, settings.fs_hz / settings.stride)
        self._past = no_shape_past(settings.n_window)
        self._centre, self._scale = np.array(settings.centre), np.array(settings.scale)

    def feed(self, windows: FloatArray, before_s: Float64Array, after_s: Float64Array) -> dict[str, FloatArray]:
        """Model inputs of the next beats, see `BeatBatch.inputs`."""
        found, beats, templates = self.describe(windows, before_s, after_s)
        features = np.stack([found[name] for name in self._settings.features], axis=1)
        clip = self._settings.clip
        scaled = np.clip((np.nan_to_num(features) - self._centre) / self._scale, -clip, clip)
        beat = np.clip(np.stack([beats, templates], axis=-1), -clip, clip)[:, np.newaxis]
        return {"beat": beat.astype(np.float32), "features": scaled.astype(np.float32)}

    def describe(
        self, windows: FloatArray, before_s: Float64Array, after_s: Float64Array
    ) -> tuple[Features, FloatArray, FloatArray]:
        """All features by name, the windows and the usual beats in units of the usual QRS."""
        settings = self._settings
        whole = np.asarray(np.isfinite(windows).all(axis=1))
        found = self._rhythm.feed(before_s, after_s)
        early = (found["before/q50_30"] <= settings.early_30) | (found["before/q80_200"] <= settings.early_200)
        templates = self._template.feed(np.nan_to_num(windows), whole & ~early)
        filled = np.where(whole[:, np.newaxis], windows, templates)
        first, last = (settings.n_before + round(ms / 1000 * settings.fs_hz / settings.stride) for ms in _QRS_MS)
        size = np.maximum(np.ptp(templates[:, first:last], axis=1, keepdims=True), np.float32(_SMALLEST_QRS_MV))
        beats, templates = filled / size, templates / size
        shapes = shape_features(beats, templates, marks=self._marks, whole=whole, past=self._past)
        return found | shapes, beats, templates

    def state(self) -> State:
        """Copy of the memory, as arrays."""
        own: State = {name: getattr(self._past, name).copy() for name in ("p_match", "qrs", "shapes")}
        own |= {f"rhythm.{key}": value for key, value in self._rhythm.state().items()}
        return own | {f"template.{key}": value for key, value in self._template.state().items()}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from a saved state."""
        self._past.p_match, self._past.qrs = (state[name].astype(np.float64) for name in ("p_match", "qrs"))
        self._past.shapes = state["shapes"].astype(np.float32)
        self._rhythm.restore(part_of(state, "rhythm"))
        self._template.restore(part_of(state, "template"))


def part_of(state: Mapping[str, NDArray[np.generic]], name: str) -> State:
    """The entries of a state whose names begin with `name.`, without that."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
