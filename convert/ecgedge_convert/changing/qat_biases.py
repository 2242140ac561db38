"""Where training with rounding begins: biases that make up for what rounded weights add to a layer on average.

The same correction as `bias_correction` makes after training (Nagel et al. 2019, 10.1109/ICCV.2019.00141, section 4.2),
here on the network, since a low learning rate would need a thousand steps for it.
"""

from dataclasses import replace

import numpy as np

from ecgedge_convert.changing.graph import FloatArray, Graph, Node, build
from ecgedge_convert.changing.qat_graph import WEIGHED
from ecgedge_convert.changing.tuning_data import Inputs

LARGEST = 127.0
"""Of int8 weights, in steps."""
_LEAST = 1e-8
_ERROR, _MEAN = "__error", "__mean"


def with_corrected_biases(graph: Graph, examples: Inputs) -> Graph:
    """A network as `qat_graph.plain` gives it, its biases less the mean error that rounding its weights makes.

    Parameters
    ----------
    examples : of the training side; a hundred are enough
    """
    import keras

    weighed = [node for node in graph.nodes if node.kind in WEIGHED and node.config["use_bias"]]
    errors = [made for node in weighed for made in _error_nodes(node)]
    ends = {node.name: node.name + (_ERROR if node.kind == "Dense" else _MEAN) for node in weighed}
    outputs = {name: name for name in (*graph.ends, *ends.values())}
    network = build(replace(graph, nodes=(*graph.nodes, *errors), outputs=outputs), keras=keras)
    network.compile(jit_compile=False)
    shifts = network.predict_on_batch(examples)
    for node in weighed:
        graph = _with_bias(graph, node, node.weights[1] - np.mean(shifts[ends[node.name]], axis=0))
    return graph


def _error_nodes(node: Node) -> list[Node]:
    """A layer that gives what rounding adds, and its mean over all places."""
    config = node.config | {"use_bias": False, "activation": "linear"}
    kernel = node.weights[0]
    error = Node(node.name + _ERROR, node.kind, config, node.inputs, (rounded_kernel(kernel, node.kind) - kernel,))
    if node.kind == "Dense":
        return [error]
    return [error, Node(node.name + _MEAN, "GlobalAveragePooling2D", {}, (error.name,), ())]


def rounded_kernel(kernel: FloatArray, kind: str) -> FloatArray:
    """Weights as int8 has them: steps of a 127th of the largest of their output channel."""
    axes = (0, 1) if kind == "DepthwiseConv2D" else tuple(range(kernel.ndim - 1))
    step = np.maximum(np.abs(kernel).max(axis=axes, keepdims=True), _LEAST) / LARGEST
    return np.asarray(np.rint(kernel / step) * step, np.float32)


def _with_bias(graph: Graph, node: Node, bias: FloatArray) -> Graph:
    weights = (node.weights[0], np.asarray(bias, np.float32))
    nodes = [replace(each, weights=weights) if each.name == node.name else each for each in graph.nodes]
    return replace(graph, nodes=tuple(nodes))
