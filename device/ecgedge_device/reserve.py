"""Space set aside beside the store: a database needs some to remove anything, and a full disk has none."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 4 * 2**20
LEAST_BYTES = 3 * 2**19
"""More than SQLite's journal takes before it is written back, see `Store`: so much may its file have to grow."""
WORKING_BYTES = 5 * 2**18
"""Left free beside it: room for the journal."""


class Reserve:
    """A file without content.

    Parameters
    ----------
    store : path of the store
    size : of the file, bytes; less where less is free
    """

    def __init__(self, store: Path, size: int = RESERVE_BYTES) -> None:
        self._path, self._size = store.with_name(store.name + ".reserve"), size

    def fill(self) -> bool:
        """Set the space aside where it is not; whether it is there now."""
        if self._path.exists():
            return True
        try:
            size = min(self._size, shutil.disk_usage(self._path.parent).free - WORKING_BYTES)
            if size < LEAST_BYTES:
                return False
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
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
