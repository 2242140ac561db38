"""What is removed from the device, oldest first: what is older than the settings say, and what there is no space for.

Pictures and snippets go before beats, beats before other results. What no reporter had taken yet is counted as dropped.
"""

import json
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ecgedge_device.files import FileKeeper
from ecgedge_device.log import log
from ecgedge_device.migrations import transaction
from ecgedge_device.reserve import RESERVE_BYTES, Reserve
from ecgedge_device.settings import KeepSettings
from ecgedge_device.store import Store
from ecgedge_device.store_errors import StoreFull, refused

_STEP = 2000
_STEPS = (_STEP, 200, 20)
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


Told = Mapping[str, Sequence[str]]
"""Reporter -> kinds of results that it is told."""


def tidy(store: Store, keeper: FileKeeper, settings: KeepSettings, told: Told) -> Tidied:
    """Remove what is too old, then what is too much; the oldest pictures and then beats where space is short."""
    done = Tidied()
    _age(store, keeper, settings, done, told)
    keeper.sweep(_named_files(store))
    over = sum(size for _, size in keeper.kept()) - settings.pictures_mb * 1e6
    if over > 0:
        _shed_files(store, keeper, over, done)
    lacking = _lacking(store, settings)
    if lacking > 0:
        lacking -= _shed_files(store, keeper, lacking, done)
    while lacking > 0 and _shed_beats(store, done, told):
        store.give_back()
        lacking = _lacking(store, settings)
    if not Reserve(store.path).fill():
        log.warning("no space to set aside", extra={"free_bytes": free_bytes(store)})
    return done


def make_room(store: Store, keeper: FileKeeper, told: Told) -> Tidied:
    """Remove the oldest there is, since nothing can be written: a fiftieth of the files, else beats, else results."""
    done, reserve = Tidied(), Reserve(store.path)
    reserve.release()
    with suppress(StoreFull):
        store.give_back()  # what waits in the journal takes its place in the store's file
    total = sum(size for _, size in keeper.kept())
    wanted = max(RESERVE_BYTES if total else 1.0, total / 50)
    shed = _shed_files(store, keeper, wanted, done) or _shed_rows(store, done, told)
    # Never without space set aside: with none, SQLite can neither write its journal back nor remove anything.
    while shed and not _set_aside(store, reserve):
        shed = _shed_rows(store, done, told)
    return done


def _set_aside(store: Store, reserve: Reserve) -> bool:
    with suppress(StoreFull):
        store.give_back()
    return reserve.fill()


def _lacking(store: Store, settings: KeepSettings) -> float:
    """How many bytes more should be free; what new rows can take in the store's file counts as free."""
    return settings.free_mb * 1e6 - free_bytes(store) - store.unused_bytes


def _named_files(store: Store) -> set[str]:
    """Files that a result names."""
    with refused(store.path):
        rows = store.connection.execute("SELECT files FROM results WHERE files_bytes > 0")
        return {name for (files,) in rows for name in json.loads(files).values()}


def free_bytes(store: Store) -> int:
    """Space left on the store's disk."""
    return shutil.disk_usage(store.path.parent).free


def dropped(store: Store) -> dict[str, int]:
    """What was removed for want of space, ever, by kind."""
    with refused(store.path):
        return dict(store.connection.execute("SELECT kind, count FROM dropped"))


def _age(store: Store, keeper: FileKeeper, settings: KeepSettings, done: Tidied, told: Told) -> None:
    if settings.pictures_days:
        where = "files_bytes > 0 AND stored_utc < ?"
        while names := _forget_files(store, where, _before(settings.pictures_days)):
            _remove(keeper, names, done)
    if settings.beats_days:
        while count := _delete(store, "beats", "stored_utc < ?", _before(settings.beats_days), done, told):
            done.beats += count
    if settings.results_days:
        while names := _forget_files(store, "files_bytes > 0 AND stored_utc < ?", _before(settings.results_days)):
            _remove(keeper, names, done)
        while count := _delete(store, "results", "stored_utc < ?", _before(settings.results_days), done, told):
            done.results += count
        with refused(store.path), transaction(store.connection):
            store.connection.execute(
                "DELETE FROM dead_letters WHERE given_up_utc < ?", (_before(settings.results_days),)
            )


