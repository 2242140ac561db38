"""Streaming R-peak detector: constant memory, at most 1.5 s behind the signal, the same peaks for any chunking.

`qrs_candidates.py` describes every place where a beat could be; here each one is judged in order of time. The frame is
that of Pan & Tompkins (1985, 10.1109/TBME.1985.325532): slope energy in a QRS band, running levels of signal and
noise, a refractory zone, a running RR interval, a search back. Departures: the thresholds are one logistic score, so
that rhythm, level, sharpness and the neighbours of a candidate weigh against each other; its weights were fitted on DS1
alone (`benchmarks/rpeaks_search.py`). Levels are medians of the last eight beats on a logarithmic scale, so gain does
not matter; a candidate waits for the next 0.35 s before it is judged, and the search back is bounded to keep the delay.

Knows nothing of leads, beat classes or files.
"""

from collections import deque
from dataclasses import astuple, dataclass, field
from itertools import chain
from math import log

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.qrs_candidates import CandidateFinder, Candidates, CandidateSettings
from ecgedge.records import FloatArray, IntArray

State = dict[str, NDArray[np.generic]]
Waiting = tuple[float, float, float, float, int]
"""A candidate: time in s, level, sharpness, score of its own (rhythm not yet counted), peak sample."""

_MEDIAN_OF = 8
_LOWEST_RATE_HZ = 60.0


@dataclass(frozen=True, slots=True)
class CandidateWeights:
    """Weights of a candidate's own features; see `STATIC_FEATURES`. Fitted on DS1."""

    sharp: float = 3.642
    """Slope over swing: QRS are sharper than P and T waves."""
    quiet_before: float = -1.16
    """Calmest moment just before, relative to the candidate: noise has none."""
    quiet_after: float = -0.827
    """Calmest moment just after."""
    fine_noise: float = -0.845
    """Muscle noise beside the candidate."""
    larger_next: float = -3.179
    """A larger candidate follows within 0.35 s: this one is a P wave."""
    larger_before: float = -1.384
    """A larger candidate came just before: this one is a T wave."""


@dataclass(frozen=True, slots=True)
class RhythmWeights:
    """Weights of what a candidate is worth after the beats before it. Fitted on DS1."""

    level: float = 1.035
    """Level above the median of the last beats."""
    over_noise: float = -0.222
    """Level above the running noise, at most 5."""
    below_last: float = 1.205
    """Level below the last beat, 0 where above."""
    within_250: float = 0.296
    """Seconds short of 0.25 s after the last beat: refractory."""
    within_400: float = 2.893
    """Seconds short of 0.40 s after the last beat: T wave."""
    early: float = 3.549
    """Logarithm of the interval over the running RR, where shorter, at least -1."""
    late: float = -2.411
    """The same where longer, at most 0.7."""
    sharper: float = -3.508
    """Sharpness above the median of the last beats."""
    small_and_early: float = 2.34
    """Level above the last beats, times seconds short of 0.6 s after the last one."""
    contrast: float = 0.305
    """Level of the beats above the noise, at most 4."""


@dataclass(frozen=True, slots=True)
class RPeakSettings:
    """All tuned numbers of the detector, chosen on DS1."""

    finder: CandidateSettings = field(default_factory=CandidateSettings)
    """Filters and windows."""
    bias: float = -15.341
    """Constant of the logistic score; a candidate above 0 is a beat."""
    own: CandidateWeights = field(default_factory=CandidateWeights)
    """Weights of a candidate's own features."""
    rhythm: RhythmWeights = field(default_factory=RhythmWeights)
    """Weights against the beats before."""
    noise_rate: float = 0.15
    """Share by which one rejected candidate moves the noise level (Pan & Tompkins: 0.125)."""
    search_back_rr: float = 1.35
    """A pause of so many running RR intervals starts the search back (Pan & Tompkins: 1.66)."""
    search_back_margin: float = 1.0
    """So far below 0 may a score lie that the search back still takes."""
    search_back_wait_s: float = 0.6
    """The best rejected candidate waits so long for the search back; bounded by the 1.5 s delay."""
    learning_s: float = 0.6
    """The first candidates wait so long before the first level is set."""
    learning_contrast: float = 1.0
    """So far must the strongest of them stand out from the others (a factor of e); else the wait goes on."""
    learning_limit_s: float = 3.0
    """After so long the level is set in any case."""
    relearn_after_s: float = 2.5
    """Without a beat for so long, the levels sink towards what is there."""
    relearn_step: float = 0.1
    """Share by which one candidate then moves them."""
    refractory_ms: float = 100.0
    """Two R-peaks are never closer."""


