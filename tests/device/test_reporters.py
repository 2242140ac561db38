"""Reporters and the thread that feeds them: nothing missing, nothing twice where it can be known."""

import json
import math
import resource
import threading
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

import pytest

from ecgedge.records import Beat
from ecgedge_device.delivery import BATCH, Delivery
from ecgedge_device.reporters import ReportError, open_reporter
from ecgedge_device.reporters.json_lines import JsonLinesReporter
from ecgedge_device.reporters.memory import MemoryReporter
from ecgedge_device.results import BundleId, Result, Stream
from ecgedge_device.settings import JsonLinesSettings
from ecgedge_device.store import Store


def result(k: int) -> Result:
    beat = Beat(k, k / 360, "N", (0.75, 0.25), math.nan if k == 0 else 800.0)
    return Result(f"id-{k}", "/data/200", "200", "beat", "1.0.0", ("N", "S"), beat, "2026-01-01T00:00:00.000Z")


def filled(path: Path, beats: int) -> Path:
    with Store(path) as store:
        run = store.begin(Stream("/data/200", "200", 360.0, ("MLII",), 9999, ""), BundleId("beat", "1", "", ("N", "S")))
        store.finish(run, [result(k).beat for k in range(beats)])
    return path


def entries(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def sent(path: Path, results: Sequence[Result]) -> None:
    reporter = JsonLinesReporter(path)
    reporter.send(results)
    reporter.close()


def test_a_line_per_beat(tmp_path: Path) -> None:
    path = tmp_path / "new" / "beats.jsonl"
    reporter = open_reporter(JsonLinesSettings(path))
    reporter.send([result(0), result(1)])
    reporter.send([])
    reporter.send([result(2)])
    reporter.close()
    found = entries(path)
    assert [entry["id"] for entry in found] == ["id-0", "id-1", "id-2"]
    assert found[0]["rr_ms"] is None and found[1]["rr_ms"] == 800.0
    assert found[0]["probabilities"] == {"N": 0.75, "S": 0.25} and found[0]["bundle"] == "beat 1.0.0"


def test_a_line_cut_short_is_removed_before_appending(tmp_path: Path) -> None:
    path = tmp_path / "beats.jsonl"
    sent(path, [result(0), result(1)])
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole), 7):  # a crash at any byte of the second line
        path.write_bytes(whole[:cut])
        sent(path, [result(1), result(2)])
        assert [entry["id"] for entry in entries(path)] == ["id-0", "id-1", "id-2"]


def test_what_stands_there_is_not_written_twice(tmp_path: Path) -> None:
    path = tmp_path / "beats.jsonl"
    batch = [result(k) for k in range(BATCH)]
    sent(path, batch)
    sent(path, batch)  # the crash came before `mark_sent`
    reporter = JsonLinesReporter(path)
    reporter.send(batch)
    reporter.send([*batch, result(BATCH)])  # within one process as well
    assert len(entries(path)) == BATCH + 1


def test_a_file_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("shopping list\nmilk")
    with pytest.raises(ReportError, match="did not write; choose another"):
        JsonLinesReporter(path)
    assert path.read_text() == "shopping list\nmilk"
    with pytest.raises(ReportError, match="directory"):
        JsonLinesReporter(tmp_path)


def test_a_write_that_fails_halfway_is_named_and_mended_by_sending_again(tmp_path: Path) -> None:
    path = tmp_path / "beats.jsonl"
    reporter = JsonLinesReporter(path)
    reporter.send([result(0)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, before[1]))
    try:
        with pytest.raises(ReportError, match="File too large; free some space"):
            reporter.send([result(1), result(2)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes()[-1:] != b"\n"
    reporter.send([result(1), result(2)])
    assert [entry["id"] for entry in entries(path)] == ["id-0", "id-1", "id-2"]


def test_a_device_is_no_file_for_lines() -> None:
    with pytest.raises(ReportError, match="/dev/zero"):
        JsonLinesReporter(Path("/dev/zero"))


def test_memory_keeps_each_result_once() -> None:
    reporter = MemoryReporter()
    reporter.send([result(1), result(0)])
    reporter.send([result(0)])
    reporter.close()
    assert [entry.id for entry in reporter.results] == ["id-1", "id-0"]


def test_delivery_sends_all_in_order_and_marks_it(tmp_path: Path) -> None:
    path, reporter = filled(tmp_path / "s", 2 * BATCH + 3), MemoryReporter()
    with Delivery(path, reporter) as delivery:
        pass
    assert [entry.beat.sample for entry in reporter.results] == list(range(2 * BATCH + 3))
    assert delivery.trouble is None
    with Store(path) as store:
        assert store.count_unsent() == 0


class FailingReporter(MemoryReporter):
    """Refuses until it is mended."""

    mended = False
    attempts = 0

    def send(self, results: Sequence[Result]) -> None:
        self.attempts += 1
        if not self.mended:
            raise ReportError("receiver: refused; mend it")
        super().send(results)


def test_a_reporter_that_fails_is_tried_again(tmp_path: Path) -> None:
    path, reporter = filled(tmp_path / "s", 5), FailingReporter()
    with Delivery(path, reporter) as delivery:
        until = monotonic() + 5
        while reporter.attempts < 2 and monotonic() < until:
            sleep(0.02)
        assert isinstance(delivery.trouble, ReportError)
        reporter.mended = True
    assert len(reporter.results) == 5 and delivery.trouble is None


def test_a_reporter_that_stays_broken_loses_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "s", 5)
    with Delivery(path, FailingReporter()) as delivery:
        pass
    assert str(delivery.trouble) == "receiver: refused; mend it"
    with Store(path) as store:
        assert store.count_unsent() == 5


class HangingReporter(MemoryReporter):
    """Never returns, as a dead network would."""

    def send(self, results: Sequence[Result]) -> None:  # noqa: ARG002
        threading.Event().wait(30)


def test_a_reporter_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    begun_s = monotonic()
    with Delivery(filled(tmp_path / "s", 5), HangingReporter(), drain_s=0.2):
        sleep(0.1)
    assert monotonic() - begun_s < 3


def test_a_fault_in_the_thread_is_kept(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"no database" * 100)
    with Delivery(tmp_path / "s", MemoryReporter()) as delivery:
        pass
    assert "not a database" in str(delivery.trouble)
