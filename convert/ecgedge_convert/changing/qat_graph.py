"""A network written anew so that every operation has an int8 kernel and its range can be seen in training.

What it says stays the same: noise and dropout go, batch norms are folded into the layer before them (or stand as a
1x1 depthwise layer), means become sums, softmax stands alone. Knows nothing of rounding.
"""

from dataclasses import replace

import numpy as np

from ecgedge_convert.changing.graph import FloatArray, Graph, Node, Setting, build

ONLY_IN_TRAINING = frozenset({"Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D"})
WEIGHED = frozenset({"Conv2D", "Dense", "DepthwiseConv2D"})
"""Layers that multiply by weights."""
_SOFTMAX = "softmax"


def plain(graph: Graph) -> Graph:
    """The network with nothing in it that is only for training, norms folded, one operation a node."""
    for step in (without_noise, _softmax_apart, _separable_apart, folded, _norms_as_layers, _means_as_sums):
        graph = step(graph)
    return graph


def without_noise(graph: Graph) -> Graph:
    """Without the layers that do nothing but in training."""
    for node in graph.nodes:
        if node.kind in ONLY_IN_TRAINING or _is_linear(node):
            graph = _removed(graph, node)
    return graph


def _is_linear(node: Node) -> bool:
    return node.kind == "Activation" and node.config["activation"] == "linear"


def folded(graph: Graph) -> Graph:
    """Batch norms in the weights of the layer that alone feeds them: as exact as float32 is."""
    for norm in [node for node in graph.nodes if node.kind == "BatchNormalization"]:
        before = graph.by_name[norm.inputs[0]]
        alone = [node.name for node in consumers(graph, before.name)] == [norm.name] and before.name not in graph.ends
        if before.kind in WEIGHED and alone and before.config["activation"] == "linear" and norm.config["axis"] == -1:
            graph = _removed(_replaced(graph, _with_norm(before, norm)), norm)
    return graph


def _with_norm(node: Node, norm: Node) -> Node:
    scale, offset = scale_and_offset(norm)
    kernel = node.weights[0]
    bias = node.weights[1] if node.config["use_bias"] else np.float32(0)
    by_output = scale.reshape(kernel.shape[2:]) if node.kind == "DepthwiseConv2D" else scale
    weights = (np.asarray(kernel * by_output, np.float32), np.asarray(bias * scale + offset, np.float32))
    return replace(node, config=node.config | {"use_bias": True}, weights=weights)


def scale_and_offset(norm: Node) -> tuple[FloatArray, FloatArray]:
    """What a batch norm does once trained: each channel times a scale plus an offset."""
    weights = list(norm.weights)
    gamma = weights.pop(0) if norm.config["scale"] else np.float32(1)
    beta = weights.pop(0) if norm.config["center"] else np.float32(0)
    mean, variance = (np.asarray(each, np.float64) for each in weights)
    scale = gamma / np.sqrt(variance + float(norm.config["epsilon"]))  # type: ignore[arg-type]
    return np.asarray(scale, np.float32), np.asarray(beta - mean * scale, np.float32)


def _norms_as_layers(graph: Graph) -> Graph:
    """Norms that nothing could take up, and rescalings, as a layer that has an int8 kernel."""
    shapes = shapes_of(graph) if any(node.kind in ("BatchNormalization", "Rescaling") for node in graph.nodes) else {}
    for node in graph.nodes:
        if node.kind not in ("BatchNormalization", "Rescaling") or len(shape := shapes[node.name]) not in _SCALED_BY:
            continue
        if node.kind == "Rescaling":
            scale, offset = (np.full(shape[-1] or 1, node.config[key], np.float32) for key in ("scale", "offset"))
        else:
            scale, offset = scale_and_offset(node)
        graph = _replaced(graph, _SCALED_BY[len(shape)](node, scale, offset))
    return graph


def shapes_of(graph: Graph) -> dict[str, tuple[int | None, ...]]:
    """Shape of what each node gives, with the leading axis."""
    import keras

    everything = replace(graph, outputs={node.name: node.name for node in graph.nodes})
    return {name: tuple(tensor.shape) for name, tensor in build(everything, keras=keras).output.items()}


def _depthwise(node: Node, scale: FloatArray, offset: FloatArray) -> Node:
    """Each channel of a map times a scale plus an offset; it does not learn."""
    config: dict[str, Setting] = {"kernel_size": (1, 1), "use_bias": True, "trainable": False, "activation": "linear"}
    return Node(node.name, "DepthwiseConv2D", config, node.inputs, (scale.reshape(1, 1, -1, 1), offset))


