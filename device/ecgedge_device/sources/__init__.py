"""Where signals come from. One module per kind; `open_source` chooses."""

import threading
from collections.abc import Iterator
from enum import Enum
from typing import Protocol

from ecgedge.errors import EcgedgeError
from ecgedge.records import Recording, SignalChunk
from ecgedge_device.results import Stream
from ecgedge_device.settings import ReplaySettings


class Reason(Enum):
    """What the agent can do about a source that fails."""

    LOST = "lost"
    """It was there: try again later."""
    BUSY = "busy"
    """Another program holds it."""
    DENIED = "denied"
    """The user may not read it."""
    NOT_FOUND = "not found"
    """Nothing has that address."""


class SourceError(EcgedgeError):
    """A source cannot be opened or read; `reason` says what may help."""

    def __init__(self, message: str, *, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class Source(Protocol):
    """Yields the signal chunk by chunk, without gaps, and ends early when the agent is stopped."""

    @property
    def stream(self) -> Stream:
        """What it delivers."""
        ...

    @property
    def recording(self) -> Recording | None:
        """The whole of it, where it is at hand; the report compares with its reference beats."""
        ...

    def seek(self, sample: int) -> None:
        """Go on at this sample; `SourceError` where it has no such sample."""
        ...

    def __iter__(self) -> Iterator[SignalChunk]: ...


def open_source(settings: ReplaySettings, *, stop: threading.Event) -> Source:
    """The source that the settings ask for.

    Parameters
    ----------
    stop : ends the iteration before its next chunk

    Raises
    ------
    SourceError
        It is not there or may not be read.
    InputError
        What it holds cannot be judged.
    """
    from ecgedge_device.sources.replay import open_replay

    return open_replay(settings, stop=stop)