class BeatJudge:
    """Says of each candidate, in order of time, whether it is a beat."""

    def __init__(self, settings: RPeakSettings) -> None:
        self._settings = settings
        self._weights = astuple(settings.rhythm)
        self._levels: deque[float] = deque(maxlen=_MEDIAN_OF)
        self._sharps: deque[float] = deque(maxlen=_MEDIAN_OF)
        self._intervals: deque[float] = deque(maxlen=_MEDIAN_OF)
        self._signal = self._noise = self._last_level = self._sharp = 0.0
        self._last_s, self._rr_s = -10.0, 0.8
        self._first_s = float("inf")
        self._learnt = False
        self._waiting: list[Waiting] = []
        self._best: tuple[Waiting, float] | None = None
        self._accepted: list[int] = []

    def judge(self, found: Candidates) -> list[int]:
        """Judge the next candidates and return the peak samples of the beats among them."""
        rows = zip(
            found.time_s.tolist(),
            found.level.tolist(),
            found.static[0].tolist(),
            self._own_scores(found.static).tolist(),
            found.peak.tolist(),
            strict=True,
        )
        for row in rows:
            self._take(row)
        self._learn_until(found.clock_s)
        self._expire(found.clock_s)
        accepted, self._accepted = self._accepted, []
        return accepted

    def flush(self) -> list[int]:
        """Judge what still waits at the end of the signal."""
        self._learn_until(float("inf"))
        self._expire(float("inf"))
        accepted, self._accepted = self._accepted, []
        return accepted

    def state(self) -> State:
        """Everything that changes while running, as arrays."""
        best = [] if self._best is None else [(*self._best[0], self._best[1])]
        scalars = (self._signal, self._noise, self._last_level, self._sharp, self._last_s, self._rr_s, self._first_s)
        return {
            "levels": np.array(self._levels, np.float64),
            "sharps": np.array(self._sharps, np.float64),
            "intervals": np.array(self._intervals, np.float64),
            "scalars": np.array(scalars, np.float64),
            "learnt": np.array(self._learnt),
            "waiting": np.array(self._waiting, np.float64).reshape(-1, 5),
            "best": np.array(best, np.float64).reshape(-1, 6),
        }

    def restore(self, state: State) -> None:
        """Go on from what `state` returned."""
        self._levels = deque(_floats(state["levels"]), _MEDIAN_OF)
        self._sharps = deque(_floats(state["sharps"]), _MEDIAN_OF)
        self._intervals = deque(_floats(state["intervals"]), _MEDIAN_OF)
        (self._signal, self._noise, self._last_level, self._sharp, self._last_s, self._rr_s, self._first_s) = _floats(
            state["scalars"]
        )
        self._learnt = bool(state["learnt"])
        waiting = _floats(state["waiting"])
        self._waiting = [_waiting(waiting[k : k + 5]) for k in range(0, len(waiting), 5)]
        best = _floats(state["best"])
        self._best = (_waiting(best[:5]), best[5]) if best else None

    def _own_scores(self, static: NDArray[np.float64]) -> NDArray[np.float64]:
        score = np.full(static.shape[1], self._settings.bias)
        for weight, row in zip(astuple(self._settings.own), static, strict=True):
            score += weight * row
        return score

    def _take(self, row: Waiting) -> None:
        self._first_s = min(self._first_s, row[0])
        self._learn_until(row[0])
        if self._learnt:
            self._decide(row)
        else:
            self._waiting.append(row)

    def _learn_until(self, now_s: float) -> None:
        """Set the first levels from the candidates that have waited long enough by `now_s`."""
        while not self._learnt and self._waiting and now_s >= self._waiting[0][0] + self._settings.learning_s:
            late = self._waiting[0][0] + self._settings.learning_s > self._first_s + self._settings.learning_limit_s
            strongest = max(self._waiting, key=lambda row: row[1])
            others = [row[1] for row in self._waiting if row is not strongest] or [strongest[1] - 2.5]
            contrast = strongest[1] - sum(others) / len(others)
            if late or contrast > self._settings.learning_contrast:
                self._learn(strongest, contrast)
            else:
                self._waiting.pop(0)

    def _learn(self, strongest: Waiting, contrast: float) -> None:
        self._signal = self._last_level = strongest[1]
        self._sharp = strongest[2]
        self._noise = self._signal - min(max(contrast, 1.0), 4.0)
        self._learnt = True
        waiting, self._waiting = self._waiting, []
        for row in waiting:
            self._decide(row)

    def _decide(self, row: Waiting) -> None:
        self._expire(row[0])
        score = row[3]
        for weight, value in zip(self._weights, self._rhythm(row[0], row[1], row[2]), strict=True):
            score += weight * value
        if score > 0:
            self._search_back(row[0])
            self._accept(row)
        else:
            self._reject(row, score)

    def _rhythm(self, time_s: float, level: float, sharp: float) -> tuple[float, ...]:
        """Features in the order of `RhythmWeights`."""
        since_s = time_s - self._last_s
        over = max(level - self._signal, -4.0)
        pace = log(since_s / self._rr_s) if since_s > 0 else -1.0
        return (
            over,
            min(level - self._noise, 5.0),
            min(level - self._last_level, 0.0),
            max(0.25 - since_s, 0.0),
            max(0.40 - since_s, 0.0),
            max(min(pace, 0.0), -1.0),
            min(max(pace, 0.0), 0.7),
            sharp - self._sharp,
            max(0.60 - since_s, 0.0) * over,
            min(self._signal - self._noise, 4.0),
        )

    def _accept(self, row: Waiting) -> None:
        time_s, level, sharp, _, peak = row
        self._levels.append(min(level, self._signal + 0.7))
        self._sharps.append(sharp)
        self._signal, self._sharp = _median(self._levels), _median(self._sharps)
        since_s = time_s - self._last_s
        if 0.2 < since_s < 2.0:
            self._intervals.append(since_s)
            self._rr_s = _median(self._intervals)
        self._last_level, self._last_s, self._best = level, time_s, None
        self._accepted.append(peak)

    def _reject(self, row: Waiting, score: float) -> None:
        level = min(max(row[1], self._signal - 5.0), self._signal)
        self._noise += self._settings.noise_rate * (level - self._noise)
        if row[0] - self._last_s > self._settings.relearn_after_s:
            self._signal += self._settings.relearn_step * (level - self._signal)
            self._sharp += self._settings.relearn_step * (row[2] - self._sharp)
        if self._best is None or score > self._best[1]:
            self._best = (row, score)

    def _expire(self, now_s: float) -> None:
        if self._best is not None and now_s >= self._best[0][0] + self._settings.search_back_wait_s:
            self._search_back(self._best[0][0] + self._settings.search_back_wait_s)
            self._best = None

    def _search_back(self, now_s: float) -> None:
        """Take the best rejected candidate if the pause up to `now_s` is too long without it."""
        if self._best is None or now_s - self._last_s < self._settings.search_back_rr * self._rr_s:
            return
        row, score = self._best
        if score > -self._settings.search_back_margin and row[0] - self._last_s > 0.3 and now_s - row[0] > 0.3:
            self._accept(row)


