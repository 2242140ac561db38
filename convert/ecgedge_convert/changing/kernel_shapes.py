"""The same network in shapes that int8 kernels like: the last step before conversion, not for training.

Kernels of depthwise layers work on tiles of channels (16 of them; 2 channels cost as much), a Reshape or Flatten layer
asks for the size of a batch at run time, and a row that is repeated is a copy that an addition does not need. Measured
with LiteRT 2.3 on x86-64: a 1x1 depthwise layer on 12 x 240 x 2 takes 13 us, on 12 x 30 x 16 with both reshapes 2.4 us.
"""

from dataclasses import replace

import numpy as np

from ecgedge_convert.changing.channel_map import channel_map
from ecgedge_convert.changing.graph import SHAPED, Graph, Node, Setting

_TILE = 16
"""Channels that a depthwise kernel makes at once."""
Shapes = dict[str, tuple[int, ...]]


def for_kernels(graph: Graph) -> Graph:
    """The same answers, bit by bit once rounded; for a graph that is converted next."""
    shapes = {name: each.shape for name, each in channel_map(graph).values.items()}
    for node in graph.nodes:
        if factor := _places_joined(node, shapes):
            graph = _widened(graph, node, factor, shapes[node.name])
    return _shaped(_spread_by_adding(graph, shapes), shapes)


def _places_joined(node: Node, shapes: Shapes) -> int:
    """How many neighbours of a row become channels, so that a 1x1 depthwise layer fills a tile; 0 to leave it."""
    plain = node.kind == "DepthwiseConv2D" and node.config["depth_multiplier"] == 1
    if not plain or node.config["kernel_size"] != (1, 1) or node.config["strides"] != (1, 1):
        return 0
    _, width, channels = shapes[node.name]
    wanted = -(-_TILE // channels)
    return 0 if wanted == 1 else next((n for n in range(wanted, width + 1) if width % n == 0), 0)


def _widened(graph: Graph, node: Node, factor: int, shape: tuple[int, ...]) -> Graph:
    """Reshape, the layer with its weights repeated, the ReLU behind it, and the shape that was."""
    height, width, channels = shape
    last = _relu_behind(graph, node)
    if {node.name, last.name} & set(graph.ends):
        return graph
    wide, narrow = f"{node.name}_wide", f"{node.name}_narrow"
    kernel, *bias = node.weights
    weights = (np.tile(kernel, (1, 1, factor, 1)), *(np.tile(values, factor) for values in bias))
    laid: list[Node] = []
    for each in graph.nodes:
        if each.name == node.name:
            laid.append(_reshape(wide, node.inputs[0], (height, width // factor, channels * factor)))
            laid.append(replace(node, inputs=(wide,), weights=weights))
        elif last.name in each.inputs:
            laid.append(replace(each, inputs=tuple(narrow if one == last.name else one for one in each.inputs)))
        else:
            laid.append(each)
        if each.name == last.name:
            laid.append(_reshape(narrow, last.name, shape))
    return replace(graph, nodes=tuple(laid))


def _relu_behind(graph: Graph, node: Node) -> Node:
    """The ReLU that a kernel takes in with the layer, or the layer itself."""
    readers = [each for each in graph.nodes if node.name in each.inputs]
    return readers[0] if len(readers) == 1 and readers[0].kind == "ReLU" else node


def _reshape(name: str, source: str, shape: tuple[Setting, ...]) -> Node:
    return Node(name, "Reshape", {"target_shape": shape}, (source,), ())


def _spread_by_adding(graph: Graph, shapes: Shapes) -> Graph:
    """Leave out what repeats a row or column only to be added: the addition spreads it."""
    gone: dict[str, str] = {}
    for node in graph.nodes:
        if node.kind == "UpSampling2D" and node.name not in graph.ends and _repeats_one(shapes[node.inputs[0]], node):
            readers = [each for each in graph.nodes if node.name in each.inputs]
            if all(each.kind == "Add" and _others_full(each, node, graph, shapes) for each in readers):
                gone[node.name] = node.inputs[0]
    kept = (node for node in graph.nodes if node.name not in gone)
    return replace(
        graph,
        nodes=tuple(replace(node, inputs=tuple(gone.get(name, name) for name in node.inputs)) for node in kept),
    )


def _repeats_one(before: tuple[int, ...], node: Node) -> bool:
    """Whether what is repeated is one row or one column."""
    size = node.config["size"]
    assert isinstance(size, tuple)
    return all(length == 1 or times == 1 for length, times in zip(before[:2], size, strict=True))


def _others_full(adding: Node, node: Node, graph: Graph, shapes: Shapes) -> bool:
    """Whether an addition has something that is as large without this."""
    others = (graph.by_name[name] for name in adding.inputs if name != node.name)
    return any(each.kind != "UpSampling2D" and shapes[each.name] == shapes[node.name] for each in others)


def _shaped(graph: Graph, shapes: Shapes) -> Graph:
    """Every change of shape with the shape as a constant."""

    def constant(node: Node) -> Node:
        if node.kind == "Flatten":
            return replace(node, kind=SHAPED, config={"target_shape": shapes[node.name]})
        return replace(node, kind=SHAPED) if node.kind == "Reshape" else node

    return replace(graph, nodes=tuple(constant(node) for node in graph.nodes))
