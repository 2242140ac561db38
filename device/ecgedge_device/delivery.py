"""The threads beside the loop, one for each reporter: send what is stored, then note that it was taken."""

import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType

from ecgedge.errors import EcgedgeError
from ecgedge_device.health import Health
from ecgedge_device.log import log
from ecgedge_device.reporters import Refused, Reporter, ReportError
from ecgedge_device.results import Result
from ecgedge_device.store import Store

BATCH = 500
"""Results handed over at once."""
_REST_S = 5.0
"""Longest rest without news; the store may have been filled by another program."""
_LONGEST_PAUSE_S = 60.0


class Delivery:
    """Runs while the `with` lasts, then hands over what is left, for a limited time.

    A reporter that fails is tried again with growing pauses; the loop goes on meanwhile, since the store keeps all.

    Parameters
    ----------
    store : path of the store, where the reporter is registered; the thread opens a connection of its own
    name, kinds : of the reporter, and which results it is told
    open_it : opens the reporter, in the thread
    drain_s : longest time for the rest at the end, s
    """

    def __init__(
        self,
        store: Path,
        name: str,
        kinds: Sequence[str],
        open_it: Callable[[], Reporter],
        *,
        health: Health,
        drain_s: float = 10.0,
    ) -> None:
        self._path, self.name, self._kinds, self._open, self._drain_s = store, name, kinds, open_it, drain_s
        self._health = health
        self._reporter: Reporter | None = None
        self._news, self._closing = threading.Event(), threading.Event()
        self._deadline_s = float("inf")
        self._thread = threading.Thread(target=self._work, name=f"report {name}", daemon=True)
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
        self._news.set()
        self._thread.join(self._drain_s + 1.0)  # a reporter that hangs goes with the process

    def wake(self) -> None:
        """There is something to send."""
        self._news.set()

    def _work(self) -> None:
        failures = 0
        while True:
            try:
                with Store(self._path) as store:
                    self._deliver_until_closed(store)
                    return
            except Exception as error:  # a fault of ours, or the disk: months of results must not wait for a restart
                log.exception("report failed", extra={"reporter": self.name, "reason": type(error).__name__})
                self.trouble = error
                self._health.reporter(self.name, state="failing", trouble=repr(error))
            finally:
                self._close()
            failures += 1
            if self._rest(failures):
                return

    def _close(self) -> None:
        try:
            if self._reporter is not None:
                self._reporter.close()
        except Exception as error:
            log.warning("report cannot be closed", extra={"reporter": self.name, "reason": type(error).__name__})
        self._reporter = None

    def _rest(self, failures: int) -> bool:
        """Longer after each failure, and not all devices at once; whether it is over."""
        return self._closing.wait(min(2.0 ** (failures - 1), _LONGEST_PAUSE_S) * random.uniform(0.5, 1.0))

    def _deliver_until_closed(self, store: Store) -> None:
        failures = 0
        while not self._closing.is_set():
            self._news.clear()
            if self._try(store):
                failures = 0
                self._news.wait(_REST_S)
            else:
                failures += 1
                self._rest(failures)
        self._try(store)

    def _try(self, store: Store) -> bool:
        try:
            self._send_all(store)
        except EcgedgeError as error:
            if str(error) != str(self.trouble):
                log.warning("report fails", extra={"reporter": self.name, "reason": str(error)})
            self.trouble = error
            self._health.reporter(self.name, state="failing", trouble=str(error))
            self._health.reporter(self.name, waiting=store.count_unsent(self.name, self._kinds))
            return False
        if self.trouble is not None:
            log.info("report works again", extra={"reporter": self.name})
        self.trouble = None
        self._health.reporter(self.name, state="well", trouble="", waiting=0)
        return True

    def _send_all(self, store: Store) -> None:
        if self._reporter is None:
            self._reporter = self._open()
        while monotonic() < self._deadline_s and (results := store.unsent(self.name, self._kinds, BATCH)):
            self._send(store, self._reporter, results)

    def _send(self, store: Store, reporter: Reporter, results: Sequence[Result]) -> None:
        try:
            reporter.send(results)
        except Refused as refused:
            at = next((index for index, result in enumerate(results) if result.id == refused.id), None)
            if at is None:
                raise ReportError(f"{self.name}: refused {refused.id}, which it was not sent") from refused
            if at:
                store.mark_sent(self.name, results[at - 1])
            store.give_up(self.name, results[at], str(refused))
            log.warning("result refused", extra={"reporter": self.name, "id": results[at].id, "reason": str(refused)})
            before = self._health.reporter(self.name)
            self._health.reporter(self.name, sent=before.sent + at, given_up=before.given_up + 1)
            return
        store.mark_sent(self.name, results[-1])
        self._health.reporter(self.name, sent=self._health.reporter(self.name).sent + len(results))
