"""What SQLite and the file system refuse, in one line with a remedy; and the lock that keeps a store to one agent."""

import errno
import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecgedge.errors import StoreError

_REMEDIES = (
    ("not a database", "move it away, or choose another store in [agent]"),
    ("malformed", "the file is damaged; move it away and judge again"),
    ("locked", "another program holds it; close that one"),
    ("readonly", "make file and folder writable"),
    ("unable to open", "check that it is a file and that its folder is writable"),
)


_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
"""The second one is a file beside the store that cannot grow."""


class StoreFull(StoreError):
    """The disk is full; what was stored before is safe."""


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into one line with a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) in _FULL:
            raise StoreFull(f"{path}: {error}; free some space; what was stored before is safe") from error
        remedy = next((text for word, text in _REMEDIES if word in str(error)), "check file and disk")
        raise StoreError(f"{path}: {error}; {remedy}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(f"{path}: {error.strerror}; free some space; what was stored before is safe") from error
        raise StoreError(f"{path}: cannot be written ({error.strerror}); choose another store in [agent]") from error


@contextmanager
def sole_agent(path: Path) -> Iterator[None]:
    """Hold a store for one agent; the lock goes with the process, however it ends.

    Raises
    ------
    StoreError
        Another agent holds it, or the lock file cannot be made.
    """
    lock = path.with_name(path.name + ".lock")
    with refused(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"{path}: another agent is using it; stop that one, or choose another store") from None
        yield
