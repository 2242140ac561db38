"""Lines of text on standard input, as `serial` reads them. The end of the input is the end of the recording."""

import os
import select
import threading
from collections.abc import Iterator
from time import monotonic, time
from uuid import uuid4

from ecgedge.records import Recording, SignalChunk
from ecgedge_device.results import Stream
from ecgedge_device.source_settings import StdinSettings
from ecgedge_device.sources import Done, LiveChunk, Reason, SourceError, Work
from ecgedge_device.sources.samples import LineCounts, LiveChunks, TextLines, to_mv

AHEAD_S = 5.0
"""An input that is this much faster than time is no measurement of now: its chunks carry no time of day."""

_WAIT_S = 0.1
_READ_BYTES = 1 << 16


class StdinSource:
    """One recording, which ends with the input.

    Parameters
    ----------
    fd : file descriptor to read; 0 is standard input
    """

    def __init__(self, settings: StdinSettings, *, stop: threading.Event, fd: int = 0) -> None:
        self._work = StdinWork(settings, stop=stop, fd=fd)

    def __iter__(self) -> Iterator[Work]:
        if not self._work.ended:
            yield self._work

    def done(self, work: Work, done: Done) -> None:
        """Nothing is to be done: what was read is gone."""


class StdinWork:
    """The signal on standard input; each start of the agent is a new recording."""

    live = False
    recording: Recording | None = None

    def __init__(self, settings: StdinSettings, *, stop: threading.Event, fd: int) -> None:
        self.counts = LineCounts()
        self.ended = False
        self.stream = Stream(
            address=f"stdin:{settings.name}:{uuid4()}",
            recording=settings.name,
            fs_hz=settings.fs_hz,
            leads=settings.leads,
            n_samples=0,
            fingerprint="",
            source=settings.name,
        )
        self._settings, self._stop, self._fd = settings, stop, fd
        self._lines = TextLines(len(settings.leads), counts=self.counts)
        self._chunks = LiveChunks(
            len(settings.leads), fs_hz=settings.fs_hz, chunk_s=settings.chunk_s, counts=self.counts, gaps=False
        )
        self._begun_s: float | None = None
        self._timed = True

    def seek(self, sample: int) -> None:
        """Check that the input stands at this sample.

        Raises
        ------
        SourceError
            It stands elsewhere; what was read cannot be read again.
        """
        if sample != self._chunks.next_sample:
            raise SourceError(
                f"{self._settings.name}: standard input is at sample {self._chunks.next_sample} and cannot go to "
                f"{sample}; start the agent anew",
                reason=Reason.NOT_FOUND,
            )

    def __iter__(self) -> Iterator[SignalChunk]:
        self._begun_s = self._begun_s or monotonic()
        while not (self._stop.is_set() or self.ended):
            data = self._read()
            if data is None:
                continue
            self.ended = not data
            rows = to_mv(
                self._lines.feed(data) if data else self._lines.end(),
                zero=self._settings.zero,
                mv_per_unit=self._settings.mv_per_unit,
            )
            signal_s = (self._chunks.next_sample + len(rows)) / self._settings.fs_hz
            self._timed &= signal_s - (monotonic() - self._begun_s) <= AHEAD_S
            yield from map(self._told, self._chunks.add(rows, now_s=monotonic(), utc_s=time()))
        yield from map(self._told, self._chunks.flush())

    def _told(self, chunk: LiveChunk) -> SignalChunk:
        return chunk if self._timed else SignalChunk(chunk.signal, chunk.start)

    def _read(self) -> bytes | None:
        """What has come; None where nothing has, empty at the end."""
        try:
            ready, _, _ = select.select([self._fd], [], [], _WAIT_S)
            return os.read(self._fd, _READ_BYTES) if ready else None
        except (OSError, ValueError) as error:
            raise SourceError(
                f"{self._settings.name}: standard input cannot be read ({error}); start the agent with an input",
                reason=Reason.LOST,
            ) from error
