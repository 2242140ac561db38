"""The command line: errors in one line, exit codes, and the whole way with the shipped bundle."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from ecgedge import NOTICE
from ecgedge.bundle import read_bundle, write_bundle
from ecgedge.formats import write_wfdb
from ecgedge.records import Annotations, Beat, Recording
from ecgedge.simulate import simulate_ecg
from ecgedge_device.agent import Agent, Served
from ecgedge_device.cli import agent
from ecgedge_device.report import print_report
from ecgedge_device.settings import Settings
from ecgedge_device.settings_file import read_settings
from ecgedge_device.store import Store
from ecgedge_device.summary import Summary, as_json, ectopic_burden, heart_rate, summarise
from tests.device.simple_agent import FS_HZ, make_folder, make_recording, maker

ROOT = Path(__file__).parents[2]
SECONDS = 180.0


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(agent, [str(argument) for argument in arguments])


def process(*arguments: str | Path) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "device"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", "from ecgedge_device.cli import main; main()", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": path, "ECGEDGE_DATA": ""}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def failed(*arguments: str | Path, code: int = 1) -> str:
    """What a command that must fail says; one line."""
    running = process(*arguments)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == code, output + errors
    assert output == "" and "Traceback" not in errors
    return errors


def test_a_settings_error_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('[source]\npath = "a"\nsped = "real"\n')
    said = failed("run", "--config", config)
    assert said == f"ecgedge-agent: {config}, line 3: [source] sped is not known; did you mean speed?\n"


def test_a_wrong_option_is_exit_code_2() -> None:
    assert "--confg" in failed("run", "--confg", "x", code=2)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("simple.tflite", "none.tflite", "none.tflite: no such file"),
        ("simple.tflite", "ecg.npy.tflite", "ecg.npy.tflite"),
    ],
)
def test_a_bundle_that_is_none_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    config = make_folder(tmp_path, seconds=5)
    (tmp_path / "ecg.npy.tflite").write_bytes((tmp_path / "ecg.npy").read_bytes())
    config.write_text(config.read_text().replace(old, new))
    for command in ("run", "check"):
        found = invoke(command, "--config", config)
        assert found.exit_code == 1 and words in str(found.exception), found.exception
    assert not (tmp_path / "ecgedge.sqlite").exists()


def test_a_recording_that_is_not_there_is_refused(tmp_path: Path) -> None:
    config = make_folder(tmp_path, seconds=5)
    (tmp_path / "ecg.npy").unlink()
    found = invoke("check", "--config", config)
    assert "ecg.npy: no such recording" in str(found.exception)


# --- the report, with a simple engine -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """Of a run on a recording with a truth: each beat N, apart from three."""
    folder = tmp_path_factory.mktemp("summary")
    config = make_folder(folder)
    made = make_recording(60)
    at = np.array([beat.sample for beat in run_simple(config)], dtype=np.int64)
    symbols = ("N",) * (len(at) - 3) + ("A", "V", "/")
    write_wfdb(Recording(made.signal, FS_HZ, ("II",), "made", Annotations(at, symbols)), folder)
    config.write_text(config.read_text().replace("ecg.npy", "made"))
    settings = read_settings(config)
    served = serve(settings)
    outcome = served.outcomes[0]
    with Store(settings.agent.store) as store:
        return summarise(outcome, store.beats(outcome.run), settings=settings, unsent=served.unsent)


def serve(settings: Settings) -> Served:
    return Agent(settings, stop=threading.Event(), make_engine=maker()).run()


def run_simple(config: Path) -> list[Beat]:
    settings = read_settings(config)
    outcome = serve(settings).outcomes[0]
    with Store(settings.agent.store) as store:
        return store.beats(outcome.run)


def test_the_summary_counts_and_compares(summary: Summary) -> None:
    lines = {line.label: line for line in summary.classes}
    assert list(lines) == ["N", "S", "V", "F", "Q"]
    assert sum(line.share for line in summary.classes) == pytest.approx(1)
    assert (lines["S"].truth, lines["V"].truth, lines["V"].sensitivity) == (1, 1, 0.0)
    assert lines["Q"].truth is None and lines["Q"].title == "not judged"
    assert summary.reasons == {"too near to tell": lines["Q"].beats}
    judged = sum(lines[name].beats for name in "NSVF")
    assert summary.burden == pytest.approx(lines["S"].beats / judged)
    assert summary.finished and summary.judged_s == summary.duration_s == 60


def test_the_report_is_short_and_ends_with_the_notice(summary: Summary) -> None:
    console = Console(record=True, width=100, file=io.StringIO())
    print_report(summary, console)
    lines = console.export_text().splitlines()
    assert len(lines) < 25
    assert lines[-1] == NOTICE
    text = "\n".join(lines)
    for words in ("made", "1:00", "lead II", "heart rate", "ectopic burden", "supraventricular", "time per beat", "kB"):
        assert words in text, words
    assert "nan" not in text


def test_the_summary_is_json(summary: Summary) -> None:
    text = json.dumps(as_json(summary), allow_nan=False)
    assert json.loads(text)["notice"] == NOTICE


def test_heart_rate_by_minute() -> None:
    slow = [Beat(k, float(k), "N", (), 1000.0 if k else math.nan) for k in range(60)]
    fast = [Beat(k, 60 + k / 2, "N", (), 500.0) for k in range(120)]
    rate = heart_rate([*slow, *fast])
    assert rate.slowest_minute_bpm == pytest.approx(60) and rate.fastest_minute_bpm == pytest.approx(120)
    assert rate.mean_bpm == pytest.approx(60_000 / np.mean([1000] * 59 + [500] * 120))
    assert math.isnan(heart_rate([]).mean_bpm)


def test_ectopic_burden_leaves_out_what_was_not_judged() -> None:
    beats = [Beat(k, float(k), label, (), 800.0) for k, label in enumerate("NNSVFQQQ")]
    assert ectopic_burden(beats) == pytest.approx(3 / 5)
    assert math.isnan(ectopic_burden([]))


# --- the whole way, with the shipped bundle -----------------------------------------------------------------------


def beat_folder(folder: Path, *, speed: str = "full", chunk_s: float = 1.0) -> Path:
    """A simulated recording with its truth, and settings that judge it with the shipped bundle."""
    folder.mkdir(exist_ok=True)
    write_wfdb(simulate_ecg(SECONDS, seed=3, name="ecg"), folder)
    config = folder / "agent.toml"
    config.write_text(
        f'[agent]\nstore = "ecgedge.sqlite"\n[source]\npath = "ecg"\nspeed = "{speed}"\nchunk_s = {chunk_s}\n'
    )
    return config


def lines_of(config: Path) -> list[dict[str, object]]:
    """Reported results without what differs from run to run."""
    text = config.with_name("results.jsonl").read_text()
    entries: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    same = [{key: value for key, value in entry.items() if key not in ("id", "stored_utc")} for entry in entries]
    return [entry | {"files": sorted(entry["files"])} for entry in same]  # files are named by ids


def beats_of(config: Path) -> list[dict[str, object]]:
    return [entry for entry in lines_of(config) if entry["kind"] == "beat"]


def test_run_reports_and_a_second_run_has_nothing_new(tmp_path: Path) -> None:
    config = beat_folder(tmp_path)
    first = invoke("run", "--config", config, "--json")
    assert first.exit_code == 0, first.output
    report = json.loads(first.stdout)
    assert report["finished"] and report["bundle"].startswith("beat ") and report["latency"]["mean_ms"] > 0
    assert sum(line["beats"] for line in report["classes"]) == len(beats_of(config)) > SECONDS / 2
    kinds = [entry["kind"] for entry in lines_of(config)]
    assert kinds.count("minute") == SECONDS / 60 and kinds[-1] == "recording"
    second = invoke("run", "--config", config)
    assert second.exit_code == 0 and "nothing new; use --again" in second.stderr
    assert second.stdout.splitlines()[-1] == NOTICE
    quiet = invoke("run", "--config", config, "--quiet", "--again")
    assert (quiet.exit_code, quiet.output) == (0, "")


def test_check_opens_all_and_writes_nothing(tmp_path: Path) -> None:
    config = beat_folder(tmp_path)
    before = sorted(tmp_path.iterdir())
    found = invoke("check", "--config", config)
    assert found.exit_code == 0, found.output
    assert "lead MLII" in found.output and "verified" in found.output
    assert sorted(tmp_path.iterdir()) == before


def test_sigterm_and_a_second_start_equal_one_run(tmp_path: Path) -> None:
    whole = beat_folder(tmp_path / "whole")
    assert invoke("run", "--config", whole, "--quiet").exit_code == 0
    broken = beat_folder(tmp_path / "broken", speed="real", chunk_s=0.2)
    running = process("run", "--config", broken)
    lines, until = broken.with_name("results.jsonl"), time.monotonic() + 30
    while not (lines.exists() and lines.stat().st_size) and time.monotonic() < until:
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 0 and "the next start goes on there" in errors, errors
    assert 0 < len(lines_of(broken)) < len(lines_of(whole))
    broken.write_text(broken.read_text().replace('"real"', '"full"').replace("0.2", "1.0"))
    assert "goes on at 0:" in invoke("run", "--config", broken).stderr
    assert sorted_results(broken) == sorted_results(whole)


def sorted_results(config: Path) -> list[str]:
    """By kind and content: beats of one chunk stand before its other results, and the chunks differ here."""
    return sorted(json.dumps(entry, sort_keys=True) for entry in lines_of(config))


def test_a_report_that_cannot_be_written_is_exit_code_1_when_all_is_judged(tmp_path: Path) -> None:
    config = beat_folder(tmp_path)
    (tmp_path / "results.jsonl").mkdir()
    found = invoke("run", "--config", config)
    assert found.exit_code == 1 and "results.jsonl" in str(found.exception)
    assert found.stdout.splitlines()[-1] == NOTICE  # the report of the recording stands all the same
    (tmp_path / "results.jsonl").rmdir()
    assert invoke("run", "--config", config).exit_code == 0
    assert len(beats_of(config)) > SECONDS / 2


def test_selftest_passes_and_a_wrong_answer_fails_it(tmp_path: Path) -> None:
    found = invoke("selftest")
    assert found.exit_code == 0, found.output
    assert all(line.startswith("pass  ") for line in found.output.splitlines())
    bundle = read_bundle("beat")
    golden = {**bundle.golden, "labels": np.roll(bundle.golden["labels"], 1)}
    with (tmp_path / "golden.npz").open("wb") as file:
        np.savez(file, **golden)  # type: ignore[arg-type]
    write_bundle(replace(bundle, golden_npz=(tmp_path / "golden.npz").read_bytes()), tmp_path / "wrong.tflite")
    said = invoke("selftest", tmp_path / "wrong.tflite")
    assert said.exit_code == 1 and "FAIL  answers" in said.output
    assert "self-test failed in answers" in str(said.exception)


def test_demo_without_data_simulates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgedge.catalogue.data_roots", lambda: ())
    found = invoke("demo", "-o", tmp_path / "demo")
    assert found.exit_code == 0, found.output
    assert "simulated" in found.stderr and "Se" in found.stdout and found.stdout.splitlines()[-1] == NOTICE
    report = invoke("demo", "-o", tmp_path / "demo", "--json")
    assert report.exit_code == 0
    classes = {entry["label"]: entry for entry in json.loads(report.stdout)["classes"]}
    assert all(classes[label]["truth"] > 10 and classes[label]["sensitivity"] > 0.8 for label in "NSV")
