"""Writing where the disk may be full: the oldest is dropped by the stated rule, counted, said, and tried again."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ecgedge.errors import StoreError
from ecgedge_device.desk import Desk
from ecgedge_device.log import log
from ecgedge_device.reserve import Reserve
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
    full_before = False
    while True:
        try:
            written = write()
        except StoreFull as full:
            full_before = True
            desk.health.fact("disk_full", str(full))
            if not _made(desk, store) and desk.stop.wait(_PAUSE_S):
                return None
        else:
            if full_before:
                desk.health.fact("disk_full", None)
            return written


def _made(desk: Desk, store: Store) -> bool:
    """Whether anything could be removed."""
    try:
        done = make_room(store, desk.keeper, desk.told)
    except StoreError as error:
        log.error("disk full, and nothing can be removed", extra={"reason": type(error).__name__})
        return False
    if not (done.files or done.beats or done.results):
        return False
    removed = {"files": done.files, "beats": done.beats, "results": done.results}
    log.warning("disk full, oldest removed", extra=removed)
    for name, count in done.dropped.items():
        log.warning("removed before it was sent", extra={"reporter": name, "results": count})
    return True


def set_aside(desk: Desk, store: Store) -> None:
    """Set space aside before anything is judged, at the cost of the oldest where the disk is full."""
    if not Reserve(store.path).fill():
        _made(desk, store)


def open_store(path: Path) -> Store:
    """Open the store, also on a full disk, if space was set aside on it.

    Raises
    ------
    StoreError
        As `Store`.
    """
    try:
        return Store(path)
    except StoreFull:
        if not Reserve(path).release():
            raise
        return Store(path)
