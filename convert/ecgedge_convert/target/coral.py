"""Which ops the Edge TPU compiler would refuse, by Coral's documentation: nothing is compiled here.

Source: coral.ai, "TensorFlow models on the Edge TPU", model requirements and the table of supported operations
(compiler 16). The compiler also refuses for limits that it does not state, so its own log has the last word.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from ecgedge_convert.target.refusals import Refusal, float_or_wide
from ecgedge_convert.tflite_file import Op, TfliteGraph

SOFTMAX_MOST = 16_000
"""Elements, from the table."""
MEAN_MULTIPLE = 4
"""Of the channels, where a mean is taken over them; from the table."""
INNER_AXES = 3
"""Only so many inner axes of a tensor may be longer than 1; from the model requirements."""

Check = Callable[[Op], Iterator[str]]


@dataclass(frozen=True, slots=True)
class CoralMapping:
    """Where each op would run."""

    refused: tuple[Refusal, ...]
    doubtful: tuple[Refusal, ...]
    """Supported, but with limits that the table does not state."""
    behind: tuple[Refusal, ...]
    """Supported, but after the first refused op: a model is divided only once, so these run on the CPU too."""
    on_tpu: int
    """Number of ops before the first refused one."""


def coral_mapping(graph: TfliteGraph) -> CoralMapping:
    """Judge every op of a model whose batch is fixed."""
    reasons = {op.place: next(_reasons(op), None) for op in graph.ops}
    refused = tuple(Refusal(op.place, op.name, why) for op in graph.ops if (why := reasons[op.place]) is not None)
    first = min((one.place for one in refused), default=len(graph.ops))
    accepted = [op for op in graph.ops if reasons[op.place] is None]
    after = f"comes after the first refused op ({graph.ops[first].name}, op {first})" if refused else ""
    return CoralMapping(
        refused=refused,
        doubtful=tuple(
            Refusal(op.place, op.name, _DOUBTS[op.name]) for op in accepted if op.name in _DOUBTS and op.place < first
        ),
        behind=tuple(Refusal(op.place, op.name, after) for op in accepted if op.place > first),
        on_tpu=first,
    )


def _reasons(op: Op) -> Iterator[str]:
    if op.name not in _CHECKS:
        yield "is not in the Edge TPU's table of operations"
        return
    if (reason := float_or_wide(op)) is not None:
        yield reason
    yield from _CHECKS[op.name](op)
    yield from _shape_reasons(op)


def _shape_reasons(op: Op) -> Iterator[str]:
    for tensor in (*op.inputs, *op.outputs):
        if tensor.dynamic:
            yield "has a tensor whose size is not fixed"
        if prod(tensor.shape[:-INNER_AXES]) > 1 and tensor.constant is None:
            yield f"has a tensor of shape {tensor.shape}; only the {INNER_AXES} inner axes may be longer than 1"


def _nothing(op: Op) -> Iterator[str]:
    del op
    yield from ()


def _constant_weights(op: Op) -> Iterator[str]:
    if any(tensor.constant is None for tensor in op.inputs[1:3]):
        yield "has weights or a bias that are computed; they must be constant"
    if op.options.get("dilationWFactor", 1) != op.options.get("dilationHFactor", 1):
        yield "has another dilation in x than in y"


def _fully_connected(op: Op) -> Iterator[str]:
    yield from _constant_weights(op)
    if op.options.get("weightsFormat", 0) != 0:
        yield "has shuffled weights; only the default format is taken"
    if prod(op.outputs[0].shape[:-1]) > 1:
        yield f"gives shape {op.outputs[0].shape}; only one axis may be longer than 1"


def _not_fused(op: Op) -> Iterator[str]:
    if op.options.get("fusedActivationFunction", 0) != 0:
        yield "has a fused activation"


def _concatenation(op: Op) -> Iterator[str]:
    yield from _not_fused(op)
    for constant in op.constants:
        if len(op.inputs) != 2 or np.any(constant.values != np.array(constant.zero_points or (0,))):
            yield "joins a constant; only one of zeros, with one other input, is taken"


def _reduction(op: Op) -> Iterator[str]:
    shape, axes = op.inputs[0].shape, _axes(op)
    if axes is None:
        yield "has axes that are computed; they must be constant"
    elif 0 in axes and len(shape) > 1:
        yield "reduces the batch"


def _mean(op: Op) -> Iterator[str]:
    yield from _reduction(op)
    shape, axes = op.inputs[0].shape, _axes(op) or ()
    if len(shape) - 1 in axes and shape[-1] % MEAN_MULTIPLE:
        yield f"takes the mean over {shape[-1]} channels; their number must be a multiple of {MEAN_MULTIPLE}"


def _axes(op: Op) -> tuple[int, ...] | None:
    if op.inputs[1].constant is None:
        return None
    return tuple(int(axis) % len(op.inputs[0].shape) for axis in np.ravel(op.inputs[1].values))


def _batch_axis(option: str) -> Check:
    def check(op: Op) -> Iterator[str]:
        if op.options.get(option) == 0:
            yield "joins or divides the batch"

    return check


def _pad(op: Op) -> Iterator[str]:
    if op.inputs[1].constant is None or np.any(op.inputs[1].values[0]):
        yield "pads the batch, or by a width that is computed"


def _split(op: Op) -> Iterator[str]:
    if op.inputs[0].constant is None or np.any(op.inputs[0].values == 0):
        yield "divides the batch, or along an axis that is computed"


def _softmax(op: Op) -> Iterator[str]:
    shape = op.inputs[0].shape
    if prod(shape[:-1]) > 1 or shape[-1] > SOFTMAX_MOST:
        yield f"takes shape {shape}; only one axis of up to {SOFTMAX_MOST} values is taken"


def _squeeze(op: Op) -> Iterator[str]:
    shape = op.inputs[0].shape
    if tuple(side for side in shape if side > 1) != shape[next((k for k, s in enumerate(shape) if s > 1), 0) :]:
        yield f"takes out an inner axis of {shape}; only leading ones can go"


def _strided_slice(op: Op) -> Iterator[str]:
    if op.inputs[3].constant is None or np.any(op.inputs[3].values != 1):
        yield "has a stride other than 1"
    if op.options.get("ellipsisMask", 0) or op.options.get("newAxisMask", 0):
        yield "has an ellipsis or a new axis"


def _prelu(op: Op) -> Iterator[str]:
    if prod(op.inputs[1].shape[:-1]) > 1:
        yield "has slopes that are not one per channel"


_CHECKS: dict[str, Check] = {
    **dict.fromkeys(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "RSQRT"), _nothing),
    **dict.fromkeys(("RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "TANH", "L2_NORMALIZATION", "QUANTIZE"), _nothing),
    **dict.fromkeys(("EXPAND_DIMS", "RESHAPE", "SLICE", "SPACE_TO_DEPTH", "TRANSPOSE"), _nothing),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "UNIDIRECTIONAL_SEQUENCE_LSTM"), _nothing),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"), _constant_weights),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _not_fused),
    **dict.fromkeys(("REDUCE_MAX", "REDUCE_MIN", "SUM"), _reduction),
    "CONCATENATION": _concatenation,
    "FULLY_CONNECTED": _fully_connected,
    "MEAN": _mean,
    "PACK": _batch_axis("axis"),
    "PAD": _pad,
    "PRELU": _prelu,
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
}
"""What the table says of each op that it has; it names them in another spelling."""

_DOUBTS = {
    "RESHAPE": "may not be mapped where the tensor is large",
    "RESIZE_BILINEAR": "may not be mapped, depending on the sizes, where precision would be lost",
    "RESIZE_NEAREST_NEIGHBOR": "may not be mapped, depending on the sizes, where precision would be lost",
    "TRANSPOSE": "is mapped for some orders of axes only",
}
