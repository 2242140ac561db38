"""What a .tflite file costs, counted from its ops: parameters, multiplications, memory, bytes. Nothing is run."""

import gzip
from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

from ecgedge_convert.tflite_file import GraphTensor, Op, TfliteGraph, read_graph
from ecgedge_convert.variant import Kind

_ALIGNMENT = 16
"""Bytes; where the interpreters let a tensor begin."""
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
Span: TypeAlias = tuple[int, int]
"""First and last op during which a tensor is needed."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model costs, for a batch of one."""

    kind: Kind
    """`int8` also where some ops are left in float, see `float_ops`."""
    parameters: int
    """Weights and biases."""
    macs: int
    """Multiply-accumulates of convolutions, dense layers and matrix products."""
    macs_by_op: dict[str, int]
    peak_tensor_bytes: int
    """Arena for all activations, each kept only while it is needed, placed greedily; without scratch buffers."""
    model_bytes: int
    gzip_bytes: int
    ops: dict[str, int]
    """Name -> how often."""
    float_ops: tuple[str, ...]
    """Ops that compute in float, in their order; conversions do not count."""


def graph_facts(model: bytes) -> ModelFacts:
    """Count what a .tflite file costs.

    Raises
    ------
    BundleError
        The bytes are no .tflite model, or damaged.
    """
    graph = read_graph(model)
    macs: Counter[str] = Counter()
    for op in graph.ops:
        macs[op.name] += macs_of(op)
    return ModelFacts(
        kind=kind_of(graph),
        parameters=sum(tensor.n_values for tensor in graph.parameters),
        macs=macs.total(),
        macs_by_op={name: count for name, count in macs.items() if count},
        peak_tensor_bytes=peak_tensor_bytes(graph),
        model_bytes=len(model),
        gzip_bytes=len(gzip.compress(model, 9, mtime=0)),
        ops=dict(Counter(op.name for op in graph.ops)),
        float_ops=tuple(op.name for op in graph.ops if computes_in_float(op)),
    )


def macs_of(op: Op) -> int:
    """Multiply-accumulates of one op; 0 for those that only add, compare or move."""
    made = op.outputs[0].n_values if op.outputs else 0
    if op.name in ("CONV_2D", "FULLY_CONNECTED"):
        return made * prod(op.inputs[1].shape[1:])
    if op.name == "DEPTHWISE_CONV_2D":
        return made * prod(op.inputs[1].shape[1:3])
    if op.name == "CONV_3D":
        return made * prod(op.inputs[1].shape[:4])
    if op.name == "TRANSPOSE_CONV":
        return op.inputs[2].n_values * prod(op.inputs[1].shape[:3])
    if op.name == "BATCH_MATMUL":
        return made * op.inputs[0].shape[-2 if op.options.get("adjX") else -1]
    return 0


def kind_of(graph: TfliteGraph) -> Kind:
    """How the numbers of a model are written."""
    types = {t.dtype for op in graph.ops for t in (*op.activations, *op.outputs) if op.name not in _CONVERSIONS}
    if types & {"int8", "uint8"}:
        return "int8"
    if "int16" in types:
        return "int16x8"
    stored = {tensor.dtype for tensor in graph.parameters}
    if "int8" in stored:
        return "dynamic"
    return "float16" if "float16" in stored else "float32"


def computes_in_float(op: Op) -> bool:
    """Whether an op reads or gives floating-point activations."""
    return op.name not in _CONVERSIONS and any(tensor.is_float for tensor in (*op.activations, *op.outputs))


def peak_tensor_bytes(graph: TfliteGraph) -> int:
    """Size of an arena that holds every activation while it is needed, bytes.

    The largest tensor is placed first, each at the lowest offset where it meets no other one of its time. A float16
    weight that is unpacked counts as an activation.
    """
    spans = _spans(graph)
    placed: list[tuple[int, int, Span]] = []
    for index in sorted(spans, key=lambda index: (-graph.tensors[index].n_bytes, index)):
        size = -(-graph.tensors[index].n_bytes // _ALIGNMENT) * _ALIGNMENT
        start = _lowest(size, [(low, high) for low, high, span in placed if _meet(span, spans[index])])
        placed.append((start, start + size, spans[index]))
    return max((high for _, high, _ in placed), default=0)


def _spans(graph: TfliteGraph) -> dict[int, Span]:
    """Tensor -> first and last op that needs it; inputs from the first op on, outputs to the end."""
    spans: dict[int, Span] = {tensor.index: (0, 0) for tensor in graph.inputs}
    for op in graph.ops:
        for tensor in (*op.activations, *op.outputs):
            _stretch(spans, tensor, op.place)
    for tensor in graph.outputs:
        _stretch(spans, tensor, len(graph.ops))
    return spans


def _stretch(spans: dict[int, Span], tensor: GraphTensor, place: int) -> None:
    first, _ = spans.get(tensor.index, (place, place))
    spans[tensor.index] = (first, place)


def _meet(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _lowest(size: int, taken: list[tuple[int, int]]) -> int:
    """The lowest offset with `size` free bytes."""
    start = 0
    for low, high in sorted(taken):
        if start + size <= low:
            break
        start = max(start, high)
    return start
