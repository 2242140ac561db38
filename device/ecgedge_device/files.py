"""Pictures and snippets as files beside the store: whole or not there, found again by the result that names them."""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from time import time

from ecgedge_device.migrations import utc_now
from ecgedge_device.store_errors import refused

ROLES = {"picture": ".jpg", "drawn": ".jpg", "snippet": ".npz"}
"""What a file is to its result, and its suffix."""


class FileKeeper:
    """The folder of files.

    Parameters
    ----------
    folder : made where it does not exist
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, role: str, uid: str, content: bytes) -> str:
        """Write a file durably, and return its path below the folder.

        It is named by its result, so that a result judged again after a crash replaces its own file.

        Raises
        ------
        StoreError
            It cannot be written (`StoreFull` where there is no space).
        """
        name = f"{role}s/{utc_now()[:7]}/{uid}{ROLES[role]}"
        write_durably(self.folder / name, content)
        return name

    def kept(self) -> Iterator[tuple[str, int]]:
        """Path below the folder and size of every file of a result."""
        for role in ROLES:
            for path in sorted((self.folder / f"{role}s").glob("*/*")):
                with suppress(FileNotFoundError):  # removed meanwhile
                    yield str(path.relative_to(self.folder)), path.stat().st_size

    def sweep(self, known: Collection[str], *, older_s: float = 3600.0) -> int:
        """Delete what a crash left behind, and return how many files that were.

        Parameters
        ----------
        known : paths below the folder that results name
        older_s : younger files stay: their result is just being stored
        """
        swept = 0
        for name, _ in self.kept():
            path = self.folder / name
            with suppress(FileNotFoundError):
                if name not in known and time() - path.stat().st_mtime > older_s:
                    path.unlink()
                    swept += 1
        return swept

    def remove(self, name: str) -> int:
        """Delete a file, and return how many bytes that freed; 0 where it was gone."""
        path = self.folder / name
        try:
            size = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            return 0
        return size


def write_durably(path: Path, content: bytes) -> None:
    """Under a temporary name, synced, renamed, the folder synced: after a crash it is whole or not there.

    Raises
    ------
    StoreError
        It cannot be written (`StoreFull` where there is no space); nothing of it is left.
    """
    draft = path.with_name(f".{path.name}.part")
    with refused(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as the files' content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
