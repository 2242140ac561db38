"""The last of a signal, to look at its quality and to keep with an alarm. Knows nothing of beats."""

import math

import numpy as np

from ecgedge.quality import Fault, find_faults
from ecgedge.records import FloatArray, Recording

RING_S = 30.0
"""Kept over from chunk to chunk."""
_EDGE_S = 1.0
"""Looked at on both sides of a stretch: a fault shows only when it has lasted for a while."""


class SignalAtHand:
    """One lead of a stream: the newest chunk whole, and at least 30 s where there were as many."""

    def __init__(self, fs_hz: float) -> None:
        self._fs_hz = fs_hz
        self._mv = np.zeros(0, np.float32)
        self._stop = 0

    def add(self, lead_mv: FloatArray, start: int) -> None:
        """Take the next chunk, whose first sample has this number."""
        before = self._mv[max(0, len(self._mv) - round(RING_S * self._fs_hz)) :]
        self._mv = np.concatenate([before, lead_mv]).astype(np.float32, copy=False)
        self._stop = start + len(lead_mv)

    def let_go(self) -> None:
        """Keep no more than the last 30 s in memory."""
        self._mv = self.last(RING_S).copy()

    def last(self, seconds: float) -> FloatArray:
        """The newest samples, (n,) float32, mV; fewer where there are not as many."""
        return self._mv[max(0, len(self._mv) - round(seconds * self._fs_hz)) :]

    def good_since_s(self) -> float:
        """From when on the signal has no fault, s; infinite where none is at hand."""
        ring = self.last(RING_S)
        if not len(ring):
            return math.inf
        begin_s = (self._stop - len(ring)) / self._fs_hz
        return begin_s + max((fault.end_s for fault in self._faults(ring)), default=0.0)

    def longest_good_s(self, begin_s: float, end_s: float) -> float:
        """The longest stretch without a fault between two times, s, of what is still at hand."""
        first = self._stop - len(self._mv)
        start, stop = (round(at * self._fs_hz) for at in (begin_s - _EDGE_S, end_s + _EDGE_S))
        start = max(start, first)
        part = self._mv[start - first : max(start, stop) - first]
        longest, good_from_s = 0.0, max(begin_s, start / self._fs_hz)
        for fault in self._faults(part):
            longest = max(longest, start / self._fs_hz + fault.start_s - good_from_s)
            good_from_s = max(good_from_s, start / self._fs_hz + fault.end_s)
        return max(longest, min(end_s, self._stop / self._fs_hz) - good_from_s)

    def _faults(self, mv: FloatArray) -> list[Fault]:
        """By time; warnings left out."""
        if not len(mv):
            return []
        return [fault for fault in find_faults(Recording(mv[:, None], self._fs_hz, ("lead",))) if not fault.is_warning]
