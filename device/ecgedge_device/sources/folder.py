"""A watched folder: files are judged when they are whole, moved when they are done, put aside where they are bad."""

import threading
from collections.abc import Iterator
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from ecgedge_device.source_settings import FolderSettings
from ecgedge_device.sources import Done, Reason, SourceError, Work
from ecgedge_device.sources.incoming import COMPANIONS, Seen, delete, look, put_away, work_of

_LOOK_S = 30.0
"""Also without an event: network folders have none."""
_PATIENCE = 10
"""An empty file, or half a WFDB record, is given so many times `settle_s` before it counts as bad."""


class _Waker(FileSystemEventHandler):
    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("created", "modified", "moved", "closed"):
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
        self._unchanged: dict[Path, tuple[Seen, int]] = {}  # how often it was seen like this
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
                for seen in self._look():
                    if self._stop.is_set():
                        return
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
        except OSError as error:
            raise self._lost(error) from None
        return observer

    def _look(self) -> list[Seen]:
        try:
            found = look(self._settings.path)
        except OSError as error:
            raise self._lost(error) from None
        there = {seen.path for seen in found}
        self._left = {path: seen for path, seen in self._left.items() if path in there}
        self._unchanged = {path: entry for path, entry in self._unchanged.items() if path in there}
        return [seen for seen in found if self._left.get(seen.path) != seen]

    def _lost(self, error: OSError) -> SourceError:
        reason = Reason.DENIED if isinstance(error, PermissionError) else Reason.LOST
        return SourceError(
            f"folder {self._settings.path}: {error.strerror}; make it there, readable and writable", reason=reason
        )

    def _is_whole(self, seen: Seen) -> bool:
        """Whether the file has not changed for `settle_s`; half a record and an empty file are waited for longer."""
        before, since = self._unchanged.get(seen.path, (None, 0))
        self._unchanged[seen.path] = (seen, since + 1 if before == seen else 0)
        settled = self._unchanged[seen.path][1] >= 1 and seen.age_s >= self._settings.settle_s
        patient = seen.age_s >= _PATIENCE * self._settings.settle_s
        if seen.path.suffix.lower() in COMPANIONS and seen.path.with_suffix(".hea").exists():
            return False  # goes with its header
        if seen.size == 0 or seen.path.suffix.lower() in COMPANIONS:
            return settled and patient
        if seen.path.suffix.lower() == ".hea" and not seen.path.with_suffix(".dat").exists():
            return settled and patient
        return settled

    def _offer(self, seen: Seen) -> Iterator[Work]:
        try:
            work = work_of(seen, source=self._settings.name, fs_hz=self._settings.fs_hz, stop=self._stop)
        except FileNotFoundError:
            return
        except OSError as error:
            raise SourceError(f"{seen.path}: {error.strerror}; mend its permissions", reason=Reason.DENIED) from None
        self._paths[id(work)] = seen
        yield work

    def _pause(self, seconds: float) -> None:
        """Wait for an event, the time or the stop."""
        step_s = 0.25
        while seconds > 0 and not self._stop.is_set() and not self._wake.wait(min(step_s, seconds)):
            seconds -= step_s
