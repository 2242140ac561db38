"""How the store's tables came about: named steps, each in one transaction, never edited once released."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType

from ecgedge.errors import StoreError

MIGRATIONS = MappingProxyType(
    {
        "0001 runs and beats": (
            """CREATE TABLE runs (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                uid TEXT NOT NULL UNIQUE,
                address TEXT NOT NULL,
                recording TEXT NOT NULL,
                fs_hz REAL NOT NULL,
                leads TEXT NOT NULL,            -- JSON list
                n_samples INTEGER NOT NULL,
                fingerprint TEXT NOT NULL,
                bundle TEXT NOT NULL,
                bundle_version TEXT NOT NULL,
                bundle_sha256 TEXT NOT NULL,
                labels TEXT NOT NULL,           -- JSON list
                started_utc TEXT NOT NULL,
                finished_utc TEXT NOT NULL DEFAULT '',
                next_sample INTEGER NOT NULL DEFAULT 0,
                state BLOB NOT NULL DEFAULT x''
            )""",
            """CREATE TABLE beats (
                number INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of storing and of reporting
                id TEXT NOT NULL UNIQUE,
                run INTEGER NOT NULL REFERENCES runs (number),
                sample INTEGER NOT NULL,
                time_s REAL NOT NULL,
                label TEXT NOT NULL,
                probabilities TEXT NOT NULL,    -- JSON list in the order of runs.labels, empty where not judged
                rr_ms REAL,                     -- NULL for the first beat and after a gap
                reason TEXT NOT NULL,
                stored_utc TEXT NOT NULL,
                sent_utc TEXT                   -- NULL until a reporter has taken it
            )""",
            "CREATE INDEX runs_by_address ON runs (address)",
            "CREATE INDEX beats_by_run ON beats (run, sample)",
            "CREATE INDEX beats_unsent ON beats (number) WHERE sent_utc IS NULL",
        ),
        "0002 results of all kinds, several reporters": (
            "ALTER TABLE runs ADD COLUMN source TEXT NOT NULL DEFAULT 'replay'",
            "ALTER TABLE beats ADD COLUMN time_utc TEXT NOT NULL DEFAULT ''",
            "CREATE TABLE sequence (next INTEGER NOT NULL)  -- one order of storing for beats and results",
            "INSERT INTO sequence SELECT coalesce(max(number), 0) + 1 FROM beats",
            """CREATE TABLE results (
                number INTEGER PRIMARY KEY,
                id TEXT NOT NULL UNIQUE,
                kind TEXT NOT NULL,             -- minute, alarm, page or recording
                source TEXT NOT NULL,
                run INTEGER REFERENCES runs (number),
                time_utc TEXT NOT NULL,
                content TEXT NOT NULL,          -- JSON object
                files TEXT NOT NULL DEFAULT '{}',  -- JSON object: role -> path below the folder of files
                files_bytes INTEGER NOT NULL DEFAULT 0,
                stored_utc TEXT NOT NULL
            )""",
            "CREATE INDEX results_by_kind ON results (kind, number)",
            "CREATE INDEX results_by_run ON results (run)",
            "CREATE INDEX results_with_files ON results (number) WHERE files_bytes > 0",
            """CREATE TABLE reporters (
                name TEXT PRIMARY KEY,
                done INTEGER NOT NULL,          -- all up to this number were taken, given up or not asked for
                dropped INTEGER NOT NULL DEFAULT 0  -- removed by retention before they were sent
            )""",
            """INSERT INTO reporters (name, done)
                SELECT 'json-lines', coalesce(min(number) FILTER (WHERE sent_utc IS NULL) - 1, max(number))
                FROM beats HAVING count(*) > 0""",
            """CREATE TABLE dead_letters (
                reporter TEXT NOT NULL,
                id TEXT NOT NULL,
                kind TEXT NOT NULL,
                reason TEXT NOT NULL,
                given_up_utc TEXT NOT NULL,
                PRIMARY KEY (reporter, id)
            )""",
            """CREATE TABLE attempts (
                id TEXT PRIMARY KEY,            -- of work that is being judged
                count INTEGER NOT NULL
            )""",
            """CREATE TABLE dropped (
                kind TEXT PRIMARY KEY,          -- what retention has removed for want of space
                count INTEGER NOT NULL
            )""",
            "DROP INDEX beats_unsent",
            "ALTER TABLE beats DROP COLUMN sent_utc",
        ),
    }
)


def utc_now() -> str:
    """The time now, ISO 8601, UTC, in ms."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that it cannot fail halfway for want of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite rolls back by itself on a full disk
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Several reads of one and the same state of the store, whatever is written meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")


def migrate(connection: sqlite3.Connection, *, source: str) -> None:
    """Bring a store up to date.

    Parameters
    ----------
    source : the file, for messages

    Raises
    ------
    StoreError
        The file is a database of something else, or was written by a newer ecgedge.
    """
    applied = _applied(connection, source)
    if unknown := sorted(applied - MIGRATIONS.keys()):
        raise StoreError(f"{source}: holds {unknown[0]!r}, which this ecgedge does not know; update ecgedge")
    for name in [name for name in MIGRATIONS if name not in applied]:
        with transaction(connection):
            _apply(connection, name)


def _apply(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_utc TEXT NOT NULL)")
    if connection.execute("SELECT 1 FROM migrations WHERE name = ?", (name,)).fetchone():
        return  # another process was quicker
    for statement in MIGRATIONS[name]:
        connection.execute(statement)
    connection.execute("INSERT INTO migrations VALUES (?, ?)", (name, utc_now()))


def _applied(connection: sqlite3.Connection, source: str) -> set[str]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "migrations" in tables:
        return {name for (name,) in connection.execute("SELECT name FROM migrations")}
    if tables:
        raise StoreError(
            f"{source}: a database of something else (table {min(tables)}); choose another store in [agent]"
        )
    return set()
