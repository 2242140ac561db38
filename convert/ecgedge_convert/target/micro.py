"""Runs a model in TensorFlow Lite Micro, the interpreter of microcontrollers, here on the desk.

Says how small an arena it runs in, and whether it answers bit by bit as LiteRT does. Knows nothing of C or boards.
"""

import importlib
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgedge.chatter import without_chatter
from ecgedge.errors import BundleError
from ecgedge.extras import require
from ecgedge.runtime import find_runtime
from ecgedge_convert.tflite_file import GraphTensor, TfliteGraph, read_graph

Arrays = Mapping[str, NDArray[np.generic]]
Vector = list[NDArray[np.generic]]
"""One value per input or output of the model, in the file's order."""

RANDOM_VECTORS = 1000
"""Inputs of random integers over their whole range, which reach roundings that real ones seldom do."""
ARENA_STEP = 16
"""Bytes; the arena must begin at a multiple of it."""
ARENA_MOST = 64 * 2**20
REFERENCE = "LiteRT's reference kernels"
OPTIMISED = "LiteRT's fast kernels, no XNNPACK"
DEFAULT = "LiteRT as ecgedge runs it"
WHY = {
    "FULLY_CONNECTED": "dense layers: rounded twice in TensorFlow Lite Micro, once by LiteRT's reference kernel",
    DEFAULT: "XNNPACK, LiteRT's default, rescales in float32 and rounds ties to even",
}
"""Known reasons for a difference of one step; tests/convert/test_micro.py proves both by computing all three."""


class MicroInterpreter(Protocol):
    """What is used of tflite-micro's interpreter."""

    def invoke(self) -> object: ...
    def set_input(self, input_data: NDArray[np.generic], index: int) -> None: ...
    def get_output(self, index: int) -> NDArray[np.generic]: ...
    def GetTensor(self, tensor_index: int, subgraph_index: int) -> dict[str, NDArray[np.generic]]: ...  # noqa: N802


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the answers compare with another interpreter's."""

    against: str
    inputs: str
    """`golden` or `random`."""
    vectors: int
    equal: int
    """Vectors for which every value of every output is the same."""
    most_steps: float
    """Largest difference of a value, in its integer steps."""
    first_ops: dict[str, int] = field(default_factory=dict)
    """Where they differ: the first op with another value -> number of vectors; against the reference kernels only."""

    @property
    def bit_equal(self) -> bool:
        """Whether nothing differs."""
        return self.equal == self.vectors


@dataclass(frozen=True, slots=True)
class MicroRun:
    """What a run in TensorFlow Lite Micro showed."""

    package: str
    """Version of tflite-micro, and the processor's architecture."""
    arena_bytes: int
    """The smallest arena in which the model runs here; pointers are longer here than on 32 bits, which need less."""
    agreements: tuple[Agreement, ...]

    @property
    def bit_equal(self) -> bool:
        """Whether it answers as LiteRT's reference kernels do, everywhere."""
        return all(one.bit_equal for one in self.agreements if one.against == REFERENCE)


def run_in_micro(model: bytes, golden: Arrays, *, n_random: int = RANDOM_VECTORS, seed: int = 0) -> MicroRun:
    """Find the arena, and compare the answers with LiteRT's on golden and on random inputs.

    Parameters
    ----------
    model : with its batch fixed at one
    golden : input tensor's name -> (n, ...) in the model's own integers; may be empty

    Raises
    ------
    MissingDependency
        tflite-micro is not installed.
    BundleError
        TensorFlow Lite Micro cannot run the model.
    """
    micro_runtime()
    graph = read_graph(model)
    arena = smallest_arena(model)
    sets = {"golden": _vectors(graph, golden), "random": _random_vectors(graph, n_random, seed)}
    return MicroRun(
        package=f"tflite-micro {version('tflite-micro')} on {platform.machine()}",
        arena_bytes=arena,
        agreements=tuple(
            compare(model, vectors, against=against, inputs=name)
            for name, vectors in sets.items()
            for against in (REFERENCE, OPTIMISED, DEFAULT)
            if vectors
        ),
    )


def smallest_arena(model: bytes) -> int:
    """Bytes of the smallest arena in which the model can be run, to the next `ARENA_STEP`.

    Raises
    ------
    BundleError
        It runs in none of up to 64 MiB: an op without a kernel, or a kernel that refuses its numbers.
    """
    if (reason := _refusal(model, ARENA_MOST)) is not None:
        raise BundleError(f"TensorFlow Lite Micro cannot run the model: {reason}; see convert --target mcu")
    low, high = 0, ARENA_MOST // ARENA_STEP
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _refusal(model, middle * ARENA_STEP) is None else (middle, high)
    return high * ARENA_STEP


