"""The disk that data is written to: is there room, and if it refuses, why."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecgedge.errors import DataError

_NO_ROOM = "free some space or choose another disk with --root"
_NO_RIGHT = "choose a folder you may write to with --root"
_REMEDY_OF_ERRNO = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: _NO_RIGHT,
}


@contextmanager
def disk_trouble_named(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into a `DataError` that names the file, the reason and the remedy."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDY_OF_ERRNO.get(error.errno or 0, "choose another folder with --root")
        raise DataError(f"{error.filename or folder}: {error.strerror or error}; {remedy}") from error


def require_space(folder: Path, needed_bytes: int) -> None:
    """Refuse a download that cannot fit, before it starts.

    Raises
    ------
    DataError
        The disk of `folder` has less than `needed_bytes` free.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise DataError(f"{folder}: {free_bytes / 1e6:.0f} MB free, {needed_bytes / 1e6:.0f} MB needed; {_NO_ROOM}")
