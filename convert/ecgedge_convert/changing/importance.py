"""How much a network would lose without each of its channels.

`taylor` is first order (Molchanov et al., 2019, 10.1109/CVPR.2019.01152): for every channel the change of the loss if
it were 0, which is its values times their gradient where layers read it, squared and averaged over training examples.
Departure: the gate stands at the readers and not behind the batch norm, so that channels of a residual sum, whose
layers are many, have one score. `answers` is the same for the logarithms of the probabilities in place of the loss: it
needs no labels. `norms` looks at weights alone: the scale of batch norms, or the length of kernels where there is none.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ecgedge_convert.changing.channel_map import ChannelMap
from ecgedge_convert.changing.graph import INPUT, MAX, FloatArray, Graph, Setting, build
from ecgedge_convert.quantise import tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

Importance = Literal["taylor", "answers", "norms"]
Batch = tuple[dict[str, FloatArray], FloatArray, FloatArray]
"""Inputs, targets (n, classes) whose rows sum to 1, weights (n,)."""
Scores = NDArray[np.float64]

_READERS = ("Conv1D", "Conv2D", "Dense")
_LEAST = 1e-7


def importance(
    graph: Graph, channels: ChannelMap, batches: Iterable[Batch] = (), *, kind: Importance = "taylor"
) -> Scores:
    """Score of every label of a map, 0 or above; one that no layer reads has 0.

    Parameters
    ----------
    batches : of the training side; `norms` needs none
    """
    if kind == "norms":
        return _norms(graph, channels)
    return _expected(graph, channels, batches, of_answers=kind == "answers")


def _count(channels: ChannelMap) -> int:
    return 1 + max((int(labels.max(initial=0)) for labels in channels.makes.values()), default=0)


def _norms(graph: Graph, channels: ChannelMap) -> Scores:
    """Mean square of the scales, over the batch norms that a channel passes; of the kernels where it passes none."""
    scales, kernels = (np.zeros((2, _count(channels))) for _ in range(2))
    for node in graph.nodes:
        if node.kind == "BatchNormalization" and node.config["scale"]:
            _add(scales, channels.reads[node.name], np.square(node.weights[0], dtype=np.float64))
        elif node.name in channels.makes:
            squares = np.square(node.weights[0], dtype=np.float64).reshape(-1, node.weights[0].shape[-1])
            _add(kernels, channels.makes[node.name], squares.mean(axis=0))
    found = np.where(scales[1] > 0, scales, kernels)
    means: Scores = found[0] / np.maximum(found[1], 1)
    return means


def _add(sums: Scores, labels: NDArray[np.int64], values: Scores) -> None:
    """Sum and count of each label."""
    np.add.at(sums[0], labels, values)
    np.add.at(sums[1], labels, 1)


def _expected(graph: Graph, channels: ChannelMap, batches: Iterable[Batch], *, of_answers: bool) -> Scores:
    total, examples = np.zeros(_count(channels)), 0
    runner = _Runner(graph, channels)
    for inputs, targets, weights in batches:
        total += np.square(runner.gates(inputs, targets, weights, of_answers=of_answers)).sum(axis=(0, 1))
        examples += len(targets)
    return total / max(examples, 1)


class _Runner:
    """Runs a network layer by layer with a tape at every place where a channel is read."""

    def __init__(self, graph: Graph, channels: ChannelMap) -> None:
        import keras

        self._graph, self._channels, self._keras = graph, channels, keras
        self._model = build(graph, keras=keras)
        self._answer = graph.outputs if isinstance(graph.outputs, str) else graph.outputs["probabilities"]

    def gates(
        self, inputs: dict[str, FloatArray], targets: FloatArray, weights: FloatArray, *, of_answers: bool
    ) -> Scores:
        """(losses, n, labels): by how much each loss of each example rises with a gate at each channel."""
        tf = tensorflow()
        with tf.GradientTape(persistent=True) as tape:
            said, readings = self._forward(inputs, tape, tf)
            logs = tf.math.log(tf.maximum(said, _LEAST))
            if of_answers:
                losses = [
                    tf.reduce_sum(tf.stop_gradient(tf.sqrt(said[:, k])) * logs[:, k]) for k in range(said.shape[1])
                ]
            else:
                losses = [-tf.reduce_sum(weights * tf.reduce_sum(targets * logs, axis=1))]
        return np.stack([self._gated(tape.gradient(loss, readings), readings) for loss in losses])

    def _forward(
        self, inputs: dict[str, FloatArray], tape: "tf.GradientTape", tf: "tf"
    ) -> tuple["tf.Tensor", dict[str, "tf.Tensor"]]:
        values: dict[str, tf.Tensor] = {}
        readings: dict[str, tf.Tensor] = {}
        for node in self._graph.nodes:
            if node.kind == INPUT:
                values[node.name] = tf.convert_to_tensor(inputs[node.name])
                continue
            given = [values[name] for name in node.inputs]
            if node.kind in _READERS and node.name in self._channels.reads:
                readings[node.name] = given[0] = tf.identity(given[0])
                tape.watch(given[0])
            values[node.name] = self._laid(node.name, node.kind, node.config, given)
        return values[self._answer], readings

    def _laid(self, name: str, kind: str, config: dict[str, Setting], given: Sequence["tf.Tensor"]) -> "tf.Tensor":
        if kind == MAX:
            return self._keras.ops.max(given[0], axis=config["axis"], keepdims=config["keepdims"])
        return self._model.get_layer(name)(given if len(given) > 1 else given[0], training=False)

    def _gated(self, gradients: dict[str, "tf.Tensor"], readings: dict[str, "tf.Tensor"]) -> Scores:
        n = len(next(iter(readings.values())))
        sums = np.zeros((_count(self._channels), n))
        for name, gradient in gradients.items():
            if gradient is not None:
                product = np.asarray(readings[name], np.float64) * np.asarray(gradient, np.float64)
                by_channel = product.reshape(n, -1, product.shape[-1]).sum(axis=1)
                np.add.at(sums, self._channels.reads[name], by_channel.T)
        return sums.T
