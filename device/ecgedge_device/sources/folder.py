"""A watched folder: files are judged when they are whole, moved when they are done, put aside where they are bad."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from ecgedge.errors import StoreError
from ecgedge_device.log import log
from ecgedge_device.source_settings import FolderSettings
from ecgedge_device.sources import Done, Reason, SourceError, Work
from ecgedge_device.sources.incoming import COMPANIONS, Seen, delete, look, put_away, seen_now, work_of

_LOOK_S = 30.0
"""Also without an event: network folders have none."""
_CALM_S = 0.05
"""Between two looks at least: a file that is being copied makes thousands of events."""
_PATIENCE = 10
"""An empty file, or half a WFDB record, is given so many times `settle_s` before it counts as bad."""


class _Waker(FileSystemEventHandler):
    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("created", "modified", "moved", "closed", "deleted"):
            self._wake.set()


class FolderSource:
    """Files of one folder, the oldest first.

    Parameters
    ----------
    stop : ends the iteration, also while it waits
    """

    def __init__(self, settings: FolderSettings, *, stop: threading.Event) -> None:
        self._settings, self._stop = settings, stop
        self._wake = threading.Event()
        self._unchanged: dict[Path, tuple[Seen, float]] = {}  # since when it has been like this, monotonic s
        self._unreadable: dict[Path, Seen] = {}
        self._place = 0
        """Inode of the folder."""
        self._left: dict[Path, Seen] = {}  # judged, and still there
        self._paths: dict[int, Seen] = {}  # id of offered work

    def __iter__(self) -> Iterator[Work]:
        """Watch the folder until the stop.

        Raises
        ------
        SourceError
            The folder cannot be made or read, or has gone.
        """
        observer = self._watch()
        try:
            while not self._stop.is_set():
                self._wake.clear()
                waiting = False
                for looked_at in self._look():
                    if self._stop.is_set():
                        return
                    seen = seen_now(looked_at.path)  # it may have changed while those before it were judged
                    if seen is None:
                        continue
                    if self._is_whole(seen):
                        yield from self._offer(seen)
                    else:
                        waiting = True
                self._pause(self._settings.settle_s / 2 if waiting else _LOOK_S)
        finally:
            observer.stop()
            observer.join()

    def done(self, work: Work, done: Done) -> None:
        """Move, delete or leave the file."""
        seen = self._paths.pop(id(work))
        try:
            self._put_away(seen, done)
        except (OSError, StoreError) as error:  # it must not hold up those behind it
            self._left[seen.path] = seen
            reason = getattr(error, "strerror", None) or type(error).__name__
            log.warning("file cannot be moved", extra={"source": self._settings.name, "reason": reason})

    def _put_away(self, seen: Seen, done: Done) -> None:
        if done.kind == "refused":
            put_away(seen.path, self._settings.path / "quarantine", reason=done.reason)
        elif self._settings.after == "move":
            put_away(seen.path, self._settings.path / "done")
        elif self._settings.after == "delete":
            delete(seen.path)
        else:
            self._left[seen.path] = seen

    def _watch(self) -> BaseObserver:
        observer = Observer()
        try:
            self._settings.path.mkdir(parents=True, exist_ok=True)
            observer.schedule(_Waker(self._wake), str(self._settings.path))
            observer.start()
            self._place = self._settings.path.stat().st_ino
        except OSError as error:
            raise self._lost(error) from None
        return observer

    def _look(self) -> list[Seen]:
        try:
            found = look(self._settings.path)
            if self._settings.path.stat().st_ino != self._place:
                raise FileNotFoundError(errno.ENOENT, "was removed and made again")  # events come from the old one
        except OSError as error:
            raise self._lost(error) from None
        there = {seen.path for seen in found}
        self._left = {path: seen for path, seen in self._left.items() if path in there}
        self._unchanged = {path: entry for path, entry in self._unchanged.items() if path in there}
        self._unreadable = {path: seen for path, seen in self._unreadable.items() if path in there}
        return [seen for seen in found if self._left.get(seen.path) != seen and not _goes_with_header(seen.path)]

    def _lost(self, error: OSError) -> SourceError:
        reason = Reason.DENIED if isinstance(error, PermissionError) else Reason.LOST
        return SourceError(
            f"folder {self._settings.path}: {error.strerror}; make it there, readable and writable", reason=reason
        )

    def _is_whole(self, seen: Seen) -> bool:
        """Whether the file has not changed for `settle_s`; half a record and an empty file are waited for longer.

        Told by when it was looked at: a file's own time may lie in the future, where a clock is wrong.
        """
        before, since_s = self._unchanged.get(seen.path, (None, monotonic()))
        if before != seen:
            since_s = monotonic()
        self._unchanged[seen.path] = (seen, since_s)
        unchanged_s, settle_s = monotonic() - since_s, self._settings.settle_s
        suffix = seen.path.suffix.lower()
        half = suffix in COMPANIONS or (suffix == ".hea" and not any(name.endswith(".dat") for name, *_ in seen.parts))
        return unchanged_s >= (_PATIENCE * settle_s if half or not seen.size else settle_s)

    def _offer(self, seen: Seen) -> Iterator[Work]:
        try:
            work = work_of(seen, source=self._settings.name, fs_hz=self._settings.fs_hz, stop=self._stop)
        except FileNotFoundError:
            return
        except OSError as error:  # those behind it are not held up; it is tried again at each look
            if self._unreadable.get(seen.path) != seen:
                log.warning("file cannot be read", extra={"source": self._settings.name, "reason": error.strerror})
            self._unreadable[seen.path] = seen
            return
        self._paths[id(work)] = seen
        yield work

    def _pause(self, seconds: float) -> None:
        """Wait for an event, the time or the stop."""
        step_s = 0.25
        while seconds > 0 and not self._stop.is_set() and not self._wake.wait(min(step_s, seconds)):
            seconds -= step_s
        self._stop.wait(_CALM_S)


def _goes_with_header(path: Path) -> bool:
    """Whether this is a part of a WFDB record whose header is there."""
    return path.suffix.lower() in COMPANIONS and path.with_suffix(".hea").exists()
