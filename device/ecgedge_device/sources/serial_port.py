"""ECG samples from a microcontroller on a serial port: lines of text, or the binary frames of `frames`.

Knows ports, not what the bytes mean. Opening a port drops what was in its buffer, and the line that is under way.
"""

import errno
import threading
from collections.abc import Callable, Iterator
from time import monotonic, time

import serial

from ecgedge.records import Recording
from ecgedge_device.results import Stream
from ecgedge_device.source_settings import SerialSettings
from ecgedge_device.sources import Done, LiveChunk, Reason, SourceError, Work
from ecgedge_device.sources.frames import Frames
from ecgedge_device.sources.samples import LineCounts, LiveChunks, Rows, TextLines, to_mv

_WAIT_S = 0.1  # longest wait for a byte, so that a stop is soon seen
_GATHER_S = 0.04  # what comes in this time is read at once: 25 reads a second instead of one per sample
_FULL_BYTES = 2048  # the kernel keeps 4096 within reach; where so many were waiting, more are behind them
_MOST_BYTES = 1 << 20

_REASONS = {
    errno.ENOENT: (Reason.NOT_FOUND, "is not there; plug the device in or correct `port`"),
    errno.ENODEV: (Reason.NOT_FOUND, "has no device behind it; plug it in or correct `port`"),
    errno.ENXIO: (Reason.NOT_FOUND, "has no device behind it; plug it in or correct `port`"),
    errno.EACCES: (Reason.DENIED, "may not be opened; let the agent's user into group dialout"),
    errno.EPERM: (Reason.DENIED, "may not be opened; let the agent's user into group dialout"),
    errno.EBUSY: (Reason.BUSY, "is used by another program; end that program"),
    errno.EAGAIN: (Reason.BUSY, "is used by another program; end that program"),
}


class SerialSource:
    """One live signal, offered anew each time the port is opened."""

    def __init__(self, settings: SerialSettings, *, stop: threading.Event) -> None:
        self._settings, self._stop = settings, stop
        self._work: SerialWork | None = None
        self.counts = LineCounts()

    def __iter__(self) -> Iterator[Work]:
        last_s = None if self._work is None else self._work.last_s
        self.close()
        if self._stop.is_set():
            return
        port = open_port(self._settings)
        self._work = SerialWork(port, self._settings, stop=self._stop, counts=self.counts, last_s=last_s)
        yield self._work
        self.close()

    def done(self, work: Work, done: Done) -> None:
        """Nothing is to be done: what was measured is gone."""

    def close(self) -> None:
        """Close the port, if one is open; another program may have it then."""
        if self._work is not None:
            self._work.port.close()


class SerialWork:
    """The signal that comes out of an open port; the port is closed when the iteration ends.

    Parameters
    ----------
    last_s : when the port last gave a sample, s of the monotonic clock, where it was open before
    """

    live = True
    recording: Recording | None = None

    def __init__(
        self,
        port: serial.Serial,
        settings: SerialSettings,
        *,
        stop: threading.Event,
        counts: LineCounts,
        last_s: float | None = None,
    ) -> None:
        self.port, self.counts = port, counts
        self.stream = Stream(
            address=f"serial:{settings.port}",
            recording=settings.name,
            fs_hz=settings.fs_hz,
            leads=settings.leads,
            n_samples=0,
            fingerprint="",
            source=settings.name,
        )
        self._settings, self._stop = settings, stop
        self._decode = _decoder(settings, counts)
        self._chunks = LiveChunks(
            len(settings.leads), fs_hz=settings.fs_hz, chunk_s=settings.chunk_s, counts=counts, last_s=last_s
        )

    @property
    def last_s(self) -> float | None:
        """When the last sample came, s of the monotonic clock; None before the first."""
        return self._chunks.last_s

    def seek(self, sample: int) -> None:
        """Number the next sample so."""
        self._chunks.seek(sample)

    def __iter__(self) -> Iterator[LiveChunk]:
        try:
            yield from self._chunks_until_stop()
        except SourceError:
            yield from self._chunks.flush()
            raise
        finally:
            self.port.close()

    def _chunks_until_stop(self) -> Iterator[LiveChunk]:
        read_s = good_s = monotonic()
        came = 0
        while not self._stop.is_set():
            data, good = self._read(), self.counts.samples
            elapsed_s, read_s = monotonic() - read_s, monotonic()
            rows = self._decode(data, elapsed_s)
            yield from self._chunks.add(rows, now_s=read_s, utc_s=time())
            if not len(rows) and read_s - (self.last_s or read_s) > self._settings.chunk_s:
                yield from self._chunks.flush()
            came += len(data)
            if self.counts.samples > good:
                good_s, came = read_s, 0
            elif read_s - good_s > self._settings.silence_s:
                raise SourceError(self._silence(came), reason=Reason.LOST)
        yield from self._chunks.flush()

    def _read(self) -> bytes:
        """What has come; waits a little for it, and may be empty."""
        try:
            data: bytes = self.port.read(1)
            more = bool(data)
            while more and len(data) < _MOST_BYTES:
                self._stop.wait(_GATHER_S)
                found = self.port.read(self.port.in_waiting)
                data += found
                more = len(found) >= _FULL_BYTES
        except (OSError, TypeError) as error:  # pyserial's own are OSErrors; TypeError: closed meanwhile
            raise SourceError(
                f"{self._settings.port}: the device is gone ({error}); plug it in again", reason=Reason.LOST
            ) from error
        return data

    def _silence(self, came: int) -> str:
        found = f"no sample for {self._settings.silence_s:g} s"
        if came:
            return (
                f"{self._settings.port}: {found}, though {came} bytes came; `baud`, `protocol` or the number of "
                "`leads` is not the device's; correct it"
            )
        return f"{self._settings.port}: {found}; look at the cable and whether the device sends"


def open_port(settings: SerialSettings) -> serial.Serial:
    """Open the port for this program alone.

    Raises
    ------
    SourceError
        It is not there, may not be opened, is used by another program, or is no serial port.
    """
    try:
        return serial.Serial(settings.port, settings.baud, timeout=_WAIT_S, exclusive=True)
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        unknown = (Reason.NOT_FOUND, f"is no serial port that can be set to {settings.baud} baud ({error})")
        reason, words = _REASONS.get(number or 0, unknown)
        raise SourceError(f"{settings.port}: {words}", reason=reason) from error


def _decoder(settings: SerialSettings, counts: LineCounts) -> Callable[[bytes, float], Rows]:
    """From bytes, and the time since the last ones, to samples in mV."""
    n_leads = len(settings.leads)
    lines = TextLines(n_leads, counts=counts, join=True)
    frames = Frames(n_leads, fs_hz=settings.fs_hz, counts=counts) if settings.protocol == "framed" else None

    def decode(data: bytes, elapsed_s: float) -> Rows:
        rows = frames.feed(data, elapsed_s=elapsed_s) if frames else lines.feed(data)
        return to_mv(rows, zero=settings.zero, mv_per_unit=settings.mv_per_unit)

    return decode
