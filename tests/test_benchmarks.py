"""What the benchmarks print stays true: names in ratios and tables are of benchmarks that exist; rows come out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
PATHS = os.pathsep.join(str(ROOT / folder) for folder in (".", "train", "convert", "device", "benchmarks"))


def run_python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PATHS},
    )


@pytest.fixture(scope="module")
def names() -> set[str]:
    """All benchmarks that pytest collects."""
    pytest.importorskip("pytest_benchmark", reason="pytest-benchmark comes with [bench]")
    found = run_python("-m", "pytest", "benchmarks", "--collect-only", "-q", "-p", "no:cacheprovider")
    assert found.returncode == 0, found.stdout + found.stderr
    return {line.partition("::")[2] for line in found.stdout.splitlines() if "::" in line}


def printed(code: str) -> list[str]:
    found = run_python("-c", code)
    assert found.returncode == 0, found.stderr
    return found.stdout.split("\n")[:-1]


def test_ratios_are_of_benchmarks_that_exist(names: set[str]) -> None:
    wanted = set(printed("import ratios\nfor _, a, b in ratios.RATIOS: print(a); print(b)"))
    assert len(wanted) > 20 and wanted - names == set()


def test_columns_are_of_benchmarks_that_exist(names: set[str]) -> None:
    code = "import summary as s\nfor n, _ in (*s.RUN_COLUMNS.values(), *s.EXTRA_COLUMNS.values()): print(n)"
    wanted = set(printed(code))
    assert len(wanted) > 10 and wanted - names == set()


def test_a_run_becomes_a_row(tmp_path: Path) -> None:
    board = {"model": "Raspberry Pi 5", "cpu": "Cortex-A76", "cores": 4, "architecture": "aarch64"}
    times = {"test_raw_invoke_one_beat[1]": 3.1e-5, "test_judge_one_beat": 6.2e-5, "test_file_to_beats": 1.25}
    benchmarks = [
        {"name": name, "extra_info": {}, "stats": {"median": value, "min": 0.9 * value, "iqr": 0.0, "rounds": 5}}
        for name, value in times.items()
    ]
    start = {"name": "test_first_answer[beat]", "extra_info": {"process_s": 1.5}, "stats": benchmarks[0]["stats"]}
    document = {
        "machine_info": {"board": board, "ecgedge_commit": "0123456789abcdef+"},
        "datetime": "2026-01-02T03:04:05",
        "benchmarks": [*benchmarks, start],
    }
    (tmp_path / "run.json").write_text(json.dumps(document))
    found = run_python("benchmarks/summary.py", tmp_path / "run.json", "--ratios")
    assert found.returncode == 0, found.stderr
    headings, _, row, _, _, _, ratio, *_ = [line.split(" | ") for line in found.stdout.splitlines()]
    by_heading = dict(zip(headings, row, strict=True))
    assert row[:3] == ["| Raspberry Pi 5 (Cortex-A76)", "2026-01-02", "012345678+"]
    assert (by_heading["beat, raw invoke, us"], by_heading["file to beats, ms"]) == ("31", "1250")
    assert (by_heading["start, beat, s"], by_heading["agent, ms"]) == ("1.5", "")
    assert ratio == ["| our judge against the raw invoke, one beat", "2.00", "2.00 |"]


def test_results_are_kept_out_of_git() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "benchmarks/results/latest.json"], cwd=ROOT, capture_output=True, text=True
    )
    if ignored.returncode == 128:
        pytest.skip("not a git checkout")
    assert ignored.returncode == 0


def test_what_built_models_hang_on_is_there() -> None:
    """A module that was moved must be followed, else no model is built again when it changes."""
    code = "import build_models as b; print(all((b.ROOT / one).exists() for one in b._SOURCES), len(b._fingerprint()))"
    found = run_python("-c", code)
    assert found.stdout.split()[0] == "True", found.stderr
