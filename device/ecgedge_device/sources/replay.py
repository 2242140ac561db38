"""A recording from the settings, judged once from where it was left."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

from ecgedge.formats import read_recording
from ecgedge_device.source_settings import ReplaySettings
from ecgedge_device.sources import Done, Reason, SourceError, Work
from ecgedge_device.sources.recording_work import RecordingWork


class ReplaySource:
    """One recording.

    Parameters
    ----------
    stop : ends its chunks, also while they wait
    """

    def __init__(self, settings: ReplaySettings, *, stop: threading.Event) -> None:
        self._settings, self._stop = settings, stop

    def __iter__(self) -> Iterator[Work]:
        """Read the recording, and offer it.

        Raises
        ------
        SourceError
            It is not there or may not be read.
        InputError
            It cannot be judged: a folder, empty, damaged, another format, or without the lead.
        """
        yield open_replay(self._settings, stop=self._stop)

    def done(self, work: Work, done: Done) -> None:
        """Nothing: the file is the user's."""


def open_replay(settings: ReplaySettings, *, stop: threading.Event) -> RecordingWork:
    """Read the recording that the settings name; raises as `ReplaySource.__iter__`."""
    _check_readable(settings.path)
    leads = None if settings.lead is None else [settings.lead]
    recording = read_recording(settings.path, fs_hz=settings.fs_hz, leads=leads)
    return RecordingWork(
        recording,
        address=str(settings.path.resolve()),
        stop=stop,
        source=settings.name,
        speed=settings.speed,
        chunk_s=settings.chunk_s,
    )


def _check_readable(path: Path) -> None:
    file = path if path.exists() else path.with_name(path.name + ".hea")
    try:
        file.open("rb").close()
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise SourceError(
                f"{path}: no such recording; correct [source] path, which is relative to the settings file",
                reason=Reason.NOT_FOUND,
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise SourceError(f"{file}: may not be read; mend its permissions", reason=Reason.DENIED) from None
        # anything else, a folder say, is for the reader to name
