"""The one thread beside the loop: send what is stored and unsent, then mark it sent."""

import threading
from pathlib import Path
from time import monotonic
from types import TracebackType

from ecgedge.errors import EcgedgeError
from ecgedge_device.reporters import Reporter
from ecgedge_device.store import Store

BATCH = 500
"""Results handed over at once."""
_POLL_S = 0.25
_LONGEST_PAUSE_S = 60.0


class Delivery:
    """Runs while the `with` lasts, then hands over what is left, for a limited time.

    A reporter that fails is tried again with growing pauses; the loop goes on meanwhile, since the store keeps all.

    Parameters
    ----------
    store : path of the store; the thread opens a connection of its own
    drain_s : longest time for the rest at the end, s
    """

    def __init__(self, store: Path, reporter: Reporter, *, drain_s: float = 10.0) -> None:
        self._path, self._reporter, self._drain_s = store, reporter, drain_s
        self._closing = threading.Event()
        self._deadline_s = float("inf")
        self._thread = threading.Thread(target=self._work, name="delivery", daemon=True)
        self.trouble: Exception | None = None
        """What the last attempt failed of; None when it succeeded."""

    def __enter__(self) -> "Delivery":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadline_s = monotonic() + self._drain_s
        self._closing.set()
        self._thread.join(self._drain_s + 1.0)  # a reporter that hangs goes with the process
        if not self._thread.is_alive():
            self._reporter.close()

    def _work(self) -> None:
        try:
            with Store(self._path) as store:
                self._deliver_until_closed(store)
        except Exception as error:  # shown by whoever started the thread: a thread has no caller to tell
            self.trouble = error

    def _deliver_until_closed(self, store: Store) -> None:
        pause_s = _POLL_S
        while not self._closing.is_set():
            pause_s = _POLL_S if self._try(store) else min(2 * pause_s, _LONGEST_PAUSE_S)
            self._closing.wait(pause_s)
        self._try(store)

    def _try(self, store: Store) -> bool:
        try:
            self._send_all(store)
        except EcgedgeError as error:
            self.trouble = error
            return False
        self.trouble = None
        return True

    def _send_all(self, store: Store) -> None:
        while monotonic() < self._deadline_s and (results := store.unsent(BATCH)):
            self._reporter.send(results)
            store.mark_sent([result.id for result in results])
