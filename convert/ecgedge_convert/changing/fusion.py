"""The same network, laid so that int8 kernels can take layers together. Answers are the same but for rounding.

In int8 a ReLU or batch norm that no convolution takes in costs more than the convolution: it is no XNNPACK kernel but a
loop over values (LiteRT 2.3: 11,520 values .11 ms alone, nothing behind a convolution). So they are moved before what
only moves values; a batch norm that is still alone becomes a 1x1 depthwise layer; and a ReLU with a ceiling, which no
kernel has but 0 to 6, is stretched to that and shrunk again in the kernels that read it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ecgedge_convert.changing.channel_map import channel_map
from ecgedge_convert.changing.graph import FloatArray, Graph, Node, Setting, build, graph_of
from ecgedge_convert.changing.kernel_shapes import for_kernels

if TYPE_CHECKING:
    import keras

_MAKERS = frozenset({"Conv2D", "Dense", "DepthwiseConv2D"})
"""Layers that take in the batch norm and ReLU behind them."""
_MOVES = frozenset({"Flatten", "Permute", "Reshape"})
_CEILING = 6.0
_POINT: dict[str, Setting] = {
    "kernel_size": (1, 1),
    "strides": (1, 1),
    "padding": "same",
    "dilation_rate": (1, 1),
    "use_bias": True,
}


def fused_model(model: "keras.Model") -> "keras.Model":
    """A flat Keras 3 model that says the same; for conversion, not for training.

    Raises
    ------
    InputError
        A layer that cannot be rebuilt.
    """
    import keras

    return build(for_kernels(fused(graph_of(model))), keras=keras)


def fused(graph: Graph) -> Graph:
    """The same of a graph."""
    for change in (_moved_up, _capped, _as_depthwise):
        work = _Work.of(graph)
        while change(work):
            pass
        graph = work.graph()
    return graph


@dataclass
class _Work:
    """A graph that is being changed."""

    nodes: dict[str, Node]
    shapes: dict[str, tuple[int, ...]]
    whole: Graph

    @classmethod
    def of(cls, graph: Graph) -> "_Work":
        values = channel_map(graph).values
        return cls(graph.by_name, {name: each.shape for name, each in values.items()}, graph)

    def readers(self, name: str) -> list[str]:
        """Nodes that a node feeds."""
        return [node.name for node in self.nodes.values() if name in node.inputs]

    def feeds_only(self, name: str, reader: str) -> bool:
        """Whether nothing else sees a node's values."""
        return self.readers(name) == [reader] and name not in self.whole.ends

    def put(self, node: Node) -> None:
        """In the place of the node of its name."""
        self.nodes[node.name] = node

    def graph(self) -> Graph:
        """Every node after those that feed it."""
        laid: dict[str, Node] = {}
        left = dict(self.nodes)
        while left:
            ready = [node for node in left.values() if set(node.inputs) <= set(laid)]
            for node in ready:
                laid[node.name] = left.pop(node.name)
        return replace(self.whole, nodes=tuple(laid.values()))


def _moved_up(work: _Work) -> bool:
    """Swap one ReLU or batch norm with what moves values before it; whether there was one."""
    for node in list(work.nodes.values()):
        if node.kind not in ("ReLU", "BatchNormalization") or node.name in work.whole.ends:
            continue
        mover = work.nodes[node.inputs[0]]
        if mover.kind not in _MOVES or not work.feeds_only(mover.name, node.name) or not _has_maker(work, mover):
            continue
        if (weights := _weights_before(work, node, mover)) is None:
            continue
        for reader in work.readers(node.name):
            work.put(_fed(work.nodes[reader], node.name, mover.name))
        work.put(replace(node, inputs=mover.inputs, weights=weights))
        work.put(replace(mover, inputs=(node.name,)))
        work.shapes[node.name] = work.shapes[mover.inputs[0]]
        return True
    return False


def _has_maker(work: _Work, mover: Node) -> bool:
    """Whether what is moved here comes to stand behind a layer that takes it in."""
    node = mover
    while node.kind in _MOVES:
        above = work.nodes[node.inputs[0]]
        if not work.feeds_only(above.name, node.name):
            return False
        node = above
    return node.kind in _MAKERS or node.kind == "BatchNormalization"


