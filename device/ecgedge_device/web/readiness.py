"""Whether the agent can do its work now: every source there, the store writable. Else the reasons, a line each."""

import sqlite3
from contextlib import closing

from ecgedge_device.housekeeping import STUCK_S
from ecgedge_device.web.machine import look_at
from ecgedge_device.web.view import AgentView
from ecgedge_device.web.wording import mapping, text

_WAIT_S = 2.0
_FULL_BYTES = 1_000_000
_BAD = ("lost", "given up")


def troubles(agent: AgentView) -> list[str]:
    """What keeps the agent from working; empty where it works. Blocks for up to 2 s."""
    return [*_source_troubles(agent), *_store_troubles(agent)]


def _source_troubles(agent: AgentView) -> list[str]:
    found = []
    for name, one in mapping(agent.health.snapshot(), "sources").items():
        if isinstance(one, dict) and one.get("state") in _BAD:
            found.append(f"source {name} is {one['state']}: {text(one, 'trouble') or 'no reason known'}")
    hanging = {name: busy_s for name, busy_s in agent.health.busy_s().items() if busy_s > STUCK_S}
    return found + [f"source {name} hangs: no work finished for {busy_s:.0f} s" for name, busy_s in hanging.items()]


def _store_troubles(agent: AgentView) -> list[str]:
    path = agent.store_path
    free = look_at(path).free_bytes
    if free < _FULL_BYTES:
        return [f"store {path.name}: {free} bytes are free, {_FULL_BYTES} are needed; free some space"]
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=_WAIT_S, isolation_level=None)) as base:
            base.execute("BEGIN IMMEDIATE")  # takes the write lock and gives it back: nothing is written
            base.execute("ROLLBACK")
    except sqlite3.Error as error:
        return [f"store {path.name}: cannot be written ({error}); check disk and folder"]
    return []