class RPeakDetector:
    """R-peaks of one lead while it is being recorded.

    Parameters
    ----------
    fs_hz : sampling rate, Hz; tuned for 100 to 2000.
    settings : all tuned numbers.

    Raises
    ------
    InputError : a rate that is not a number or below 60 Hz.

    Example
    -------
    >>> detector = RPeakDetector(360.0)
    >>> detector.feed(np.zeros(3600, np.float32))
    array([], dtype=int64)
    """

    def __init__(self, fs_hz: float, settings: RPeakSettings = RPeakSettings()) -> None:
        if not (np.isfinite(fs_hz) and fs_hz >= _LOWEST_RATE_HZ):
            raise InputError(
                f"sampling rate {fs_hz} Hz; R-peaks need at least {_LOWEST_RATE_HZ:g} Hz; correct the rate or resample"
            )
        self._finder = CandidateFinder(float(fs_hz), settings.finder)
        self._judge = BeatJudge(settings)
        self._refractory_n = round(settings.refractory_ms / 1000 * fs_hz)
        self._last_peak = -self._refractory_n - 1

    @property
    def delay_s(self) -> float:
        """Longest time between an R-peak and the sample with which it is returned, s."""
        settings = self._judge._settings
        return self._finder.delay_s + settings.search_back_wait_s + settings.finder.fiducial_ms / 1000

    def feed(self, signal: FloatArray) -> IntArray:
        """Take the next samples and return the R-peaks that are certain now.

        Parameters
        ----------
        signal : (n,) float32, mV, any n; NaN where nothing was measured.

        Returns
        -------
        (n_peaks,) int64, sample indices since the start, strictly increasing over all calls.

        Raises
        ------
        InputError : a signal with more or fewer axes than one.
        """
        lead = np.asarray(signal, dtype=np.float32)
        if lead.ndim != 1:
            raise InputError(f"signal of shape {lead.shape}; one axis is needed; pass one lead at a time")
        peaks = [self._judge.judge(found) for found in self._finder.feed(lead)]
        return self._spaced(chain.from_iterable(peaks))

    def flush(self) -> IntArray:
        """Return the R-peaks that still waited for later samples; the detector must not be fed again."""
        return self._spaced(self._judge.judge(self._finder.flush()) + self._judge.flush())

    def state(self) -> State:
        """All running state as arrays (for `numpy.savez`): a restarted device goes on bit for bit."""
        finder = {f"finder_{name}": value for name, value in self._finder.state().items()}
        judge = {f"judge_{name}": value for name, value in self._judge.state().items()}
        return {**finder, **judge, "last_peak": np.array(self._last_peak)}

    def restore(self, state: State) -> None:
        """Go on from what `state` of a detector with the same rate and settings returned.

        Raises
        ------
        InputError : state of another rate or settings, or not a detector's state.
        """
        try:
            self._finder.restore({name.removeprefix("finder_"): state[name] for name in state if "finder_" in name})
            self._judge.restore({name.removeprefix("judge_"): state[name] for name in state if "judge_" in name})
            self._last_peak = int(state["last_peak"].astype(np.int64)[()])
        except KeyError as missing:
            raise InputError(f"detector state without {missing}; it is cut short; start without it") from None

    def _spaced(self, peaks: chain[int] | list[int]) -> IntArray:
        kept = []
        for peak in peaks:
            if peak > self._last_peak + self._refractory_n:
                kept.append(peak)
                self._last_peak = peak
        return np.array(kept, dtype=np.int64)


def detect_rpeaks(signal: FloatArray, fs_hz: float, *, settings: RPeakSettings = RPeakSettings()) -> IntArray:
    """R-peaks of one whole lead; the same peaks as the stream gives.

    Parameters
    ----------
    signal : (n_samples,) float32, mV; NaN where nothing was measured.
    fs_hz : sampling rate, Hz.

    Returns
    -------
    (n_peaks,) int64, sample indices, strictly increasing.

    Raises
    ------
    InputError : an impossible rate, or a signal with more or fewer axes than one.
    """
    detector = RPeakDetector(fs_hz, settings)
    return np.concatenate([detector.feed(signal), detector.flush()])


def _median(values: deque[float]) -> float:
    """Upper median: of two beats at the start, the larger one counts."""
    return sorted(values)[len(values) // 2]


def _floats(values: NDArray[np.generic]) -> list[float]:
    return [float(value) for value in values.astype(np.float64).ravel().tolist()]


def _waiting(values: list[float]) -> Waiting:
    return (values[0], values[1], values[2], values[3], int(values[4]))
