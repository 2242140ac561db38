"""Writing where the disk may be full: the oldest is dropped by the stated rule, counted, said, and tried again."""

from collections.abc import Callable
from typing import TypeVar

from ecgedge_device.desk import Desk
from ecgedge_device.log import log
from ecgedge_device.retention import make_room
from ecgedge_device.store import Store
from ecgedge_device.store_errors import StoreFull

_PAUSE_S = 2.0
T = TypeVar("T")


def with_room(desk: Desk, store: Store, write: Callable[[], T]) -> T | None:
    """Do what writes; None where the agent was stopped before there was room.

    Raises
    ------
    StoreError
        It failed of something else than space.
    """
    while True:
        try:
            return write()
        except StoreFull as full:
            desk.health.fact("disk_full", str(full))
            try:
                done = make_room(store, desk.keeper)
            except StoreFull:
                log.error("disk full, and nothing can be removed", extra={"reason": str(full)})
                done = None
            if done is not None and (done.files or done.beats or done.results):
                removed = {"files": done.files, "beats": done.beats, "results": done.results}
                log.warning("disk full, oldest removed", extra=removed)
            elif desk.stop.wait(_PAUSE_S):
                return None