def _weights_before(work: _Work, node: Node, mover: Node) -> tuple[FloatArray, ...] | None:
    """Weights of a batch norm before its values are moved; None where one channel there is several here."""
    if node.kind == "ReLU":
        return node.weights
    shape = work.shapes[node.name]
    channel = np.broadcast_to(np.arange(shape[-1]), shape)
    before = work.shapes[mover.inputs[0]]
    if mover.kind == "Permute":
        dims = mover.config["dims"]
        assert isinstance(dims, tuple)
        channel = channel.transpose(np.argsort([int(str(place)) - 1 for place in dims]))
    else:
        channel = channel.reshape(before)
    of_last = channel.reshape(-1, before[-1])
    if (of_last != of_last[0]).any():
        return None
    return tuple(values[of_last[0]] for values in node.weights)


def _capped(work: _Work) -> bool:
    """Make one rescaled ReLU with a ceiling a 1x1 layer with the ceiling that kernels have."""
    for node in list(work.nodes.values()):
        ceiling = node.config.get("max_value")
        if node.kind != "ReLU" or not isinstance(ceiling, float) or ceiling == _CEILING:
            continue
        scaling = work.nodes[node.inputs[0]]
        readers = [work.nodes[name] for name in work.readers(node.name)]
        plain = not node.config["negative_slope"] and not node.config["threshold"] and len(work.shapes[node.name]) == 3
        ends = {node.name, scaling.name} & set(work.whole.ends)
        if ends or not plain or scaling.kind != "Rescaling" or not work.feeds_only(scaling.name, node.name):
            continue
        if not all(reader.kind in _MAKERS for reader in readers):
            continue
        stretch, channels = _CEILING / ceiling, work.shapes[scaling.name][-1]
        scale, offset = (np.full(channels, _number(scaling, key) * stretch, np.float32) for key in ("scale", "offset"))
        work.put(_point(scaling, scale, offset))
        work.put(replace(node, config=node.config | {"max_value": _CEILING}))
        for reader in readers:
            kernel, *bias = reader.weights
            work.put(replace(reader, weights=(kernel / np.float32(stretch), *bias)))
        return True
    return False


def _number(node: Node, key: str) -> float:
    value = node.config[key]
    assert isinstance(value, int | float)
    return float(value)


def _as_depthwise(work: _Work) -> bool:
    """Make one batch norm that no layer takes in a 1x1 depthwise layer."""
    for node in list(work.nodes.values()):
        if node.kind != "BatchNormalization" or node.config["axis"] != -1 or len(work.shapes[node.name]) != 3:
            continue
        before = work.nodes[node.inputs[0]]
        taken_in = before.kind in _MAKERS and before.config.get("activation") == "linear"
        if not (taken_in and work.feeds_only(before.name, node.name)):
            work.put(_point(node, *_line(node)))
            return True
    return False


def _line(norm: Node) -> tuple[FloatArray, FloatArray]:
    """Slope and offset of a batch norm, of each channel."""
    weights: Iterator[FloatArray] = iter(norm.weights)
    one = np.ones_like(norm.weights[-1])
    gamma = next(weights) if norm.config["scale"] else one
    beta = next(weights) if norm.config["center"] else 0 * one
    mean, variance = weights
    slope = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + _number(norm, "epsilon"))
    return slope.astype(np.float32), (beta - mean * slope).astype(np.float32)


def _point(node: Node, scale: FloatArray, offset: FloatArray) -> Node:
    """A 1x1 depthwise layer in the place of a node."""
    config: dict[str, Setting] = _POINT | {"trainable": False, "activation": "linear", "depth_multiplier": 1}
    return Node(node.name, "DepthwiseConv2D", config, node.inputs, (scale.reshape(1, 1, -1, 1), offset))


def _fed(node: Node, old: str, new: str) -> Node:
    return replace(node, inputs=tuple(new if name == old else name for name in node.inputs))
