"""SIGTERM and SIGINT as an event that a loop can wait for."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or SIGINT sets; a second one ends the process at once.

    A thread sets the event, since `Event.set` in a signal handler can deadlock with an `Event.wait` it interrupts.
    Call it in the main thread.
    """
    stop = threading.Event()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    old_fd = signal.set_wakeup_fd(writing)
    old = {number: signal.signal(number, _once) for number in _SIGNALS}
    watcher = threading.Thread(target=_watch, args=(reading, stop), name="signals", daemon=True)
    watcher.start()
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_fd)
        os.close(writing)
        watcher.join()
        os.close(reading)


def _once(number: int, _frame: FrameType | None) -> None:
    """The byte in the pipe says the rest; the next signal of this kind has its usual effect."""
    signal.signal(number, signal.SIG_DFL)


def _watch(reading: int, stop: threading.Event) -> None:
    while numbers := os.read(reading, 16):
        if set(numbers) & set(_SIGNALS):
            stop.set()