def compare(model: bytes, vectors: list[Vector], *, against: str, inputs: str) -> Agreement:
    """Answers of TensorFlow Lite Micro beside those of LiteRT, vector by vector."""
    graph = read_graph(model)
    ours, theirs = _Micro(graph, model, keep_all=False), _Lite(graph, model, against, keep_all=False)
    steps = np.array([_steps(ours.answer(vector), theirs.answer(vector)) for vector in vectors])
    different = [vectors[row] for row in np.flatnonzero(steps)]
    first = first_differences(model, different) if against == REFERENCE else {}
    return Agreement(against, inputs, len(vectors), int((steps == 0).sum()), float(steps.max(initial=0)), first)


def first_differences(model: bytes, vectors: list[Vector]) -> dict[str, int]:
    """Name of the first op whose values are not those of LiteRT's reference kernels -> number of vectors."""
    if not vectors:
        return {}
    graph = read_graph(model)
    ours, theirs = _Micro(graph, model, keep_all=True), _Lite(graph, model, REFERENCE, keep_all=True)
    found: Counter[str] = Counter()
    for vector in vectors:
        ours.answer(vector)
        theirs.answer(vector)
        found[_first_different(graph, ours, theirs)] += 1
    return dict(found.most_common())


def micro_runtime() -> ModuleType:
    """tflite-micro's Python module.

    Raises
    ------
    MissingDependency
        It is not installed; the message gives the pip line.
    """
    require("tflite_micro")
    module: ModuleType = importlib.import_module("tflite_micro").runtime
    return module


class _Micro:
    """A model in TensorFlow Lite Micro."""

    def __init__(self, graph: TfliteGraph, model: bytes, *, keep_all: bool) -> None:
        runtime = micro_runtime()
        config = runtime.InterpreterConfig
        self._interpreter: MicroInterpreter = runtime.Interpreter.from_bytes(
            model,
            arena_size=ARENA_MOST,
            intrepreter_config=config.kPreserveAllTensors if keep_all else config.kAllocationRecording,
        )
        self._outputs = range(len(graph.outputs))

    def answer(self, vector: Vector) -> Vector:
        for index, values in enumerate(vector):
            self._interpreter.set_input(values, index)
        self._interpreter.invoke()
        return [self._interpreter.get_output(index).copy() for index in self._outputs]

    def tensor(self, tensor: GraphTensor) -> NDArray[np.generic]:
        return np.asarray(self._interpreter.GetTensor(tensor.index, 0)["tensor_data"])


class _Lite:
    """The same model in LiteRT."""

    def __init__(self, graph: TfliteGraph, model: bytes, kernels: str, *, keep_all: bool) -> None:
        module = find_runtime().module
        kinds = module.OpResolverType
        resolver = {REFERENCE: kinds.BUILTIN_REF, OPTIMISED: kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES}
        self._graph = graph
        self._interpreter = module.Interpreter(
            model_content=model,
            num_threads=1,
            experimental_preserve_all_tensors=keep_all,
            experimental_op_resolver_type=resolver.get(kernels, kinds.AUTO),
        )
        with without_chatter(b"INFO: Created TensorFlow Lite XNNPACK delegate"):
            self._interpreter.allocate_tensors()

    def answer(self, vector: Vector) -> Vector:
        for tensor, values in zip(self._graph.inputs, vector, strict=True):
            self._interpreter.set_tensor(tensor.index, values)
        self._interpreter.invoke()
        return [self.tensor(tensor) for tensor in self._graph.outputs]

    def tensor(self, tensor: GraphTensor) -> NDArray[np.generic]:
        return np.asarray(self._interpreter.get_tensor(tensor.index))


def _refusal(model: bytes, arena_bytes: int) -> str | None:
    """Why the model does not run in an arena of this size; None where it does."""
    runtime = micro_runtime()
    try:
        with without_chatter(b""):
            runtime.Interpreter.from_bytes(model, arena_size=arena_bytes).invoke()
    except RuntimeError as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None


def _vectors(graph: TfliteGraph, inputs: Arrays) -> list[Vector]:
    if not inputs:
        return []
    columns = [inputs[tensor.name] for tensor in graph.inputs]
    return [[column[row : row + 1] for column in columns] for row in range(len(columns[0]))]


def _random_vectors(graph: TfliteGraph, n: int, seed: int) -> list[Vector]:
    rng = np.random.default_rng(seed)
    return [[_random(tensor, rng) for tensor in graph.inputs] for _ in range(n)]


def _random(tensor: GraphTensor, rng: np.random.Generator) -> NDArray[np.generic]:
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return rng.normal(size=tensor.shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, tensor.shape, dtype, endpoint=True)


def _steps(ours: Vector, theirs: Vector) -> float:
    """Largest difference of a value; in integer steps, or for float tensors as it is."""
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0)) for a, b in pairs)


def _first_different(graph: TfliteGraph, ours: _Micro, theirs: _Lite) -> str:
    for op in graph.ops:
        for tensor in op.outputs:
            if not np.array_equal(ours.tensor(tensor).ravel(), theirs.tensor(tensor).ravel()):
                return op.name
    return "none"
