"""The result store: SQLite, durable before anything is told to anyone.

One transaction per chunk holds the beats, the position behind them and the engine's state, so that a crash at any
moment resumes exactly. A connection belongs to the thread that opened it: each thread opens its own store.
"""

import fcntl
import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from uuid import UUID, uuid4, uuid5

from ecgedge.errors import StoreError
from ecgedge.records import Beat
from ecgedge_device.migrations import migrate, transaction, utc_now
from ecgedge_device.results import BundleId, Result, Run, Stream

_RUN_COLUMNS = """uid, address, recording, fs_hz, leads, n_samples, fingerprint,
    bundle, bundle_version, bundle_sha256, labels, started_utc"""
_BEAT_COLUMNS = "sample, time_s, label, probabilities, rr_ms, reason"


class Store:
    """A store that is open; close it, or use it in a `with`.

    Parameters
    ----------
    path : made where it does not exist, its folder too
    busy_s : longest wait for another writer, s

    Raises
    ------
    StoreError
        No database, one of something else, locked, read-only, or the disk is full.
    """

    def __init__(self, path: Path, *, busy_s: float = 10.0) -> None:
        self.path = path
        with _refused(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk, not only in its cache
        self._connection.execute("PRAGMA foreign_keys = ON")
        migrate(self._connection, source=str(self.path))

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what was committed stays."""
        self._connection.close()

    def last_run(self, address: str) -> Run | None:
        """The latest run of a source."""
        where = "WHERE address = ? ORDER BY number DESC LIMIT 1"
        return self._run(where, (address,))

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
        with _refused(self.path):
            columns = f"number, {_RUN_COLUMNS}, finished_utc, next_sample, state"
            row = self._connection.execute(f"SELECT {columns} FROM runs {where}", values).fetchone()
        if row is None:
            return None
        number, uid, address, recording, fs_hz, leads, n_samples, fingerprint, *rest = row
        stream = Stream(address, recording, fs_hz, tuple(json.loads(leads)), n_samples, fingerprint)
        name, version, sha256, labels, started_utc, finished_utc, next_sample, state = rest
        bundle = BundleId(name, version, sha256, tuple(json.loads(labels)))
        return Run(number, uid, stream, bundle, started_utc, finished_utc, next_sample, state)

    def begin(self, stream: Stream, bundle: BundleId) -> Run:
        """Start a run at the first sample."""
        values = (str(uuid4()), *_stream_row(stream), *_bundle_row(bundle), utc_now())
        with _refused(self.path), transaction(self._connection):
            insert = f"INSERT INTO runs ({_RUN_COLUMNS}) VALUES ({', '.join('?' * len(values))})"
            number = self._connection.execute(insert, values).lastrowid
        assert number is not None
        return self.run(number)

    def append(self, run: Run, beats: Sequence[Beat], *, start: int, stop: int, state: bytes) -> None:
        """Keep the beats of one chunk together with the position behind it, or nothing.

        Parameters
        ----------
        start, stop : first sample of the chunk, and the first after it
        state : of the engine, after this chunk

        Raises
        ------
        StoreError
            The chunk does not follow what is stored: another agent writes the same run.
        """
        move = "UPDATE runs SET next_sample = ?, state = ? WHERE number = ? AND next_sample = ? AND finished_utc = ''"
        with _refused(self.path), transaction(self._connection):
            self._move(run, move, (stop, state, run.number, start))
            self._insert(run, beats)

    def finish(self, run: Run, beats: Sequence[Beat]) -> None:
        """Keep the last beats and close the run."""
        close = "UPDATE runs SET finished_utc = ?, state = x'' WHERE number = ? AND finished_utc = ''"
        with _refused(self.path), transaction(self._connection):
            self._move(run, close, (utc_now(), run.number))
            self._insert(run, beats)

    def _move(self, run: Run, statement: str, values: tuple[int | str | bytes, ...]) -> None:
        if self._connection.execute(statement, values).rowcount != 1:
            raise StoreError(f"{self.path}: run {run.number} has moved on; another agent writes it; stop one of them")

    def _insert(self, run: Run, beats: Sequence[Beat]) -> None:
        now = utc_now()
        rows = [(str(uuid5(UUID(run.uid), str(beat.sample))), run.number, *_beat_row(beat), now) for beat in beats]
        insert = f"INSERT INTO beats (id, run, {_BEAT_COLUMNS}, stored_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._connection.executemany(insert, rows)

    def beats(self, run: Run) -> list[Beat]:
        """All beats of a run, by time."""
        with _refused(self.path):
            select = f"SELECT {_BEAT_COLUMNS} FROM beats WHERE run = ? ORDER BY sample"
            return [_beat(*row) for row in self._connection.execute(select, (run.number,))]

    def unsent(self, limit: int) -> list[Result]:
        """Beats that no reporter has taken yet, in the order of storing."""
        select = f"""SELECT id, address, recording, bundle, bundle_version, labels, stored_utc, {_BEAT_COLUMNS}
            FROM beats JOIN runs ON runs.number = beats.run
            WHERE sent_utc IS NULL ORDER BY beats.number LIMIT ?"""
        with _refused(self.path):
            rows = self._connection.execute(select, (limit,)).fetchall()
        return [
            Result(uid, address, recording, name, version, tuple(json.loads(labels)), _beat(*beat), stored_utc)
            for uid, address, recording, name, version, labels, stored_utc, *beat in rows
        ]

    def mark_sent(self, ids: Sequence[str]) -> None:
        """Note that a reporter has taken these."""
        now = utc_now()
        with _refused(self.path), transaction(self._connection):
            self._connection.executemany("UPDATE beats SET sent_utc = ? WHERE id = ?", [(now, uid) for uid in ids])

    def count_unsent(self) -> int:
        """How many beats wait for a reporter."""
        with _refused(self.path):
            return int(self._connection.execute("SELECT count(*) FROM beats WHERE sent_utc IS NULL").fetchone()[0])


def _stream_row(stream: Stream) -> tuple[str, str, float, str, int, str]:
    leads = json.dumps(stream.leads)
    return stream.address, stream.recording, stream.fs_hz, leads, stream.n_samples, stream.fingerprint


def _bundle_row(bundle: BundleId) -> tuple[str, str, str, str]:
    return bundle.name, bundle.version, bundle.sha256, json.dumps(bundle.labels)


def _beat_row(beat: Beat) -> tuple[int, float, str, str, float | None, str]:
    rr_ms = None if math.isnan(beat.rr_ms) else beat.rr_ms
    return beat.sample, beat.time_s, beat.label, json.dumps(beat.probabilities), rr_ms, beat.reason


def _beat(sample: int, time_s: float, label: str, probabilities: str, rr_ms: float | None, reason: str) -> Beat:
    return Beat(sample, time_s, label, tuple(json.loads(probabilities)), math.nan if rr_ms is None else rr_ms, reason)


@contextmanager
def sole_agent(path: Path) -> Iterator[None]:
    """Hold a store for one agent; the lock goes with the process, however it ends.

    Raises
    ------
    StoreError
        Another agent holds it, or the lock file cannot be made.
    """
    lock = path.with_name(path.name + ".lock")
    with _refused(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"{path}: another agent is using it; stop that one, or choose another store") from None
        yield


_REMEDIES = (
    ("not a database", "move it away, or choose another store in [agent]"),
    ("malformed", "the file is damaged; move it away and judge again"),
    ("locked", "another program holds it; close that one"),
    ("readonly", "make file and folder writable"),
    ("full", "free some space; what was stored before is safe"),
    ("unable to open", "check that it is a file and that its folder is writable"),
)


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into one line with a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        remedy = next((text for word, text in _REMEDIES if word in str(error)), "check file and disk")
        raise StoreError(f"{path}: {error}; {remedy}") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); choose another store in [agent]") from error
