"""Multiply-accumulates of a network, layer by layer, counted from its graph; for one input."""

from math import prod

from ecgedge_convert.changing.channel_map import ChannelMap
from ecgedge_convert.changing.graph import Graph, Node

_COUNTED = ("Conv1D", "Conv2D", "Dense", "DepthwiseConv2D")


def macs_of(graph: Graph, channels: ChannelMap) -> dict[str, int]:
    """Layer -> its multiply-accumulates, in the order of the graph.

    Layers that only add, compare or move are not in it, nor batch norms: they are folded into the layer
    before them.
    """
    return {node.name: _macs(node, channels) for node in graph.nodes if node.kind in _COUNTED}


def _macs(node: Node, channels: ChannelMap) -> int:
    made = prod(channels.values[node.name].shape)
    kernel = node.weights[0].shape
    if node.kind == "DepthwiseConv2D":
        return made * prod(kernel[:2])
    return made * prod(kernel[:-1])
