"""The result store: SQLite, durable before anything is told to anyone.

One transaction per chunk holds its beats and findings, the position behind them and the engine's state, so that a crash
at any moment resumes exactly. A connection belongs to the thread that opened it: each thread opens its own store.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ecgedge.errors import StoreError
from ecgedge.records import Beat
from ecgedge_device import entries, history, outbox
from ecgedge_device.migrations import migrate, snapshot, transaction
from ecgedge_device.results import KINDS, BundleId, Finding, Kind, Result, Run, Stream
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
            # The journal first: on a full disk nothing else fits before it is empty.
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
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
        with refused(self.path):
            return history.last_run(self.connection, address)

    def run(self, number: int) -> Run:
        """A run as it stands now.

        Raises
        ------
        StoreError
            There is none of that number.
        """
        with refused(self.path):
            found = history.run(self.connection, number)
        if found is None:
            raise StoreError(f"{self.path}: no run {number}; judge the recording first")
        return found

    def begin(self, stream: Stream, bundle: BundleId, *, at: int = 0) -> Run:
        """Start a run at sample `at`."""
        with refused(self.path), transaction(self.connection):
            number = entries.begin(self.connection, stream, bundle, at=at, state=b"")
        return self.run(number)

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
        with refused(self.path), transaction(self.connection):
            self._require(run, entries.move(self.connection, run, start=start, stop=stop, state=state))
            entries.forget_attempts(self.connection, run.stream.address)
            return self._keep(run, beats, times_utc, findings)

    def finish(
        self, run: Run, beats: Sequence[Beat], *, times_utc: Sequence[str] = (), findings: Sequence[Finding] = ()
    ) -> list[Result]:
        """Keep the last beats and findings, and close the run."""
        with refused(self.path), transaction(self.connection):
            self._require(run, entries.close(self.connection, run))
            return self._keep(run, beats, times_utc, findings)

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
        with refused(self.path), transaction(self.connection):
            self._require(run, entries.close(self.connection, run))
            results = self._keep(run, beats, times_utc, findings)
            number = entries.begin(self.connection, run.stream, bundle, at=at, state=state)
        return self.run(number), results

    def _require(self, run: Run, moved: bool) -> None:
        if not moved:
            raise StoreError(f"{self.path}: run {run.number} has moved on; another agent writes it; stop one of them")

    def _keep(
        self, run: Run, beats: Sequence[Beat], times_utc: Sequence[str], findings: Sequence[Finding]
    ) -> list[Result]:
        entries.insert_beats(self.connection, run, beats, times_utc)
        return entries.insert_findings(self.connection, findings, run=run.number)

    def add(self, findings: Sequence[Finding]) -> list[Result]:
        """Keep findings that belong to no run; one whose id is there already is left as it is, and not returned."""
        with refused(self.path), transaction(self.connection):
            for finding in findings:
                entries.forget_attempts(self.connection, finding.id)
            return entries.insert_findings(self.connection, findings, run=None)

    def attempt(self, uid: str) -> int:
        """Note that work is about to be judged, and return how often that was noted: more than once after a crash.

        Parameters
        ----------
        uid : id of a picture, address of a recording
        """
        with refused(self.path), transaction(self.connection):
            return entries.attempt(self.connection, uid)

    def forget_attempts(self, uid: str) -> None:
        """Count from the start again: what is being judged got on, or was not what ended the agent."""
        with refused(self.path), transaction(self.connection):
            entries.forget_attempts(self.connection, uid)

    def beats(self, run: Run) -> list[Beat]:
        """All beats of a run, by time."""
        with refused(self.path):
            return history.beats(self.connection, run.number)

    def beats_since(self, source: str, *, after: int, limit: int) -> list[Result]:
        """Beats of a source stored after a result number, in the order of storing."""
        with refused(self.path):
            return history.beats_since(self.connection, source, after=after, limit=limit)

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
        last = before if before is not None else 2**62
        with refused(self.path):
            return history.recent(self.connection, kinds, source=source, label=label, before=last, limit=limit)

    def after(self, number: int, kinds: Sequence[str], *, limit: int) -> list[Result]:
        """Results of these kinds stored after a result number, in the order of storing."""
        with refused(self.path):
            return outbox.following(self.connection, number, kinds, limit)

    def number_before(self, utc: str) -> int:
        """Number of the last result stored before a time, ISO 8601; 0 where there is none."""
        with refused(self.path):
            return history.number_before(self.connection, utc)

    def runs_since(self, utc: str) -> list[int]:
        """Numbers of the runs with beats stored at or after a time, ISO 8601."""
        with refused(self.path):
            return history.runs_since(self.connection, utc)

    def result(self, uid: str) -> Result | None:
        """One result of any kind; None where there is none of that id."""
        with refused(self.path):
            return history.result(self.connection, uid)

    def open_alarms(self, source: str) -> list[str]:
        """Rules of a source whose last alarm has begun and not ended."""
        with refused(self.path):
            return history.open_alarms(self.connection, source)

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
