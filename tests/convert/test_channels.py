"""Channels are taken out whole: what a channel of zeros said is not missed, in any family."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge_convert.channel_map import KEPT, ChannelMap, channel_map
from ecgedge_convert.channels import without, without_channels
from ecgedge_convert.graph import Graph, Node, build, graph_of
from ecgedge_convert.importance import Batch, importance
from ecgedge_train.quiet import start_keras
from tests.convert.families import FAMILIES, difference, with_norms_moved

start_keras()
import keras  # noqa: E402


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def network(request: pytest.FixtureRequest) -> Iterator["keras.Model"]:
    keras.utils.set_random_seed(11)
    yield with_norms_moved(FAMILIES[request.param](keras))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_channels_of_zeros_are_not_missed(network: "keras.Model", seed: int) -> None:
    graph = graph_of(network)
    channels = channel_map(graph)
    removed = some_of_every_block(channels, seed)
    silent = silenced(graph, channels, removed)
    smaller = without(graph, channels, removed)
    assert all(
        smaller.by_name[name].weights[0].shape[-1] < graph.by_name[name].weights[0].shape[-1]
        for name, labels in channels.makes.items()
        if set(labels.tolist()) & removed
    )
    assert difference(build(silent, keras=keras), build(smaller, keras=keras)) < 1e-5


def test_every_layer_but_the_last_can_be_cut(network: "keras.Model") -> None:
    graph = graph_of(network)
    whole = {name for name, labels in channel_map(graph).makes.items() if (labels == KEPT).all()}
    assert all(graph.by_name[name].weights[0].shape[-1] == 4 for name in whole)
    assert whole


def test_what_is_not_wanted_goes_first_and_outputs_stay(network: "keras.Model") -> None:
    smaller, facts = without_channels(network, 0.5, batches_for(network))
    assert outputs_of(smaller) == outputs_of(network)
    assert facts.macs_after < 0.6 * facts.macs_before
    assert smaller.count_params() == facts.parameters[1] < network.count_params() == facts.parameters[0]
    for name, (before, after) in facts.channels.items():
        assert after == before or after % 4 == 0, name


def test_all_is_kept(network: "keras.Model") -> None:
    same, facts = without_channels(network, 1.0, kind="norms")
    assert facts.macs_after == facts.macs_before
    assert difference(network, same) == 0.0


def some_of_every_block(channels: ChannelMap, seed: int) -> frozenset[int]:
    rng = np.random.default_rng(seed)
    blocks = [block for block in channels.blocks() if len(block) > 1]
    return frozenset(
        label for block in blocks for label in rng.permutation(block)[: rng.integers(1, len(block))].tolist()
    )


def silenced(graph: Graph, channels: ChannelMap, removed: frozenset[int]) -> Graph:
    """The same network in which channels say nothing but zeros."""
    gone = np.array(sorted(removed))

    def silent(node: Node) -> Node:
        if node.name in channels.makes:
            out = np.isin(channels.makes[node.name], gone)
        elif node.name in channels.reads:
            out = np.isin(channels.reads[node.name], gone)
        else:
            return node
        weights = [values.copy() for values in node.weights]
        if node.kind == "DepthwiseConv2D":
            weights[0][:, :, out] = 0
            for bias in weights[1:]:
                bias[np.repeat(out, weights[0].shape[-1])] = 0
        else:
            for values in weights[:2]:
                values[..., out] = 0
        return replace(node, weights=tuple(weights))

    return replace(graph, nodes=tuple(map(silent, graph.nodes)))


def batches_for(model: "keras.Model", n: int = 16) -> list[Batch]:
    rng = np.random.default_rng(5)
    inputs = {tensor.name: rng.random((n, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs}
    return [(inputs, np.eye(4, dtype=np.float32)[rng.integers(0, 4, n)], np.ones(n, np.float32))]


def outputs_of(model: "keras.Model") -> dict[str, tuple[int, ...]]:
    found = model.output if isinstance(model.output, dict) else {"": model.output}
    return {name: tuple(tensor.shape) for name, tensor in found.items()}


def test_importance_is_what_is_lost() -> None:
    """First order: on a linear network with a gate close to 0 the score is the square of the loss's change."""
    x = keras.layers.Input((6,), name="x")
    hidden = keras.layers.Dense(5, name="hidden")(x)
    logits = keras.layers.Dense(4, name="logits")(hidden)
    network = keras.Model({"x": x}, keras.layers.Softmax(name="probabilities")(logits))
    graph = graph_of(network)
    channels = channel_map(graph)
    (inputs, targets, weights) = batches_for(network, n=1)[0]
    scores = importance(graph, channels, [(inputs, targets, weights)])
    for place, label in enumerate(channels.makes["hidden"]):
        lost = [_loss_with_gate(network, place, gate, inputs, targets) for gate in (1 - 1e-2, 1 + 1e-2)]
        assert scores[label] == pytest.approx(((lost[1] - lost[0]) / 2e-2) ** 2, rel=0.02, abs=1e-7)


def _loss_with_gate(
    model: "keras.Model", place: int, gate: float, inputs: dict[str, np.ndarray], targets: np.ndarray
) -> float:
    kernel, bias = model.get_layer("logits").get_weights()
    gated = kernel.copy()
    gated[place] *= gate
    model.get_layer("logits").set_weights([gated, bias])
    said = np.asarray(model(inputs))
    model.get_layer("logits").set_weights([kernel, bias])
    return float(-(targets * np.log(said)).sum())


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_an_impossible_share_is_named(share: float) -> None:
    with pytest.raises(InputError, match="share that is kept"):
        without_channels(FAMILIES["beat_cnn"](keras), share, kind="norms")


def test_no_examples_is_named() -> None:
    with pytest.raises(InputError, match="no examples"):
        without_channels(FAMILIES["beat_cnn"](keras), 0.5)
