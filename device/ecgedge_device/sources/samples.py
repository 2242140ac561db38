"""Samples that arrive one after another: text lines become numbers, numbers chunks that keep step with time.

Knows nothing of ports and files: bytes come in, chunks go out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from ecgedge_device.sources import LiveChunk

Rows = NDArray[np.float64]
"""(n_samples, n_leads) float64, NaN where nothing was measured."""

LONGEST_LINE = 4096
"""Bytes without an end of line, after which they are taken for garbage."""
LONGEST_FILL_S = 10.0
"""A shorter gap is filled sample by sample, so that sample numbers and time stay together."""
LONG_GAP_S = 2.0
"""NaN in place of a longer gap."""
SLACK_S = 0.5
"""Samples may come late by so much before they are taken for lost, and time may differ by so much from their number."""

_PARTS = re.compile(rb"[,;\s]+")
_MOST = 1e12  # no converter has numbers beyond this; a line cut short in its exponent does


@dataclass(slots=True)
class LineCounts:
    """What came of the lines or frames of a source since the agent started."""

    samples: int = 0
    """Lines or frames that were read well."""
    bad_lines: int = 0
    """Lines that are no numbers, frames with a wrong checksum."""
    lost_samples: int = 0
    """Samples that never came, as frame numbers or the clock tell."""
    resyncs: int = 0
    """How often the beginning of a line or frame had to be looked for anew."""


def parse_line(line: bytes, n_leads: int) -> list[float] | None:
    """The numbers of a line; None where it has none to give: blank, or a comment behind `#`.

    Numbers are parted by commas, semicolons, tabs or spaces. `nan`, and `!` as sketches for the AD8232 print it while
    an electrode is off, stand for what was not measured; one `!` alone stands for all leads.

    Raises
    ------
    ValueError
        Another count of numbers than leads, or no numbers.
    """
    line = line.strip(b" \t,;")
    if not line or line.startswith(b"#"):
        return None
    if line == b"!":
        return [float("nan")] * n_leads
    parts = _PARTS.split(line)
    if len(parts) != n_leads:
        raise ValueError(f"{len(parts)} numbers for {n_leads} leads")
    return [_number(part) for part in parts]


def _number(part: bytes) -> float:
    if part == b"!":
        return float("nan")
    value = float(part)
    if b"_" in part or not (isnan(value) or abs(value) < _MOST):
        raise ValueError("not a number that a converter could give")
    return value


def to_mv(rows: Rows, *, zero: float, mv_per_unit: float) -> Rows:
    """Numbers of a converter as mV."""
    return (rows - zero) * mv_per_unit


class TextLines:
    """Bytes to rows of numbers; keeps a line whose end has not come.

    Parameters
    ----------
    join : whether the first line is dropped, since it may have begun before the first byte
    """

    def __init__(self, n_leads: int, *, counts: LineCounts, join: bool = False) -> None:
        self._n_leads, self._counts = n_leads, counts
        self._rest, self._skip = b"", join

    def feed(self, data: bytes) -> Rows:
        """The samples of all lines that are complete now; a line that cannot be read is a sample of NaN."""
        *lines, self._rest = (self._rest + data.replace(b"\r", b"\n")).split(b"\n")
        if lines and self._skip:
            del lines[0]
            self._skip = False
        rows = self._rows(lines)
        if len(self._rest) > LONGEST_LINE or self._skip:
            rows += [] if self._skip else [self._bad()]
            self._counts.resyncs += not self._skip
            self._rest, self._skip = b"", True
        return as_rows(rows, self._n_leads)

    def end(self) -> Rows:
        """The last line, which has no end."""
        last, self._rest = self._rest, b""
        return as_rows([] if self._skip else self._rows([last]), self._n_leads)

    def _rows(self, lines: Sequence[bytes]) -> list[list[float]]:
        rows = []
        for line in lines:
            try:
                row = parse_line(line, self._n_leads)
            except ValueError:
                rows.append(self._bad())
                continue
            if row is not None:
                self._counts.samples += 1
                rows.append(row)
        return rows

    def _bad(self) -> list[float]:
        self._counts.bad_lines += 1
        return [float("nan")] * self._n_leads


def as_rows(rows: Sequence[Sequence[float]], n_leads: int) -> Rows:
    """Rows of numbers as an array, also where there are none."""
    return np.array(rows, np.float64).reshape(-1, n_leads)


class LiveChunks:
    """Gathers samples into chunks whose numbers and times stay together.

    Parameters
    ----------
    gaps : whether samples that do not come in time are lost, and stand as NaN
    last_s : when the last sample came, by the clock of `add`, where that is known from before
    """

    def __init__(
        self,
        n_leads: int,
        *,
        fs_hz: float,
        chunk_s: float,
        counts: LineCounts,
        gaps: bool = True,
        last_s: float | None = None,
    ) -> None:
        self._n_leads, self._fs_hz, self._counts, self._gaps = n_leads, fs_hz, counts, gaps
        self._step = max(1, round(chunk_s * fs_hz))
        self._pending: list[Rows] = []
        self._start = self._count = 0  # number of the first pending sample; how many are pending
        self._zero_utc_s: float | None = None  # when sample 0 was, or would have been
        self.last_s = last_s

    @property
    def next_sample(self) -> int:
        """Number of the next sample."""
        return self._start + self._count

    def seek(self, sample: int) -> None:
        """Number the next sample so; what is pending is dropped."""
        self._pending, self._start, self._count, self._zero_utc_s = [], sample, 0, None

    def add(self, rows: Rows, *, now_s: float, utc_s: float) -> Iterator[LiveChunk]:
        """Take samples, in mV, and give the chunks that are full.

        Parameters
        ----------
        now_s : when the last of them came, s, by a clock that is never set
        utc_s : the same, s since 1970
        """
        if not len(rows):
            return
        first_utc_s = utc_s - len(rows) / self._fs_hz
        gap = self._gap(len(rows), now_s)
        self.last_s = now_s
        if self._zero_utc_s is None:
            self._zero_utc_s = first_utc_s - (self.next_sample + gap) / self._fs_hz
        self._append(np.full((gap, self._n_leads), np.nan))
        if abs(self._zero_utc_s + self.next_sample / self._fs_hz - first_utc_s) > SLACK_S:
            yield from self.flush()
            self._zero_utc_s = first_utc_s - self.next_sample / self._fs_hz
        self._append(rows)
        yield from self._full()

    def flush(self) -> Iterator[LiveChunk]:
        """Give what is pending, full or not."""
        yield from self._full()
        if self._count:
            yield self._cut(self._count)

    def _gap(self, n_rows: int, now_s: float) -> int:
        """How many samples of NaN come before these."""
        long = round(LONG_GAP_S * self._fs_hz)
        if not self._gaps:
            return 0
        if self.last_s is None:
            return long if self.next_sample else 0  # nobody knows how long the agent was away
        missing = round((now_s - self.last_s) * self._fs_hz) - n_rows
        going_on = self._zero_utc_s is not None
        if missing <= (SLACK_S * self._fs_hz if going_on else 0):
            return 0
        self._counts.lost_samples += missing
        return missing if missing <= LONGEST_FILL_S * self._fs_hz else long

    def _append(self, rows: Rows) -> None:
        if len(rows):
            self._pending.append(rows)
            self._count += len(rows)

    def _full(self) -> Iterator[LiveChunk]:
        while self._count >= self._step:
            yield self._cut(self._step)

    def _cut(self, length: int) -> LiveChunk:
        whole = self._pending[0] if len(self._pending) == 1 else np.concatenate(self._pending)
        start, rest = self._start, whole[length:]
        self._pending, self._count, self._start = [rest], len(rest), start + length
        utc_s = (self._zero_utc_s or 0.0) + start / self._fs_hz
        return LiveChunk(whole[:length].astype(np.float32), start, utc_s)
