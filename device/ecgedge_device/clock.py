"""When a sample was measured: the time of day of a live stream, through its gaps. Nothing for a recording."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from ecgedge.records import Beat, SignalChunk
from ecgedge_device.sources import LiveChunk

_JUMP_S = 0.5
"""A smaller difference between counted and measured time is drift, and is followed without a new anchor."""
_ANCHORS = 64
"""Jumps that are remembered: far more than come while a beat or a minute is still open."""


class StreamClock:
    """Sample -> UTC.

    Parameters
    ----------
    fs_hz : sampling rate, Hz
    """

    def __init__(self, fs_hz: float) -> None:
        self._fs_hz = fs_hz
        self._anchors: deque[tuple[int, float]] = deque(maxlen=_ANCHORS)  # first sample, UTC s of sample 0

    def see(self, chunk: SignalChunk) -> None:
        """Take the time from a chunk, if it has one."""
        if not isinstance(chunk, LiveChunk):
            return
        origin_s = chunk.utc_s - chunk.start / self._fs_hz
        if self._anchors and abs(origin_s - self._anchors[-1][1]) < _JUMP_S:
            self._anchors[-1] = (self._anchors[-1][0], origin_s)
        else:
            self._anchors.append((chunk.start, origin_s))

    def utc(self, sample: int) -> str:
        """ISO 8601, UTC, in ms; empty where nobody knows."""
        known = [origin_s for first, origin_s in self._anchors if first <= sample]
        return iso_utc(known[-1] + sample / self._fs_hz) if known else ""

    def beats(self, beats: Sequence[Beat]) -> list[str]:
        """When each beat was."""
        return [self.utc(beat.sample) for beat in beats] if self._anchors else [""] * len(beats)

    def state(self) -> list[list[float]]:
        """All of it as plain values."""
        return [list(anchor) for anchor in self._anchors]

    def restore(self, state: Sequence[Sequence[float]]) -> None:
        """Take up what `state` gave."""
        self._anchors.extend((int(first), origin_s) for first, origin_s in state)


def iso_utc(utc_s: float) -> str:
    """Seconds since 1970 as ISO 8601, UTC, in ms."""
    return datetime.fromtimestamp(utc_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
