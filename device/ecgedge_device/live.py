"""What goes on right now, for whoever looks: bounded, never in the way of judging, gone when nobody looks."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from ecgedge.manifest import Json

Topic = Literal["signal", "beats", "step", "result", "state"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    `signal` : {"start": sample, "fs_hz": Hz, "lead": name, "mv": [..]} samples of the judged lead, at most 125 Hz, null
    where nothing was measured
    `beats` : {"fs_hz": Hz, "beats": [{"sample", "label", "rr_ms"}, ..]}
    `step` : {"work": id, "name": name of the picture, "step": stage that begins, "n": from 1, "of": how many}
    `result` : a stored result that is no beat, as `results.as_plain` gives it
    `state` : the state of one source, as `health.Health.snapshot` gives it
    """

    topic: Topic
    source: str
    """Name of the source."""
    data: Mapping[str, Json]


class Subscription:
    """What one listener has not yet taken; the oldest is dropped where it is slow."""

    def __init__(self, most: int) -> None:
        self._events: deque[Event] = deque(maxlen=most)
        self._some = threading.Condition()
        self.dropped = 0
        """How many were dropped so far."""

    def put(self, event: Event) -> None:
        """Never waits."""
        with self._some:
            self.dropped += len(self._events) == self._events.maxlen
            self._events.append(event)
            self._some.notify()

    def take(self, timeout_s: float) -> list[Event]:
        """All that are there, oldest first; waits for one until the timeout; may be empty."""
        with self._some:
            if not self._events:
                self._some.wait(timeout_s)
            events = list(self._events)
            self._events.clear()
        return events


class Live:
    """Passes events from the threads that judge to those that show."""

    def __init__(self) -> None:
        self._listeners: tuple[Subscription, ...] = ()
        self._lock = threading.Lock()

    @property
    def watched(self) -> bool:
        """Whether anybody listens; who makes costly events asks first."""
        return bool(self._listeners)

    def publish(self, event: Event) -> None:
        """Tell every listener."""
        for listener in self._listeners:
            listener.put(event)

    @contextmanager
    def subscribe(self, *, most: int = 500) -> Iterator[Subscription]:
        """Listen while the `with` lasts."""
        listener = Subscription(most)
        with self._lock:
            self._listeners = (*self._listeners, listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)
