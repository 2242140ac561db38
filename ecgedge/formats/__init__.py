"""Read and write recordings: WFDB, CSV, EDF and NumPy files, told apart by content, then by suffix."""

from collections.abc import Callable, Iterator, Sequence
from math import ceil, isfinite
from pathlib import Path

from ecgedge.errors import InputError
from ecgedge.formats.csv_table import read_csv, write_csv
from ecgedge.formats.edf_file import read_edf
from ecgedge.formats.numpy_file import read_npy, read_npz
from ecgedge.formats.wfdb_record import iter_wfdb, read_wfdb
from ecgedge.formats.wfdb_writer import write_annotations, write_wfdb
from ecgedge.records import Recording, check_rate

__all__ = ["iter_recording", "read_recording", "write_annotations", "write_csv", "write_wfdb"]

Reader = Callable[[Path, float | None, Sequence[str] | None], Recording]

_READER_OF_MAGIC: dict[bytes, Reader] = {
    b"\x93NUMPY": read_npy,
    b"PK\x03\x04": read_npz,
    b"0       ": read_edf,
}
_READER_OF_SUFFIX: dict[str, Reader] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".txt": read_csv,
    ".edf": read_edf,
    ".npy": read_npy,
    ".npz": read_npz,
    ".hea": read_wfdb,
    ".dat": read_wfdb,
    ".atr": read_wfdb,
}


def read_recording(path: str | Path, *, fs_hz: float | None = None, leads: Sequence[str] | None = None) -> Recording:
    """Read a recording of any known format.

    Parameters
    ----------
    path : a file, or a WFDB record with or without `.hea` or `.dat`
    fs_hz : sampling rate, for files that do not state one; must agree with those that do
    leads : names of the leads to read, in that order, any case; all voltage leads by default

    Raises
    ------
    InputError
        The file is missing, empty, a folder, damaged, of no known format, or of another rate than `fs_hz`.
    LeadNotFound
        A lead in `leads` is not there; the message lists those that are.
    """
    path = Path(path)
    if fs_hz is not None:
        check_rate(fs_hz)
    return _reader(path)(path, fs_hz, leads)


def iter_recording(
    path: str | Path, chunk_s: float, *, fs_hz: float | None = None, leads: Sequence[str] | None = None
) -> Iterator[Recording]:
    """Read a recording piece by piece, `chunk_s` seconds at a time (the last may be shorter), without its beats.

    WFDB records are read lazily, in constant memory; other formats are read whole and cut.

    Raises
    ------
    InputError
        As `read_recording`, or a `chunk_s` that is not above 0.
    """
    if not (isfinite(chunk_s) and chunk_s > 0):
        raise InputError(f"chunks of {chunk_s} s; they must be above 0 s; 1 s is usual")
    path = Path(path)
    if _reader(path) is read_wfdb:
        yield from iter_wfdb(path, chunk_s, fs_hz=fs_hz, leads=leads)
        return
    whole = read_recording(path, fs_hz=fs_hz, leads=leads)
    size = max(1, ceil(chunk_s * whole.fs_hz))
    for start in range(0, len(whole.signal), size):
        yield Recording(whole.signal[start : start + size], whole.fs_hz, whole.leads, whole.name)


def _reader(path: Path) -> Reader:
    if path.is_dir():
        raise InputError(
            f"{path}: a folder; a recording is needed; name a file in it, or a WFDB record such as FOLDER/100"
        )
    if not path.exists():
        if path.with_name(path.name + ".hea").exists():
            return read_wfdb
        raise InputError(f"{path}: no such file, nor {path.name}.hea beside it; check the path")
    return _reader_of_file(path)


def _reader_of_file(path: Path) -> Reader:
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not start:
        raise InputError(f"{path}: empty file (0 bytes); a recording is needed; copy it again")
    for magic, reader in _READER_OF_MAGIC.items():
        if start.startswith(magic):
            return reader
    if path.suffix.lower() in _READER_OF_SUFFIX:
        return _READER_OF_SUFFIX[path.suffix.lower()]
    if path.with_name(path.name + ".hea").exists():
        return read_wfdb
    known = " ".join(_READER_OF_SUFFIX)
    raise InputError(f"{path}: format {path.suffix or 'without suffix'} is not known; convert it to one of {known}")
