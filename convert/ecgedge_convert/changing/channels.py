"""A network with fewer channels: the least important ones taken out whole, and everything around them made smaller.

This is what makes a model faster: every layer stays dense. What it loses is for fine-tuning to bring back.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge_convert.changing.channel_map import ChannelMap, Labelled, channel_map
from ecgedge_convert.changing.graph import FloatArray, Graph, Node, Setting, build, graph_of
from ecgedge_convert.changing.importance import Batch, Importance, importance
from ecgedge_convert.changing.macs import macs_of
from ecgedge_convert.changing.widths import Plan, Removed, removed_channels

if TYPE_CHECKING:
    import keras

_SIZES = {"Conv1D": "filters", "Conv2D": "filters", "Dense": "units"}
"""The setting that says how many channels a layer makes."""
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class ChannelFacts:
    """What was taken out of a network."""

    share_kept: float
    importance: Importance
    plan: Plan
    channels: dict[str, tuple[int, int]]
    """Layer that makes channels -> how many before and after."""
    macs: dict[str, tuple[int, int]]
    """Layer -> its multiply-accumulates before and after, for one input."""
    parameters: tuple[int, int]

    @property
    def macs_before(self) -> int:
        """Of the whole network."""
        return sum(before for before, _ in self.macs.values())

    @property
    def macs_after(self) -> int:
        """Of the whole network."""
        return sum(after for _, after in self.macs.values())

    def to_json(self) -> dict[str, Json]:
        """As it stands in a manifest."""
        return {
            "share_kept": self.share_kept,
            "importance": self.importance,
            "plan": self.plan,
            "macs": [self.macs_before, self.macs_after],
            "parameters": list(self.parameters),
            "layers": {
                name: {"channels": list(self.channels.get(name, ())), "macs": list(counts)}
                for name, counts in self.macs.items()
            },
        }


def without_channels(
    model: "keras.Model",
    share_kept: float,
    batches: Iterable[Batch] = (),
    *,
    kind: Importance = "taylor",
    plan: Plan = "global",
) -> tuple["keras.Model", ChannelFacts]:
    """The network with a share of its channels, as a flat Keras 3 model; inputs and outputs are as they were.

    Parameters
    ----------
    share_kept : above 0 to 1; of the channels of each block, or, with the plan `global`, what costs as much
    batches : of the training side, whose loss says what a channel is worth; a thousand examples are enough

    Raises
    ------
    InputError
        An impossible share, no batches where the importance needs some, or a layer that cannot be followed.
    """
    import keras

    if not 0 < share_kept <= 1:
        raise InputError(f"--channels {share_kept:g}: it is the share that is kept; above 0 to 1, such as 0.5")
    given = list(batches)
    if not given and kind != "norms":
        raise InputError(f"channels by {kind}: no examples to find their importance; give a run, not a bare model")
    graph = graph_of(model)
    channels = channel_map(graph)
    scores = importance(graph, channels, given, kind=kind)
    smaller = without(graph, channels, removed_channels(graph, channels, scores, share_kept, plan=plan))
    facts = _facts(graph, channels, smaller)
    return build(smaller, keras=keras), replace(facts, share_kept=share_kept, importance=kind, plan=plan)


def without(graph: Graph, channels: ChannelMap, removed: Removed) -> Graph:
    """The network without the channels of some labels."""
    gone = np.array(sorted(removed), np.int64)
    return replace(graph, nodes=tuple(_smaller(node, channels, gone) for node in graph.nodes))


def _smaller(node: Node, channels: ChannelMap, gone: NDArray[np.int64]) -> Node:
    reads = channels.reads.get(node.name)
    makes = channels.makes.get(node.name)
    kept_in = None if reads is None else ~np.isin(reads, gone)
    kept_out = None if makes is None else ~np.isin(makes, gone)
    config: dict[str, Setting] = dict(node.config)
    if kept_out is not None:
        config[_SIZES[node.kind]] = int(kept_out.sum())
    if node.kind == "Reshape":
        config["target_shape"] = _shape_without(channels.values[node.name], gone)
    return replace(node, config=config, weights=_weights(node, kept_in, kept_out))


def _weights(node: Node, kept_in: BoolArray | None, kept_out: BoolArray | None) -> tuple[FloatArray, ...]:
    if kept_in is None:
        return node.weights
    if kept_out is not None:
        kernel, *bias = node.weights
        return (kernel[..., kept_in, :][..., kept_out], *(values[kept_out] for values in bias))
    if node.kind == "DepthwiseConv2D":
        kernel, *bias = node.weights
        return (kernel[:, :, kept_in], *(values[np.repeat(kept_in, kernel.shape[-1])] for values in bias))
    return tuple(values[kept_in] for values in node.weights)


def _shape_without(values: Labelled, gone: NDArray[np.int64]) -> tuple[int, ...]:
    shape = list(values.shape)
    for axis in values.varying:
        shape[axis] = int((~np.isin(values.labels, gone)).sum())
    return tuple(shape)


def _facts(graph: Graph, channels: ChannelMap, smaller: Graph) -> ChannelFacts:
    before, after = macs_of(graph, channels), macs_of(smaller, channel_map(smaller))
    now = smaller.by_name
    made = {
        node.name: (node.weights[0].shape[-1], now[node.name].weights[0].shape[-1])
        for node in graph.nodes
        if node.name in channels.makes
    }
    macs = {name: (count, after[name]) for name, count in before.items()}
    return ChannelFacts(1.0, "taylor", "global", made, macs, (_parameters(graph), _parameters(smaller)))


def _parameters(graph: Graph) -> int:
    return sum(values.size for node in graph.nodes for values in node.weights)
