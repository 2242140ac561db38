"""Where signals and pictures come from. One module per kind; `open_source` chooses."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from ecgedge.errors import EcgedgeError
from ecgedge.paper.page import Picture
from ecgedge.records import Recording, SignalChunk
from ecgedge_device.results import Stream
from ecgedge_device.source_settings import (
    CameraSettings,
    FolderSettings,
    HttpSettings,
    ReplaySettings,
    SerialSettings,
    SourceSettings,
    StdinSettings,
    WebcamSettings,
)


class Reason(Enum):
    """What the agent can do about a source that fails."""

    LOST = "lost"
    """It was there: try again later."""
    BUSY = "busy"
    """Another program holds it: try again later."""
    DENIED = "denied"
    """The user may not read it: try again later, a person must mend it."""
    NOT_FOUND = "not found"
    """Nothing has that address: try again later, it may be plugged in."""


class SourceError(EcgedgeError):
    """A source cannot be opened or read; `reason` says what may help."""

    def __init__(self, message: str, *, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LiveChunk(SignalChunk):
    """A stretch of signal whose time of day is known."""

    utc_s: float = 0.0
    """When its first sample was measured, seconds since 1970, UTC."""


@runtime_checkable
class SignalWork(Protocol):
    """A signal to be judged chunk by chunk: one recording, or one live stream."""

    @property
    def stream(self) -> Stream:
        """What it delivers. Two starts with the same address go on with the same run."""
        ...

    @property
    def recording(self) -> Recording | None:
        """The whole of it, where it is at hand; the report compares with its reference beats."""
        ...

    @property
    def live(self) -> bool:
        """Whether it is measured now, so that what is missed is gone: it goes on behind a gap, and never ends."""
        ...

    def seek(self, sample: int) -> None:
        """Number the next chunk from this sample; a recording reads on from there.

        Raises
        ------
        SourceError
            A recording has no such sample.
        """
        ...

    def __iter__(self) -> Iterator[SignalChunk]:
        """Chunks, each following the one before, NaN where nothing was measured.

        Ends with the recording, or early when the agent is stopped; a live stream raises `SourceError` when it is lost,
        and is iterated again when the source is back.
        """
        ...


@dataclass(frozen=True, slots=True)
class PictureWork:
    """A picture to be judged."""

    id: str
    """UUID; the same picture offered again after a crash has the same one, so that it is stored once."""
    name: str
    """Short name, shown to people."""
    taken_utc: str
    """When it was taken or came in, ISO 8601, UTC, in ms."""
    read: Callable[[], Picture]
    """Decodes it; `InputError` where it is none."""
    content: Callable[[], tuple[bytes, str]] | None = None
    """Its bytes as they came and their suffix (".jpg"), for those who want them; the agent keeps flat pages only."""


@dataclass(frozen=True, slots=True)
class FileWork:
    """A recording in a file that nobody has read yet: reading it may already end the agent."""

    id: str
    """UUID, as of `PictureWork`: of its refusal."""
    name: str
    taken_utc: str
    """When it came in, ISO 8601, UTC, in ms."""
    address: str
    """Of its stream; the same file offered again after a crash has the same one."""
    read: Callable[[], SignalWork]
    """Reads all of it; `InputError` where it is none or damaged."""


@dataclass(frozen=True, slots=True)
class UnreadableWork:
    """A file that is no picture or recording by its name, or empty: stored as a refusal."""

    id: str
    """UUID, as of `PictureWork`."""
    name: str
    taken_utc: str
    """When it came in, ISO 8601, UTC, in ms."""
    reason: str


Work = SignalWork | PictureWork | FileWork | UnreadableWork


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a piece of work, told to its source once it is durable."""

    kind: Literal["judged", "refused", "known"]
    """Judged; refused, as no picture or recording that can be judged; or judged before."""
    reason: str = ""


class Source(Protocol):
    """Offers work; lives until the agent stops or, for a recording, until its end."""

    def __iter__(self) -> Iterator[Work]:
        """Open, and offer one piece of work after another; waits where there is none yet.

        Ends when the agent stops or nothing more can come. May be iterated again after a `SourceError`.

        Raises
        ------
        SourceError
            It cannot be opened or is lost: the agent waits and iterates again.
        InputError
            What it holds can never be judged (a recording in the settings): the agent gives this source up.
        """
        ...

    def done(self, work: Work, done: Done) -> None:
        """The result of this work is durable; now its file may be moved, say."""
        ...


@runtime_checkable
class Triggered(Protocol):
    """A source that takes a picture when told to."""

    def trigger(self) -> None:
        """Ask for a picture; may be called from any thread; the picture comes out of the iteration."""
        ...


@runtime_checkable
class Inbox(Protocol):
    """A source that is handed files."""

    def put(self, name: str, content: bytes, *, companions: dict[str, bytes] | None = None) -> str:
        """Keep a file durably (fsync, rename) until it is judged, and return the id of its work.

        Parameters
        ----------
        companions : parts of a WFDB record, by suffix, where the file is its header

        Raises
        ------
        InputError
            No picture or recording by its name, or larger than the limit.
        """
        ...


def open_source(settings: SourceSettings, *, files: Path, stop: threading.Event) -> Source:
    """The source that the settings ask for; nothing is opened yet.

    Parameters
    ----------
    files : folder of the agent's files, for what comes in over HTTP
    stop : ends the iteration, also while it waits
    """
    match settings:
        case ReplaySettings():
            from ecgedge_device.sources.replay import ReplaySource

            return ReplaySource(settings, stop=stop)
        case FolderSettings():
            from ecgedge_device.sources.folder import FolderSource

            return FolderSource(settings, stop=stop)
        case HttpSettings():
            from ecgedge_device.sources.inbox import InboxSource

            return InboxSource(settings, folder=files / "inbox" / settings.name, stop=stop)
        case StdinSettings():
            from ecgedge_device.sources.stdin import StdinSource

            return StdinSource(settings, stop=stop)
        case SerialSettings():
            from ecgedge_device.sources.serial_port import SerialSource

            return SerialSource(settings, stop=stop)
        case CameraSettings():
            from ecgedge_device.sources.camera import CameraSource

            return CameraSource(settings, stop=stop)
        case WebcamSettings():
            from ecgedge_device.sources.webcam import WebcamSource

            return WebcamSource(settings, stop=stop)
