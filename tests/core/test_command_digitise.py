"""`ecgedge digitise`: what it writes, what it refuses, and that a failure costs nothing that was there."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgedge import NOTICE
from ecgedge.cli import ecgedge, run_command
from ecgedge.formats import read_recording
from ecgedge.paper.layouts import LEADS
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_ecg_images
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_it(*arguments: str | Path) -> tuple[int, str, str]:
        words = [str(argument) for argument in arguments]
        code = run_command(ecgedge, ["digitise", *words], program="ecgedge")
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run_it


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn page, as a scanner sees it."""
    path = tmp_path_factory.mktemp("pages") / "page.png"
    drawn = draw_page(simulate_twelve_leads(seed=5), layout="3x4+1", seed=5, style=like_ecg_images(5), px_per_mm=5.0)
    cv2.imwrite(str(path), drawn.pixels)
    return path


@pytest.fixture(scope="module")
def white(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture without an ECG."""
    path = tmp_path_factory.mktemp("pictures") / "white.png"
    cv2.imwrite(str(path), np.full((900, 1200, 3), 255, np.uint8))
    return path


def test_a_page_becomes_a_record_and_a_check_picture(run: Run, page: Path, tmp_path: Path) -> None:
    code, out, err = run(page, "-o", tmp_path / "new" / "ecg")
    assert code == 0, err
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["ecg.dat", "ecg.hea", "ecg.png"]
    recording = read_recording(tmp_path / "new" / "ecg")
    assert recording.leads == LEADS and recording.fs_hz == 500
    assert np.isfinite(recording.signal).any(axis=0).all() and np.isnan(recording.signal).any()
    assert cv2.imread(str(tmp_path / "new" / "ecg.png")).shape[1] == 1600
    assert NOTICE in out and "3x4+1" in out


def test_a_table_instead_of_a_record(run: Run, page: Path, tmp_path: Path) -> None:
    for name, options in (("one.csv", ()), ("two", ("--format", "csv"))):
        code, _, err = run(page, "-o", tmp_path / name, "--rate-hz", "250", "--no-picture", *options)
        assert code == 0, err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.csv", "two.csv"]
    one, two = (read_recording(tmp_path / f"{name}.csv") for name in ("one", "two"))
    assert one.fs_hz == 250 and one.leads == LEADS
    np.testing.assert_array_equal(one.signal, two.signal)


def test_json_says_what_was_seen_and_how_surely(run: Run, page: Path, tmp_path: Path) -> None:
    code, out, err = run(page, "-o", tmp_path / "ecg", "--json")
    assert code == 0, err
    report = json.loads(out)
    (seen,) = report["pictures"]
    assert report["refused"] == [] and report["notice"] == NOTICE
    assert seen["layout"] == "3x4+1" and 0 < seen["confidence"] <= 1
    assert [curve["lead"] for curve in seen["curves"] if not curve["strip"]].count("V3") == 1
    assert all(0 <= curve["confidence"] <= 1 for curve in seen["curves"])
    assert len(seen["corners_px"]) == 4 and all(value > 0 for value in seen["px_per_mm"])
    assert {Path(file).name for file in seen["files"]} == {"ecg.hea", "ecg.dat", "ecg.png"}
    assert all(set(measure) >= {"name", "value", "unit", "limit", "good"} for measure in seen["quality"])


def test_nothing_is_overwritten_unless_asked(run: Run, page: Path, tmp_path: Path) -> None:
    (tmp_path / "ecg.png").write_text("mine")
    code, _, err = run(page, "-o", tmp_path / "ecg")
    assert code == 1 and "--overwrite" in err and err.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["ecg.png"] and (tmp_path / "ecg.png").read_text() == "mine"
    code, _, err = run(page, "-o", tmp_path / "ecg", "--overwrite")
    assert code == 0, err
    assert (tmp_path / "ecg.png").read_bytes().startswith(b"\x89PNG")


def test_a_failed_run_leaves_the_old_record(run: Run, white: Path, tmp_path: Path) -> None:
    old = {name: name.encode() for name in ("ecg.hea", "ecg.dat", "ecg.png")}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    code, _, _ = run(white, "-o", tmp_path / "ecg", "--overwrite")
    assert code == 1
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == old


def test_several_photos_go_on_past_a_refused_one(run: Run, page: Path, white: Path, tmp_path: Path) -> None:
    odd = tmp_path / "Patient 7 (2).png"
    odd.write_bytes(page.read_bytes())
    code, out, err = run(white, odd, tmp_path / "none.jpg", "-o", tmp_path / "out", "--no-picture")
    assert code == 1
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["Patient_7_2.dat", "Patient_7_2.hea"]
    assert "2 of 3" in err and "white.png" in err and "none.jpg" in err and "Traceback" not in err
    assert NOTICE in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("PAGE", "-o", "DIR/ecg.edf"), ".edf"),
        (("PAGE", "-o", "DIR/two words"), "cannot name"),
        (("PAGE", "-o", "DIR/ecg", "--rate-hz", "0"), "50 to"),
        (("PAGE", "-o", "DIR/ecg", "--rate-hz", "nan"), "50 to"),
        (("DIR/nowhere.jpg", "-o", "DIR/ecg"), "nowhere.jpg"),
        (("DIR", "-o", "DIR/ecg"), "a folder"),
        (("WHITE", "-o", "DIR/ecg"), "white.png"),
        (("DIR/a/x.jpg", "DIR/b/x.png", "-o", "DIR/out"), "also that of"),
    ],
)
def test_bad_arguments_are_one_line(
    run: Run, page: Path, white: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    filled = [
        argument.replace("DIR", str(tmp_path)).replace("PAGE", str(page)).replace("WHITE", str(white))
        for argument in arguments
    ]
    code, out, err = run(*filled)
    assert code == 1 and out == ""
    assert err.startswith("ecgedge: ") and err.count("\n") == 1 and "Traceback" not in err
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_json_of_a_refused_page_is_still_json(run: Run, white: Path, tmp_path: Path) -> None:
    code, out, err = run(white, "-o", tmp_path / "ecg", "--json")
    report = json.loads(out)
    assert code == 1 and report["pictures"] == []
    assert report["refused"][0]["picture"] == str(white) and report["refused"][0]["reason"] in err


def test_the_folder_that_cannot_be_written_is_named(run: Run, page: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    code, _, err = run(page, "-o", tmp_path / "file" / "ecg")
    assert code == 1 and str(tmp_path / "file") in err and err.count("\n") == 1
