"""Files handed in by HTTP: each durable before its sender is told so, judged in the order in which they came."""

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from ecgedge.errors import InputError, StoreError
from ecgedge_device.files import sync_folder, write_durably
from ecgedge_device.source_settings import HttpSettings
from ecgedge_device.sources import Done, Work
from ecgedge_device.sources.incoming import COMPANIONS, look, require_known, work_of
from ecgedge_device.store_errors import refused

_UNSAFE = re.compile(r"[^\w.-]+")


class InboxSource:
    """The folder that uploads lie in until they are judged.

    Parameters
    ----------
    folder : made where it does not exist
    stop : ends the iteration, also while it waits
    """

    def __init__(self, settings: HttpSettings, *, folder: Path, stop: threading.Event) -> None:
        self._settings, self._folder, self._stop = settings, folder, stop
        self._wake = threading.Event()
        self._offered: dict[int, Path] = {}  # id of offered work -> its folder
        self._drafts: set[Path] = set()  # being handed in just now

    @property
    def limit_bytes(self) -> int:
        """Largest file."""
        return int(self._settings.limit_mb * 1e6)

    def put(self, name: str, content: bytes, *, companions: dict[str, bytes] | None = None) -> str:
        """Keep a file durably until it is judged.

        Parameters
        ----------
        name : as the sender calls it; its suffix says what it is
        companions : parts of a WFDB record, by suffix (".dat", ".atr"), where the file is its header

        Returns
        -------
        The id of its work, and of its result.

        Raises
        ------
        InputError
            No picture or recording by its name, empty, or larger than the limit.
        """
        plain = _UNSAFE.sub("-", Path(name).name)[-80:].lstrip(".")
        require_known(plain)
        size = len(content) + sum(map(len, (companions or {}).values()))
        if not 0 < size <= self.limit_bytes:
            raise InputError(
                f"{plain}: {size} bytes; 1 to {self.limit_bytes} are taken; send a smaller one, or raise limit_mb"
            )
        uid = str(uuid4())
        draft = self._folder / f".{uid}"
        self._drafts.add(draft)
        try:
            for part, data in (companions or {}).items():
                write_durably(draft / Path(plain).with_suffix(part), data)
            write_durably(draft / plain, content)
            with refused(draft):
                draft.replace(self._folder / uid)
                sync_folder(self._folder)
        except StoreError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        finally:
            self._drafts.discard(draft)
        self._wake.set()
        return uid

    def __iter__(self) -> Iterator[Work]:
        """Offer what lies there, then what comes, until the stop."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._clear()
        while not self._stop.is_set():
            self._wake.clear()
            for folder in self._waiting():
                if self._stop.is_set():
                    return
                yield from self._work(folder)
            while not self._stop.is_set() and not self._wake.wait(0.25):
                pass

    def done(self, work: Work, _done: Done) -> None:
        """Delete the files: their result stands in the store."""
        self._delete(self._offered.pop(id(work)))

    def _delete(self, folder: Path) -> None:
        """All of it or, after a crash, none of it."""
        draft = folder.with_name(f".{folder.name}")
        folder.replace(draft)
        shutil.rmtree(draft)

    def _clear(self) -> None:
        """Remove what a crash left half handed in or half deleted."""
        for folder in self._folder.glob(".*"):
            if folder not in self._drafts:
                shutil.rmtree(folder, ignore_errors=True)

    def _waiting(self) -> list[Path]:
        found = [path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def _work(self, folder: Path) -> Iterator[Work]:
        seen = next((seen for seen in look(folder) if seen.path.suffix.lower() not in COMPANIONS), None)
        if seen is None:  # nothing of ours
            self._delete(folder)
            return
        settings = self._settings
        work = work_of(seen, source=settings.name, uid=folder.name, fs_hz=settings.fs_hz, stop=self._stop)
        self._offered[id(work)] = folder
        yield work
