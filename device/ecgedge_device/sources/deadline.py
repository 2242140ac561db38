"""Calls into a library that may never return: waited for until a deadline or a stop, then left to themselves."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from ecgedge_device.sources import Reason, SourceError

T = TypeVar("T")
_LOOK_S = 0.1  # how soon a stop is seen


class Stopped(Exception):
    """The agent stops; nothing is wrong."""


class _Call(threading.Thread, Generic[T]):
    """One call in a thread of its own, which cannot keep the program alive."""

    def __init__(self, call: Callable[[], T], late: Callable[[T | None], object]) -> None:
        super().__init__(daemon=True)
        self._call, self._late = call, late
        self._lock = threading.Lock()
        self._abandoned = self._returned = False
        self.result: list[T] = []
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.result.append(self._call())
        except Exception as error:  # told to whoever waits
            self.error = error
        with self._lock:
            self._returned = True
            abandoned = self._abandoned
        if abandoned:
            self._late(self.result[0] if self.result else None)

    def abandon(self) -> bool:
        """Wait no more; False where it returned in the last moment."""
        with self._lock:
            self._abandoned = not self._returned
            return self._abandoned


def within(
    timeout_s: float,
    call: Callable[[], T],
    *,
    what: str,
    stop: threading.Event,
    late: Callable[[T | None], object] = lambda _: None,
) -> T:
    """The result of a call, if it comes in time; what the call raises is raised.

    Parameters
    ----------
    what : that failed, for the message: "camera: taking a picture"
    late : called with the result, or None, where the call returns after nobody waits any more

    Raises
    ------
    SourceError
        It did not return in time.
    Stopped
        The agent stops.
    """
    thread = _Call(call, late)
    thread.start()
    deadline = monotonic() + timeout_s
    while thread.is_alive() and not stop.is_set() and monotonic() < deadline:
        thread.join(_LOOK_S)
    if thread.abandon():
        if stop.is_set():
            raise Stopped
        raise SourceError(
            f"{what} took longer than {timeout_s:g} s; restart the agent if this repeats", reason=Reason.LOST
        )
    if thread.error is not None:
        raise thread.error
    return thread.result[0]
