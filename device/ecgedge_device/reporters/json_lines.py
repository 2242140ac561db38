"""Results as lines of JSON at the end of a file.

The file is repaired when it is opened: a line that a crash cut short is removed (its result is still in the
store and is sent again), and results that already stand near the end are not written twice.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from ecgedge_device.reporters import ReportError
from ecgedge_device.results import Result, as_plain

_HEAD = b'{"id": "'
_TAIL_BYTES = 2**22  # far more than one batch of the delivery: only the last batch can be there and yet be unsent


class JsonLinesReporter:
    """Appends one line per result; each batch is on the disk when `send` returns.

    Raises
    ------
    ReportError
        The file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._known: set[str] = set()
        self._open()

    def _open(self) -> BinaryIO:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+b", buffering=0)
            self._known = _repair(self._file)
            _sync_folder(self._path.parent)
        except OSError as error:
            self.close()
            raise ReportError(f"{self._path}: {error.strerror}; choose another [report] path, or mend that") from None
        return self._file

    def send(self, results: Sequence[Result]) -> None:
        """Append those that are new, and wait until they are on the disk."""
        file = self._file or self._open()
        lines = b"".join(_line(result) for result in results if result.id not in self._known)
        try:
            _write_all(file, lines)
            os.fsync(file.fileno())
        except OSError as error:
            self.close()  # the next call opens and repairs
            raise ReportError(f"{self._path}: {error.strerror}; free some space or mend the disk") from None
        self._known = {result.id for result in results}

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file as durable as its content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _repair(file: BinaryIO) -> set[str]:
    """Cut a last line without an end off, and return the ids of the lines before it."""
    size = file.seek(0, os.SEEK_END)
    begin = file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read(_TAIL_BYTES)  # a device has no end
    whole = tail.rfind(b"\n") + 1
    if cut := tail[whole:]:
        if cut[: len(_HEAD)] != _HEAD[: len(cut)]:
            raise OSError(0, "ends in a line that ecgedge did not write")
        file.truncate(begin + whole)
        os.fsync(file.fileno())
    lines = tail[:whole].split(b"\n")
    return {found for line in lines if (found := _id(line)) is not None}


def _id(line: bytes) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:  # the first line of the tail may be a half one
        return None
    found = entry.get("id") if isinstance(entry, dict) else None
    return found if isinstance(found, str) else None


def _line(result: Result) -> bytes:
    return (json.dumps(as_plain(result), ensure_ascii=False, allow_nan=False) + "\n").encode()
