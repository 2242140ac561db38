"""Weight clustering: each layer keeps a handful of different weights, learnt with the network. Saves download alone."""

from typing import TYPE_CHECKING

import numpy as np

from ecgedge.manifest import Json
from ecgedge_convert.changing.fine_tune import Course
from ecgedge_convert.changing.graph import FloatArray, Graph, Node
from ecgedge_convert.changing.prune import PRUNED
from ecgedge_convert.changing.wrapped import Tuned, tuned, weights_inside

if TYPE_CHECKING:
    import keras as keras_3

_LEAST_WEIGHTS = 4
"""A layer is clustered if it has that many weights for each value."""


def clustered(graph: Graph, n: int, course: Course, *, keep_zeros: bool = False) -> Tuned:
    """Give each convolution and dense layer `n` different weights, and fine-tune.

    Parameters
    ----------
    keep_zeros : weights that are 0 stay so (pruned before); one of the values is then 0
    """
    import tf_keras
    from tensorflow_model_optimization.clustering.keras import CentroidInitialization, cluster_weights

    left: dict[str, Json] = {node.name: reason for node in graph.nodes if (reason := _why_left(node, n))}

    def wrap(layer: "keras_3.Layer", node: Node) -> "keras_3.Layer":
        if not node.weights or node.kind == "BatchNormalization" or node.name in left:
            return layer
        begin = CentroidInitialization.KMEANS_PLUS_PLUS
        return cluster_weights(layer, n, cluster_centroids_init=begin, preserve_sparsity=keep_zeros)

    tf_keras.utils.set_random_seed(course.seed)
    found, history = tuned(graph, wrap, course, weights_of=_weights)
    values: dict[str, Json] = {n.name: len(np.unique(n.weights[0])) for n in found.nodes if n.kind in PRUNED}
    return Tuned(found, history, {"values": values, "left": left})


def _why_left(node: Node, n: int) -> str:
    if node.kind == "DepthwiseConv2D":
        return "depthwise: tfmot does not cluster it"
    if node.kind in PRUNED and node.weights[0].size < _LEAST_WEIGHTS * n:
        return f"only {node.weights[0].size} weights"
    return ""


def _weights(layer: "keras_3.Layer") -> list[FloatArray]:
    """Of a clustered layer its values as they stand after the last step, in the order of the layer it wraps."""
    if not hasattr(layer, "update_clustered_weights_associations"):
        return weights_inside(layer)
    layer.update_clustered_weights_associations()
    inner = layer.layer
    kernel = np.asarray(inner.kernel, np.float32)
    return [kernel, np.asarray(inner.bias, np.float32)] if inner.use_bias else [kernel]
