"""What the converter refuses, in one line: the layer, its op, and what can be done."""

import re

from ecgedge.errors import InputError
from ecgedge_convert.layer_names import layers_of, ops_of, plain_name
from ecgedge_convert.tflite_file import read_graph
from ecgedge_convert.tflite_graph import computes_in_float
from ecgedge_convert.variant import Kind

_NO_SUCH_OP = re.compile(r"fused\[\"\w+:\", \"([^\"@]+)@?[^\"]*\"\].*?'tf\.(\w+)' op is neither", re.S)
_NOT_IN_KIND = re.compile(r"not yet supported for op: '(\w+)'")


class RefusedOp(InputError):
    """A network holds an op that a kind of .tflite does not have."""


def refusal(error: Exception, *, kind: Kind, float_model: bytes | None = None) -> RefusedOp:
    """The converter's own words as one line.

    Parameters
    ----------
    float_model : the same network as float32, in which the layer of the op is looked for
    """
    said = str(error)
    if found := _NO_SUCH_OP.search(said):
        layer = plain_name(found[1].split("/")[-2]) if "/" in found[1] else found[1]
        return RefusedOp(
            f"layer {layer}: TFLite has no op {found[2]}, in no kind; replace the layer and train the model again"
        )
    if found := _NOT_IN_KIND.search(said):
        where = "" if float_model is None else f" ({', '.join(layers_with(float_model, found[1]))})"
        return RefusedOp(f"{kind}: no op {found[1]} of that kind{where}; convert to int8 or float16, or replace it")
    reason = " ".join(said.split())[:200] or type(error).__name__
    return RefusedOp(f"{kind}: the converter refused the model ({reason}); try --float32 to see whether it converts")


def layers_with(model: bytes, op_name: str) -> tuple[str, ...]:
    """Layers that are computed by an op of this name."""
    return tuple(
        dict.fromkeys(
            plain_name(layer) for op in read_graph(model).ops if op.name == op_name for layer in layers_of(op)
        )
    )


def require_int8(model: bytes, *, keep_float: tuple[str, ...] = ()) -> None:
    """Refuse an int8 model in which ops compute in float that nobody asked to keep so.

    Raises
    ------
    RefusedOp
        The converter left an op in float, without a word, since there is no int8 one.
    """
    ops = read_graph(model).ops
    asked = {op.place for layer in keep_float for op in ops_of(ops, layer)}
    for op in ops:
        if computes_in_float(op) and op.place not in asked:
            layer = plain_name(next(iter(layers_of(op)), op.outputs[0].name if op.outputs else "?"))
            raise RefusedOp(
                f"layer {layer}: op {op.name} cannot be quantised to int8; leave it in float with --keep-float "
                f"{layer}, or replace the layer and train again"
            )
