"""Quantisation-aware training with tfmot: every weight and every tensor is rounded in training as int8 will round it.

tfmot's own rewriting of graphs fails on several outputs and refuses a third of our layers; so the graph is written
plain first (`qat_graph`), and tfmot's wrappers are laid where ranges are needed. It does not train.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecgedge_convert.changing.graph import INPUT, MAX, Graph, Node
from ecgedge_convert.changing.qat_biases import with_corrected_biases
from ecgedge_convert.changing.qat_graph import WEIGHED, consumers, plain
from ecgedge_convert.changing.tuning_data import Inputs
from ecgedge_convert.changing.wrapped import wrapped

if TYPE_CHECKING:
    import keras as keras_3

SAME_RANGE = frozenset(
    {
        "AveragePooling2D",
        "Cropping2D",
        "Flatten",
        "GlobalMaxPooling2D",
        MAX,
        "MaxPooling2D",
        "Permute",
        "Reshape",
        "UpSampling2D",
        "ZeroPadding2D",
    }
)
"""What comes out has the range of what goes in: no rounding of its own."""
OWN_RANGE = frozenset(
    {"Activation", "Add", "Concatenate", "GlobalAveragePooling2D", "Maximum", "Minimum", "Multiply", "ReLU", "Subtract"}
)
RANGED = WEIGHED | OWN_RANGE
"""Layers that are rounded."""
FIXED_RANGE = frozenset({"Softmax"})
"""int8 writes 0 to 1 always."""
ROUNDED = "_rounded"
"""Ends the name of the layer that rounds an input."""
_ACTIVATIONS = ("linear", "relu", "relu6")


@dataclass(frozen=True)
class QatModel:
    """A model of tf_keras that rounds as int8 does."""

    model: "keras_3.Model"
    left: dict[str, str]
    """Layer that is not rounded -> why."""


def rounded(
    graph: Graph, examples: Inputs | None = None, *, keep_zeros: bool = False, keep_float: tuple[str, ...] = ()
) -> QatModel:
    """The network with tfmot's wrappers around all that int8 rounds.

    Parameters
    ----------
    examples : of the training side, by which biases are corrected and ranges begin; None begins with the first batch
    keep_zeros : weights that are 0 stay so (pruned before)
    keep_float : layers that are not rounded

    Raises
    ------
    MissingDependency
        tf_keras or tfmot is not installed.
    """
    from ecgedge_convert.changing.qat_layers import rounding_layer, rounding_of

    graph = plain(graph)
    if examples is not None:
        graph = with_corrected_biases(graph, examples)
    left = {node.name: reason for node in graph.nodes if (reason := _why_left(node, keep_float))}

    def wrap(layer: "keras_3.Layer", node: Node) -> "keras_3.Layer":
        if node.name in left or node.kind in SAME_RANGE | FIXED_RANGE:
            return layer
        return rounding_layer(layer, node.kind, output=_rounds_itself(node, graph), keep_zeros=keep_zeros)

    network = wrapped(graph, wrap, behind_inputs=lambda name: rounding_of(name + ROUNDED))
    if examples is not None:
        network.model(examples, training=True)
    return QatModel(network.model, left)


def _why_left(node: Node, keep_float: tuple[str, ...]) -> str:
    """Why a layer is not rounded; empty where it is."""
    if node.name in keep_float:
        return "it was asked to stay in float"
    if node.config.get("negative_slope") or node.config.get("threshold"):
        return "no way to round a ReLU with a slope or a threshold is known"
    if node.kind in (INPUT, *RANGED, *SAME_RANGE, *FIXED_RANGE):
        activation = node.config.get("activation", "linear")
        return "" if activation in _ACTIVATIONS else f"no way to round its activation {activation} is known"
    if node.kind == "Activation" and node.config["activation"] in _ACTIVATIONS:
        return ""
    remedy = "; write it as Conv2D((1, k))" if node.kind == "Conv1D" else ""
    return f"no way to round a layer of class {node.kind} is known{remedy}"


def _rounds_itself(node: Node, graph: Graph) -> bool:
    """Whether int8 rounds here, and not only after the ReLU or the concatenation behind it."""
    behind = [each.kind for each in consumers(graph, node.name)]
    taken_up = behind == ["Concatenate"] or (behind == ["ReLU"] and node.kind in (*WEIGHED, "Add"))
    return node.name in graph.ends or not taken_up
