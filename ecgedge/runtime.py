"""The one place that loads an interpreter: LiteRT, else tflite-runtime.

Knows nothing of manifests, labels or preprocessing: bytes in, arrays out.
"""

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgedge.chatter import without_chatter
from ecgedge.errors import BundleError, MissingDependency

_RUNTIMES = (("ai-edge-litert", "ai_edge_litert.interpreter"), ("tflite-runtime", "tflite_runtime.interpreter"))
_INSTALL = "pip install ai-edge-litert (64-bit) or 'tflite-runtime<3' 'numpy<2' (32-bit Arm, Python 3.11)"
_CHATTER = b"INFO: Created TensorFlow Lite XNNPACK delegate"


@dataclass(frozen=True, slots=True)
class Runtime:
    """Which interpreter was found."""

    name: str
    version: str
    module: ModuleType


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of the model, as the model file states it."""

    name: str
    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    scale: float
    """Real value of one quantisation step; 0 where the tensor is float."""
    zero_point: int


class Interpreter(Protocol):
    """What LiteRT and tflite-runtime have in common, as far as it is used here."""

    def allocate_tensors(self) -> None: ...
    def invoke(self) -> None: ...
    def resize_tensor_input(self, input_index: int, tensor_size: tuple[int, ...]) -> None: ...
    def set_tensor(self, tensor_index: int, value: NDArray[np.generic]) -> None: ...
    def get_tensor(self, tensor_index: int) -> NDArray[np.generic]: ...
    def get_input_details(self) -> list[dict[str, object]]: ...
    def get_output_details(self) -> list[dict[str, object]]: ...


def find_runtime() -> Runtime:
    """The first interpreter that is installed.

    Raises
    ------
    MissingDependency
        Neither is; the message gives the pip line.
    """
    for package, module in _RUNTIMES:
        if importlib.util.find_spec(module.partition(".")[0]) is not None:
            return Runtime(package, version(package), importlib.import_module(module))
    raise MissingDependency(f"no TFLite interpreter is installed; {_INSTALL}")


def load_interpreter(model: bytes, *, threads: int = 1) -> Interpreter:
    """An interpreter for the model, not yet allocated.

    Raises
    ------
    BundleError
        The bytes are no model that the interpreter can run.
    """
    runtime = find_runtime()
    with _refused_model(runtime), without_chatter(_CHATTER):
        interpreter: Interpreter = runtime.module.Interpreter(model_content=model, num_threads=threads)
        return interpreter


@contextmanager
def _refused_model(runtime: Runtime) -> Iterator[None]:
    """Turn what an interpreter says of a bad model into one line."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BundleError(
            f"{runtime.name} {runtime.version} cannot run the model: {reason}; convert it again"
        ) from error


def tensor_spec(detail: Mapping[str, object]) -> TensorSpec:
    """Read one entry of `get_input_details()` or `get_output_details()`."""
    shape, quantisation = detail["shape"], detail["quantization"]
    assert isinstance(shape, np.ndarray) and isinstance(quantisation, tuple)
    return TensorSpec(
        name=str(detail["name"]),
        index=int(str(detail["index"])),
        shape=tuple(int(n) for n in shape),
        dtype=np.dtype(detail["dtype"]),  # type: ignore[call-overload]
        scale=float(quantisation[0]),
        zero_point=int(quantisation[1]),
    )


class Model:
    """An allocated model that is fed batches; it is resized only when the batch size changes."""

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        self._interpreter = load_interpreter(model, threads=threads)
        with _refused_model(find_runtime()), without_chatter(_CHATTER):
            self._interpreter.allocate_tensors()
        self.inputs = tuple(tensor_spec(detail) for detail in self._interpreter.get_input_details())
        self.outputs = tuple(tensor_spec(detail) for detail in self._interpreter.get_output_details())
        self._batch = 1

    def invoke(self, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """Run one batch.

        Parameters
        ----------
        inputs : tensor name -> (n, ...) array of the tensor's dtype

        Returns
        -------
        One (n, ...) array per output, of the model's own dtype.
        """
        self._resize(len(next(iter(inputs.values()))))
        for spec in self.inputs:
            self._interpreter.set_tensor(spec.index, inputs[spec.name])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(spec.index) for spec in self.outputs]

    def _resize(self, batch: int) -> None:
        if batch == self._batch:
            return
        for spec in self.inputs:
            self._interpreter.resize_tensor_input(spec.index, (batch, *spec.shape[1:]))
        self._interpreter.allocate_tensors()
        self._batch = batch


def quantise(values: NDArray[np.float32], spec: TensorSpec) -> NDArray[np.generic]:
    """Real values -> the tensor's integers (round to even, saturate); float tensors pass unchanged."""
    if spec.scale == 0.0:
        return values.astype(spec.dtype)
    limits = np.iinfo(spec.dtype.type)  # type: ignore[type-var]
    steps = np.rint(values / np.float32(spec.scale)) + spec.zero_point
    quantised: NDArray[np.generic] = np.clip(steps, limits.min, limits.max).astype(spec.dtype)
    return quantised


def dequantise(values: NDArray[np.generic], spec: TensorSpec) -> NDArray[np.float32]:
    """The tensor's integers -> real values, float32."""
    if spec.scale == 0.0:
        return values.astype(np.float32)
    real: NDArray[np.float32] = (values.astype(np.float32) - np.float32(spec.zero_point)) * np.float32(spec.scale)
    return real
