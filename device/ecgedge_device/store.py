"""The result store: SQLite, durable before anything is told to anyone.

One transaction per chunk holds its beats and findings, the position behind them and the engine's state, so that a crash
at any moment resumes exactly. A connection belongs to the thread that opened it: each thread opens its own store.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from uuid import UUID, uuid4, uuid5

from ecgedge.errors import StoreError
from ecgedge.records import Beat
from ecgedge_device import outbox
from ecgedge_device.migrations import migrate, snapshot, transaction, utc_now
from ecgedge_device.results import KINDS, BundleId, Finding, Kind, Result, Run, Stream
from ecgedge_device.rows import (
    BEAT_COLUMNS,
    BEAT_RESULT_COLUMNS,
    RESULT_COLUMNS,
    RUN_COLUMNS,
    beat_of,
    beat_result_of,
    beat_row,
    finding_row,
    result_of,
    run_of,
    run_row,
)
from ecgedge_device.store_errors import refused

NOT_BEATS: tuple[Kind, ...] = KINDS[1:]
_UNUSED = ("freelist_count", "page_size")


class Store:
    """A store that is open; close it, or use it in a `with`.

    Parameters
    ----------
    path : made where it does not exist, its folder too
    busy_s : longest wait for another writer, s

    Raises
    ------
    StoreError
        No database, one of something else, locked, read-only, or the disk is full (`StoreFull`).
    """

    def __init__(self, path: Path, *, busy_s: float = 10.0) -> None:
        self.path = path
        with refused(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self.connection.close()
                raise

    def _prepare(self) -> None:
        self.connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file: it can give space back
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk, not only in its cache
        self.connection.execute("PRAGMA wal_autocheckpoint = 250")  # pages of 4096 bytes, see `reserve`
        self.connection.execute("PRAGMA journal_size_limit = 1048576")
        self.connection.execute("PRAGMA foreign_keys = ON")
        migrate(self.connection, source=str(self.path))

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what was committed stays."""
        self.connection.close()

    def give_back(self) -> None:
        """Give the space of removed rows back to the disk, as far as nobody else uses the store just now."""
        with refused(self.path):
            self.connection.execute("PRAGMA incremental_vacuum").fetchall()
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @property
    def unused_bytes(self) -> int:
        """Space in the file that no row uses, and that new rows will."""
        with refused(self.path):
            pages, size = (self.connection.execute(f"PRAGMA {what}").fetchone()[0] for what in _UNUSED)
        return int(pages) * int(size)

    @property
    def files(self) -> Path:
        """Folder of pictures, snippets and uploads, beside the database; may not exist yet."""
        return self.path.with_suffix("")

    def last_run(self, address: str) -> Run | None:
        """The latest run of a source."""
        return self._run("WHERE address = ? ORDER BY number DESC LIMIT 1", (address,))

    def run(self, number: int) -> Run:
        """A run as it stands now.

        Raises
        ------
        StoreError
            There is none of that number.
        """
        found = self._run("WHERE number = ?", (number,))
        if found is None:
            raise StoreError(f"{self.path}: no run {number}; judge the recording first")
        return found

    def _run(self, where: str, values: tuple[str | int, ...]) -> Run | None:
        with refused(self.path):
            columns = f"number, {RUN_COLUMNS}, finished_utc, next_sample, state"
            row = self.connection.execute(f"SELECT {columns} FROM runs {where}", values).fetchone()
        return None if row is None else run_of(row)

    def begin(self, stream: Stream, bundle: BundleId, *, at: int = 0) -> Run:
        """Start a run at sample `at`."""
        with refused(self.path), transaction(self.connection):
            number = self._begin(stream, bundle, at, b"")
        return self.run(number)

    def _begin(self, stream: Stream, bundle: BundleId, at: int, state: bytes) -> int:
        values = (str(uuid4()), *run_row(stream, bundle), utc_now(), at, state)
        insert = f"INSERT INTO runs ({RUN_COLUMNS}, next_sample, state) VALUES ({', '.join('?' * len(values))})"
        number = self.connection.execute(insert, values).lastrowid
        assert number is not None
        return number

    def append(
        self,
        run: Run,
        beats: Sequence[Beat],
        *,
        start: int,
        stop: int,
        state: bytes,
        times_utc: Sequence[str] = (),
        findings: Sequence[Finding] = (),
    ) -> list[Result]:
        """Keep the beats and findings of one chunk together with the position behind it, or nothing.

        Attempts at the address of the run's stream are forgotten with it.

        Parameters
        ----------
        start, stop : first sample of the chunk, and the first after it
        state : of the engine, after this chunk
        times_utc : when each beat was, where that is known

        Returns
        -------
        The findings as results.

        Raises
        ------
        StoreError
            The chunk does not follow what is stored: another agent writes the same run.
        """
        move = "UPDATE runs SET next_sample = ?, state = ? WHERE number = ? AND next_sample = ? AND finished_utc = ''"
        with refused(self.path), transaction(self.connection):
            self._move(run, move, (stop, state, run.number, start))
            self._forget(run.stream.address)
            self._insert_beats(run, beats, times_utc)
            return self._insert(findings, run=run.number)

    def finish(
        self, run: Run, beats: Sequence[Beat], *, times_utc: Sequence[str] = (), findings: Sequence[Finding] = ()
    ) -> list[Result]:
        """Keep the last beats and findings, and close the run."""
        close = "UPDATE runs SET finished_utc = ?, state = x'' WHERE number = ? AND finished_utc = ''"
        with refused(self.path), transaction(self.connection):
            self._move(run, close, (utc_now(), run.number))
            self._insert_beats(run, beats, times_utc)
            return self._insert(findings, run=run.number)

    def hand_over(
        self,
        run: Run,
        bundle: BundleId,
        beats: Sequence[Beat],
        *,
        at: int,
        state: bytes,
        times_utc: Sequence[str] = (),
        findings: Sequence[Finding] = (),
    ) -> tuple[Run, list[Result]]:
        """Close a run and begin the one by which another bundle goes on with its stream, or do neither.

        Parameters
        ----------
        beats, findings : the last ones of the old run
        at, state : where the new run begins, and of its judge

        Returns
        -------
        The new run, and the findings as results.
        """
        close = "UPDATE runs SET finished_utc = ?, state = x'' WHERE number = ? AND finished_utc = ''"
        with refused(self.path), transaction(self.connection):
            self._move(run, close, (utc_now(), run.number))
            self._insert_beats(run, beats, times_utc)
            results = self._insert(findings, run=run.number)
            number = self._begin(run.stream, bundle, at, state)
        return self.run(number), results

    def add(self, findings: Sequence[Finding]) -> list[Result]:
        """Keep findings that belong to no run; one whose id is there already is left as it is, and not returned."""
        with refused(self.path), transaction(self.connection):
            for finding in findings:
                self._forget(finding.id)
            return self._insert(findings, run=None)

    def attempt(self, uid: str) -> int:
        """Note that work is about to be judged, and return how often that was noted: more than once after a crash.

        Parameters
        ----------
        uid : id of a picture, address of a recording
        """
        insert = """INSERT INTO attempts VALUES (?, 1)
            ON CONFLICT (id) DO UPDATE SET count = count + 1 RETURNING count"""
        with refused(self.path), transaction(self.connection):
            return int(self.connection.execute(insert, (uid,)).fetchone()[0])

    def forget_attempts(self, uid: str) -> None:
        """Count from the start again: what is being judged got on, or was not what ended the agent."""
        with refused(self.path), transaction(self.connection):
            self._forget(uid)

    def _forget(self, uid: str) -> None:
        self.connection.execute("DELETE FROM attempts WHERE id = ?", (uid,))

    def _move(self, run: Run, statement: str, values: tuple[int | str | bytes, ...]) -> None:
        if self.connection.execute(statement, values).rowcount != 1:
            raise StoreError(f"{self.path}: run {run.number} has moved on; another agent writes it; stop one of them")

    def _insert_beats(self, run: Run, beats: Sequence[Beat], times_utc: Sequence[str]) -> None:
        if not beats:
            return
        now, first = utc_now(), self._numbers(len(beats))
        times = list(times_utc) or [""] * len(beats)
        insert = f"""INSERT INTO beats (number, id, run, {BEAT_COLUMNS}, time_utc, stored_utc)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
        rows = [
            (first + index, str(uuid5(UUID(run.uid), str(beat.sample))), run.number, *beat_row(beat), time, now)
            for index, (beat, time) in enumerate(zip(beats, times, strict=True))
        ]
        self.connection.executemany(insert, rows)

    def _insert(self, findings: Sequence[Finding], *, run: int | None) -> list[Result]:
        now, kept = utc_now(), []
        insert = f"INSERT OR IGNORE INTO results VALUES ({', '.join('?' * 10)})"
        for finding in findings:
            number = self._numbers(1)
            row = (number, *finding_row(finding, run=run), now)
            if self.connection.execute(insert, row).rowcount:
                kept.append(
                    Result(
                        number,
                        finding.id,
                        finding.kind,
                        finding.source,
                        finding.time_utc,
                        now,
                        finding.content,
                        finding.files,
                    )
                )
        return kept

    def _numbers(self, count: int) -> int:
        """The first of so many numbers, which nobody else gets."""
        row = self.connection.execute("UPDATE sequence SET next = next + ? RETURNING next", (count,)).fetchone()
        return int(row[0]) - count

    def beats(self, run: Run) -> list[Beat]:
        """All beats of a run, by time."""
        with refused(self.path):
            select = f"SELECT {BEAT_COLUMNS} FROM beats WHERE run = ? ORDER BY sample"
            return [beat_of(*row) for row in self.connection.execute(select, (run.number,))]

    def beats_since(self, source: str, *, after: int, limit: int) -> list[Result]:
        """Beats of a source stored after a result number, in the order of storing."""
        select = f"""SELECT {BEAT_RESULT_COLUMNS} FROM beats JOIN runs ON runs.number = beats.run
            WHERE beats.number > ? AND source = ? ORDER BY beats.number LIMIT ?"""
        with refused(self.path):
            return [beat_result_of(row) for row in self.connection.execute(select, (after, source, limit))]

    def recent(
        self,
        kinds: Sequence[str] = NOT_BEATS,
        *,
        source: str = "",
        label: str = "",
        before: int | None = None,
        limit: int = 50,
    ) -> list[Result]:
        """Results other than beats, the newest first.

        Parameters
        ----------
        source, label : only those; empty for all
        before : only results with a smaller number, for paging
        """
        marks = ", ".join("?" * len(kinds))
        select = f"""SELECT {RESULT_COLUMNS} FROM results
            WHERE kind IN ({marks}) AND (? = '' OR source = ?) AND (? = '' OR json_extract(content, '$.label') = ?)
            AND number < ? ORDER BY number DESC LIMIT ?"""
        last = before if before is not None else 2**62
        values = (*kinds, source, source, label, label, last, limit)
        with refused(self.path):
            return [result_of(row) for row in self.connection.execute(select, values)]

    def after(self, number: int, kinds: Sequence[str], *, limit: int) -> list[Result]:
        """Results of these kinds stored after a result number, in the order of storing."""
        with refused(self.path):
            return outbox.following(self.connection, number, kinds, limit)

    def number_before(self, utc: str) -> int:
        """Number of the last result stored before a time, ISO 8601; 0 where there is none."""
        select = """SELECT max(coalesce((SELECT max(number) FROM beats WHERE stored_utc < ?), 0),
            coalesce((SELECT max(number) FROM results WHERE stored_utc < ?), 0))"""
        with refused(self.path):
            return int(self.connection.execute(select, (utc, utc)).fetchone()[0])

    def runs_since(self, utc: str) -> list[int]:
        """Numbers of the runs with beats stored at or after a time, ISO 8601."""
        select = "SELECT DISTINCT run FROM beats WHERE number > ? ORDER BY run"
        first = self.number_before(utc)
        with refused(self.path):
            return [number for (number,) in self.connection.execute(select, (first,))]

    def result(self, uid: str) -> Result | None:
        """One result of any kind; None where there is none of that id."""
        beat = f"SELECT {BEAT_RESULT_COLUMNS} FROM beats JOIN runs ON runs.number = beats.run WHERE id = ?"
        with refused(self.path):
            row = self.connection.execute(f"SELECT {RESULT_COLUMNS} FROM results WHERE id = ?", (uid,)).fetchone()
            if row is not None:
                return result_of(row)
            row = self.connection.execute(beat, (uid,)).fetchone()
            return None if row is None else beat_result_of(row)

    def open_alarms(self, source: str) -> list[str]:
        """Rules of a source whose last alarm has begun and not ended."""
        select = """SELECT rule FROM (
                SELECT json_extract(content, '$.rule') AS rule, json_extract(content, '$.state') AS state, max(number)
                FROM results WHERE kind = 'alarm' AND source = ? GROUP BY rule
            ) WHERE state = 'begins' ORDER BY rule"""
        with refused(self.path):
            return [rule for (rule,) in self.connection.execute(select, (source,))]

    def register(self, reporter: str) -> None:
        """Make a reporter known; a new one is told what is stored from now on."""
        with refused(self.path), transaction(self.connection):
            outbox.register(self.connection, reporter)

    def unsent(self, reporter: str, kinds: Sequence[str], limit: int) -> list[Result]:
        """Results that a registered reporter has not taken yet, in the order of storing."""
        with refused(self.path), snapshot(self.connection):  # else what is stored between its reads would be skipped
            return outbox.unsent(self.connection, reporter, kinds, limit)

    def mark_sent(self, reporter: str, result: Result) -> None:
        """Note that a reporter has taken this result and all before it."""
        with refused(self.path), transaction(self.connection):
            outbox.mark(self.connection, reporter, result.number)

    def give_up(self, reporter: str, result: Result, reason: str) -> None:
        """Make a result that a reporter's receiver refuses for good a dead letter, and go on behind it."""
        with refused(self.path), transaction(self.connection):
            outbox.bury(self.connection, reporter, result, reason)

    def count_unsent(self, reporter: str, kinds: Sequence[str]) -> int:
        """How many results wait for a reporter."""
        with refused(self.path), snapshot(self.connection):
            return outbox.waiting(self.connection, reporter, kinds)

    def dead_letters(self, limit: int = 100) -> list[dict[str, str]]:
        """Results that were given up, the newest first: reporter, id, kind, reason, given_up_utc."""
        with refused(self.path):
            return outbox.dead_letters(self.connection, limit)