def _diagonal(node: Node, scale: FloatArray, offset: FloatArray) -> Node:
    """The same of a vector, as a dense layer."""
    config: dict[str, Setting] = {"units": len(scale), "use_bias": True, "trainable": False, "activation": "linear"}
    return Node(node.name, "Dense", config, node.inputs, (np.diag(scale), offset))


_SCALED_BY = {2: _diagonal, 4: _depthwise}
"""Axes of a tensor -> the layer that scales it."""


def _softmax_apart(graph: Graph) -> Graph:
    """Softmax as a node of its own, behind the layer it was part of."""
    for node in graph.nodes:
        if node.kind == "Activation" and node.config["activation"] == _SOFTMAX:
            graph = _replaced(graph, replace(node, kind="Softmax", config={"axis": -1}))
        elif node.config.get("activation") == _SOFTMAX:
            first = replace(node, name=f"{node.name}_logits", config=node.config | {"activation": "linear"})
            graph = _replaced(graph, first, Node(node.name, "Softmax", {"axis": -1}, (first.name,), ()))
    return graph


def _separable_apart(graph: Graph) -> Graph:
    for node in graph.nodes:
        if node.kind == "SeparableConv2D":
            kept = ("kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier")
            config = {key: node.config[key] for key in kept} | {"use_bias": False, "activation": "linear"}
            first = Node(f"{node.name}_depthwise", "DepthwiseConv2D", config, node.inputs, node.weights[:1])
            config = {key: node.config[key] for key in ("filters", "use_bias", "activation")} | {"kernel_size": (1, 1)}
            graph = _replaced(graph, first, Node(node.name, "Conv2D", config, (first.name,), node.weights[1:]))
    return graph


def _means_as_sums(graph: Graph) -> Graph:
    """The mean of several as a sum of two at a time; what is linear before it gives its share."""
    for node in [node for node in graph.nodes if node.kind == "Average"]:
        share = np.float32(1 / len(node.inputs))
        for name in dict.fromkeys(node.inputs):
            graph = _scaled(graph, name, node, share)
        graph = _summed(graph, graph.by_name[node.name])
    return graph


def _scaled(graph: Graph, name: str, behind: Node, share: np.float32) -> Graph:
    """What a node gives to another, times a share."""
    giver, alone = graph.by_name[name], len(consumers(graph, name)) == 1 and name not in graph.ends
    if alone and giver.kind in WEIGHED and giver.config["activation"] == "linear":
        return _replaced(graph, replace(giver, weights=tuple(values * share for values in giver.weights)))
    scaled = Node(f"{name}_share_of_{behind.name}", "Rescaling", {"scale": float(share), "offset": 0.0}, (name,), ())
    receiver = graph.by_name[behind.name]
    moved = tuple(scaled.name if each == name else each for each in receiver.inputs)
    graph = _replaced(graph, scaled, replace(receiver, inputs=moved))
    return _norms_as_layers(graph)


def _summed(graph: Graph, node: Node) -> Graph:
    sums, total = [], node.inputs[0]
    for number, name in enumerate(node.inputs[1:], start=2):
        last = number == len(node.inputs)
        sums.append(Node(node.name if last else f"{node.name}_of_{number}", "Add", {}, (total, name), ()))
        total = sums[-1].name
    return _replaced(graph, *sums)


def consumers(graph: Graph, name: str) -> list[Node]:
    """Nodes that a node feeds."""
    return [node for node in graph.nodes if name in node.inputs]


def _replaced(graph: Graph, *nodes: Node) -> Graph:
    """With nodes at the place of the last one's namesake."""
    at = next(k for k, node in enumerate(graph.nodes) if node.name == nodes[-1].name)
    return replace(graph, nodes=(*graph.nodes[:at], *nodes, *graph.nodes[at + 1 :]))


def _removed(graph: Graph, gone: Node) -> Graph:
    """Without a node of one input: what fed it feeds those behind it, and ends where it ended."""
    (fed,) = graph.by_name[gone.name].inputs

    def moved(name: str) -> str:
        return fed if name == gone.name else name

    nodes = [replace(node, inputs=tuple(map(moved, node.inputs))) for node in graph.nodes if node.name != gone.name]
    outputs = graph.outputs
    ends = moved(outputs) if isinstance(outputs, str) else {key: moved(name) for key, name in outputs.items()}
    return replace(graph, nodes=tuple(nodes), outputs=ends)
