"""What is removed from the device, oldest first: what is older than the settings say, and what there is no space for.

Pictures and snippets go before beats, beats before other results. What no reporter had taken yet is counted as dropped.
"""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ecgedge_device.files import FileKeeper
from ecgedge_device.migrations import transaction
from ecgedge_device.settings import KeepSettings
from ecgedge_device.store import Store
from ecgedge_device.store_errors import refused

_STEP = 2000
"""Rows removed at once: short transactions, so that nobody who judges waits long."""


@dataclass(slots=True)
class Tidied:
    """What was removed."""

    beats: int = 0
    results: int = 0
    files: int = 0
    bytes: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """Reporter -> results that it had not taken yet."""


def tidy(store: Store, keeper: FileKeeper, settings: KeepSettings) -> Tidied:
    """Remove what is too old, then what is too much; the oldest pictures and then beats where space is short."""
    done = Tidied()
    _age(store, keeper, settings, done)
    over = sum(size for _, size in keeper.kept()) - settings.pictures_mb * 1e6
    if over > 0:
        _shed_files(store, keeper, over, done)
    lacking = settings.free_mb * 1e6 - free_bytes(store)
    if lacking > 0 and not _shed_files(store, keeper, lacking, done):
        _shed_beats(store, done)
    return done


def make_room(store: Store, keeper: FileKeeper) -> Tidied:
    """Remove the oldest there is, since nothing can be written: a fiftieth of the files, else beats, else results."""
    done = Tidied()
    total = sum(size for _, size in keeper.kept())
    if not _shed_files(store, keeper, max(1.0, total / 50), done) and not _shed_beats(store, done):
        _shed_results(store, done)
    return done


def free_bytes(store: Store) -> int:
    """Space left on the store's disk."""
    return shutil.disk_usage(store.path.parent).free


def dropped(store: Store) -> dict[str, int]:
    """What was removed for want of space, ever, by kind."""
    with refused(store.path):
        return dict(store.connection.execute("SELECT kind, count FROM dropped"))


def _age(store: Store, keeper: FileKeeper, settings: KeepSettings, done: Tidied) -> None:
    if settings.pictures_days:
        where = "files_bytes > 0 AND stored_utc < ?"
        while names := _forget_files(store, where, _before(settings.pictures_days)):
            _remove(keeper, names, done)
    if settings.beats_days:
        while count := _delete(store, "beats", "stored_utc < ?", _before(settings.beats_days), done):
            done.beats += count
    if settings.results_days:
        while names := _forget_files(store, "files_bytes > 0 AND stored_utc < ?", _before(settings.results_days)):
            _remove(keeper, names, done)
        while count := _delete(store, "results", "stored_utc < ?", _before(settings.results_days), done):
            done.results += count


def _before(days: float) -> str:
    moment = datetime.now(UTC) - timedelta(days=days)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shed_files(store: Store, keeper: FileKeeper, wanted_bytes: float, done: Tidied) -> int:
    """Remove the oldest files until so many bytes are free; how many bytes that were."""
    freed = 0
    while freed < wanted_bytes and (names := _forget_files(store, "files_bytes > 0 AND ? = ''", "", most=10)):
        before = done.bytes
        _remove(keeper, names, done)
        freed += done.bytes - before
        _count(store, {"file": len(names)})
    return freed


def _forget_files(store: Store, where: str, value: str, *, most: int = 200) -> list[str]:
    """Take the files of the oldest results out of the database, and return their names."""
    select = f"SELECT number, files FROM results WHERE {where} ORDER BY number LIMIT ?"
    with refused(store.path), transaction(store.connection):
        rows = store.connection.execute(select, (value, most)).fetchall()
        numbers = [(number,) for number, _ in rows]
        store.connection.executemany("UPDATE results SET files = '{}', files_bytes = 0 WHERE number = ?", numbers)
    return [name for _, files in rows for name in json.loads(files).values()]


def _remove(keeper: FileKeeper, names: list[str], done: Tidied) -> None:
    for name in names:
        done.bytes += keeper.remove(name)
        done.files += 1


def _shed_beats(store: Store, done: Tidied) -> int:
    count = _delete(store, "beats", "? = ''", "", done)
    done.beats += count
    _count(store, {"beat": count})
    return count


def _shed_results(store: Store, done: Tidied) -> int:
    count = _delete(store, "results", "? = ''", "", done)
    done.results += count
    _count(store, {"result": count})
    return count


def _delete(store: Store, table: str, where: str, value: str, done: Tidied) -> int:
    """Remove up to so many of the oldest rows, and count for each reporter what it had not taken."""
    select = f"SELECT number FROM {table} WHERE {where} ORDER BY number LIMIT {_STEP}"
    with refused(store.path), transaction(store.connection):
        numbers = [number for (number,) in store.connection.execute(select, (value,))]
        if not numbers:
            return 0
        _count_unsent(store.connection, numbers, done)
        store.connection.execute(f"DELETE FROM {table} WHERE number IN ({select})", (value,))
    return len(numbers)


def _count_unsent(connection: sqlite3.Connection, numbers: list[int], done: Tidied) -> None:
    for name, taken in connection.execute("SELECT name, done FROM reporters").fetchall():
        if lost := sum(number > taken for number in numbers):
            done.dropped[name] = done.dropped.get(name, 0) + lost
            connection.execute("UPDATE reporters SET dropped = dropped + ? WHERE name = ?", (lost, name))


def _count(store: Store, counts: Mapping[str, int]) -> None:
    insert = "INSERT INTO dropped VALUES (?, ?) ON CONFLICT (kind) DO UPDATE SET count = count + excluded.count"
    with refused(store.path), transaction(store.connection):
        store.connection.executemany(insert, [entry for entry in counts.items() if entry[1]])
