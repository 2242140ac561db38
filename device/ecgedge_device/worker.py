"""One source's thread: work after work is judged and stored; a lost source is opened again; the others go on."""

import random
import threading

from ecgedge.errors import EcgedgeError, InputError, SettingsError
from ecgedge_device.desk import Desk
from ecgedge_device.judging import Judging
from ecgedge_device.log import log
from ecgedge_device.room import open_store
from ecgedge_device.sources import Source, SourceError

_LONGEST_PAUSE_S = 60.0


class Worker(threading.Thread):
    """The loop over one source.

    Parameters
    ----------
    lasting : whether a source that fails may come back (a camera), or never will (a recording in the settings)
    """

    def __init__(self, desk: Desk, name: str, source: Source, *, lasting: bool) -> None:
        super().__init__(name=f"source {name}", daemon=True)
        self._desk, self._source_name, self._source, self._lasting = desk, name, source, lasting
        self._failures = 0

    def run(self) -> None:
        """Until the source ends or the agent stops."""
        name, desk = self._source_name, self._desk
        try:
            with open_store(desk.settings.agent.store) as store:
                judging = Judging(desk, store, name, lasting=self._lasting)
                while not desk.stop.is_set() and not self._exhausted(judging):
                    self._rest()
        except Exception as error:  # the store, or a fault of ours: nothing can be kept any more
            log.exception("source ended", extra={"source": name, "reason": type(error).__name__})
            desk.health.source(name, state="given up", trouble=str(error))
            desk.fail(error)

    def _exhausted(self, judging: Judging) -> bool:
        """Go through the source once; whether nothing more can come of it."""
        name, health = self._source_name, self._desk.health
        try:
            health.source(name, state="waiting")
            for work in self._source:
                health.source(name, state="running", trouble="", retries=0)
                self._failures = 0
                done = judging.judge(work)
                if done is None:
                    break  # stopped
                self._source.done(work, done)
                health.source(name, state="waiting")
        except SourceError as error:
            if not self._lasting:
                return self._give_up(error)
            self._lose(error)
            return False
        except (InputError, SettingsError) as error:
            return self._give_up(error)
        except EcgedgeError:
            raise
        except Exception as error:
            log.exception("source failed", extra={"source": name, "reason": type(error).__name__})
            if not self._lasting:
                raise
            self._lose(error)
            return False
        if not self._desk.stop.is_set():
            health.source(name, state="ended")
        return True

    def _give_up(self, error: Exception) -> bool:
        self._desk.health.source(self._source_name, state="given up", trouble=str(error))
        self._desk.failures.append(error)
        log.error("source given up", extra={"source": self._source_name, "reason": type(error).__name__})
        return True

    def _lose(self, error: Exception) -> None:
        self._failures += 1
        trouble = " ".join(str(error).split())
        self._desk.health.source(self._source_name, state="lost", trouble=trouble, retries=self._failures)
        if self._failures == 1:  # its words may hold the name of a file
            reason = error.reason.value if isinstance(error, SourceError) else type(error).__name__
            log.warning("source lost", extra={"source": self._source_name, "reason": reason})

    def _rest(self) -> None:
        """Longer after each failure, and not all sources at once."""
        pause_s = min(2.0 ** max(0, self._failures - 1), _LONGEST_PAUSE_S)
        self._desk.stop.wait(pause_s * random.uniform(0.5, 1.0))