def _before(days: float) -> str:
    moment = datetime.now(UTC) - timedelta(days=days)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shed_files(store: Store, keeper: FileKeeper, wanted_bytes: float, done: Tidied) -> int:
    """Remove the oldest files until so many bytes are free; how many bytes that were."""
    freed = 0
    while freed < wanted_bytes and (rows := _with_files(store, "files_bytes > 0 AND ? = ''", "", most=10)):
        before = done.bytes
        _remove(keeper, [name for _, names in rows for name in names], done)  # first: the database may need the space
        freed += done.bytes - before
        _forget(store, [number for number, _ in rows])
        _count(store, {"file": sum(len(names) for _, names in rows)})
    return freed


def _forget_files(store: Store, where: str, value: str) -> list[str]:
    """Take the files of the oldest results out of the database, and return their names."""
    rows = _with_files(store, where, value, most=200)
    _forget(store, [number for number, _ in rows])
    return [name for _, names in rows for name in names]


def _with_files(store: Store, where: str, value: str, *, most: int) -> list[tuple[int, list[str]]]:
    """The oldest results with files: their numbers and the files' names."""
    select = f"SELECT number, files FROM results WHERE {where} ORDER BY number LIMIT ?"
    with refused(store.path):
        rows = store.connection.execute(select, (value, most)).fetchall()
    return [(number, list(json.loads(files).values())) for number, files in rows]


def _forget(store: Store, numbers: list[int]) -> None:
    update = "UPDATE results SET files = '{}', files_bytes = 0 WHERE number = ?"
    with refused(store.path), transaction(store.connection):
        store.connection.executemany(update, [(number,) for number in numbers])


def _remove(keeper: FileKeeper, names: list[str], done: Tidied) -> None:
    for name in names:
        done.bytes += keeper.remove(name)
        done.files += 1


def _shed_rows(store: Store, done: Tidied, told: Told) -> int:
    """Remove the oldest beats, else results: fewer at once where the journal of many does not fit."""
    for most in _STEPS:
        try:
            return _shed_beats(store, done, told, most=most) or _shed_results(store, done, told, most=most)
        except StoreFull:
            with suppress(StoreFull):
                store.give_back()
    return 0


def _shed_beats(store: Store, done: Tidied, told: Told, *, most: int = _STEP) -> int:
    count = _delete(store, "beats", "? = ''", "", done, told, most=most)
    done.beats += count
    _count(store, {"beat": count})
    return count


def _shed_results(store: Store, done: Tidied, told: Told, *, most: int = _STEP) -> int:
    count = _delete(store, "results", "? = ''", "", done, told, most=most)
    done.results += count
    _count(store, {"result": count})
    return count


def _delete(store: Store, table: str, where: str, value: str, done: Tidied, told: Told, *, most: int = _STEP) -> int:
    """Remove up to so many of the oldest rows, and count for each reporter what it had not taken."""
    kind = "'beat'" if table == "beats" else "kind"
    select = f"SELECT number, {kind} FROM {table} WHERE {where} ORDER BY number LIMIT {most}"
    with refused(store.path), transaction(store.connection):
        rows = store.connection.execute(select, (value,)).fetchall()
        if rows:
            _count_unsent(store.connection, rows, done, told)
            store.connection.executemany(f"DELETE FROM {table} WHERE number = ?", [(number,) for number, _ in rows])
    return len(rows)


def _count_unsent(connection: sqlite3.Connection, rows: list[tuple[int, str]], done: Tidied, told: Told) -> None:
    for name, taken in connection.execute("SELECT name, done FROM reporters").fetchall():
        kinds = told.get(name, ())  # none: it is in the settings no more
        if lost := sum(number > taken and kind in kinds for number, kind in rows):
            done.dropped[name] = done.dropped.get(name, 0) + lost
            connection.execute("UPDATE reporters SET dropped = dropped + ? WHERE name = ?", (lost, name))


def _count(store: Store, counts: Mapping[str, int]) -> None:
    insert = "INSERT INTO dropped VALUES (?, ?) ON CONFLICT (kind) DO UPDATE SET count = count + excluded.count"
    with refused(store.path), transaction(store.connection):
        store.connection.executemany(insert, [entry for entry in counts.items() if entry[1]])
