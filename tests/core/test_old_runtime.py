"""The shipped bundle gives the same classes under tflite-runtime 2.14 (numpy < 2), as on 32-bit Arm.

`make test` builds the environment `.venv-tflite` for it, since numpy 2 and tflite-runtime exclude each other.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecgedge.formats import write_wfdb
from ecgedge.runtime import find_runtime
from ecgedge.simulate import simulate_ecg

ROOT = Path(__file__).parents[2]
OLD_PYTHON = ROOT / ".venv-tflite" / "bin" / "python"
CALL = "import sys; from {module} import main; sys.argv[0] = 'ecgedge'; main()"


def run(python: Path | str, *arguments: str, module: str = "ecgedge.cli") -> str:
    # -P keeps the working folder off the path; the checkout comes from PYTHONPATH, entry points from its metadata
    environment = os.environ | {"PYTHONPATH": ":".join(str(ROOT / folder) for folder in (".", "train", "device"))}
    result = subprocess.run(
        [str(python), "-P", "-c", CALL.format(module=module), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def old_python() -> Path:
    if not OLD_PYTHON.exists():
        pytest.skip("no .venv-tflite here; `make test` builds it on Python 3.11, the last that tflite-runtime has")
    return OLD_PYTHON


def test_the_old_runtime_is_really_used(old_python: Path) -> None:
    code = "from ecgedge.runtime import find_runtime as f; import numpy; print(f().name, numpy.__version__)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run([old_python, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert result.stdout.startswith("tflite-runtime 1."), result.stderr
    assert find_runtime().name == "ai-edge-litert"


def test_same_classes_under_both_runtimes(old_python: Path, tmp_path: Path) -> None:
    recording = simulate_ecg(300, fs_hz=360, seed=8, sveb_rate=6.0, veb_rate=6.0)
    write_wfdb(recording, tmp_path)
    code = (
        "import sys, json; from ecgedge.bundle import read_bundle; from ecgedge.engine import judge_recording\n"
        "from ecgedge.formats import read_recording\n"
        "beats = judge_recording(read_bundle('beat'), read_recording(sys.argv[1]))\n"
        "print(json.dumps([(b.sample, b.label) for b in beats]))"
    )
    answers = []
    for python in (old_python, Path(sys.executable)):
        result = subprocess.run(
            [python, "-c", code, str(tmp_path / recording.name)],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        answers.append(json.loads(result.stdout))
    assert answers[0] == answers[1]
    assert {label for _, label in answers[0]} >= {"N", "V"}


def test_self_test_passes_under_the_old_runtime(old_python: Path) -> None:
    assert run(old_python, "selftest", "beat", module="ecgedge_device.cli").count("pass  ") == 3


@pytest.mark.parametrize("bundle", ["page", "page-image"])
def test_page_models_give_the_same_under_the_old_runtime(old_python: Path, bundle: str) -> None:
    """Their model parts alone: what reads the page needs OpenCV, which that environment goes without."""
    code = (
        "import sys, json, numpy as np; from ecgedge.bundle import read_bundle; from ecgedge.runtime import Model\n"
        "bundle = read_bundle(sys.argv[1]); model = Model(bundle.model); golden = bundle.golden\n"
        "out = model.invoke({spec.name: golden['input:' + spec.name] for spec in model.inputs})\n"
        "names = {tensor.tensor: tensor.name for tensor in bundle.manifest.outputs}\n"
        "steps = {}\n"
        "for spec, found in zip(model.outputs, out):\n"
        "    expected = golden['output:' + names[spec.name]]\n"
        "    steps[names[spec.name]] = int(np.abs(found.astype(int) - expected.astype(int)).max())\n"
        "print(json.dumps(steps))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [old_python, "-c", code, bundle], capture_output=True, text=True, env=environment, timeout=60
    )
    assert result.returncode == 0, result.stderr
    steps = json.loads(result.stdout.splitlines()[-1])
    assert steps["probabilities"] <= 1
    assert len(steps) > 1 and max(steps.values()) <= 3
