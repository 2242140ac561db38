"""Is this signal good enough to judge? If not: which lead, when, and why.

Knows nothing of beats or models. Faults are judged on the signal as it was recorded: filtering and resampling blur
the repeated values by which saturation and dropouts are told.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy import signal as dsp

from ecgedge.polarity import PolarityJudge
from ecgedge.records import FloatArray, IntArray, Recording, check_rate
from ecgedge.signals import BoolArray, Float64Array, State, check_chunk, pieces, state_array

KINDS = ("missing", "saturated", "dropout", "flat")
"""Faults that make samples bad, the first that fits; `inverted` concerns a whole recording and is a warning."""

FLAT_MV = 0.012
"""A flat line stays within this: two steps of 5 uV, the resolution of MIT-BIH, and a little for rounding."""
RAIL_MV = 1.0
"""A rail lies at least this far from the usual level of the lead; plateaus nearer to it occur in T waves."""
LIMIT_S = {"missing": 0.2, "saturated": 0.05, "dropout": 0.5, "flat": 0.8}
"""Shortest fault that is reported. `flat` is also how far the judgement lies behind the signal."""
_JOIN_S = 3.0  # stretches of one kind this close are one fault: clipped R waves are not one message each
_LEVEL_S = 2.0  # time constant of the usual level: slower than a beat, faster than baseline wander

_WORDS = {
    "missing": ("no signal", "check the electrode"),
    "saturated": ("saturated near {value_mv:.2f} mV", "check the electrode and the gain of the amplifier"),
    "dropout": ("nothing but {value_mv:.3g} mV", "check the cable and the recorder"),
    "flat": ("flat line near {value_mv:.3g} mV", "check the electrode"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with one lead, in words for the user."""

    kind: str
    """One of `KINDS`, or `inverted`."""
    lead: str
    start_s: float
    end_s: float
    value: float
    """What was measured: seconds of bad signal; for `inverted` the share of windows that point down."""
    limit: float
    """What `value` may not reach."""
    message: str

    @property
    def is_warning(self) -> bool:
        """True where the signal can be judged nevertheless."""
        return self.kind not in KINDS


def find_faults(recording: Recording) -> list[Fault]:
    """Faults of a whole recording, by time, as a `FaultFinder` finds them."""
    finder = FaultFinder(recording.fs_hz, recording.leads)
    faults = [fault for piece in pieces(recording.signal) for fault in finder.feed(piece)] + finder.flush()
    return sorted(faults, key=lambda fault: (fault.start_s, recording.leads.index(fault.lead)))


