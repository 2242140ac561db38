"""What is written into the store: runs, beats, findings, attempts. Inside a transaction."""

import sqlite3
from collections.abc import Sequence
from uuid import UUID, uuid4, uuid5

from ecgedge.records import Beat
from ecgedge_device.migrations import utc_now
from ecgedge_device.results import BundleId, Finding, Result, Run, Stream
from ecgedge_device.rows import BEAT_COLUMNS, RUN_COLUMNS, beat_row, finding_row, run_row


def begin(connection: sqlite3.Connection, stream: Stream, bundle: BundleId, *, at: int, state: bytes) -> int:
    """Start a run at sample `at`; its number."""
    values = (str(uuid4()), *run_row(stream, bundle), utc_now(), at, state)
    insert = f"INSERT INTO runs ({RUN_COLUMNS}, next_sample, state) VALUES ({', '.join('?' * len(values))})"
    number = connection.execute(insert, values).lastrowid
    assert number is not None
    return number


def move(connection: sqlite3.Connection, run: Run, *, start: int, stop: int, state: bytes) -> bool:
    """Move a run forward; whether it stood at `start`."""
    update = "UPDATE runs SET next_sample = ?, state = ? WHERE number = ? AND next_sample = ? AND finished_utc = ''"
    return connection.execute(update, (stop, state, run.number, start)).rowcount == 1


def close(connection: sqlite3.Connection, run: Run) -> bool:
    """Close a run; whether it was open."""
    update = "UPDATE runs SET finished_utc = ?, state = x'' WHERE number = ? AND finished_utc = ''"
    return connection.execute(update, (utc_now(), run.number)).rowcount == 1


def insert_beats(connection: sqlite3.Connection, run: Run, beats: Sequence[Beat], times_utc: Sequence[str]) -> None:
    """Beats of a run, with their times where those are known."""
    if not beats:
        return
    now, first = utc_now(), _numbers(connection, len(beats))
    times = list(times_utc) or [""] * len(beats)
    insert = f"""INSERT INTO beats (number, id, run, {BEAT_COLUMNS}, time_utc, stored_utc)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
    rows = [
        (first + index, str(uuid5(UUID(run.uid), str(beat.sample))), run.number, *beat_row(beat), time, now)
        for index, (beat, time) in enumerate(zip(beats, times, strict=True))
    ]
    connection.executemany(insert, rows)


def insert_findings(connection: sqlite3.Connection, findings: Sequence[Finding], *, run: int | None) -> list[Result]:
    """Findings as results; one whose id is there already is left as it is, and not returned."""
    now, kept = utc_now(), []
    insert = f"INSERT OR IGNORE INTO results VALUES ({', '.join('?' * 10)})"
    for one in findings:
        number = _numbers(connection, 1)
        if connection.execute(insert, (number, *finding_row(one, run=run), now)).rowcount:
            kept.append(Result(number, one.id, one.kind, one.source, one.time_utc, now, one.content, one.files))
    return kept


def attempt(connection: sqlite3.Connection, uid: str) -> int:
    """Count an attempt; how many there were."""
    insert = """INSERT INTO attempts VALUES (?, 1)
        ON CONFLICT (id) DO UPDATE SET count = count + 1 RETURNING count"""
    return int(connection.execute(insert, (uid,)).fetchone()[0])


def forget_attempts(connection: sqlite3.Connection, uid: str) -> None:
    """Count from the start again."""
    connection.execute("DELETE FROM attempts WHERE id = ?", (uid,))


def _numbers(connection: sqlite3.Connection, count: int) -> int:
    """The first of so many numbers, which nobody else gets."""
    row = connection.execute("UPDATE sequence SET next = next + ? RETURNING next", (count,)).fetchone()
    return int(row[0]) - count
