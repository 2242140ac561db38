"""A .tflite rewritten for devices that judge one input at a time: every shape fixed, shape arithmetic taken out.

Knows nothing of targets. The answers stay the same, bit by bit; only the batch can no longer be changed, and an input
that no op reads is gone.
"""

from collections.abc import Collection, Mapping
from types import ModuleType

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import BundleError
from ecgedge.runtime import find_runtime
from ecgedge_convert.tflite_file import Op, TfliteGraph, read_graph, tflite_schema

ALIGNMENT = 16
"""Bytes; where the schema wants every constant to begin."""
Values = Mapping[int, NDArray[np.generic]]
_SHAPE_TYPES = ("int32", "int64")


def batch_of_one(model: bytes, *, slim: bool = False) -> bytes:
    """The model with its batch fixed at one.

    Parameters
    ----------
    slim : leave out what no interpreter needs: names of inner tensors, signatures and notes of the converter

    Raises
    ------
    BundleError
        No .tflite model, or one of several subgraphs.
    """
    graph = read_graph(model)
    if graph.n_subgraphs != 1:
        raise BundleError(f"a model of {graph.n_subgraphs} subgraphs; one can be fixed; take loops and branches out")
    folded = folded_ops(graph)
    known = _computed(model, {tensor.index for op in folded for tensor in op.outputs})
    schema = tflite_schema()
    content = schema.ModelT.InitFromPackedBuf(model, 0)
    main = content.subgraphs[0]
    main.operators = [op for place, op in enumerate(main.operators) if place not in {op.place for op in folded}]
    _fix_shapes(main)
    _make_constant(content, known, schema)
    if slim:
        _drop_notes(content)
    _drop_unused(content)
    return _packed(content, schema)


def folded_ops(graph: TfliteGraph) -> tuple[Op, ...]:
    """Ops that only compute shapes, which are known once the batch is."""
    known = {tensor.index for tensor in graph.tensors if tensor.constant is not None}
    found = []
    for op in graph.ops:
        from_shapes = op.name == "SHAPE" or all(tensor.index in known for tensor in op.inputs)
        if from_shapes and op.inputs and all(tensor.dtype in _SHAPE_TYPES for tensor in op.outputs):
            found.append(op)
            known |= {tensor.index for tensor in op.outputs}
    return tuple(found)


def _computed(model: bytes, indices: Collection[int]) -> dict[int, NDArray[np.generic]]:
    """What the interpreter computes for these tensors at a batch of one."""
    if not indices:
        return {}
    runtime = find_runtime().module
    plain = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = runtime.Interpreter(
        model_content=model, experimental_preserve_all_tensors=True, experimental_op_resolver_type=plain
    )
    interpreter.allocate_tensors()
    interpreter.invoke()
    return {index: interpreter.get_tensor(index) for index in sorted(indices)}


def _fix_shapes(main) -> None:  # type: ignore[no-untyped-def]
    for tensor in main.tensors:
        tensor.shapeSignature = None


def _make_constant(content, known: Values, schema: ModuleType) -> None:  # type: ignore[no-untyped-def]
    for index, values in known.items():
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.astype(values.dtype.newbyteorder("<")).tobytes(), np.uint8)
        content.subgraphs[0].tensors[index].buffer = len(content.buffers)
        content.buffers.append(buffer)


def _drop_notes(content) -> None:  # type: ignore[no-untyped-def]
    main = content.subgraphs[0]
    content.metadata, content.metadataBuffer, content.signatureDefs = None, None, None
    shown = {int(index) for index in (*main.inputs, *main.outputs)}
    for index, tensor in enumerate(main.tensors):
        if index not in shown:
            tensor.name = None
        if tensor.quantization is not None:
            tensor.quantization.min = tensor.quantization.max = None


def _drop_unused(content) -> None:  # type: ignore[no-untyped-def]
    """Inputs, tensors, constants and kinds of op that nothing refers to: they would cost flash and arena."""
    main = content.subgraphs[0]
    read = {int(index) for op in main.operators for index in (*op.inputs, *op.outputs)} | {int(i) for i in main.outputs}
    tensors = _renumbered(read - {-1})
    main.inputs = [index for index in main.inputs if int(index) in tensors]
    main.tensors = [main.tensors[index] for index in tensors]
    main.inputs, main.outputs = ([tensors[int(index)] for index in side] for side in (main.inputs, main.outputs))
    for op in main.operators:
        op.inputs, op.outputs = ([tensors.get(int(index), -1) for index in side] for side in (op.inputs, op.outputs))
    for signature in content.signatureDefs or ():
        signature.inputs = [entry for entry in signature.inputs if entry.tensorIndex in tensors]
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = tensors[entry.tensorIndex]
    notes = [entry.buffer for entry in content.metadata or ()]
    buffers = _renumbered({0, *(tensor.buffer for tensor in main.tensors), *notes})
    content.buffers = [content.buffers[index] for index in buffers]
    for holder in (*main.tensors, *(content.metadata or ())):
        holder.buffer = buffers[holder.buffer]
    codes = _renumbered({op.opcodeIndex for op in main.operators})
    content.operatorCodes = [content.operatorCodes[index] for index in codes]
    for op in main.operators:
        op.opcodeIndex = codes[op.opcodeIndex]


def _renumbered(kept: Collection[int]) -> dict[int, int]:
    """Old number -> new one, in their order."""
    return {old: new for new, old in enumerate(sorted(kept))}


def _packed(content, schema: ModuleType) -> bytes:  # type: ignore[no-untyped-def]
    builder = flatbuffers.Builder(1024)
    for buffer in content.buffers:
        buffer.Pack = lambda builder, data=buffer.data: _aligned_buffer(builder, data, schema)
    builder.Finish(content.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _aligned_buffer(builder: flatbuffers.Builder, data: NDArray[np.uint8] | None, schema: ModuleType) -> int:
    """The generated code begins a constant at any byte; processors without unaligned reads would stop there."""
    place = None
    if data is not None and len(data):
        builder.StartVector(1, len(data), ALIGNMENT)
        builder.head -= len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = bytes(data)
        place = builder.EndVector()
    schema.BufferStart(builder)
    if place is not None:
        schema.BufferAddData(builder, place)
    return int(schema.BufferEnd(builder))
