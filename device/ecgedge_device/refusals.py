"""Recordings that cannot be judged: stored as such, so that they are told and never tried again."""

from ecgedge.manifest import Json
from ecgedge_device.desk import Desk
from ecgedge_device.results import Finding
from ecgedge_device.room import with_room
from ecgedge_device.sources import Done
from ecgedge_device.store import Store

MOST_ATTEMPTS = 2
"""A picture or recording during which the agent died so often is refused: it must not stop those behind it."""


class Refusals:
    """Refused recordings of one source.

    Parameters
    ----------
    source : its name
    """

    def __init__(self, desk: Desk, store: Store, source: str) -> None:
        self._desk, self._store, self._source = desk, store, source

    def keep(self, uid: str, name: str, time_utc: str, reason: str) -> Done | None:
        """Store that a recording cannot be judged; None where the agent was stopped before there was space for it.

        Parameters
        ----------
        uid : of the result
        name : of the recording
        time_utc : when it came in; empty where nobody knows
        """
        content: dict[str, Json] = {"recording": name, "bundle": "", "refused": True, "reason": reason}
        finding = Finding(uid, "recording", self._source, time_utc, content)
        results = with_room(self._desk, self._store, lambda: self._store.add([finding]))
        if results is None:
            return None
        self._desk.health.count(self._source, refused=1)
        self._desk.tell(results)
        return Done("refused", reason)


def words_for(error: Exception) -> str:
    """What is told of a fault of ours."""
    return f"internal error ({type(error).__name__}); look at the log, and report it"
