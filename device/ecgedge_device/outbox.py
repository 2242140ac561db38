"""What each reporter has still to send: a place in the one order of storing, and dead letters. Inside a transaction."""

import sqlite3
from collections.abc import Sequence
from heapq import merge
from itertools import islice

from ecgedge.errors import StoreError
from ecgedge_device.migrations import utc_now
from ecgedge_device.results import Result
from ecgedge_device.rows import BEAT_RESULT_COLUMNS, RESULT_COLUMNS, beat_result_of, result_of

_DEAD = ("reporter", "id", "kind", "reason", "given_up_utc")


def register(connection: sqlite3.Connection, reporter: str) -> None:
    """Make a reporter known at the end of what is stored; one that is known keeps its place."""
    connection.execute("INSERT OR IGNORE INTO reporters (name, done) SELECT ?, next - 1 FROM sequence", (reporter,))


def place(connection: sqlite3.Connection, reporter: str) -> int:
    """Number of the last result that is done with.

    Raises
    ------
    StoreError
        The reporter is not registered.
    """
    row = connection.execute("SELECT done FROM reporters WHERE name = ?", (reporter,)).fetchone()
    if row is None:
        raise StoreError(f"reporter {reporter} is not known to the store; start the agent with it in its settings")
    return int(row[0])


def unsent(connection: sqlite3.Connection, reporter: str, kinds: Sequence[str], limit: int) -> list[Result]:
    """The next results of these kinds, in the order of storing."""
    return following(connection, place(connection, reporter), kinds, limit)


def following(connection: sqlite3.Connection, done: int, kinds: Sequence[str], limit: int) -> list[Result]:
    """Results of these kinds after a number, in the order of storing."""
    found = []
    if "beat" in kinds:
        beats = f"""SELECT {BEAT_RESULT_COLUMNS} FROM beats JOIN runs ON runs.number = beats.run
            WHERE beats.number > ? ORDER BY beats.number LIMIT ?"""
        found.append([beat_result_of(row) for row in connection.execute(beats, (done, limit))])
    others = f"""SELECT {RESULT_COLUMNS} FROM results
        WHERE number > ? AND kind IN ({", ".join("?" * len(kinds))}) ORDER BY number LIMIT ?"""
    found.append([result_of(row) for row in connection.execute(others, (done, *kinds, limit))])
    return list(islice(merge(*found, key=lambda result: result.number), limit))


def mark(connection: sqlite3.Connection, reporter: str, number: int) -> None:
    """Move a reporter's place forward; never back."""
    connection.execute("UPDATE reporters SET done = ? WHERE name = ? AND done < ?", (number, reporter, number))


def bury(connection: sqlite3.Connection, reporter: str, result: Result, reason: str) -> None:
    """Keep a refused result's id and the reason, and go on behind it."""
    values = (reporter, result.id, result.kind, reason, utc_now())
    connection.execute("INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?)", values)
    mark(connection, reporter, result.number)


def waiting(connection: sqlite3.Connection, reporter: str, kinds: Sequence[str]) -> int:
    """How many results of these kinds come after the reporter's place."""
    done = place(connection, reporter)
    marks = ", ".join("?" * len(kinds))
    others = f"SELECT count(*) FROM results WHERE number > ? AND kind IN ({marks})"
    count = int(connection.execute(others, (done, *kinds)).fetchone()[0])
    if "beat" in kinds:
        count += int(connection.execute("SELECT count(*) FROM beats WHERE number > ?", (done,)).fetchone()[0])
    return count


def dead_letters(connection: sqlite3.Connection, limit: int) -> list[dict[str, str]]:
    """The newest first."""
    select = f"SELECT {', '.join(_DEAD)} FROM dead_letters ORDER BY given_up_utc DESC LIMIT ?"
    return [dict(zip(_DEAD, row, strict=True)) for row in connection.execute(select, (limit,))]
