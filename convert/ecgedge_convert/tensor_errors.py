"""How far each tensor of a quantised model is from the same tensor of the float one, on the same inputs.

Both are run with all tensors kept and with the plain kernels, since fused ones keep nothing in between. Errors add up
on the way: `lost_db` says what an op itself takes away.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ecgedge.errors import InputError
from ecgedge.records import FloatArray
from ecgedge_convert.kept_tensors import KeptTensors, spread_rows
from ecgedge_convert.layer_names import layers_of, plain_name
from ecgedge_convert.target.batch_of_one import batch_of_one
from ecgedge_convert.tflite_file import GraphTensor, Op, read_graph

_CLEAN_DB = 120.0
"""Stands for no difference at all."""
MOST_INPUTS = 32


@dataclass(frozen=True, slots=True)
class TensorError:
    """What one op's output has lost."""

    layer: str
    """The layer that the op is from; of several that were fused, the one that gives the output."""
    op: str
    tensor: str
    snr_db: float
    """Power of the float tensor over that of the difference."""
    lost_db: float
    """How much worse that is than at the worst input of the op."""
    rmse: float
    rmse_steps: float
    """The same in steps of the tensor's scale; .29 is what rounding alone costs. NaN where it is float."""


@dataclass
class _Sums:
    signal: float = 0.0
    error: float = 0.0
    n: int = 0

    @property
    def snr_db(self) -> float:
        if self.error == 0 or self.signal == 0:
            return _CLEAN_DB
        return min(_CLEAN_DB, 10 * float(np.log10(self.signal / self.error)))


def tensor_errors(float_model: bytes, quantised: bytes, inputs: Mapping[str, FloatArray]) -> tuple[TensorError, ...]:
    """Compare every tensor that both models have, in the order of the ops.

    Parameters
    ----------
    inputs : tensor name of an input -> (n, ...) float32; at most 32 are run

    Raises
    ------
    InputError
        The models share no tensor: they are not of one network, or not made by the same converter.
    """
    float_model, quantised = batch_of_one(float_model), batch_of_one(quantised)
    there = {t.name: t for op in read_graph(float_model).ops for t in op.outputs}
    graph = read_graph(quantised)
    ops = [op for op in graph.ops if op.outputs and op.outputs[0].name in there]
    if not ops:
        raise InputError("the two models share no tensor; convert both from one network")
    sums: dict[str, _Sums] = {}
    one, other = KeptTensors(float_model), KeptTensors(quantised)
    for row in spread_rows(inputs, MOST_INPUTS):
        one.run(row)
        other.run(row)
        for tensor in graph.inputs:  # rounded as well
            _add(sums.setdefault(tensor.name, _Sums()), row[tensor.name], other.real(tensor))
        for tensor in _compared(ops):
            _add(sums.setdefault(tensor.name, _Sums()), one.real(there[tensor.name]), other.real(tensor))
    for op in graph.ops:  # a conversion beside a layer left in float gives on what it was given
        if op.name in ("QUANTIZE", "DEQUANTIZE") and op.inputs[0].name in sums:
            sums.setdefault(op.outputs[0].name, sums[op.inputs[0].name])
    return tuple(_error(op, sums) for op in ops if op.outputs[0].name in sums)


def worst(errors: tuple[TensorError, ...], n: int = 10) -> tuple[TensorError, ...]:
    """The ops that take away most, the worst first."""
    return tuple(sorted(errors, key=lambda error: -error.lost_db)[:n])


def _compared(ops: list[Op]) -> Iterator[GraphTensor]:
    for op in ops:
        if op.outputs[0].is_float or op.outputs[0].scales:
            yield op.outputs[0]


def _add(sums: _Sums, wanted: FloatArray, found: FloatArray) -> None:
    if wanted.shape == found.shape:
        sums.signal += float(np.square(wanted, dtype=np.float64).sum())
        sums.error += float(np.square(wanted.astype(np.float64) - found).sum())
        sums.n += wanted.size


def _error(op: Op, sums: Mapping[str, _Sums]) -> TensorError:
    tensor, own = op.outputs[0], sums[op.outputs[0].name]
    before = min((sums[t.name].snr_db for t in op.activations if t.name in sums), default=_CLEAN_DB)
    rmse = float(np.sqrt(own.error / max(own.n, 1)))
    scale = tensor.scales[0] if len(tensor.scales) == 1 else float("nan")
    layer = plain_name(next(iter(layers_of(op)), tensor.name))
    return TensorError(layer, op.name, tensor.name, own.snr_db, before - own.snr_db, rmse, rmse / scale)
