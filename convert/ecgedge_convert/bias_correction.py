"""Takes out the shift that rounding gives a layer's output on average, by changing its int32 biases.

Empirical bias correction of Nagel et al. 2019 (10.1109/ICCV.2019.00141, section 4.2), layer after layer on the .tflite
itself so that it holds for every network. A page is mostly blank paper and a beat mostly baseline: there the inputs of
a layer hardly vary, their rounding error and those of its few weights add up to the same number everywhere, and later
layers take that for a signal. The biases hold such a number exactly; nothing is added to the model, it costs no time.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.records import FloatArray
from ecgedge_convert.kept_tensors import KeptTensors, spread_rows
from ecgedge_convert.target.batch_of_one import batch_of_one
from ecgedge_convert.tflite_file import GraphTensor, Op, read_graph, tflite_schema

Float64Array = NDArray[np.float64]

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_INPUT, _WEIGHTS, _BIAS = 0, 1, 2
_MOST_INPUTS = 32
_INTEGERS = {"int32": np.dtype("<i4"), "int64": np.dtype("<i8")}


@dataclass(frozen=True)
class _Pair:
    """An op and the same one before it was quantised."""

    plain: Op
    rounded: Op

    @property
    def bias(self) -> GraphTensor:
        return self.rounded.inputs[_BIAS]


def with_corrected_biases(float_model: bytes, quantised: bytes, inputs: Mapping[str, FloatArray]) -> bytes:
    """Correct the biases of convolutions and dense layers, each with those before it corrected.

    Parameters
    ----------
    float_model : the same network as float32, by the same converter
    inputs : tensor name of an input -> (n, ...) float32, representative; at most 32 are run

    Returns
    -------
    The model with other biases and nothing else changed. A bias that shares its place in the file stays as it is.
    """
    float_model = batch_of_one(float_model)
    pairs = list(_pairs(float_model, quantised))
    rows = list(spread_rows(inputs, _MOST_INPUTS))
    meant = _mean_patches(float_model, [pair.plain for pair in pairs], rows)
    whole, run = bytearray(quantised), bytearray(batch_of_one(quantised))
    ops = {op.outputs[0].name: op for op in read_graph(bytes(run)).ops}
    for pair, patch in zip(pairs, meant, strict=True):
        op = ops[pair.rounded.outputs[0].name]
        (found,) = _mean_patches(bytes(run), [op], rows)
        shift = _given(op, found) - _given(pair.plain, patch)
        steps = np.rint(shift / np.asarray(pair.bias.scales))
        _subtract(whole, pair.bias, steps)
        _subtract(run, op.inputs[_BIAS], steps)
    return bytes(whole)


def _pairs(float_model: bytes, quantised: bytes) -> Iterator[_Pair]:
    """Ops with weights and a bias of their own in both models, matched by the name of what they give."""
    plain = {op.outputs[0].name: op for op in read_graph(float_model).ops if op.name in _WEIGHTED}
    rounded = [op for op in read_graph(quantised).ops if op.name in _WEIGHTED and len(op.inputs) > _BIAS]
    readers, alone = [op.inputs[_BIAS].index for op in rounded], _own_buffers(quantised)
    for op in rounded:
        bias, other = op.inputs[_BIAS], plain.get(op.outputs[0].name)
        own = bias.index in alone and readers.count(bias.index) == 1 and bias.dtype in _INTEGERS
        if own and other is not None and bias.scales and _is_same(other, op):
            yield _Pair(other, op)


def _is_same(plain: Op, rounded: Op) -> bool:
    weights, other = plain.inputs[_WEIGHTS], rounded.inputs[_WEIGHTS]
    return weights.constant is not None and other.constant is not None and weights.shape == other.shape


def _mean_patches(model: bytes, ops: list[Op], rows: list[dict[str, FloatArray]]) -> list[Float64Array]:
    """What stands under the weights of each op on average, in the shape of a kernel."""
    kept = KeptTensors(model)
    sums: list[Float64Array | float] = [0.0] * len(ops)
    for row in rows:
        kept.run(row)
        for k, op in enumerate(ops):
            sums[k] = sums[k] + _mean_patch(op, kept.real(op.inputs[_INPUT]))
    return [np.asarray(total) / len(rows) for total in sums]


def _mean_patch(op: Op, values: FloatArray) -> Float64Array:
    """The mean over all places where a kernel is laid: (kernel height, kernel width, channels), or (channels,)."""
    weights = op.inputs[_WEIGHTS].shape
    if op.name == "FULLY_CONNECTED":
        mean: Float64Array = values.reshape(-1, weights[-1]).mean(axis=0, dtype=np.float64)
        return mean
    height, width = weights[1:3]
    laid = _padded(op, values.astype(np.float64))
    (down, across), (rise, run) = _strides(op), _dilations(op)
    rows, columns = op.outputs[0].shape[1:3]
    patch = np.empty((height, width, values.shape[-1]))
    for y in range(height):
        for x in range(width):
            part = laid[:, y * rise :: down, x * run :: across][:, :rows, :columns]
            patch[y, x] = part.mean(axis=(0, 1, 2))
    return patch


def _strides(op: Op) -> tuple[int, int]:
    return int(op.options["strideH"]), int(op.options["strideW"])


def _dilations(op: Op) -> tuple[int, int]:
    return int(op.options["dilationHFactor"]), int(op.options["dilationWFactor"])


def _padded(op: Op, values: Float64Array) -> Float64Array:
    """Zeros around, where the op lays them (padding 0 is SAME): the odd one below and on the right."""
    if op.options["padding"] != 0:
        return values
    sides = []
    for axis, (stride, dilation) in enumerate(zip(_strides(op), _dilations(op), strict=True)):
        size, kernel = values.shape[1 + axis], (op.inputs[_WEIGHTS].shape[1 + axis] - 1) * dilation + 1
        missing = max(0, (-(-size // stride) - 1) * stride + kernel - size)
        sides.append((missing // 2, missing - missing // 2))
    return np.pad(values, ((0, 0), *sides, (0, 0)))


def _given(op: Op, patch: Float64Array) -> Float64Array:
    """What an op gives on average without its bias, (channels,)."""
    weights = _real_weights(op)
    if op.name == "DEPTHWISE_CONV_2D":
        repeated = np.repeat(patch, weights.shape[-1] // patch.shape[-1], axis=-1)
        return np.asarray((weights[0] * repeated).sum(axis=(0, 1)))
    return np.asarray((weights * patch).reshape(len(weights), -1).sum(axis=1))


def _real_weights(op: Op) -> Float64Array:
    tensor = op.inputs[_WEIGHTS]
    values = tensor.values.astype(np.float64)
    if not tensor.scales:
        return values
    along = [1] * values.ndim
    along[tensor.axis] = -1
    scales = (
        np.asarray(tensor.scales) if len(tensor.scales) > 1 else np.full(values.shape[tensor.axis], tensor.scales[0])
    )
    return np.asarray(values * scales.reshape(along))


def _subtract(content: bytearray, bias: GraphTensor, steps: Float64Array) -> None:
    """Change a bias where it stands in the file."""
    model = tflite_schema().Model.GetRootAs(content, 0)
    values = model.Buffers(_buffer(model, bias.index)).DataAsNumpy().view(_INTEGERS[bias.dtype])
    limits = np.iinfo(values.dtype)
    values[:] = np.clip(values - steps, limits.min, limits.max).astype(values.dtype)


def _buffer(model, tensor: int) -> int:  # type: ignore[no-untyped-def]
    return int(model.Subgraphs(0).Tensors(tensor).Buffer())


def _own_buffers(quantised: bytes) -> set[int]:
    """Tensors whose constant is theirs alone: the converter writes equal ones once, a bias of zeros and a shape too."""
    model = tflite_schema().Model.GetRootAs(quantised, 0)
    buffers = [_buffer(model, tensor) for tensor in range(model.Subgraphs(0).TensorsLength())]
    count = Counter(buffers)
    return {tensor for tensor, buffer in enumerate(buffers) if count[buffer] == 1}
