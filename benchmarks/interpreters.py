"""Interpreters other than ours on the same model and the same inputs, each held to one thread.

An `Asked` runs the model once when it is called; `answers` gives the outputs of that, so that what is compared is first
seen to be the same. tflite-runtime lives in an environment of its own (numpy 1) and times itself, with the loop of
`ecgedge.latency`.
"""

import importlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ecgedge.latency import model_call, random_input
from ecgedge.runtime import Model

ROOT = Path(__file__).parents[1]
OLD_PYTHON = ROOT / ".venv-tflite" / "bin" / "python"
TOLERANCE = 1e-4
"""By which outputs of float32 models, probabilities and logits of some units, may differ between interpreters."""

Inputs = Mapping[str, NDArray[np.generic]]
Outputs = list[NDArray[np.generic]]

_OLD = """
import json, sys
import numpy as np
from ecgedge.latency import measure_latency
from ecgedge.runtime import Model, find_runtime
model = open(sys.argv[1], "rb").read()
inputs = dict(np.load(sys.argv[2]))
outputs = Model(model).invoke(inputs)
found = measure_latency(model, threads=1, seconds=float(sys.argv[3]), inputs=inputs)
np.savez(sys.argv[4], *outputs)
print(json.dumps({"runtime": f"{find_runtime().name} {find_runtime().version}", "blocks_ms": found.blocks_ms}))
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """An interpreter with a model and its inputs."""

    run: Callable[[], object]
    """Set, invoke, get, once."""
    answers: Callable[[], Outputs]


@dataclass(frozen=True, slots=True)
class AskedElsewhere:
    """What an interpreter in another environment measured of itself."""

    runtime: str
    seconds: tuple[float, ...]
    """Medians of twenty consecutive parts."""
    outputs: Outputs


def inputs_of(model: bytes) -> dict[str, NDArray[np.generic]]:
    """Random inputs, by tensor name; between 0 and 1 where they are floats, as pages and leads are."""
    drawn = {spec.name: random_input(spec, seed=1) for spec in Model(model).inputs}
    return {name: np.abs(values) if values.dtype == np.float32 else values for name, values in drawn.items()}


def litert(model: bytes, _onnx: Path, inputs: Inputs) -> Asked:
    """The interpreter that ecgedge uses, and nothing else: the floor."""
    return Asked(model_call(model, threads=1, inputs=inputs), lambda: Model(model).invoke(inputs))


def onnx_runtime(_model: bytes, onnx: Path, inputs: Inputs) -> Asked:
    """ONNX Runtime on the processor."""
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
    fed = {wanted.name: inputs[_same(wanted.name, inputs)] for wanted in session.get_inputs()}

    def run() -> Outputs:
        return list(session.run(None, fed))

    return Asked(run, run)


def opencv_dnn(_model: bytes, onnx: Path, inputs: Inputs) -> Asked:
    """OpenCV's own networks, from ONNX."""
    import cv2

    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromONNX(str(onnx))
    names = net.getUnconnectedOutLayersNames()

    def run() -> Outputs:
        for name, values in inputs.items():
            net.setInput(values.astype(np.float32, copy=False), name)
        return list(net.forward(names))

    return Asked(run, run)


INTERPRETERS: Mapping[str, Callable[[bytes, Path, Inputs], Asked]] = {
    "litert": litert,
    "onnxruntime": onnx_runtime,
    "opencv": opencv_dnn,
}


def tflite_runtime(model: bytes, inputs: Inputs, *, seconds: float) -> AskedElsewhere:
    """tflite-runtime 2.14 in the environment that `make test` builds for it.

    Raises
    ------
    RuntimeError
        It failed; the last line says why.
    """
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("model.tflite", "inputs.npz", "outputs.npz")]
        paths[0].write_bytes(model)
        np.savez(paths[1], **inputs)  # type: ignore[arg-type]
        command = [OLD_PYTHON, "-c", _OLD, paths[0], paths[1], str(seconds), paths[2]]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        found = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, env=environment, check=False
        )
        if found.returncode != 0:
            raise RuntimeError((found.stderr.strip().splitlines() or ["no reason given"])[-1])
        facts = json.loads(found.stdout.splitlines()[-1])
        with np.load(paths[2]) as archive:
            outputs = [archive[name] for name in archive.files]
    return AskedElsewhere(facts["runtime"], tuple(ms / 1000 for ms in facts["blocks_ms"]), outputs)


def require_same(found: Outputs, expected: Outputs, *, tolerance: float) -> float:
    """The largest difference between two lists of outputs, matched by shape.

    Raises
    ------
    AssertionError
        A shape is missing, or a value differs by more.
    """
    by_shape = {values.shape: values for values in found}
    largest = 0.0
    for values in expected:
        assert values.shape in by_shape, f"no output of shape {values.shape}, only {sorted(by_shape)}"
        apart = np.abs(by_shape[values.shape].astype(np.float64) - values.astype(np.float64)).max()
        largest = max(largest, float(apart))
    assert largest <= tolerance, f"outputs differ by {largest:.2g}, at most {tolerance:g} may be; nothing is compared"
    return largest


def _same(name: str, inputs: Inputs) -> str:
    return next(key for key in inputs if key.partition(":")[0] == name.partition(":")[0])
