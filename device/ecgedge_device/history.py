"""What is stored, as people and programs ask for it. Inside a transaction, or a single read."""

import sqlite3
from collections.abc import Sequence

from ecgedge.records import Beat
from ecgedge_device.results import Result, Run
from ecgedge_device.rows import (
    BEAT_COLUMNS,
    BEAT_RESULT_COLUMNS,
    RESULT_COLUMNS,
    RUN_COLUMNS,
    beat_of,
    beat_result_of,
    result_of,
    run_of,
)

_RUN = f"SELECT number, {RUN_COLUMNS}, finished_utc, next_sample, state FROM runs"
_BEAT_RESULT = f"SELECT {BEAT_RESULT_COLUMNS} FROM beats JOIN runs ON runs.number = beats.run"


def run(connection: sqlite3.Connection, number: int) -> Run | None:
    """A run as it stands now."""
    row = connection.execute(f"{_RUN} WHERE number = ?", (number,)).fetchone()
    return None if row is None else run_of(row)


def last_run(connection: sqlite3.Connection, address: str) -> Run | None:
    """The latest run of a source."""
    row = connection.execute(f"{_RUN} WHERE address = ? ORDER BY number DESC LIMIT 1", (address,)).fetchone()
    return None if row is None else run_of(row)


def runs_since(connection: sqlite3.Connection, utc: str) -> list[int]:
    """Numbers of the runs with beats stored at or after a time."""
    select = "SELECT DISTINCT run FROM beats WHERE number > ? ORDER BY run"
    return [number for (number,) in connection.execute(select, (number_before(connection, utc),))]


def beats(connection: sqlite3.Connection, number: int) -> list[Beat]:
    """All beats of a run, by time."""
    select = f"SELECT {BEAT_COLUMNS} FROM beats WHERE run = ? ORDER BY sample"
    return [beat_of(*row) for row in connection.execute(select, (number,))]


def beats_since(connection: sqlite3.Connection, source: str, *, after: int, limit: int) -> list[Result]:
    """Beats of a source after a result number, in the order of storing."""
    select = f"{_BEAT_RESULT} WHERE beats.number > ? AND source = ? ORDER BY beats.number LIMIT ?"
    return [beat_result_of(row) for row in connection.execute(select, (after, source, limit))]


def recent(
    connection: sqlite3.Connection, kinds: Sequence[str], *, source: str, label: str, before: int, limit: int
) -> list[Result]:
    """Results other than beats with a smaller number than `before`, the newest first."""
    marks = ", ".join("?" * len(kinds))
    select = f"""SELECT {RESULT_COLUMNS} FROM results
        WHERE kind IN ({marks}) AND (? = '' OR source = ?) AND (? = '' OR json_extract(content, '$.label') = ?)
        AND number < ? ORDER BY number DESC LIMIT ?"""
    values = (*kinds, source, source, label, label, before, limit)
    return [result_of(row) for row in connection.execute(select, values)]


def result(connection: sqlite3.Connection, uid: str) -> Result | None:
    """One result of any kind."""
    row = connection.execute(f"SELECT {RESULT_COLUMNS} FROM results WHERE id = ?", (uid,)).fetchone()
    if row is not None:
        return result_of(row)
    row = connection.execute(f"{_BEAT_RESULT} WHERE id = ?", (uid,)).fetchone()
    return None if row is None else beat_result_of(row)


def number_before(connection: sqlite3.Connection, utc: str) -> int:
    """Number of the last result stored before a time; 0 where there is none."""
    select = """SELECT max(coalesce((SELECT max(number) FROM beats WHERE stored_utc < ?), 0),
        coalesce((SELECT max(number) FROM results WHERE stored_utc < ?), 0))"""
    return int(connection.execute(select, (utc, utc)).fetchone()[0])


def open_alarms(connection: sqlite3.Connection, source: str) -> list[str]:
    """Rules of a source whose last alarm has begun and not ended."""
    select = """SELECT rule FROM (
            SELECT json_extract(content, '$.rule') AS rule, json_extract(content, '$.state') AS state, max(number)
            FROM results WHERE kind = 'alarm' AND source = ? GROUP BY rule
        ) WHERE state = 'begins' ORDER BY rule"""
    return [rule for (rule,) in connection.execute(select, (source,))]
