"""WFDB records: a header (.hea), signal files (.dat) and annotations (.atr). `wfdb` is imported when it is needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.formats.leads import agreed_rate, check_size, choose_leads, millivolts_per
from ecgedge.formats.wfdb_beats import read_beats
from ecgedge.records import FloatArray, Recording

if TYPE_CHECKING:
    import wfdb

DEFAULT_GAIN = 200.0
"""adu per mV where a header says 0, "uncalibrated": WFDB_DEFGAIN, header(5) of the WFDB Applications Guide."""

# signal(5) of the WFDB Applications Guide; the compressed formats 508, 516 and 524 have no fixed size.
_BYTES_PER_SAMPLE = {
    "8": 1,
    "16": 2,
    "24": 3,
    "32": 4,
    "61": 2,
    "80": 1,
    "160": 2,
    "212": 1.5,
    "310": 4 / 3,
    "311": 4 / 3,
}
# Bits per sample; the lowest value means "invalid" (signal(5)). Format 8 holds differences, has none.
_BITS = {"212": 12, "310": 10, "311": 10, "24": 24, "524": 24, "32": 32, "80": 8, "508": 8, "8": 32}
_MAX_COMPRESSION = 4096  # samples per byte: a FLAC frame of one constant holds 4096 samples in a dozen bytes


@dataclass(frozen=True, slots=True)
class _Header:
    """What a header promises, checked against the signal files."""

    record: Path
    fs_hz: float
    n_samples: int
    names: tuple[str, ...]
    mv_per_unit: tuple[float | None, ...]
    multi_segment: bool

    def columns(self, wanted: Sequence[str] | None) -> list[int]:
        """Columns of the wanted leads; of all voltages by default."""
        if wanted is None:
            chosen = [index for index, scale in enumerate(self.mv_per_unit) if scale is not None]
        else:
            chosen = choose_leads(self.names, wanted, path=self.record)
        for index in chosen:
            if self.mv_per_unit[index] is None:
                raise InputError(
                    f"{self.record}: lead {self.names[index]!r} is no voltage; mV, uV or V is needed; leave it"
                )
        if not chosen:
            raise InputError(f"{self.record}: no lead in mV, uV or V among {', '.join(self.names)}; an ECG is needed")
        return chosen


def read_wfdb(path: Path, fs_hz: float | None = None, leads: Sequence[str] | None = None) -> Recording:
    """Read a WFDB record, with the beats of its `.atr` file where there is one.

    Samples marked invalid are NaN. uV and V are scaled to mV; signals of other units are left out. A gain of 0
    (uncalibrated, as in nstdb) counts as `DEFAULT_GAIN`. Signals with several samples per frame are averaged to the
    frame rate. Of the annotations only beats are kept, those of `labels.AAMI_CLASS_OF_SYMBOL`.

    Returns
    -------
    Recording of (n_samples, n_leads) float32, mV

    Raises
    ------
    InputError
        A file is missing or damaged, or the header claims another length than the signal files have.
    LeadNotFound
        A lead in `leads` is not there.
    """
    header = _read_header(_record_of(path))
    rate_hz = agreed_rate(header.fs_hz, fs_hz, path=header.record)
    columns = header.columns(leads)
    signal = _read_span(header, columns, 0, header.n_samples)
    names = tuple(header.names[index] for index in columns)
    truth = header.record.with_name(header.record.name + ".atr")
    beats = read_beats(truth, rate_hz, header.n_samples) if truth.is_file() else None
    return Recording(signal, rate_hz, names, header.record.name, beats)


def iter_wfdb(
    path: Path, chunk_s: float, *, fs_hz: float | None = None, leads: Sequence[str] | None = None
) -> Iterator[Recording]:
    """Read a WFDB record `chunk_s` seconds at a time, as `read_wfdb` does but without its beats."""
    header = _read_header(_record_of(path))
    rate_hz = agreed_rate(header.fs_hz, fs_hz, path=header.record)
    columns = header.columns(leads)
    names = tuple(header.names[index] for index in columns)
    size = max(1, ceil(chunk_s * rate_hz))
    for start in range(0, header.n_samples, size):
        signal = _read_span(header, columns, start, min(start + size, header.n_samples))
        yield Recording(signal, rate_hz, names, header.record.name)


def _record_of(path: Path) -> Path:
    """Path of the record, without the suffix of one of its files."""
    return path.with_suffix("") if path.suffix.lower() in {".hea", ".dat", ".atr"} else path


def _read_header(record: Path) -> _Header:
    path = record.with_name(record.name + ".hea")
    if not path.is_file():
        raise InputError(f"{path}: no such header; a WFDB record is a .hea and a .dat file; put it beside the .dat")
    import wfdb

    try:
        found = wfdb.rdheader(str(record.absolute()), rd_segments=True)
        segments = [segment for segment in getattr(found, "segments", [found]) if segment is not None]
        return _checked_header(record, found, segments)
    except InputError:
        raise
    except Exception as error:  # a damaged header makes wfdb fail in many ways, none of them documented
        raise InputError(f"{path}: not a WFDB header ({one_line(error)}); copy the record again") from error


def _checked_header(record: Path, found: "wfdb.Record", segments: list["wfdb.Record"]) -> _Header:
    fs_hz = agreed_rate(found.fs, None, path=record.with_name(record.name + ".hea"))
    if not found.n_sig:
        raise InputError(f"{record}: the header lists no signals; at least 1 is needed; use a record with an ECG")
    if len(found.sig_name) != found.n_sig:
        raise InputError(f"{record}: {len(found.sig_name)} of {found.n_sig} signals described; copy the header again")
    lengths = [_checked_length(record, segment) for segment in segments if segment.sig_len != 0]
    n_samples = int(lengths[0] if segments == [found] and lengths else found.sig_len or 0)
    if n_samples <= 0:
        raise InputError(
            f"{record}: the header claims {n_samples} samples; at least 1 is needed; copy the record again"
        )
    check_size(n_samples, found.n_sig, path=record)
    names = _names(found)
    units = {name: unit for segment in segments for name, unit in zip(_names(segment), segment.units, strict=True)}
    scales = tuple(millivolts_per(units.get(name, "")) for name in names)
    return _Header(record, fs_hz, n_samples, names, scales, segments != [found])


def _names(header: "wfdb.Record") -> tuple[str, ...]:
    """Names of the signals; a header may leave the description out."""
    return tuple(name or f"signal {index}" for index, name in enumerate(header.sig_name))


def _checked_length(record: Path, header: "wfdb.Record") -> int:
    """Samples of a header without segments, after a look at the size of each of its signal files."""
    held: list[int] = []
    for name in dict.fromkeys(header.file_name):
        file = record.with_name(name)
        if not file.is_file():
            raise InputError(f"{file}: no such signal file; {record.name}.hea names it; put it beside the header")
        held.append(_held_samples(file, header, header.file_name.index(name)))
    return int(header.sig_len or min(held))


def _held_samples(file: Path, header: "wfdb.Record", first: int) -> int:
    """Samples per lead that a signal file holds.

    Raises
    ------
    InputError
        The header claims more, or fewer, than that.
    """
    n_per_frame = sum(n for name, n in zip(header.file_name, header.samps_per_frame, strict=True) if name == file.name)
    n_bytes = file.stat().st_size - (header.byte_offset[first] or 0)
    claimed = header.sig_len
    size = _BYTES_PER_SAMPLE.get(header.fmt[first])
    if size is None:  # compressed
        if (claimed or 0) * n_per_frame > n_bytes * _MAX_COMPRESSION:
            raise InputError(f"{file}: the header claims {claimed} samples in {n_bytes} bytes; copy the record again")
        return int(claimed or 0)
    held = int(n_bytes / size) // int(n_per_frame)
    # Packed formats round up to whole groups of 3 or 4 bytes, which may look like a sample or two more.
    surplus = n_bytes - ceil((claimed or held) * n_per_frame * size)
    if surplus < 0 or surplus > (0 if float(size).is_integer() else 3):
        raise InputError(f"{file}: holds {held} samples, but the header claims {claimed}; copy the record again")
    return int(held)


def _read_span(header: _Header, columns: list[int], start: int, stop: int) -> FloatArray:
    """Samples `start` to `stop` of some columns, (stop - start, n_columns) float32, mV."""
    import wfdb

    try:
        record = wfdb.rdrecord(
            str(header.record.absolute()), start, stop, columns, physical=header.multi_segment, return_res=32
        )
        physical = record.p_signal if header.multi_segment else _calibrated(record)
    except Exception as error:  # a damaged signal file makes wfdb fail in many ways, none of them documented
        raise InputError(f"{header.record}: cannot be read ({one_line(error)}); copy the record again") from error
    if physical.shape != (stop - start, len(columns)):
        raise InputError(
            f"{header.record}: {physical.shape[0]} samples where {stop - start} are claimed; copy it again"
        )
    scale = np.array([header.mv_per_unit[index] for index in columns], dtype=np.float32)
    return np.where(np.isfinite(physical), physical * scale, np.nan).astype(np.float32)


def _calibrated(record: "wfdb.Record") -> NDArray[np.float64]:
    """Digital samples in the header's unit; invalid ones NaN. wfdb itself divides by a gain of 0."""
    gain = np.array([gain or DEFAULT_GAIN for gain in record.adc_gain])
    invalid = np.array([-(2 ** (_BITS.get(fmt, 16) - 1)) for fmt in record.fmt])
    physical = (record.d_signal - np.array(record.baseline, dtype=np.float64)) / gain
    return np.asarray(np.where(record.d_signal == invalid, np.nan, physical), dtype=np.float64)


def one_line(error: Exception) -> str:
    """What a library complained of, cut to a length that fits a message."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]
