"""The store: durable, exact, and clear about what is wrong with its file."""

import math
import sqlite3
import threading
from pathlib import Path

import pytest

from ecgedge.errors import StoreError
from ecgedge.records import Beat
from ecgedge_device.migrations import MIGRATIONS
from ecgedge_device.results import KINDS, BundleId, Run, Stream
from ecgedge_device.store import Store
from ecgedge_device.store_errors import StoreFull, sole_agent

STREAM = Stream("/data/200", "200", 360.0, ("MLII", "V1"), 1000, "f00d", "bed-3")
BUNDLE = BundleId("beat", "1.0.0", "cafe", ("N", "S"))
BEATS = [
    Beat(10, 10 / 360, "N", (0.9960784316062927, 0.003921568859368563), math.nan),
    Beat(300, 300 / 360, "S", (0.25, 0.75), 805.5555555555555),
    Beat(450, 450 / 360, "Q", (), 416.6666666666667, "flat line"),
]


def same(found: list[Beat], expected: list[Beat]) -> bool:
    return list(map(repr, found)) == list(map(repr, expected))  # NaN equals NaN here


def begun(store: Store) -> Run:
    run = store.begin(STREAM, BUNDLE)
    store.append(run, BEATS[:2], start=0, stop=400, state=b"state")
    return run


def test_what_was_stored_is_read_back_exactly(tmp_path: Path) -> None:
    with Store(tmp_path / "new" / "beats.sqlite") as store:
        run = begun(store)
        store.append(run, BEATS[2:], start=400, stop=800, state=b"later")
    with Store(tmp_path / "new" / "beats.sqlite") as store:
        found = store.last_run(STREAM.address)
        assert found is not None
        assert (found.stream, found.bundle, found.next_sample, found.state) == (STREAM, BUNDLE, 800, b"later")
        assert found.uid == run.uid and found.finished_utc == "" and found.started_utc.endswith("Z")
        assert same(store.beats(found), BEATS)


def test_another_source_has_no_run(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        begun(store)
        assert store.last_run("/data/201") is None
        with pytest.raises(StoreError, match="no run 7"):
            store.run(7)


def test_ids_are_unique_and_derived_from_run_and_sample(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.register("r")
        begun(store)
        begun(store)
        ids = [result.id for result in store.unsent("r", KINDS, 10)]
        assert len(set(ids)) == 4


def test_a_chunk_that_does_not_follow_is_refused_whole(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        run = begun(store)
        for start in (0, 399, 401):
            with pytest.raises(StoreError, match="another agent"):
                store.append(run, BEATS[2:], start=start, stop=800, state=b"")
        assert same(store.beats(run), BEATS[:2])
        assert store.run(run.number).next_sample == 400


def test_a_finished_run_takes_no_more(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        run = begun(store)
        store.finish(run, BEATS[2:])
        assert store.run(run.number).finished_utc and store.run(run.number).state == b""
        with pytest.raises(StoreError):
            store.finish(run, [])
        with pytest.raises(StoreError):
            store.append(run, [], start=400, stop=500, state=b"")


def test_beats_and_position_are_one_transaction(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        run = begun(store)
        with pytest.raises(StoreError, match="UNIQUE"):  # the second is already there: the first must not stay
            store.append(run, [BEATS[2], BEATS[0]], start=400, stop=800, state=b"")
        assert same(store.beats(run), BEATS[:2])
        assert store.run(run.number).next_sample == 400
        store.append(run, BEATS[2:], start=400, stop=800, state=b"")


def test_the_outbox_keeps_order_and_forgets_what_was_sent(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.register("r")
        run = begun(store)
        store.finish(run, BEATS[2:])
        first = store.unsent("r", KINDS, 2)
        assert [result.content["sample"] for result in first] == [10, 300]
        assert first[1].content["probabilities"] == {"N": 0.25, "S": 0.75} and first[0].content["rr_ms"] is None
        assert first[1].content["bundle"] == "beat 1.0.0" and first[1].content["recording"] == "200"
        assert (first[1].source, first[1].kind, first[1].time_utc) == ("bed-3", "beat", "")
        store.mark_sent("r", first[-1])
        assert store.count_unsent("r", KINDS) == 1
        assert [result.content["reason"] for result in store.unsent("r", KINDS, 9)] == ["flat line"]


def test_two_threads_write_at_once(tmp_path: Path) -> None:
    def send_all() -> None:
        with Store(tmp_path / "s") as mine:
            while sent.is_set() is False or mine.count_unsent("r", KINDS):
                if results := mine.unsent("r", KINDS, 3):
                    mine.mark_sent("r", results[-1])

    sent = threading.Event()
    thread = threading.Thread(target=send_all)
    with Store(tmp_path / "s") as store:
        store.register("r")
        run = store.begin(STREAM, BUNDLE)
        thread.start()
        for k in range(60):
            store.append(run, [Beat(k, k / 360, "N", (1.0, 0.0), 800.0)], start=k, stop=k + 1, state=b"x")
        sent.set()
        thread.join(20)
        assert store.count_unsent("r", KINDS) == 0 and len(store.beats(run)) == 60


def test_the_journal_is_wal_and_commits_are_synced(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store.connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_full_disk_is_named_and_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        run = begun(store)
        pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own way to a full disk
        with pytest.raises(StoreFull, match=r"full; free some space"):
            store.append(run, [], start=400, stop=800, state=bytes(100_000))
        assert store.run(run.number).next_sample == 400
        store.connection.execute(f"PRAGMA max_page_count = {pages + 100}")
        store.append(run, [], start=400, stop=800, state=bytes(100_000))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"not a database at all" * 50, "not a database"), (b"SQLite format 3\x00" + bytes(2000), "s: ")],
)
def test_files_that_are_no_store(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "s"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=words) as refused:
        Store(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)
    assert path.read_bytes() == content


def test_places_that_cannot_hold_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        Store(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "file" / "s")


def test_a_locked_store_is_named(tmp_path: Path) -> None:
    with Store(tmp_path / "s", busy_s=0.1) as store:
        run = begun(store)
        other = sqlite3.connect(tmp_path / "s", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked; another program"):
            store.append(run, [], start=400, stop=500, state=b"")
        other.close()
        store.append(run, [], start=400, stop=500, state=b"")


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "s") as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    with pytest.raises(StoreError, match=r"something else \(table recipes\)"):
        Store(tmp_path / "s")


def test_a_store_of_the_future_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.connection.execute("INSERT INTO migrations VALUES ('9999 wings', '2099-01-01')")
    with pytest.raises(StoreError, match=r"9999 wings.*update ecgedge"):
        Store(tmp_path / "s")


def test_migrations_are_applied_once_and_noted(tmp_path: Path) -> None:
    for _ in range(2):
        with Store(tmp_path / "s") as store:
            names = [name for (name,) in store.connection.execute("SELECT name FROM migrations ORDER BY name")]
            assert names == sorted(MIGRATIONS)


def test_one_agent_at_a_time(tmp_path: Path) -> None:
    with sole_agent(tmp_path / "s"), pytest.raises(StoreError, match="another agent"), sole_agent(tmp_path / "s"):
        pass
    with sole_agent(tmp_path / "s"):
        pass
