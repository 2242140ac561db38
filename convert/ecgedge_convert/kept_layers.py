"""int8 with some layers left in float32: the ranges are measured first, then all other ops are quantised."""

import io
import re
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from ecgedge.chatter import without_chatter
from ecgedge.errors import InputError
from ecgedge_convert.layer_names import layers_of, ops_of, plain_name
from ecgedge_convert.refused_ops import refusal
from ecgedge_convert.tflite_file import Op, read_graph
from ecgedge_convert.tflite_graph import computes_in_float
from ecgedge_train.quiet import CHATTER

if TYPE_CHECKING:
    import tensorflow as tf


def quantise_without(converter: "tf.lite.TFLiteConverter", layers: Sequence[str]) -> bytes:
    """Quantise all but some layers.

    Parameters
    ----------
    converter : set up for int8; it is used up

    Raises
    ------
    InputError
        There is no such layer, it is computed by an op that has nothing to quantise, or the converter refuses.
    """
    from ecgedge_convert.quantise import converted

    converter._experimental_calibrate_only = True
    measured = converted(converter, kind="int8")
    ops = read_graph(measured).ops
    nodes = [op.outputs[0].name for layer in layers for op in _ops_of(ops, layer)]
    quantised = _quantised(measured, converter, list(dict.fromkeys(nodes)))
    _require_float(quantised, layers)
    return quantised


def _ops_of(ops: Sequence[Op], layer: str) -> list[Op]:
    if found := ops_of(ops, layer):
        return found
    known = list(dict.fromkeys(plain_name(written) for op in ops for written in layers_of(op)))
    raise InputError(f"--keep-float {layer}: no op of the converted model is of that layer; its layers: {_some(known)}")


def _some(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _quantised(measured: bytes, converter: "tf.lite.TFLiteConverter", nodes: list[str]) -> bytes:
    """The step after measuring that `TFLiteConverter.convert` takes itself, with nodes left out.

    It is what tf.lite.experimental.QuantizationDebugger calls, which would make inputs and outputs float.
    """
    from tensorflow.lite.python.convert import mlir_quantize

    try:
        with without_chatter(*CHATTER), redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bytes(
                mlir_quantize(
                    measured,
                    fully_quantize=True,
                    input_data_type=converter.inference_input_type,
                    output_data_type=converter.inference_output_type,
                    denylisted_nodes=nodes,
                )
            )
    except Exception as error:  # as the converter itself: bare exceptions
        raise refusal(error, kind="int8") from error


def _require_float(model: bytes, layers: Sequence[str]) -> None:
    """What was asked for must be seen in the graph that came out."""
    ops = read_graph(model).ops
    for layer in layers:
        if not any(computes_in_float(op) for op in ops_of(ops, layer)):
            names = ", ".join(sorted({op.name for op in ops_of(ops, layer)})) or re.sub(r"\s+", " ", layer)
            raise InputError(f"--keep-float {layer}: {names} stayed in int8; name the layer before or after it")
