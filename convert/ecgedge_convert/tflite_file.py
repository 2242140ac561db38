"""What a .tflite file is made of: its ops and tensors, read with LiteRT's own generated schema.

Knows nothing of targets, bundles or interpreters. Shapes are those that the file states: a batch of one.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import BundleError

Option = int | float | bool | str
_DAMAGED = (struct.error, IndexError, TypeError, ValueError, AttributeError, KeyError, UnicodeDecodeError)
_BITS = {"int2": 2, "uint4": 4, "int4": 4, "bool": 8, "string": 0, "resource": 0, "variant": 0}
_NUMPY = {"bfloat16": None, "complex64": np.complex64, "complex128": np.complex128}


@dataclass(frozen=True)
class GraphTensor:
    """One tensor of the main subgraph."""

    index: int
    name: str
    shape: tuple[int, ...]
    """Unknown sides as 1."""
    dynamic: tuple[int, ...]
    """Axes whose side is not fixed in the file."""
    dtype: str
    """As numpy spells it, such as `int8`; `int4` where numpy has no such type."""
    scales: tuple[float, ...]
    """None, one, or one per channel."""
    zero_points: tuple[int, ...]
    axis: int
    """Of the channels, where there is a scale for each."""
    constant: bytes | None
    """Little-endian content; None for an activation."""

    @property
    def n_values(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Size in memory, bytes."""
        return -(-self.n_values * bits_of(self.dtype) // 8)

    @property
    def is_float(self) -> bool:
        """Whether its values are floating-point numbers."""
        return "float" in self.dtype

    @property
    def is_parameter(self) -> bool:
        """Whether it is a weight or bias, and not a constant shape or axis."""
        return self.constant is not None and (self.is_float or bool(self.scales))

    @property
    def values(self) -> NDArray[np.generic]:
        """The constant's values.

        Raises
        ------
        BundleError
            It is no constant, or of a type that numpy lacks.
        """
        if self.constant is None or self.dtype in _BITS | _NUMPY:
            raise BundleError(f"tensor {self.name}: {self.dtype} without readable content; only constants can be read")
        return np.frombuffer(self.constant, np.dtype(self.dtype).newbyteorder("<")).reshape(self.shape)


@dataclass(frozen=True)
class Op:
    """One operation of the main subgraph."""

    place: int
    """In the order of execution, from 0."""
    name: str
    """As the schema spells it, such as `CONV_2D`; for a custom op the name in the file."""
    version: int
    inputs: tuple[GraphTensor, ...]
    """Those left out are missing."""
    outputs: tuple[GraphTensor, ...]
    options: Mapping[str, Option]
    """Plain values of its built-in options, by the schema's names."""

    @property
    def activations(self) -> tuple[GraphTensor, ...]:
        """Inputs that are no constants."""
        return tuple(tensor for tensor in self.inputs if tensor.constant is None)

    @property
    def constants(self) -> tuple[GraphTensor, ...]:
        """Inputs that are."""
        return tuple(tensor for tensor in self.inputs if tensor.constant is not None)


@dataclass(frozen=True)
class TfliteGraph:
    """The main subgraph of a model."""

    ops: tuple[Op, ...]
    tensors: tuple[GraphTensor, ...]
    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
    n_subgraphs: int

    @cached_property
    def parameters(self) -> tuple[GraphTensor, ...]:
        """Weights and biases that an op reads, each once."""
        found = {tensor.index: tensor for op in self.ops for tensor in op.inputs if tensor.is_parameter}
        return tuple(found.values())


def read_graph(model: bytes) -> TfliteGraph:
    """The main subgraph of a .tflite file.

    Raises
    ------
    BundleError
        The bytes are no .tflite model, or damaged.
    """
    schema = tflite_schema()
    if model[4:8] != b"TFL3":
        raise BundleError(f"{len(model)} bytes that are no .tflite model (no TFL3 mark); convert the model again")
    try:
        content = schema.ModelT.InitFromPackedBuf(model, 0)
        return _graph_of(content, schema)
    except _DAMAGED as error:
        raise BundleError(f"{len(model)} bytes of a damaged .tflite model ({error}); convert it again") from None


def bits_of(dtype: str) -> int:
    """Bits that a value takes."""
    if dtype in _BITS:
        return _BITS[dtype]
    return 16 if dtype == "bfloat16" else np.dtype(dtype).itemsize * 8


def tflite_schema() -> ModuleType:
    """LiteRT's generated schema."""
    # Imported when needed: ten thousand lines.
    from ai_edge_litert import schema_py_generated

    module: ModuleType = schema_py_generated
    return module


def _graph_of(content, schema: ModuleType) -> TfliteGraph:  # type: ignore[no-untyped-def]
    main = content.subgraphs[0]
    types = _names(schema.TensorType)
    tensors = tuple(_tensor(k, raw, content.buffers, types) for k, raw in enumerate(main.tensors))
    return TfliteGraph(
        ops=tuple(_ops(content, main, tensors, schema)),
        tensors=tensors,
        inputs=tuple(tensors[k] for k in main.inputs),
        outputs=tuple(tensors[k] for k in main.outputs),
        n_subgraphs=len(content.subgraphs),
    )


def _tensor(index: int, raw, buffers, types: Mapping[int, str]) -> GraphTensor:  # type: ignore[no-untyped-def]
    signature = () if raw.shapeSignature is None else raw.shapeSignature
    quantised = raw.quantization
    data = buffers[raw.buffer].data
    return GraphTensor(
        index=index,
        name="" if raw.name is None else raw.name.decode(),
        shape=tuple(max(1, int(side)) for side in _listed(raw.shape)),
        dynamic=tuple(axis for axis, side in enumerate(signature) if side < 0),
        dtype=types[raw.type].lower(),
        scales=tuple(float(value) for value in _listed(quantised and quantised.scale)),
        zero_points=tuple(int(value) for value in _listed(quantised and quantised.zeroPoint)),
        axis=int(quantised.quantizedDimension) if quantised else 0,
        constant=None if data is None or len(data) == 0 else bytes(data),
    )


def _listed(values: NDArray[np.generic] | list[float] | None) -> Sequence[float]:
    """The schema gives None for what is empty, and an array or a list for what is not."""
    return () if values is None else [value.item() if isinstance(value, np.generic) else value for value in values]


def _ops(content, main, tensors: tuple[GraphTensor, ...], schema: ModuleType) -> Iterator[Op]:  # type: ignore[no-untyped-def]
    names = _names(schema.BuiltinOperator)
    for place, raw in enumerate(main.operators):
        code = content.operatorCodes[raw.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        yield Op(
            place=place,
            name=code.customCode.decode() if names[number] == "CUSTOM" else names[number],
            version=int(code.version),
            inputs=tuple(tensors[k] for k in raw.inputs if k >= 0),
            outputs=tuple(tensors[k] for k in raw.outputs),
            options=_options(raw.builtinOptions),
        )


def _options(raw) -> dict[str, Option]:  # type: ignore[no-untyped-def]
    plain = vars(raw) if raw is not None else {}
    return {name: value for name, value in plain.items() if isinstance(value, int | float | bool | str)}


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}
