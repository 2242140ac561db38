"""How many channels each block keeps: the same share of all, or more where they count for more and cost less."""

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgedge_convert.channel_map import ChannelMap, IntArray
from ecgedge_convert.graph import INPUT, Graph, Node

Plan = Literal["uniform", "global"]
Scores = NDArray[np.float64]
Removed = frozenset[int]
"""Labels of the channels that go."""

WIDE = 32
"""From so many channels on a block is cut in eights, below in fours: kernels compute eight or sixteen at once."""
_STEPS = (4, 8)
_FLOOR = 0.5
"""Least share of a block that is kept, as a share of what `uniform` would keep."""
_PER_VALUE = 16.0
"""What it costs to write one value, in multiply-accumulates."""


def step_of(width: int) -> int:
    """Channels that are taken out of a block at once."""
    return _STEPS[width >= WIDE]


def rounded(width: int, share: float) -> int:
    """Channels kept of a block: a multiple of its step, at least one step, at most all."""
    step = step_of(width)
    return min(width, max(step, round(width * share / step) * step))


def removed_channels(graph: Graph, channels: ChannelMap, scores: Scores, share_kept: float, *, plan: Plan) -> Removed:
    """Labels that go.

    Parameters
    ----------
    scores : of every label, see `importance`
    share_kept : of each block for `uniform`; `global` costs as little as `uniform` would
    """
    blocks = [_least_first(block, scores) for block in channels.blocks()]
    uniform = [len(block) - rounded(len(block), share_kept) for block in blocks]
    if plan == "uniform":
        return _of_each(blocks, uniform)
    floors = [rounded(len(block), share_kept * _FLOOR) for block in blocks]
    cost = _Cost.of(graph, channels)
    return _of_each(blocks, _by_price(blocks, floors, cost, scores, cost.without(_of_each(blocks, uniform))))


def _least_first(block: IntArray, scores: Scores) -> IntArray:
    return block[np.argsort(scores[block], kind="stable")]


def _of_each(blocks: list[IntArray], counts: list[int]) -> Removed:
    return frozenset(label for block, count in zip(blocks, counts, strict=True) for label in block[:count].tolist())


def _by_price(blocks: list[IntArray], floors: list[int], cost: "_Cost", scores: Scores, budget: float) -> list[int]:
    """Take out the step that loses least for what it saves, until the rest costs no more than the budget."""
    counts, cost = [0] * len(blocks), cost.copy()
    while cost.now > budget:
        prices = {
            number: _price(step, cost, scores)
            for number, block in enumerate(blocks)
            if len(step := _next_step(block, counts[number], floors[number]))
        }
        if not prices:
            break
        cheapest = min(prices, key=lambda number: prices[number])
        step = _next_step(blocks[cheapest], counts[cheapest], floors[cheapest])
        cost.remove(step)
        counts[cheapest] += len(step)
    return counts


def _next_step(block: IntArray, gone: int, floor: int) -> IntArray:
    """The next channels that go; none where the floor is reached."""
    left, step = len(block) - gone, step_of(len(block))
    count = left % step or step
    return block[gone : gone + count] if left - count >= floor else block[:0]


def _price(step: IntArray, cost: "_Cost", scores: Scores) -> float:
    return float(scores[step].sum()) / max(cost.now - cost.without(frozenset(step.tolist())), 1e-9)


@dataclass
class _Cost:
    """What the network costs: a sum over layers of a factor, channels read and channels made."""

    factors: Scores
    reads: NDArray[np.int64]
    """(terms, labels): how often a layer reads a channel."""
    makes: NDArray[np.int64]
    """(terms, labels): how often it makes one."""
    read: Scores
    made: Scores

    @classmethod
    def of(cls, graph: Graph, channels: ChannelMap) -> "_Cost":
        """That of the whole network."""
        labels = 1 + max(int(each.max(initial=0)) for each in channels.makes.values())
        terms = [term for node in graph.nodes for term in _terms(node, channels, labels)]
        factors, reads, makes = (np.array(column) for column in zip(*terms, strict=True))
        return cls(factors, reads, makes, reads.sum(axis=1).astype(float), makes.sum(axis=1).astype(float))

    @property
    def now(self) -> float:
        """What it costs with the channels it has."""
        return float((self.factors * self.read * self.made).sum())

    def copy(self) -> "_Cost":
        """One that can be changed."""
        return _Cost(self.factors, self.reads, self.makes, self.read.copy(), self.made.copy())

    def remove(self, step: IntArray) -> None:
        """Take channels out."""
        self.read -= self.reads[:, step].sum(axis=1)
        self.made -= self.makes[:, step].sum(axis=1)

    def without(self, removed: Removed) -> float:
        """What it would cost without some channels."""
        rest = self.copy()
        rest.remove(np.array(sorted(removed), np.int64))
        return rest.now


def _terms(node: Node, channels: ChannelMap, labels: int) -> list[tuple[float, IntArray, IntArray]]:
    """What a layer costs: its multiply-accumulates, and the values it writes."""
    if node.kind == INPUT:
        return []
    values = channels.values[node.name]
    one = np.zeros(labels, np.int64)
    one[0] = 1
    written = np.bincount(values.along_last(), minlength=labels) if values.varying == (len(values.shape) - 1,) else one
    places = prod(values.shape) / max(int(written.sum()), 1)
    if node.name in channels.makes:
        kernel = prod(node.weights[0].shape[:-2])
        read = np.bincount(channels.reads[node.name], minlength=labels)
        return [(float(places * kernel), read, written), (_PER_VALUE * places, one, written)]
    if node.kind == "DepthwiseConv2D":
        return [(places * (prod(node.weights[0].shape[:2]) + _PER_VALUE), one, written)]
    if node.kind.startswith(("Max", "AveragePooling", "Add", "UpSampling")):
        return [(_PER_VALUE * places, one, written)]
    return []
