"""`ecgedge bench`: measured for real, sent in without names, compared, refused in one line."""

import getpass
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from ecgedge import NOTICE
from ecgedge.bench_report import BenchReport, Measured, Software, warnings_of
from ecgedge.board import Board, Condition, throttling_words
from ecgedge.bundle import read_bundle
from ecgedge.cli import run_command
from ecgedge.commands.bench import bench
from ecgedge.latency import Latency

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]
CALL = (
    "import sys; from ecgedge.cli import run_command; from ecgedge.commands.bench import bench; "
    "sys.exit(run_command(bench, None, program='ecgedge bench'))"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def above() -> None:
    """As `ecgedge` above `bench`."""


above.add_command(bench)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_it(*arguments: str | Path) -> tuple[int, str, str]:
        code = run_command(above, ["bench", *map(str, arguments)], program="ecgedge")
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run_it


@pytest.mark.parametrize("name", ["beat", "page"])
def test_a_bundle_is_measured(run: Run, tmp_path: Path, name: str) -> None:
    file = tmp_path / "board.json"
    code, out, err = run(
        name, "--threads", "1,2", "--batch", "1,4", "--seconds", "0.05", "--starts", "2", "--json", file
    )
    assert code == 0, err
    assert NOTICE in out and "inputs/s" in out and str(file) in out
    found = json.loads(file.read_text())
    manifest = read_bundle(name).manifest
    assert (found["format"], found["format_version"], found["notice"]) == ("ecgedge-bench", 1, NOTICE)
    assert found["bundle"]["model_sha256"] == manifest.model_sha256
    assert [(one["threads"], one["batch"]) for one in found["latency"]] == [(1, 1), (1, 4), (2, 1), (2, 4)]
    assert all(0 < one["least_ms"] <= one["p50_ms"] <= one["p99_ms"] for one in found["latency"])
    assert len(found["start_up"]) == 2
    for start in found["start_up"]:
        assert start["process_s"] >= start["import_s"] + start["load_s"] + start["answer_s"]
        assert start["answers"] == 1 if name == "page" else start["answers"] > 40
        assert start["peak_mb"] is None or start["peak_mb"] >= start["loaded_mb"] > 10


def test_json_alone_goes_to_the_screen_and_names_nobody(run: Run) -> None:
    code, out, _ = run("beat", "--threads", "1", "--seconds", "0.01", "--starts", "1", "--json", "-")
    assert code == 0 and json.loads(out)["software"]["python"] == platform.python_version()
    facts = {value for value in (platform.node(), getpass.getuser(), str(Path.home()), str(ROOT)) if len(value) > 3}
    assert facts and not [value for value in facts if value in out]


def test_what_is_measured_needs_no_development_package() -> None:
    """Nor OpenCV for beats: a 32-bit Pi may be without."""
    names = ("tensorflow", "keras", "tf_keras", "pytest", "pytest_benchmark", "sleepecg", "neurokit2", "cv2", "wfdb")
    blocked = f"import sys; sys.modules.update(dict.fromkeys({names!r})); "
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            blocked + CALL,
            "beat",
            "--threads",
            "1",
            "--seconds",
            "0.01",
            "--starts",
            "1",
            "--json",
            "-",
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["latency"][0]["n"] >= 40


def test_the_old_runtime_measures_too() -> None:
    old = ROOT / ".venv-tflite" / "bin" / "python"
    if not old.exists():
        pytest.skip("no .venv-tflite here; `make test` builds it on Python 3.11, the last that tflite-runtime has")
    result = subprocess.run(
        [old, "-c", CALL, "beat", "--threads", "1", "--seconds", "0.05", "--starts", "1", "--json", "-"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["software"]["interpreter"].startswith("tflite-runtime")


def test_files_are_not_replaced_unasked(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("mine")
    code, out, err = run("beat", "--seconds", "0.01", "--json", file)
    assert (code, out, file.read_text()) == (1, "", "mine") and "--overwrite" in err
    assert run("beat", "--threads", "1", "--seconds", "0.01", "--starts", "0", "--json", file, "--overwrite")[0] == 0
    assert json.loads(file.read_text())["format"] == "ecgedge-bench"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "nothing"),
        (("beat", "--threads", "0"), "below 1"),
        (("beat", "--threads", "one"), "whole numbers"),
        (("beat", "--batch", "1,-2"), "below 1"),
        (("beat", "--seconds", "0"), "0.01<=x"),
        (("beat", "--starts", "-1"), "0<=x"),
        (("beat", "--json", "/proc/none/a.json"), "cannot be written"),
        (("compare", "none.json", "none.json"), "none.json"),
        (("compare", "none.json"), "B.json"),
    ],
)
def test_bad_input_is_named(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run(*arguments)
    assert code in (1, 2) and out == "" and said in err and "Traceback" not in err


@pytest.fixture(scope="module")
def two_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One real measurement, and the same with one of its latencies made 1.5 times as long and another left out."""
    folder = tmp_path_factory.mktemp("bench")
    first, second = folder / "a.json", folder / "b.json"
    arguments = ["bench", "page-image", "--threads", "1", "--batch", "1,2", "--seconds", "0.3", "--json", str(first)]
    arguments += ["--starts", "2"]
    assert run_command(above, arguments, program="ecgedge") == 0
    document = json.loads(first.read_text())
    for one in document["latency"]:
        one["blocks_ms"] = [one["p50_ms"] * (1 + 0.001 * k) for k in range(20)]  # whatever else this machine does
    first.write_text(json.dumps(document))
    slow = document["latency"][0]
    slow |= {"p50_ms": 1.5 * slow["p50_ms"], "blocks_ms": [1.5 * value for value in slow["blocks_ms"]]}
    del document["latency"][1]
    second.write_text(json.dumps(document))
    return first, second


def test_two_measurements_are_compared(run: Run, two_files: tuple[Path, Path]) -> None:
    code, out, _ = run("compare", *two_files)
    assert code == 0 and "1 slower" in out and "1.50" in out
    assert "only in A: set, invoke, get; threads 1, batch 2" in out
    code, out, err = run("compare", *two_files, "--fail-over", "1.10")
    assert code == 1 and "slower than 1.1 times: set, invoke, get; threads 1, batch 1 1.50" in err
    assert run("compare", *two_files, "--fail-over", "1.60")[0] == 0
    assert run("compare", *reversed(two_files), "--fail-over", "1.10")[0] == 0
    code, out, _ = run("compare", *two_files, "--json")
    assert code == 0 and json.loads(out)["changes"][0]["verdict"] == "slower"


def test_help_shows_both_ways(run: Run) -> None:
    for option in ("--help", "-h"):
        code, out, _ = run(option)
        assert code == 0 and "--threads" in out and "compare" in out and "Examples" in out and NOTICE in out
    assert "Example" in run("compare", "--help")[1]


def test_completion_knows_bundles_commands_and_options() -> None:
    completer = ShellComplete(above, {}, "ecgedge", "_ECGEDGE_COMPLETE")

    def found(arguments: list[str], incomplete: str) -> set[str]:
        return {item.value for item in completer.get_completions(arguments, incomplete)}

    assert {"beat", "page", "compare"} <= found(["bench"], "")
    assert found(["bench"], "be") >= {"beat"} and "page" not in found(["bench"], "be")
    assert "--threads" in found(["bench"], "--t") and "--threads" in found(["bench", "beat"], "--t")


def report(**changes: object) -> BenchReport:
    calm = Condition({}, None, (), None, None, 0.0)
    facts: dict[str, object] = {
        "date_utc": "2026-01-01",
        "board": Board(None, None, (), 4, None, "aarch64", None, "Linux"),
        "software": Software("0", None, "3.11", "ai-edge-litert 2", "2", None),
        "bundle": Measured("beat", "1", "beat", 1, "0", "int8"),
        "before": calm,
        "after": calm,
        "other_cores": 0.0,
        "latency": (latency(p50_ms=1.0, p99_ms=1.5),),
        "start_up": (),
        "energy": None,
    }
    return BenchReport(**(facts | changes))  # type: ignore[arg-type]


def latency(*, p50_ms: float, p99_ms: float) -> Latency:
    return Latency(1, 1, 100, p50_ms, p50_ms, p99_ms, p50_ms, p50_ms, p99_ms, 1.0, ())


def condition(**changes: object) -> Condition:
    facts = {"temperatures_c": {}, "throttling": 0, "throttling_words": (), "governor": None, "frequency_mhz": None}
    return Condition(**({"load": 0.0} | facts | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"after": condition(throttling=0x4, throttling_words=throttling_words(0x4))}, "fan or heat sink"),
        ({"before": condition(throttling=0x1, throttling_words=throttling_words(0x1))}, "power supply"),
        ({"after": condition(temperatures_c={"cpu-thermal": 84.0})}, "84"),
        ({"before": condition(load=3.0)}, "load of 3.0 on 4 cores"),
        ({"other_cores": 0.5}, "50 % of a core"),
        ({"latency": (latency(p50_ms=1.0, p99_ms=4.0),)}, "4.0 times p50"),
    ],
)
def test_what_spoils_a_measurement_is_said(changes: dict[str, object], said: str) -> None:
    assert warnings_of(report()) == ()
    found = warnings_of(report(**changes))
    assert len(found) == 1 and said in found[0]
    assert report(**changes).to_json()["warnings"] == list(found)
