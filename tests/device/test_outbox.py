"""What each reporter has still to be told: all kinds in one order, a place for each, dead letters, old stores."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from ecgedge.errors import StoreError
from ecgedge.records import Beat
from ecgedge_device.delivery import Delivery
from ecgedge_device.health import Health
from ecgedge_device.migrations import MIGRATIONS
from ecgedge_device.reporters import Refused
from ecgedge_device.reporters.memory import MemoryReporter
from ecgedge_device.results import KINDS, BundleId, Finding, Result, Stream
from ecgedge_device.store import Store
from tests.device.made_desk import wait_until

STREAM = Stream("/data/200", "200", 360.0, ("MLII",), 100_000, "f00d", "bed-3")
BUNDLE = BundleId("beat", "1.0.0", "cafe", ("N", "S"))


def beat(sample: int) -> Beat:
    return Beat(sample, sample / 360, "N", (0.75, 0.25), 800.0)


def finding(number: int, kind: str = "minute") -> Finding:
    uid = f"00000000-0000-0000-0000-{number:012}"
    return Finding(uid, kind, "bed-3", "", {"start_s": number})  # type: ignore[arg-type]


def numbers(results: Sequence[Result]) -> list[int]:
    return [result.number for result in results]


def test_one_order_over_all_kinds_and_a_place_for_each_reporter(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        for name in ("all", "minutes"):
            store.register(name)
        run = store.begin(STREAM, BUNDLE)
        for k in range(5):
            store.append(run, [beat(10 * k), beat(10 * k + 5)], start=k, stop=k + 1, state=b"x", findings=[finding(k)])
        everything = store.unsent("all", KINDS, 100)
        assert numbers(everything) == list(range(1, 16))
        assert [result.kind for result in everything[:4]] == ["beat", "beat", "minute", "beat"]
        assert numbers(store.unsent("all", KINDS, 4)) == [1, 2, 3, 4]
        assert numbers(store.unsent("minutes", ["minute"], 3)) == [3, 6, 9]
        store.mark_sent("minutes", store.unsent("minutes", ["minute"], 3)[-1])
        assert numbers(store.unsent("minutes", ["minute"], 9)) == [12, 15] and len(everything) == 15
        assert (store.count_unsent("all", KINDS), store.count_unsent("minutes", ["minute"])) == (15, 2)
        assert store.count_unsent("all", ["beat"]) == 10
        store.mark_sent("all", everything[9])
        store.mark_sent("all", everything[2])  # never back
        assert numbers(store.unsent("all", KINDS, 100)) == [11, 12, 13, 14, 15]


def test_a_new_reporter_is_told_what_comes_after_it_and_keeps_its_place(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.add([finding(1)])
        store.register("late")
        store.add([finding(2)])
        store.register("late")  # the next start of the agent
        assert [result.content["start_s"] for result in store.unsent("late", KINDS, 9)] == [2]
        with pytest.raises(StoreError, match="reporter nobody is not known"):
            store.unsent("nobody", KINDS, 9)


def test_a_finding_is_kept_once(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.register("r")
        assert len(store.add([finding(1)])) == 1 and store.add([finding(1)]) == []
        assert len(store.unsent("r", KINDS, 9)) == 1


def test_nothing_is_skipped_that_is_stored_while_a_reporter_looks(tmp_path: Path) -> None:
    """Beats and other results are read by two statements; a chunk stored between them must not be half seen."""
    with Store(tmp_path / "s") as store, Store(tmp_path / "s") as other:
        store.register("r")
        run = other.begin(STREAM, BUNDLE)
        stored = []

        def between(statement: str) -> None:
            if "FROM results" in statement and not stored:
                stored.append(other.append(run, [beat(1)], start=0, stop=9, state=b"x", findings=[finding(1)]))

        store.connection.set_trace_callback(between)
        first = store.unsent("r", KINDS, 50)
        assert len(stored) == 1
        if first:
            store.mark_sent("r", first[-1])
        assert numbers([*first, *store.unsent("r", KINDS, 50)]) == [1, 2]


class Picky(MemoryReporter):
    """Its receiver will never take some results."""

    def __init__(self, bad: Sequence[int]) -> None:
        super().__init__()
        self._bad = bad

    def send(self, results: Sequence[Result]) -> None:
        for result in results:
            if result.number in self._bad:
                raise Refused("HTTP 422; correct it", id=result.id)
            super().send([result])


def delivered(path: Path, reporter: MemoryReporter) -> Delivery:
    health = Health()
    with Delivery(path, "r", KINDS, lambda: reporter, health=health) as delivery:
        pass
    return delivery


def test_refused_results_are_dead_letters_and_the_others_are_told(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.register("r")
        store.add([finding(k) for k in range(10)])
    for bad in ([1, 5, 6, 10], []):
        reporter = Picky(bad)
        assert delivered(tmp_path / "s", reporter).trouble is None
        assert numbers(reporter.results) == [k for k in range(1, 11) if k not in bad][: 6 if bad else 0]
    with Store(tmp_path / "s") as store:
        letters = store.dead_letters()
        assert store.count_unsent("r", KINDS) == 0
    assert sorted(letter["id"][-2:] for letter in letters) == ["00", "04", "05", "09"]
    assert {(letter["reporter"], letter["kind"], letter["reason"]) for letter in letters} == {
        ("r", "minute", "HTTP 422; correct it")
    }


class Faulty(MemoryReporter):
    """Has a fault of its own for a while."""

    faults = 2

    def send(self, results: Sequence[Result]) -> None:
        self.faults -= 1
        if self.faults >= 0:
            raise ZeroDivisionError("a fault of ours")
        super().send(results)


def test_a_fault_in_a_reporter_does_not_end_its_thread(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.register("r")
        store.add([finding(1)])
    reporter, opened = Faulty(), []

    def open_it() -> Faulty:
        opened.append(1)
        return reporter

    with Delivery(tmp_path / "s", "r", KINDS, open_it, health=Health()) as delivery:
        wait_until(lambda: len(reporter.results) == 1)
    assert delivery.trouble is None and len(opened) == 3


def test_the_wrong_id_refused_buries_nothing(tmp_path: Path) -> None:
    class Confused(MemoryReporter):
        def send(self, results: Sequence[Result]) -> None:
            raise Refused("no", id=f"not {results[0].id}")

    with Store(tmp_path / "s") as store:
        store.register("r")
        store.add([finding(1)])
    assert "which it was not sent" in str(delivered(tmp_path / "s", Confused()).trouble)
    with Store(tmp_path / "s") as store:
        assert store.dead_letters() == [] and store.count_unsent("r", KINDS) == 1


@pytest.mark.parametrize("sent", [0, 2, 4])
def test_an_old_store_is_migrated_and_only_what_was_unsent_is_reported(tmp_path: Path, sent: int) -> None:
    connection = sqlite3.connect(tmp_path / "s")
    for statement in MIGRATIONS["0001 runs and beats"]:
        connection.execute(statement)
    connection.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied_utc TEXT NOT NULL)")
    connection.execute("INSERT INTO migrations VALUES ('0001 runs and beats', '2026-01-01T00:00:00.000Z')")
    run = ("uid", "/data/200", "200", 360.0, '["MLII"]', 1000, "f00d", "beat", "1.0.0", "cafe", '["N", "S"]', "2026")
    columns = "uid, address, recording, fs_hz, leads, n_samples, fingerprint, bundle, bundle_version, bundle_sha256"
    connection.execute(f"INSERT INTO runs ({columns}, labels, started_utc) VALUES ({', '.join('?' * 12)})", run)
    columns = "id, run, sample, time_s, label, probabilities, rr_ms, reason, stored_utc, sent_utc"
    for k in range(4):
        row = (
            f"id-{k}",
            1,
            100 * k,
            k / 3.6,
            "N",
            "[0.75, 0.25]",
            None,
            "",
            "2026-01-01",
            "2026" if k < sent else None,
        )
        connection.execute(f"INSERT INTO beats ({columns}) VALUES ({', '.join('?' * 10)})", row)
    connection.commit()
    connection.close()
    with Store(tmp_path / "s") as store:
        for name in ("json-lines", "another"):
            store.register(name)
        assert [result.id for result in store.unsent("json-lines", KINDS, 9)] == [f"id-{k}" for k in range(sent, 4)]
        assert store.unsent("another", KINDS, 9) == []
        found = store.last_run("/data/200")
        assert found is not None and found.stream.source == "replay" and len(store.beats(found)) == 4
        store.add([finding(1)])
        assert store.unsent("another", KINDS, 9)[0].number == 5