class FaultFinder:
    """Name the faults of a stream, and mark its bad samples, less than 1 s behind the signal.

    missing    not finite
    saturated  one value for 50 ms or more, the most extreme so far, `RAIL_MV` or more from the usual level
    dropout    one value for 0.5 s or more
    flat       within `FLAT_MV` for 0.8 s or more; a lead that is off, or asystole
    inverted   QRS and T point down throughout in a lead that is upright in nearly everyone; told by `flush`

    The same faults and marks come out whatever the size of the chunks; memory is constant.

    Raises
    ------
    InputError
        A rate that is not positive.
    """

    def __init__(self, fs_hz: float, leads: Sequence[str]) -> None:
        check_rate(fs_hz)
        self._samples = _SampleJudge(fs_hz, len(leads))
        self._stretches = _Stretches(fs_hz, leads)
        self._polarity = PolarityJudge(fs_hz, leads)
        self.bad: BoolArray = np.zeros((0, len(leads)), dtype=np.bool_)
        """(n_judged, n_leads) bool: the samples judged by the last call, following those of the call before."""

    @property
    def n_judged(self) -> int:
        """Samples judged since the start; the rows of `bad` are the last of them."""
        return self._stretches.n_seen

    def feed(self, chunk: FloatArray) -> list[Fault]:
        """Take the next chunk, (n_samples, n_leads) float32, mV, and give the faults that have ended."""
        self._polarity.feed(chunk)
        return self._sort(*self._samples.feed(chunk))

    def flush(self) -> list[Fault]:
        """Give the faults still open at the end of the recording; `bad` gets the last marks."""
        faults = self._sort(*self._samples.flush()) + self._stretches.close()
        return faults + [
            _inverted(lead, share, self.n_judged, self._polarity) for lead, share in self._polarity.inverted()
        ]

    def _sort(self, kinds: NDArray[np.int8], values: Float64Array) -> list[Fault]:
        self.bad = kinds >= 0
        return self._stretches.feed(kinds, values)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy of the memory, as arrays."""
        return self._samples.state() | self._stretches.state() | self._polarity.state()

    def restore(self, state: State) -> None:
        """Go on from the `state()` of a finder with the same rate and leads; `InputError` for any other."""
        self._samples.restore(state)
        self._stretches.restore(state)
        self._polarity.restore(state)


class _SampleJudge:
    """The kind of every sample, from a window of fixed length around it."""

    def __init__(self, fs_hz: float, n_leads: int) -> None:
        self._flat_n, self._dropout_n, self._rail_n = (
            max(3, round(LIMIT_S[kind] * fs_hz)) for kind in ("flat", "dropout", "saturated")
        )
        self._forget = 1 / max(1.0, _LEVEL_S * fs_hz)
        self._buffer = np.zeros((0, n_leads))
        self._n_done = 0  # judged samples at the start of the buffer, kept as the past of the others
        self._extremes = np.tile([[-np.inf], [np.inf]], n_leads)
        self._level = np.full(n_leads, np.nan)

    def feed(self, chunk: FloatArray) -> tuple[NDArray[np.int8], Float64Array]:
        check_chunk(chunk, self._level.size)
        self._buffer = np.concatenate([self._buffer, np.where(np.isfinite(chunk), chunk, np.nan)])
        return self._judge(len(self._buffer) - self._flat_n + 1)

    def flush(self) -> tuple[NDArray[np.int8], Float64Array]:
        return self._judge(len(self._buffer))

    def _judge(self, stop: int) -> tuple[NDArray[np.int8], Float64Array]:
        """Kinds (index into `KINDS`, -1 for good) and values of the samples up to `stop` not judged before."""
        start, stop = self._n_done, max(stop, self._n_done)
        plateau, dropout, flat = (
            _calm(self._buffer, n, within_mv=within_mv)[start:stop]
            for n, within_mv in ((self._rail_n, 0.0), (self._dropout_n, 0.0), (self._flat_n, FLAT_MV))
        )
        values = self._buffer[start:stop]
        missing = np.isnan(values)
        rail = self._at_rail(values, plateau, missing)
        kinds = np.select([missing, rail, dropout, flat], list(range(len(KINDS))), default=-1).astype(np.int8)
        n_old = max(0, stop - self._flat_n)
        self._buffer, self._n_done = self._buffer[n_old:].copy(), stop - n_old
        return kinds, values

    def _at_rail(self, values: Float64Array, plateau: BoolArray, missing: BoolArray) -> BoolArray:
        """Where a plateau is not 0, the most extreme value so far, and far from the usual level."""
        free, rail = ~plateau & ~missing, np.zeros(values.shape, dtype=np.bool_)
        for lead in range(values.shape[1]):
            at = np.flatnonzero(plateau[:, lead] & (values[:, lead] != 0))
            level = self._levels(lead, values[:, lead], free[:, lead], at)
            extreme = self._extreme(lead, values[:, lead], at)
            rail[at, lead] = extreme & (np.abs(values[at, lead] - level) >= RAIL_MV)
        return rail

    def _extreme(self, lead: int, values: Float64Array, at: IntArray) -> BoolArray:
        """Which of the samples at `at` are the most extreme of the lead so far."""
        highest, lowest = self._extremes[:, lead]
        if len(at) == 0:
            most, least = np.fmax.reduce(values, initial=highest), np.fmin.reduce(values, initial=lowest)
            self._extremes[:, lead] = most, least
            return np.zeros(0, dtype=np.bool_)
        above, below = (combine.accumulate(values) for combine in (np.fmax, np.fmin))
        self._extremes[:, lead] = np.fmax(above[-1], highest), np.fmin(below[-1], lowest)
        found = values[at]
        extreme = (found == np.fmax(above[at], highest)) | (found == np.fmin(below[at], lowest))
        return np.asarray(extreme, dtype=np.bool_)

    def _levels(self, lead: int, values: Float64Array, free: BoolArray, at: IntArray) -> Float64Array:
        """Usual level of a lead at some samples: an exponential mean that plateaus and gaps leave as it is."""
        taken = values if free.all() else values[free]
        if len(taken) == 0:
            return np.full(len(at), self._level[lead])
        before = taken[0] if np.isnan(self._level[lead]) else self._level[lead]
        keep = 1 - self._forget
        smooth, _ = dsp.lfilter([self._forget], [1, -keep], taken, zi=np.array([keep * before]))
        self._level[lead] = smooth[-1]
        if len(at) == 0:
            return np.zeros(0)
        return np.asarray(np.concatenate([[before], smooth])[np.cumsum(free)[at]], dtype=np.float64)

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {
            "buffer": self._buffer.copy(),
            "n_done": np.array([self._n_done]),
            "extremes": self._extremes.copy(),
            "level": self._level.copy(),
        }

    def restore(self, state: State) -> None:
        self._buffer = state_array(state, "buffer", shape=(-1, self._level.size))
        self._n_done = int(state_array(state, "n_done", shape=(1,))[0])
        self._extremes = state_array(state, "extremes", shape=self._extremes.shape)
        self._level = state_array(state, "level", shape=self._level.shape)


def _calm(values: Float64Array, n_samples: int, *, within_mv: float) -> BoolArray:
    """Which samples lie in a window of `n_samples` whose values stay within `within_mv`; not finite is never calm.

    Only samples near a calm block are looked at closely, since nearly all of a recording is not calm.
    """
    calm = np.zeros(values.shape, dtype=np.bool_)
    for lead in range(values.shape[1]):
        near = _near_calm_blocks(values[:, lead], n_samples // 2, within_mv=within_mv)
        place = np.arange(len(near)) + np.cumsum(np.diff(near, prepend=near[:1]) > 1)  # stretches stay apart
        packed = np.full(place[-1] + 1 if len(place) else 0, np.nan)
        packed[place] = values[near, lead]
        calm[near, lead] = _in_calm_window(packed, n_samples, within_mv=within_mv)[place]
    return calm


def _near_calm_blocks(values: Float64Array, size: int, *, within_mv: float) -> IntArray:
    """Indices, rising, of samples at most two blocks from a block of `size` that is calm.

    A window of two blocks' length or one more, wherever it begins, holds a whole block: the others hold no such window.
    """
    n_blocks = len(values) // size
    blocks = values[: n_blocks * size].reshape(n_blocks, size)
    found = np.flatnonzero(np.abs(blocks[:, -1] - blocks[:, 0]) <= within_mv)
    found = found[np.ptp(blocks[found], axis=1) <= within_mv]
    near = np.zeros(n_blocks + 5, dtype=np.bool_)
    for distance in range(5):
        near[found + distance] = True
    index = (np.flatnonzero(near[2:-2])[:, np.newaxis] * size + np.arange(size)).ravel()
    return index[: np.searchsorted(index, len(values))]


def _in_calm_window(values: Float64Array, n_samples: int, *, within_mv: float) -> BoolArray:
    """As `_calm`, of one lead, every sample looked at."""
    if len(values) < n_samples:
        return np.zeros(values.shape, dtype=np.bool_)
    ahead = -(n_samples // 2)  # windows that begin at their index
    missing = np.isnan(values)
    highest = ndimage.maximum_filter1d(np.where(missing, np.inf, values), n_samples, origin=ahead)
    lowest = ndimage.minimum_filter1d(np.where(missing, -np.inf, values), n_samples, origin=ahead)
    index = np.arange(len(values))
    begins = (highest <= lowest + within_mv) & np.isfinite(highest) & (index <= len(values) - n_samples)
    last_begin = np.maximum.accumulate(np.where(begins, index, -n_samples))
    return np.asarray(last_begin > index - n_samples, dtype=np.bool_)


class _Stretches:
    """Join bad samples to faults. Memory per kind and lead: (start, end, n_bad, value) of the fault that is open."""

    def __init__(self, fs_hz: float, leads: Sequence[str]) -> None:
        self._fs_hz, self._leads = fs_hz, tuple(leads)
        self._open = np.full((len(KINDS), len(leads), 4), np.nan)
        self.n_seen = 0

    def feed(self, kinds: NDArray[np.int8], values: Float64Array) -> list[Fault]:
        faults: list[Fault] = []
        for kind in np.unique(kinds[kinds >= 0]):
            for lead in range(len(self._leads)):
                for start, stop in _runs(kinds[:, lead] == kind):
                    faults += self._extend((int(kind), lead), start, stop, value=float(values[start, lead]))
        self.n_seen += len(kinds)
        faults += self.close(self.n_seen - _JOIN_S * self._fs_hz)
        # In the order in which they end, whatever the chunks: small ones close them in that order anyway.
        return sorted(faults, key=lambda fault: (fault.end_s, self._leads.index(fault.lead), KINDS.index(fault.kind)))

    def _extend(self, place: tuple[int, int], start: int, stop: int, *, value: float) -> list[Fault]:
        """Lengthen the open fault, or close it and open another."""
        start, stop = start + self.n_seen, stop + self.n_seen
        closed = []
        if start - self._open[place][1] > _JOIN_S * self._fs_hz:
            closed = self._close(place)
        if np.isnan(self._open[place][0]):
            self._open[place] = start, stop, 0, value
        self._open[place][1:3] = stop, self._open[place][2] + stop - start
        return closed

    def close(self, before: float = np.inf) -> list[Fault]:
        """Close the faults that ended before a sample."""
        places = [(int(kind), int(lead)) for kind, lead in np.argwhere(self._open[:, :, 1] < before)]
        return [fault for place in places for fault in self._close(place)]

    def _close(self, place: tuple[int, int]) -> list[Fault]:
        start, end, n_bad, value_mv = self._open[place].tolist()
        self._open[place] = np.nan
        kind, lead, bad_s = KINDS[place[0]], self._leads[place[1]], n_bad / self._fs_hz
        if bad_s < LIMIT_S[kind] - 0.5 / self._fs_hz:
            return []
        start_s, end_s = start / self._fs_hz, end / self._fs_hz
        what, remedy = _WORDS[kind]
        when = f"from {start_s:.1f} s to {end_s:.1f} s ({bad_s:.3g} s; limit {LIMIT_S[kind]} s)"
        message = f"lead {lead}: {what.format(value_mv=value_mv)} {when}; {remedy}"
        return [Fault(kind, lead, start_s, end_s, bad_s, LIMIT_S[kind], message)]

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"open": self._open.copy(), "n_seen": np.array([self.n_seen])}

    def restore(self, state: State) -> None:
        self._open = state_array(state, "open", shape=self._open.shape)
        self.n_seen = int(state_array(state, "n_seen", shape=(1,))[0])


def _runs(mask: BoolArray) -> list[tuple[int, int]]:
    """Start and stop of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _inverted(lead: str, share: float, n_samples: int, judge: PolarityJudge) -> Fault:
    message = (
        f"lead {lead}: QRS and T point down in {share:.0%} of the recording (limit {judge.limit:.0%}); "
        "check for swapped electrodes"
    )
    return Fault("inverted", lead, 0.0, n_samples / judge.fs_hz, share, judge.limit, message)
