"""A recording as work: played as if it were live, or as fast as possible."""

import hashlib
import threading
from collections.abc import Iterator
from time import monotonic

import numpy as np

from ecgedge.records import Recording, SignalChunk
from ecgedge_device.results import Stream
from ecgedge_device.source_settings import Speed
from ecgedge_device.sources import Reason, SourceError


class RecordingWork:
    """Chunks of a recording.

    Parameters
    ----------
    address : where the recording lies, in full
    source : name of the source that offers it
    speed : `real` hands a chunk over when its last sample would have been measured
    chunk_s : length of a chunk, s; at least one sample
    stop : ends the iteration, also while it waits
    """

    def __init__(
        self,
        recording: Recording,
        *,
        address: str,
        stop: threading.Event,
        source: str = "replay",
        speed: Speed = "full",
        chunk_s: float = 1.0,
    ) -> None:
        self.recording = recording
        self._speed, self._stop = speed, stop
        self._step = max(1, round(chunk_s * recording.fs_hz))
        self._next = 0
        self.stream = Stream(
            address=address,
            recording=recording.name,
            fs_hz=recording.fs_hz,
            leads=recording.leads,
            n_samples=len(recording.signal),
            fingerprint=fingerprint(recording),
            source=source,
        )

    @property
    def live(self) -> bool:
        """No: what is missed now can be read later."""
        return False

    def seek(self, sample: int) -> None:
        """Go on at this sample.

        Raises
        ------
        SourceError
            The recording has no such sample.
        """
        if not 0 <= sample <= len(self.recording.signal):
            raise SourceError(
                f"{self.recording.name}: no sample {sample}; it has {len(self.recording.signal)}; use --again",
                reason=Reason.NOT_FOUND,
            )
        self._next = sample

    def __iter__(self) -> Iterator[SignalChunk]:
        begun_s, first = monotonic(), self._next
        while self._next < len(self.recording.signal) and not self._stop.is_set():
            start, self._next = self._next, min(self._next + self._step, len(self.recording.signal))
            if self._speed == "real" and self._stopped_before(begun_s + (self._next - first) / self.recording.fs_hz):
                return
            yield SignalChunk(self.recording.signal[start : self._next], start)

    def _stopped_before(self, due_s: float) -> bool:
        return self._stop.wait(max(0.0, due_s - monotonic()))


def fingerprint(recording: Recording) -> str:
    """Checksum of rate, leads and samples, SHA-256."""
    head = f"{recording.fs_hz!r} {recording.leads!r} {recording.signal.shape!r}"
    digest = hashlib.sha256(head.encode())
    digest.update(np.ascontiguousarray(recording.signal).data)
    return digest.hexdigest()
