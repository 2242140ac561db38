"""Which values of a network belong to one channel, from the layer that makes it to those that read it.

Labels are sent through the graph as the values would go: a convolution or dense layer gives each of its channels a new
label; what reshapes, permutes, joins or repeats values does the same to their labels; what adds values makes their
labels one. What must stay (inputs, outputs, channels that a softmax compares) has the label 0. Nothing here knows a
family by name; what cannot be told apart, such as the channels of a grouped convolution, is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge_convert.changing.graph import INPUT, MAX, Graph, Node

IntArray = NDArray[np.int64]

KEPT = 0
"""Label of what must stay."""
RULER = "_ruler"
"""Ends the name of a layer that is laid by hand and never learns, see `ecgedge_train.models.freezing`."""
_CONVOLUTIONS = ("Conv1D", "Conv2D", "SeparableConv2D")
_POOLS = ("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D")
_GLOBAL_POOLS = ("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D")
_SUMS = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")
_PASSES = (
    "Activation", "Dropout", "GaussianDropout", "GaussianNoise", "ReLU", "Rescaling", "SpatialDropout1D",
    "SpatialDropout2D",
)  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """The values of one node: their shape without the leading axis, and what channel each belongs to."""

    shape: tuple[int, ...]
    labels: IntArray
    """As many axes; along an axis where labels do not change its length is 1."""

    @property
    def varying(self) -> tuple[int, ...]:
        """Axes along which labels change."""
        return tuple(axis for axis, length in enumerate(self.labels.shape) if length > 1)

    def spread(self) -> IntArray:
        """A label for every value."""
        return np.broadcast_to(self.labels, self.shape)

    def along_last(self) -> IntArray:
        """A label for every place of the last axis."""
        return np.broadcast_to(self.labels.reshape(-1), self.shape[-1:]).copy()


@dataclass(frozen=True)
class ChannelMap:
    """Labels of a whole network."""

    values: dict[str, Labelled]
    """Node -> its values; labels that were made one are equal."""
    reads: dict[str, IntArray]
    """Node with weights -> the label of each channel it reads."""
    makes: dict[str, IntArray]
    """Convolution or dense layer -> the label of each channel it makes."""

    def blocks(self) -> tuple[IntArray, ...]:
        """Labels that layers make together, in the order of the graph: widths of one block change as one."""
        found: list[set[int]] = []
        for labels in self.makes.values():
            now = set(labels.tolist()) - {KEPT}
            for earlier in [block for block in found if block & now]:
                found.remove(earlier)
                now |= earlier
            if now:
                found.append(now)
        return tuple(np.array(sorted(block), np.int64) for block in found)


def channel_map(graph: Graph) -> ChannelMap:
    """Follow every channel through a network.

    Raises
    ------
    InputError
        An input has no fixed size.
    """
    tracer = _Tracer()
    for node in graph.nodes:
        tracer.take(node)
    for end in graph.ends:
        tracer.keep(tracer.values[end].labels)
    return tracer.found()


@dataclass
class _Tracer:
    """Labels found so far, and which of them are one."""

    values: dict[str, Labelled] = field(default_factory=dict)
    reads: dict[str, IntArray] = field(default_factory=dict)
    makes: dict[str, IntArray] = field(default_factory=dict)
    parents: list[int] = field(default_factory=lambda: [KEPT])

    def take(self, node: Node) -> None:
        """Label the values of a node whose inputs are labelled."""
        given = [self._settled(self.values[name]) for name in node.inputs]
        self.values[node.name] = self._settled(self._rule(node)(node, given))

    def keep(self, labels: IntArray) -> None:
        """Values with these labels must stay."""
        self._unite(labels, np.zeros_like(labels))

    def found(self) -> ChannelMap:
        """All labels, each by the least of those it was made one with."""
        values = {name: Labelled(each.shape, self._roots(each.labels)) for name, each in self.values.items()}
        reads = {name: self._roots(labels) for name, labels in self.reads.items()}
        return ChannelMap(values, reads, {name: self._roots(labels) for name, labels in self.makes.items()})

    def _rule(self, node: Node) -> Callable[[Node, list[Labelled]], Labelled]:
        kind = node.kind
        if kind in _PASSES:
            compares = node.config.get("activation") == "softmax" or isinstance(node.config.get("scale"), tuple)
            return self._stay if compares else _pass
        for kinds, rule in (
            (_CONVOLUTIONS, self._convolution),
            (_SUMS, self._sum),
            (_POOLS, self._pool),
            (_GLOBAL_POOLS, self._global_pool),
        ):
            if kind in kinds:
                return rule
        rules = {
            INPUT: _input,
            MAX: self._largest,
            "BatchNormalization": self._norm,
            "Concatenate": self._concatenation,
            "Cropping1D": _cropping,
            "Cropping2D": _cropping,
            "Dense": self._dense,
            "DepthwiseConv2D": self._depthwise,
            "Flatten": _flattened,
            "Permute": _permuted,
            "Reshape": _reshaped,
            "Softmax": self._stay,
            "UpSampling1D": _repeated,
            "UpSampling2D": _repeated,
            "ZeroPadding1D": self._padding,
            "ZeroPadding2D": self._padding,
        }
        if kind not in rules:
            raise InputError(f"layer {node.name} ({kind}): channels cannot be followed through it; convert it as it is")
        return rules[kind]

    def _stay(self, _node: Node, given: list[Labelled]) -> Labelled:
        self.keep(given[0].labels)
        return given[0]

    def _convolution(self, node: Node, given: list[Labelled]) -> Labelled:
        values = given[0]
        sizes = _strided(values.shape[:-1], node)
        filters = node.config["filters"]
        assert isinstance(filters, int)
        if node.kind == "SeparableConv2D" or node.config.get("groups", 1) != 1:
            self.keep(values.labels)
            return Labelled((*sizes, filters), np.zeros((1,) * len(values.shape), np.int64))
        return self._made(node, values, (*sizes, filters))

    def _dense(self, node: Node, given: list[Labelled]) -> Labelled:
        return self._made(node, given[0], (*given[0].shape[:-1], node.weights[0].shape[-1]))

    def _made(self, node: Node, values: Labelled, shape: tuple[int, ...]) -> Labelled:
        """New labels along the last axis; what is read may change along its last axis only."""
        self.reads[node.name] = self._read(values)
        if node.name.endswith(RULER) or node.config.get("activation") == "softmax":
            labels = np.zeros(shape[-1], np.int64)
        else:
            labels = np.arange(len(self.parents), len(self.parents) + shape[-1])
            self.parents.extend(labels.tolist())
        self.makes[node.name] = labels
        return Labelled(shape, labels.reshape((1,) * (len(shape) - 1) + (-1,)))

    def _depthwise(self, node: Node, given: list[Labelled]) -> Labelled:
        values = given[0]
        self.reads[node.name] = labels = self._read(values)
        if node.name.endswith(RULER):
            self.keep(labels)
        multiplier = node.weights[0].shape[-1]
        out = np.repeat(labels, multiplier)
        shape = (*_strided(values.shape[:-1], node), len(out))
        return Labelled(shape, out.reshape((1,) * (len(shape) - 1) + (-1,)))

    def _norm(self, node: Node, given: list[Labelled]) -> Labelled:
        if node.config["axis"] != -1:
            self.keep(given[0].labels)
        self.reads[node.name] = self._read(given[0])
        return given[0]

    def _read(self, values: Labelled) -> IntArray:
        """Labels of the channels that a layer with weights reads."""
        last = len(values.shape) - 1
        if any(axis != last for axis in values.varying):
            self.keep(values.labels)
            return np.zeros(values.shape[-1], np.int64)
        return values.along_last()

    def _sum(self, _node: Node, given: list[Labelled]) -> Labelled:
        if len({len(each.shape) for each in given}) > 1:
            for each in given:
                self.keep(each.labels)
            return max(given, key=lambda each: len(each.shape))
        shape = tuple(np.broadcast_shapes(*(each.shape for each in given)))
        masks = [each.shape[-1] == 1 < shape[-1] for each in given]  # one value for all channels ties none of them
        for each, is_mask in zip(given, masks, strict=True):
            if is_mask:
                self.keep(each.labels)
        tied = [each.labels for each, is_mask in zip(given, masks, strict=True) if not is_mask]
        labels = np.broadcast_arrays(*tied)
        for other in labels[1:]:
            self._unite(labels[0], other)
        return Labelled(shape, labels[0])

    def _pool(self, node: Node, given: list[Labelled]) -> Labelled:
        values = given[0]
        self._keep_if_varying(values, range(len(values.shape) - 1))
        return Labelled((*_strided(values.shape[:-1], node), values.shape[-1]), self._last_only(values))

    def _global_pool(self, node: Node, given: list[Labelled]) -> Labelled:
        values = given[0]
        self._keep_if_varying(values, range(len(values.shape) - 1))
        labels = self._last_only(values)
        if node.config.get("keepdims"):
            return Labelled((1,) * (len(values.shape) - 1) + values.shape[-1:], labels)
        return Labelled(values.shape[-1:], labels.reshape(-1))

    def _last_only(self, values: Labelled) -> IntArray:
        return values.labels[(slice(0, 1),) * (len(values.shape) - 1)]

    def _largest(self, node: Node, given: list[Labelled]) -> Labelled:
        values, axis = given[0], node.config["axis"]
        if not isinstance(axis, int) or axis == 0:
            raise InputError(f"layer {node.name}: a maximum over axis {axis}; only over one axis of each input")
        axis = axis - 1 if axis > 0 else axis + len(values.shape)
        self._keep_if_varying(values, [axis])
        labels = values.labels.take([0], axis)
        shape = tuple(1 if place == axis else length for place, length in enumerate(values.shape))
        if node.config["keepdims"]:
            return Labelled(shape, labels)
        return Labelled(tuple(np.delete(shape, axis).tolist()), labels.squeeze(axis))

    def _concatenation(self, node: Node, given: list[Labelled]) -> Labelled:
        """Joined along the axis of the channels, one after another; along another axis, they become one."""
        axis = node.config["axis"]
        assert isinstance(axis, int)
        axis = axis - 1 if axis > 0 else axis + len(given[0].shape)
        shape = list(given[0].shape)
        shape[axis] = sum(each.shape[axis] for each in given)
        if all(set(each.varying) <= {axis} for each in given):
            lengths = [tuple(n if place == axis else 1 for place, n in enumerate(each.shape)) for each in given]
            joined = [np.broadcast_to(each.labels, length) for each, length in zip(given, lengths, strict=True)]
            return Labelled(tuple(shape), _compact(np.concatenate(joined, axis)))
        for each in given:
            self._keep_if_varying(each, [axis])
        labels = np.broadcast_arrays(*(each.labels.take([0], axis) for each in given))
        for other in labels[1:]:
            self._unite(labels[0], other)
        return Labelled(tuple(shape), labels[0])

    def _padding(self, node: Node, given: list[Labelled]) -> Labelled:
        values = given[0]
        pads = _pairs(node.config["padding"], len(values.shape) - 1)
        self._keep_if_varying(values, [axis for axis, pair in enumerate(pads) if any(pair)])
        labels = self._roots(values.labels)
        shape = (*(n + sum(pair) for n, pair in zip(values.shape, pads, strict=False)), values.shape[-1])
        return Labelled(shape, _compact(labels))

    def _keep_if_varying(self, values: Labelled, axes: Sequence[int]) -> None:
        if set(axes) & set(values.varying):
            self.keep(values.labels)

    def _settled(self, values: Labelled) -> Labelled:
        """Labels as they are by now; where they change along two axes no channel can be taken out."""
        values = Labelled(values.shape, _compact(self._roots(values.labels)))
        if len(values.varying) > 1:
            self.keep(values.labels)
            values = Labelled(values.shape, np.zeros((1,) * len(values.shape), np.int64))
        return values

    def _unite(self, one: IntArray, other: IntArray) -> None:
        pairs = np.unique(np.stack([one.ravel(), other.ravel()], axis=1), axis=0)
        for a, b in pairs.tolist():
            low, high = sorted((self._root(a), self._root(b)))
            self.parents[high] = low

    def _root(self, label: int) -> int:
        while self.parents[label] != label:
            self.parents[label] = label = self.parents[self.parents[label]]
        return label

    def _roots(self, labels: IntArray) -> IntArray:
        found, places = np.unique(labels, return_inverse=True)
        roots = np.array([self._root(label) for label in found.tolist()], np.int64)
        return roots[places].reshape(labels.shape)


def _input(node: Node, _given: list[Labelled]) -> Labelled:
    shape = node.config["shape"]
    assert isinstance(shape, tuple)
    if not all(isinstance(length, int) for length in shape):
        raise InputError(f"input {node.name} of shape {shape}: channels are counted on inputs of one fixed size")
    sizes = tuple(length for length in shape if isinstance(length, int))
    return Labelled(sizes, np.zeros((1,) * len(sizes), np.int64))


def _pass(_node: Node, given: list[Labelled]) -> Labelled:
    return given[0]


def _cropping(node: Node, given: list[Labelled]) -> Labelled:
    values = given[0]
    whole = values.spread()
    for axis, (first, last) in enumerate(_pairs(node.config["cropping"], len(values.shape) - 1)):
        whole = whole.take(range(first, values.shape[axis] - last), axis)
    return Labelled(whole.shape, _compact(whole))


def _flattened(_node: Node, given: list[Labelled]) -> Labelled:
    whole = given[0].spread().reshape(-1)
    return Labelled(whole.shape, _compact(whole))


def _permuted(node: Node, given: list[Labelled]) -> Labelled:
    dims = node.config["dims"]
    assert isinstance(dims, tuple)
    order = [place - 1 for place in dims if isinstance(place, int)]
    return Labelled(tuple(given[0].shape[axis] for axis in order), given[0].labels.transpose(order))


def _reshaped(node: Node, given: list[Labelled]) -> Labelled:
    target = node.config["target_shape"]
    assert isinstance(target, tuple)
    whole = given[0].spread().reshape([length for length in target if isinstance(length, int)])
    return Labelled(whole.shape, _compact(whole))


def _repeated(node: Node, given: list[Labelled]) -> Labelled:
    values, size = given[0], node.config["size"]
    times = size if isinstance(size, tuple) else (size,)
    whole = values.labels
    shape = list(values.shape)
    for axis, factor in enumerate(times):
        assert isinstance(factor, int)
        shape[axis] *= factor
        whole = np.repeat(whole, factor, axis) if whole.shape[axis] > 1 else whole
    return Labelled(tuple(shape), whole)


def _compact(labels: IntArray) -> IntArray:
    """Axes along which labels do not change, to length 1."""
    for axis in range(labels.ndim):
        first = labels.take([0], axis)
        if (labels == first).all():
            labels = first
    return labels


def _strided(sizes: tuple[int, ...], node: Node) -> tuple[int, ...]:
    """Height and width behind a convolution or pool."""
    config = node.config
    kernel = _each(config.get("kernel_size", config.get("pool_size")), len(sizes))
    strides = _each(config["strides"] or kernel, len(sizes))
    reach = _each(config.get("dilation_rate", 1), len(sizes))
    if config["padding"] in ("same", "causal"):
        return tuple(-(-size // stride) for size, stride in zip(sizes, strides, strict=True))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, reach, strict=True)]
    return tuple((size - span) // stride + 1 for size, span, stride in zip(sizes, spans, strides, strict=True))


def _each(value: object, count: int) -> tuple[int, ...]:
    if isinstance(value, tuple):
        return tuple(int(each) for each in value)
    assert isinstance(value, int)
    return (value,) * count


def _pairs(value: object, count: int) -> tuple[tuple[int, int], ...]:
    """What is cut off or added before and after, of each axis."""
    if isinstance(value, int):
        return ((value, value),) * count
    assert isinstance(value, tuple)
    if count == 1 and isinstance(value[0], int):
        return ((value[0], value[1]),)
    return tuple((each, each) if isinstance(each, int) else (each[0], each[1]) for each in value)
