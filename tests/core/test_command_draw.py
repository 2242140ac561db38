"""`ecgedge draw`: pictures, photos and their truth as files; what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ecgedge import NOTICE
from ecgedge.cli import ecgedge, run_command
from ecgedge.formats import write_csv, write_wfdb
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_it(*arguments: str | Path) -> tuple[int, str, str]:
        words = [str(argument) for argument in arguments]
        code = run_command(ecgedge, ["draw", *words], program="ecgedge")
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run_it


def grey(path: Path) -> NDArray[np.uint8]:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return np.asarray(pixels, np.uint8)


def test_a_simulated_page(run: Run, tmp_path: Path) -> None:
    for name in ("new/one.png", "two.png"):
        code, out, err = run("-o", tmp_path / name, "--layout", "6x2", "--px-per-mm", "4", "--seed", "3")
        assert code == 0, err
        assert NOTICE in out and "simulated-3" in out and "6x2" in out
    assert (tmp_path / "new" / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_truth_beside_the_page(run: Run, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    code, out, err = run("-o", tmp_path / "a.png", "--style", "photos", "--px-per-mm", "4", "--truth", truth, "--json")
    assert code == 0, err
    page, said = json.loads(truth.read_text()), json.loads(out)
    pixels = grey(tmp_path / "a.png")
    assert (said["width_px"], said["height_px"]) == pixels.shape[::-1]
    assert said["notice"] == page["notice"] == NOTICE and said["simulated"] is True
    assert len(page["curves"]) == 13 and "curves" not in said
    for curve in page["curves"]:
        at = np.rint(np.array(curve["points_px"])).astype(int)
        assert np.median(pixels[at[:, 1], at[:, 0]]) < 140


def test_a_photo_and_its_truth(run: Run, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    code, _, err = run("-o", tmp_path / "a.jpg", "--photo", "mild", "--px-per-mm", "5", "--truth", truth)
    assert code == 0, err
    pixels = grey(tmp_path / "a.jpg")
    page = json.loads(truth.read_text())
    assert page["photo"] == "mild" and page["turned_deg"] in (0, 90, 180, 270)
    sheet, grid = (np.array(page[key], np.float32) for key in ("sheet_corners_px", "grid_corners_px"))
    assert cv2.contourArea(sheet) > 0.1 * pixels.size and cv2.contourArea(grid) <= 1.001 * cv2.contourArea(sheet)
    points = np.concatenate([np.array(curve["points_px"], np.float32) for curve in page["curves"]])
    height, width = pixels.shape
    inside = points[(points.min(axis=1) >= 5) & (points[:, 0] < width - 5) & (points[:, 1] < height - 5)]
    x, y = inside.T[:, :, np.newaxis]
    ink = cv2.remap(pixels, np.ascontiguousarray(x), np.ascontiguousarray(y), cv2.INTER_LINEAR)
    around = cv2.remap(cv2.medianBlur(pixels, 31), np.ascontiguousarray(x), np.ascontiguousarray(y), cv2.INTER_LINEAR)
    assert np.median(around.astype(int) - ink) > 30, "curves are darker than what is around them"


@pytest.mark.parametrize("form", ["wfdb", "csv"])
def test_a_record_is_drawn_without_a_made_up_patient(run: Run, tmp_path: Path, form: str) -> None:
    recording = simulate_twelve_leads(12.0, seed=4)
    files = write_wfdb(recording, tmp_path) if form == "wfdb" else [write_csv(recording, tmp_path / "ecg.csv")]
    record = files[0].with_suffix("") if form == "wfdb" else files[0]
    look = ("--style", "ecg_images", "--px-per-mm", "4")  # whose patient stands above the grid
    header = []
    for name, source in (("a.png", (record, "--start-s", "2")), ("b.png", ())):
        code, out, err = run(*source, "-o", tmp_path / name, *look, "--json")
        assert code == 0, err
        assert json.loads(out)["simulated"] is (not source)
        header.append(grey(tmp_path / name)[:120])
    assert header[0].min() > 240, "no made-up words"
    assert header[1].min() < 60, "the simulated patient has some"


def test_what_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    there = tmp_path / "there.png"
    there.write_bytes(b"mine")
    short = write_csv(simulate_twelve_leads(5.0, seed=0), tmp_path / "short.csv")
    refused: list[tuple[tuple[str | Path, ...], str]] = [
        (("-o", tmp_path / "a.tiff"), ".tiff"),
        (("-o", there), "--overwrite"),
        (("-o", tmp_path / "a.png", "--px-per-mm", "99"), "px/mm"),
        (("-o", tmp_path / "a.png", "--truth", tmp_path / "a.png"), "one file"),
        ((tmp_path / "no.csv", "-o", tmp_path / "a.png"), "no.csv"),
        ((short, "-o", tmp_path / "a.png", "--start-s", "5"), "lasts 5 s"),
    ]
    for arguments, word in refused:
        code, out, err = run(*arguments)
        assert code == 1 and word in err and len(err.strip().splitlines()) == 1, (arguments, err)
        assert out == ""
    assert there.read_bytes() == b"mine"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["short.csv", "there.png"]
