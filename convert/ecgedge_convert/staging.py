"""Files that come to their places together: written in a hidden folder beside them, moved in when all are whole.

What fails, is killed or runs out of disk leaves under every name what was there before. Knows nothing of bundles.
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ecgedge.errors import BundleError


@contextmanager
def staged(folder: Path) -> Iterator[None]:
    """Hold an empty folder to write in; it is gone afterwards, and what a killed call left in it before.

    Parameters
    ----------
    folder : beside the places of the files, on the same file system

    Raises
    ------
    BundleError
        Another call holds it, or it cannot be made.
    """
    try:
        handle = _held(folder)
    except OSError as error:
        raise BundleError(f"{folder}: cannot be made ({error.strerror}); choose another place with -o") from None
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def move_in(folder: Path, place: Path, *, last: str = "", gone: Iterable[Path] = ()) -> None:
    """Move all files of a folder to their place, one rename each.

    Parameters
    ----------
    last : name of the file that speaks of the others: it is taken away first and moved last
    gone : files that are removed, since nothing replaces them

    Raises
    ------
    BundleError
        A file cannot be moved or removed; each name then holds a whole file, the old one or the new one.
    """
    names = sorted(path.name for path in folder.iterdir() if path.name != last)
    at = place
    try:
        if last:
            (at := place / last).unlink(missing_ok=True)
        for name in names:
            (folder / name).replace(at := place / name)
        for at in gone:
            at.unlink(missing_ok=True)
        if last:
            (folder / last).replace(at := place / last)
    except OSError as error:
        raise BundleError(f"{at}: cannot be written ({error.strerror}); choose another place with -o") from None


def _held(folder: Path) -> int:
    """The folder, empty, made and locked for this process; the lock ends with the process, however it ends."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(folder, handle):
                for left in folder.iterdir():
                    left.unlink()
                return handle
        except BlockingIOError:
            os.close(handle)
            raise BundleError(
                f"{folder}: another ecgedge convert writes there; wait for its end, or choose another place with -o"
            ) from None
        except OSError:
            os.close(handle)
            raise
        os.close(handle)  # the call that held it has just removed it


def _is_there(folder: Path, handle: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
