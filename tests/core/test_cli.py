"""The command line: one line per error, exit codes, help, completion."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgedge import NOTICE
from ecgedge.bundle import shipped_bundles
from ecgedge.cli import ecgedge, run_command
from ecgedge.formats import write_wfdb
from ecgedge.simulate import simulate_ecg

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_it(*arguments: str | Path) -> tuple[int, str, str]:
        code = run_command(ecgedge, [str(argument) for argument in arguments], program="ecgedge")
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run_it


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    recording = simulate_ecg(90, fs_hz=360, seed=3, sveb_rate=4.0, veb_rate=6.0)
    write_wfdb(recording, folder, annotations=recording.beats)
    return folder / recording.name


def damage_bundle(folder: Path) -> Path:
    content = bytearray(shipped_bundles()["beat"].read_bytes())
    content[1000] ^= 1
    (folder / "bad.tflite").write_bytes(content)
    return folder / "bad.tflite"


def cut_record(record: Path, folder: Path) -> Path:
    """A header that claims more samples than the signal file holds."""
    (folder / "cut.hea").write_text(record.with_suffix(".hea").read_text().replace(record.name, "cut"))
    (folder / "cut.dat").write_bytes(record.with_suffix(".dat").read_bytes()[:5000])
    return folder / "cut"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing file", "nowhere"),
        ("folder", "folder"),
        ("empty", "0 bytes|empty"),
        ("lead", "no lead 'V9'"),
        ("rate", "sampling rate|fs-hz|fs_hz"),
        ("cut", "cut"),
        ("garbage", "garbage.csv"),
        ("bundle", "checksum"),
        ("no bundle", "shipped: beat"),
    ],
)
def test_bad_input_is_one_line(run: Run, record: Path, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "ecg.csv").write_text("MLII\n" + "0.1\n" * 400)
    (tmp_path / "garbage.csv").write_bytes(bytes(range(256)) * 20)
    arguments: dict[str, tuple[str | Path, ...]] = {
        "missing file": ("beat", tmp_path / "nowhere"),
        "folder": ("beat", tmp_path),
        "empty": ("beat", tmp_path / "empty.csv"),
        "lead": ("beat", record, "--lead", "V9"),
        "rate": ("beat", tmp_path / "ecg.csv", "--fs-hz", "0"),
        "cut": ("beat", cut_record(record, tmp_path)),
        "garbage": ("beat", tmp_path / "garbage.csv"),
        "bundle": (damage_bundle(tmp_path), record),
        "no bundle": ("none", record),
    }
    code, out, err = run("predict", *arguments[name])
    assert code == 1
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("ecgedge: ") and "Traceback" not in err
    assert any(part in err for part in said.split("|")), err


def test_predict_prints_counts_and_notice(run: Run, record: Path) -> None:
    code, out, _ = run("predict", "beat", record)
    assert code == 0
    assert "ventricular ectopic" in out and NOTICE in out


def test_predict_json_has_every_beat(run: Run, record: Path) -> None:
    _, out, _ = run("predict", "beat", record, "--json")
    found = json.loads(out)
    truth = simulate_ecg(90, fs_hz=360, seed=3, sveb_rate=4.0, veb_rate=6.0).beats
    assert truth is not None
    assert len(found["beats"]) == pytest.approx(len(truth.sample), abs=2)
    assert sum(found["counts"].values()) == len(found["beats"])
    assert found["notice"] == NOTICE


def test_annotations_are_read_back_by_wfdb(run: Run, record: Path, tmp_path: Path) -> None:
    import wfdb

    code, _, _ = run("predict", "beat", record, "--annotations", tmp_path)
    _, out, _ = run("predict", "beat", record, "--json")
    read = wfdb.rdann(str(tmp_path / record.name), "ecgedge")
    beats = json.loads(out)["beats"]
    assert code == 0
    np.testing.assert_array_equal(read.sample, [beat["sample"] for beat in beats])
    assert read.symbol == [beat["label"] for beat in beats]


def test_info_of_a_bundle_and_of_the_installation(run: Run) -> None:
    _, out, _ = run("info")
    assert "interpreter" in out
    _, out, _ = run("info", "beat", "--json")
    assert json.loads(out)["labels"] == ["N", "S", "V", "F"]
    _, out, _ = run("info", "beat", "--card")
    assert NOTICE in out and "## Limits" in out


def test_a_command_of_an_extra_names_the_extra(tmp_path: Path) -> None:
    blocked = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "from ecgedge.cli import main\n"
        f"sys.argv = ['ecgedge', 'convert', {str(tmp_path)!r}, '-o', 'x.tflite']\nmain()"
    )
    result = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "pip install 'ecgedge[" in result.stderr and result.stderr.count("\n") == 1


def test_usage_errors_exit_with_2(run: Run) -> None:
    assert run("predict")[0] == 2
    assert run("nonsense")[0] == 2


def test_shell_completion_names_shipped_bundles() -> None:
    environment = {"_ECGEDGE_COMPLETE": "bash_complete", "COMP_WORDS": "ecgedge info be", "COMP_CWORD": "2"}
    result = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv=['ecgedge']; from ecgedge.cli import main; main()"],
        capture_output=True,
        text=True,
        env={**environment, "PATH": "/usr/bin:/bin"},
        timeout=60,
    )
    assert "beat" in result.stdout


def test_an_unknown_lead_is_said_beside_the_answer(run: Run, record: Path) -> None:
    _, out, _ = run("predict", "beat", record, "--lead", "V1")
    assert "lead V1 is not one the model was trained on" in " ".join(out.split())
    _, out, _ = run("predict", "beat", record)
    assert "not one the model was trained on" not in out
