"""How many channels each block keeps: the same share of all, or more where they count for more and cost less."""

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgedge_convert.changing.channel_map import ChannelMap, IntArray
from ecgedge_convert.changing.graph import INPUT, Graph, Node

Plan = Literal["uniform", "global"]
Scores = NDArray[np.float64]
Removed = frozenset[int]
"""Labels of the channels that go."""

STEP, NARROW_STEP = 8, 4
"""Channels that are taken out of a block at once, and of one narrower than two steps."""
_TILE, _GROUP = 16, 8
"""Channels that an int8 kernel makes and reads at once: fewer cost as much (XNNPACK on x86-64 with VNNI and on Arm with
dot products; measured: 3x3 on 80 x 144, 8 -> 8 .156 ms, 8 -> 16 .152, 8 -> 24 .295, 16 -> 16 .246)."""
_WHOLE = 0.75
"""Weight of whole tiles beside the channels in them."""
_PER_TAP = 0.6
"""Cost of a tap of a kernel beside its groups, in groups; from the same measurement."""
_PER_VALUE = 1.9
"""Cost of a tap of what only adds or compares, for a tile; from pools."""
_ADDING = frozenset({"Add", "AveragePooling2D", "Average", "Concatenate", "MaxPooling2D", "Multiply", "UpSampling2D"})
_FLOOR = 0.5
"""Least share of a block that is kept, as a share of what `uniform` would keep."""
_FARTHEST = 4
"""Steps that are weighed as one: a tile is two."""


def step_of(width: int) -> int:
    """Channels that are taken out of a block at once."""
    return STEP if width >= 2 * STEP else NARROW_STEP


def rounded(width: int, share: float) -> int:
    """Channels kept of a block: a multiple of its step, at least one step, at most all."""
    step = step_of(width)
    return min(width, max(step, int(width * share / step + 0.5) * step))


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
    budget = cost.without(np.array(sorted(_of_each(blocks, uniform)), np.int64))
    return _of_each(blocks, _by_price(blocks, floors, cost, scores, budget))


def _least_first(block: IntArray, scores: Scores) -> IntArray:
    return block[np.argsort(scores[block], kind="stable")]


def _of_each(blocks: list[IntArray], counts: list[int]) -> Removed:
    return frozenset(label for block, count in zip(blocks, counts, strict=True) for label in block[:count].tolist())


def _by_price(blocks: list[IntArray], floors: list[int], cost: "_Cost", scores: Scores, budget: float) -> list[int]:
    """Take out what loses least for what it saves, step by step, until the rest costs no more than the budget.

    Channels of one block say alike things, so that each that goes makes the others worth more: what a block has lost is
    the square of the sum of the roots of the scores, as if their errors all pointed one way.
    """
    counts, cost = [0] * len(blocks), cost.copy()
    sums = [np.concatenate([[0.0], np.cumsum(np.sqrt(scores[block]))]) for block in blocks]
    while cost.now > budget:
        offers = [
            (_price(block[gone : gone + count], cost, lost[gone + count] ** 2 - lost[gone] ** 2), number, count)
            for number, (block, gone, floor, lost) in enumerate(zip(blocks, counts, floors, sums, strict=True))
            for count in _next_counts(len(block) - gone, step_of(len(block)), floor)
        ]
        price, number, count = min(offers, default=(float("inf"), 0, 0))
        if price == float("inf"):
            break
        cost.remove(blocks[number][counts[number] : counts[number] + count])
        counts[number] += count
    return counts


def _next_counts(left: int, step: int, floor: int) -> list[int]:
    """How many channels may go next: to the next multiple of the step, and one to three steps farther."""
    first = left % step or step
    return [count for count in range(first, first + _FARTHEST * step, step) if left - count >= floor]


def _price(group: IntArray, cost: "_Cost", lost: float) -> float:
    """What is lost for a unit saved; infinite where nothing is saved."""
    saved = cost.now - cost.without(group)
    return float(lost) / saved if saved > 0 else float("inf")


@dataclass
class _Cost:
    """What the network costs: for each layer a factor, times the tiles it makes, times the groups it reads for each."""

    factors: Scores
    reads: NDArray[np.int64]
    """(layers, labels): how often a layer reads a channel; never, where it makes each channel of the same one."""
    makes: NDArray[np.int64]
    """(layers, labels): how often it makes one."""
    read: NDArray[np.int64]
    """(layers,): how many channels it reads."""
    made: NDArray[np.int64]

    @classmethod
    def of(cls, graph: Graph, channels: ChannelMap) -> "_Cost":
        """That of the whole network."""
        labels = 1 + max(int(each.max(initial=0)) for each in channels.makes.values())
        terms = [term for node in graph.nodes for term in _terms(node, channels, labels)]
        factors, reads, makes = (np.array(column) for column in zip(*terms, strict=True))
        return cls(factors, reads, makes, reads.sum(axis=1), makes.sum(axis=1))

    @property
    def now(self) -> float:
        """What it costs with the channels it has."""
        groups = np.where(self.reads.any(axis=1), _PER_TAP + _filled(self.read, _GROUP), 1.0)
        return float((self.factors * _filled(self.made, _TILE) * groups).sum())

    def copy(self) -> "_Cost":
        """One that can be changed."""
        return _Cost(self.factors, self.reads, self.makes, self.read.copy(), self.made.copy())

    def remove(self, group: IntArray) -> None:
        """Take channels out."""
        self.read -= self.reads[:, group].sum(axis=1)
        self.made -= self.makes[:, group].sum(axis=1)

    def without(self, group: IntArray) -> float:
        """What it would cost without some channels."""
        rest = self.copy()
        rest.remove(group)
        return rest.now


def _filled(count: NDArray[np.int64], size: int) -> Scores:
    """Tiles of a size, whole ones for the most part: other processors have smaller tiles."""
    filled: Scores = _WHOLE * np.ceil(count / size) + (1 - _WHOLE) * count / size
    return filled


def _terms(node: Node, channels: ChannelMap, labels: int) -> list[tuple[float, IntArray, IntArray]]:
    """What a layer costs: a factor, how often each channel is read, how often made."""
    if node.kind == INPUT:
        return []
    values = channels.values[node.name]
    made = np.bincount(
        values.along_last() if values.varying in ((), (len(values.shape) - 1,)) else [0], minlength=labels
    )
    places, none = prod(values.shape) / int(made.sum()), np.zeros(labels, np.int64)
    if node.name in channels.makes:
        read = np.bincount(channels.reads[node.name], minlength=labels)
        return [(places * prod(node.weights[0].shape[:-2]), read, made)]
    if node.kind == "DepthwiseConv2D":
        return [(places * prod(node.weights[0].shape[:2]) * _PER_VALUE, none, made)]
    if node.kind in _ADDING:
        size = node.config.get("pool_size")
        taps = prod(each for each in size if isinstance(each, int)) if isinstance(size, tuple) else len(node.inputs)
        return [(places * taps * _PER_VALUE, none, made)]
    return []
