"""Space set aside beside the store: a database needs some to remove anything, and a full disk has none."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 4 * 2**20
"""As much as SQLite's journal takes before it is written back (1000 pages of 4096 bytes)."""


class Reserve:
    """A file without content.

    Parameters
    ----------
    store : path of the store
    size : of the file, bytes
    """

    def __init__(self, store: Path, size: int = RESERVE_BYTES) -> None:
        self._path, self._size = store.with_name(store.name + ".reserve"), size

    def fill(self) -> bool:
        """Set the space aside where it is not and there is plenty; whether it is there now."""
        if self._path.exists():
            return True
        try:
            if shutil.disk_usage(self._path.parent).free < 2 * self._size:
                return False
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> bool:
        """Give the space back to the disk; whether there was any."""
        with suppress(OSError):
            self._path.unlink()
            return True
        return False
