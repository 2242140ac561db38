"""Magnitude pruning: the smallest weights become zeros little by little while the network learns to do without them.

It saves download, not time: a zero is multiplied like any other number.
"""

from typing import TYPE_CHECKING

import numpy as np

from ecgedge.manifest import Json
from ecgedge_convert.changing.fine_tune import Course
from ecgedge_convert.changing.graph import Graph, Node
from ecgedge_convert.changing.wrapped import Tuned, tuned, weights_inside

if TYPE_CHECKING:
    import keras as keras_3

_SAVES = "zeros save download (gzip), not time: they are multiplied like any other number"
PRUNED = frozenset({"Conv2D", "Dense"})
_UNTIL = 0.6
"""Share of the steps after which no more weights are taken; the rest is for recovering."""
_UPDATES = 60
"""How often the mask is drawn anew until then."""
_DENSE = "depthwise: each channel has few weights and each of them counts"


def pruned(graph: Graph, share: float, course: Course) -> Tuned:
    """Set a share of each convolution's and dense layer's weights to zero, by polynomial decay, and fine-tune."""
    from tensorflow_model_optimization.sparsity.keras import PolynomialDecay, UpdatePruningStep, prune_low_magnitude

    end = max(2, round(_UNTIL * course.epochs * course.data.steps_per_epoch))
    schedule = PolynomialDecay(0.0, share, begin_step=0, end_step=end, frequency=max(1, end // _UPDATES))

    def wrap(layer: "keras_3.Layer", node: Node) -> "keras_3.Layer":
        return prune_low_magnitude(layer, pruning_schedule=schedule) if _is_pruned(node) else layer

    found, history = tuned(graph, wrap, course, weights_of=weights_inside, callbacks=[UpdatePruningStep()])
    dense = [node.name for node in graph.nodes if node.kind == "DepthwiseConv2D" and _learns(node)]
    left: dict[str, Json] = dict.fromkeys(dense, _DENSE)
    zeros: dict[str, Json] = {**sparsity(found)}
    return Tuned(found, history, {"share": share, "sparsity": zeros, "left_dense": left, "saves": _SAVES})


def _is_pruned(node: Node) -> bool:
    return node.kind in PRUNED and _learns(node)


def _learns(node: Node) -> bool:
    return bool(node.config.get("trainable", True))


def sparsity(graph: Graph) -> dict[str, float]:
    """Share of zeros in the kernel of each layer that has one; `all layers` over all of them."""
    kernels = {node.name: node.weights[0] for node in graph.nodes if node.weights and node.kind != "BatchNormalization"}
    found = {name: round(float((kernel == 0).mean()), 4) for name, kernel in kernels.items()}
    zeros, total = (sum(map(count, kernels.values())) for count in (lambda k: int((k == 0).sum()), np.size))
    return found | {"all layers": round(zeros / max(1, total), 4)}
