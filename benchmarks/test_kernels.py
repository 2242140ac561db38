"""The model parts alone: int8 against float32, half the channels against all, and other interpreters. One thread.

Weights are random; time does not depend on them. Every peer is first seen to give the same outputs.
"""

from pathlib import Path

import pytest
from build_models import NAMES, WHOLE
from elsewhere import other_clock, replay
from interpreters import INTERPRETERS, OLD_PYTHON, TOLERANCE, AskedElsewhere, inputs_of, litert, require_same
from interpreters import tflite_runtime as ask_tflite_runtime
from pytest_benchmark.fixture import BenchmarkFixture

INT8_STEPS = 4
"""Integer steps by which outputs of an int8 model may differ between versions of the kernels."""
_ELSEWHERE_S = 0.5


def skip_without_old_python() -> None:
    if not OLD_PYTHON.exists():
        pytest.skip("no .venv-tflite here; `make test` builds it on Python 3.11, the last that tflite-runtime has")


@pytest.mark.benchmark(group="int8 and float32")
@pytest.mark.parametrize("kind", ["float32", "int8"])
@pytest.mark.parametrize("name", NAMES)
def test_kernel(benchmark: BenchmarkFixture, models: Path, name: str, kind: str) -> None:
    """Set, invoke, get."""
    model = (models / f"{name}.{kind}.tflite").read_bytes()
    benchmark.extra_info["model kB"] = len(model) / 1000
    benchmark(litert(model, models, inputs_of(model)).run)


@pytest.mark.benchmark(group="other interpreters, float32")
@pytest.mark.parametrize("peer", INTERPRETERS)
@pytest.mark.parametrize("name", WHOLE)
def test_peer(benchmark: BenchmarkFixture, models: Path, name: str, peer: str) -> None:
    """The same float32 model, the same inputs."""
    pytest.importorskip(
        {"litert": "ai_edge_litert", "opencv": "cv2"}.get(peer, peer), reason=f"{peer} is not installed"
    )
    onnx, model = models / f"{name}.onnx", (models / f"{name}.float32.tflite").read_bytes()
    if peer != "litert" and not onnx.exists():
        pytest.skip(onnx.with_suffix(".txt").read_text().strip())
    inputs = inputs_of(model)
    asked = INTERPRETERS[peer](model, onnx, inputs)
    try:
        require_same(asked.answers(), litert(model, onnx, inputs).answers(), tolerance=TOLERANCE)
    except AssertionError as error:
        pytest.skip(f"{peer} on {name}: {error}")
    benchmark(asked.run)


@pytest.mark.benchmark(group="other interpreters, float32", timer=other_clock)
@pytest.mark.parametrize("peer", ["tflite-runtime"])
@pytest.mark.parametrize("name", WHOLE)
def test_old_float32(benchmark: BenchmarkFixture, models: Path, name: str, peer: str) -> None:
    """tflite-runtime 2.14, which times itself in its own environment."""
    assert peer == "tflite-runtime"
    _replay(benchmark, ask_old(models / f"{name}.float32.tflite", tolerance=TOLERANCE))


@pytest.mark.benchmark(group="int8 and float32", timer=other_clock)
@pytest.mark.parametrize("name", WHOLE)
def test_old_int8(benchmark: BenchmarkFixture, models: Path, name: str) -> None:
    """The same with int8."""
    _replay(benchmark, ask_old(models / f"{name}.int8.tflite", tolerance=INT8_STEPS))


def ask_old(path: Path, *, tolerance: float) -> AskedElsewhere:
    """What tflite-runtime measured, after its outputs were seen to be the same."""
    skip_without_old_python()
    model = path.read_bytes()
    inputs = inputs_of(model)
    found = ask_tflite_runtime(model, inputs, seconds=_ELSEWHERE_S)
    require_same(found.outputs, litert(model, path, inputs).answers(), tolerance=tolerance)
    return found


def _replay(benchmark: BenchmarkFixture, found: AskedElsewhere) -> None:
    replay(benchmark, found.seconds, by=f"{found.runtime} itself, rounds are medians")
