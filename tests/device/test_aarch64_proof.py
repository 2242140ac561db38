"""The proof that Arm answers as x86-64 does: equal outputs agree, and every kind of change is seen.

The outputs here are small files of the same forms; making the real ones takes half an hour.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgedge.formats import write_csv
from ecgedge.simulate import simulate_ecg

ROOT = Path(__file__).parents[2]
PROOF = ROOT / "device/tests-aarch64"
BEAT = {"sample": 225, "label": "N", "rr_ms": None, "reason": "", "probabilities": {"N": 0.9, "V": 0.1}}
PAGE = {
    "label": "normal",
    "reason": "",
    "prediction_set": ["normal"],
    "advice": "",
    "layout": "3x4+1",
    "tested_layout": True,
    "probabilities": {"normal": 0.8, "mi": 0.2},
}


def compare(*folders: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, PROOF / "compare.py", *folders]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, timeout=120)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """A folder as outputs.py leaves it."""
    folder = tmp_path / "out"
    (folder / "demo").mkdir(parents=True)
    facts = {"machine": "any", "python": "3", "interpreter": "any", "ecgedge": "0"}
    beats = [{**BEAT, "sample": 225 + 300 * number} for number in range(3)]
    for name, values in {
        "info.json": facts,
        "predict-beat.json": {"beats": beats},
        "predict-page-page.json": {"pictures": [PAGE], "refused": []},
        "predict-page-photo.json": {"pictures": [], "refused": [{"picture": "photo.jpg", "reason": "dark"}]},
    }.items():
        (folder / name).write_text(json.dumps(values))
    for name in ("replay.jsonl", "demo/results.jsonl"):
        (folder / name).write_text("".join(json.dumps(beat) + "\n" for beat in beats))
    (folder / "selftest-page.txt").write_text("pass  model: 1 vectors\npass  answer: normal\n")
    np.savez(folder / "golden-beat.npz", output=np.arange(8, dtype=np.int8))
    for name in ("digitised-page", "digitised-photo", "simulated"):
        write_csv(simulate_ecg(2, seed=1, name=name), folder / f"{name}.csv")
    cv2.imwrite(str(folder / "drawn.png"), np.full((20, 30, 3), 200, np.uint8))
    return folder


def test_equal_outputs_agree(outputs: Path) -> None:
    found = compare(outputs, outputs)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "11 of 11 outputs agree" in found.stdout and "DIFFERS" not in found.stdout


def test_every_kind_of_change_is_seen(outputs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(outputs, other)
    edit_beat(other / "replay.jsonl", label="F")
    edit_beat(other / "demo/results.jsonl", probabilities={"N": 0.8, "V": 0.2})
    selftest = other / "selftest-page.txt"
    selftest.write_text(selftest.read_text().replace("pass", "FAIL", 1))
    golden = dict(np.load(other / "golden-beat.npz"))
    np.savez(other / "golden-beat.npz", **{name: values.astype(int) + 9 for name, values in golden.items()})
    page = {**PAGE, "prediction_set": ["normal", "mi"]}
    (other / "predict-page-page.json").write_text(json.dumps({"pictures": [page], "refused": []}))
    (other / "predict-page-photo.json").write_text(json.dumps({"pictures": [PAGE], "refused": []}))
    write_csv(simulate_ecg(2, seed=2, name="simulated"), other / "simulated.csv")
    pixels = cv2.imread(str(other / "drawn.png"))
    assert pixels is not None
    cv2.imwrite(str(other / "drawn.png"), 255 - pixels)
    found = compare(outputs, other)
    assert found.returncode == 1
    differing = {line.split()[0].rstrip(":") for line in found.stdout.splitlines() if line.endswith("DIFFERS")}
    assert differing == {
        "replay.jsonl",
        "demo/results.jsonl",
        "selftest-page",
        "golden-beat",
        "predict-page-page",
        "predict-page-photo",
        "simulated.csv",
        "drawn.png",
    }, found.stdout


def edit_beat(path: Path, **changes: object) -> None:
    """Change the last beat."""
    *lines, last = path.read_text().splitlines()
    path.write_text("\n".join([*lines, json.dumps({**json.loads(last), **changes})]) + "\n")


def test_the_script_explains_itself_and_refuses_what_it_does_not_know() -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is missing")
    command = ["bash", str(PROOF / "run.sh")]
    said = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0 and "--cpu NAME" in said.stdout
    for arguments, words in ((["--cup", "x"], "--cup is not known"), (["--cpu", "i386"], "--cpu i386 is not known")):
        refused = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
        assert refused.returncode == 1 and words in refused.stderr, refused.stderr
