"""The thread that keeps the device in order: retention, figures of the machine, and whether everything still works."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from ecgedge.errors import EcgedgeError
from ecgedge_device.desk import Desk
from ecgedge_device.live import Event
from ecgedge_device.log import log
from ecgedge_device.retention import dropped, free_bytes, tidy
from ecgedge_device.room import open_store
from ecgedge_device.store import Store

TIDY_S = 600.0
LOOK_S = 5.0
STUCK_S = 120.0
"""Longest time for one chunk or picture on the slowest machine; a source that takes longer hangs."""
_THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")


class Housekeeping(threading.Thread):
    """Looks every few seconds, tidies every few minutes.

    Parameters
    ----------
    well : is called after each look at which nothing was found to hang; what feeds the watchdog
    """

    def __init__(self, desk: Desk, well: Callable[[str], object]) -> None:
        super().__init__(name="housekeeping", daemon=True)
        self._desk, self._well = desk, well
        self._tidied_s = -TIDY_S
        self._shown: dict[str, object] = {}

    def run(self) -> None:
        """Until the agent stops."""
        try:
            with open_store(self._desk.settings.agent.store) as store:
                while not self._desk.stop.wait(LOOK_S):
                    self._look(store)
        except Exception as error:
            log.exception("housekeeping ended", extra={"reason": str(error)})
            self._desk.fail(error)

    def _look(self, store: Store) -> None:
        try:
            if monotonic() - self._tidied_s >= TIDY_S:
                self._tidy(store)
            self._facts(store)
        except (EcgedgeError, OSError) as error:
            log.warning("housekeeping fails", extra={"reason": type(error).__name__})
        self._show_states()
        busy = self._desk.health.busy_s()
        hanging = [name for name, seconds in busy.items() if seconds > STUCK_S]
        if hanging:
            log.error("source hangs", extra={"source": ",".join(hanging), "seconds": round(max(busy.values()))})
        else:
            self._well(f"{sum(self._desk.health.judged().values())} judged")

    def _tidy(self, store: Store) -> None:
        self._tidied_s = monotonic()
        self._desk.health.fact("files_bytes", sum(size for _, size in self._desk.keeper.kept()))  # slow: thousands
        done = tidy(store, self._desk.keeper, self._desk.settings.keep, self._desk.told)
        if done.beats or done.results or done.files:
            removed = {"beats": done.beats, "results": done.results, "files": done.files, "bytes": done.bytes}
            log.info("tidied", extra=removed)
        for name, count in done.dropped.items():
            log.warning("removed before it was sent", extra={"reporter": name, "results": count})

    def _facts(self, store: Store) -> None:
        health = self._desk.health
        health.fact("free_bytes", free_bytes(store))
        health.fact("store_bytes", store.path.stat().st_size)
        health.fact("disk_bytes", shutil.disk_usage(store.path.parent).total)
        health.fact("dropped", dict(dropped(store)))
        health.fact("temperature_c", temperature_c())

    def _show_states(self) -> None:
        states = self._desk.health.snapshot()["sources"]
        assert isinstance(states, dict)
        for name, state in states.items():
            if self._shown.get(name) != state and isinstance(state, dict):
                self._shown[name] = state
                self._desk.live.publish(Event("state", name, state))


def temperature_c() -> float | None:
    """Of the processor, degrees Celsius; None where the machine does not say."""
    try:
        return int(_THERMAL.read_text()) / 1000
    except (OSError, ValueError):
        return None
