"""Which layer of a network an op of its .tflite came from: the converter writes layers' names into tensors' names."""

import re
from collections.abc import Iterable, Iterator

from ecgedge_convert.tflite_file import Op

_OF_NO_LAYER = ("StatefulPartitionedCall", "serving_default", "PartitionedCall", "Identity", "tfl.", "arith.constant")


def layers_of(op: Op) -> tuple[str, ...]:
    """Names of the layers that an op computes, the one that gives its output first; several where layers were fused."""
    tensors = (*op.outputs, *op.constants)
    return tuple(dict.fromkeys(layer for tensor in tensors for layer in layers_in(tensor.name)))


def layers_in(tensor: str) -> Iterator[str]:
    """Layers that a tensor's name speaks of.

    Keras 3 writes `model_1/layer_1/Relu` for a layer called `layer`, tf_keras `model/layer/Relu`; fused parts stand
    beside each other with semicolons between.
    """
    for part in tensor.split(";"):
        words = part.split("/")
        if len(words) > 1 and not part.startswith(_OF_NO_LAYER):
            yield words[1]


def is_layer(written: str, layer: str) -> bool:
    """Whether a name in a tensor is that of a layer: the same, or with the number that Keras 3 puts behind it."""
    return re.fullmatch(rf"{re.escape(layer)}(_\d+)?", written) is not None


def plain_name(written: str) -> str:
    """The layer's name without the number that Keras 3 puts behind it."""
    return re.sub(r"_\d+$", "", written)


def ops_of(ops: Iterable[Op], layer: str) -> list[Op]:
    """The ops that compute a layer."""
    return [op for op in ops if any(is_layer(written, layer) for written in layers_of(op))]
