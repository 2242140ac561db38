"""Reporters without a network, and the choice of one: nothing missing, nothing twice where it can be known."""

import json
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ecgedge_device.health import Health
from ecgedge_device.report_settings import JsonLinesSettings
from ecgedge_device.reporters import ReportError, open_reporter
from ecgedge_device.reporters.json_lines import JsonLinesReporter
from ecgedge_device.reporters.memory import MemoryReporter
from ecgedge_device.results import KINDS, Result
from tests.device.made_results import made

BATCH = 500


def result(k: int) -> Result:
    return made("beat", k)


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def sent(path: Path, results: Sequence[Result]) -> None:
    reporter = JsonLinesReporter(path)
    reporter.send(results)
    reporter.close()


def test_a_line_per_result_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    reporter = open_reporter(JsonLinesSettings(path=path), device="pi", files=Path(), health=Health())
    reporter.send([made(kind, rr_ms=None) for kind in KINDS[:2]])
    reporter.send([])
    reporter.send([made(kind) for kind in KINDS[2:]])
    reporter.close()
    found = entries(path)
    assert [(entry["id"], entry["kind"]) for entry in found] == [(made(kind).id, kind) for kind in KINDS]
    assert found[0]["rr_ms"] is None and found[0]["probabilities"]["V"] == 0.96 and found[0]["bundle"] == "beat 1.0.0"
    assert found[3]["files"] == {"picture": "pictures/0.jpg"} and found[3]["label"] == "mi"
    assert path.read_bytes().startswith(b'{"id": "')


def test_a_line_cut_short_is_removed_before_appending(tmp_path: Path) -> None:
    path = tmp_path / "beats.jsonl"
    sent(path, [result(0), result(1)])
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole), 7):  # a crash at any byte of the second line
        path.write_bytes(whole[:cut])
        sent(path, [result(1), result(2)])
        assert [entry["id"] for entry in entries(path)] == [result(0).id, result(1).id, result(2).id]


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
    assert [entry["id"] for entry in entries(path)] == [result(0).id, result(1).id, result(2).id]


def test_a_device_is_no_file_for_lines() -> None:
    with pytest.raises(ReportError, match="/dev/zero"):
        JsonLinesReporter(Path("/dev/zero"))


def test_memory_keeps_each_result_once() -> None:
    reporter = MemoryReporter()
    reporter.send([result(1), result(0)])
    reporter.send([result(0)])
    reporter.close()
    assert [entry.id for entry in reporter.results] == [result(1).id, result(0).id]
