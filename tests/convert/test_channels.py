"""Channels are taken out whole: what a channel of zeros said is not missed, in any family."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge_convert.changing.channel_map import KEPT, ChannelMap, channel_map
from ecgedge_convert.changing.channels import without, without_channels
from ecgedge_convert.changing.graph import Graph, Node, build, graph_of
from ecgedge_convert.changing.importance import Batch, importance
from ecgedge_convert.changing.widths import removed_channels, rounded
from ecgedge_convert.quantise import to_float32
from ecgedge_convert.tflite_graph import graph_facts
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


def test_macs_are_those_of_the_converted_model(network: "keras.Model") -> None:
    smaller, facts = without_channels(network, 0.5, kind="norms")
    assert graph_facts(to_float32(network)).macs == facts.macs_before
    assert graph_facts(to_float32(smaller)).macs == facts.macs_after


def test_a_channel_that_counts_stays(network: "keras.Model") -> None:
    """The first channel of every block is worth more than all others, wherever it is cheapest to cut."""
    graph = graph_of(network)
    channels = channel_map(graph)
    firsts = {int(block[0]) for block in channels.blocks()}
    scores = np.full(1 + max(int(labels.max()) for labels in channels.makes.values()), 1.0)
    scores[list(firsts)] = 1e6
    for plan in ("uniform", "global"):
        assert not removed_channels(graph, channels, scores, 0.5, plan=plan) & firsts


def test_widths_suit_the_kernels() -> None:
    assert [rounded(width, 0.5) for width in (4, 8, 12, 16, 24, 56, 128, 1280)] == [4, 4, 8, 8, 16, 32, 64, 640]
    assert [rounded(width, 0.01) for width in (3, 8, 128)] == [3, 4, 8]
    assert rounded(20, 1.0) == 20


def test_a_gate_over_channels_is_cut_with_them() -> None:
    """Squeeze and excite: what multiplies a channel is one with it; a mask over places is not."""
    x = keras.layers.Input((8, 8, 3), name="page")
    wide = keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="wide")(x)
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True, name="mean")(wide)
    small = keras.layers.Conv2D(8, 1, activation="relu", name="small")(mean)
    gate = keras.layers.Conv2D(16, 1, activation="sigmoid", name="gate")(small)
    gated = keras.layers.Multiply(name="gated")([wide, gate])
    mask = keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x)
    masked = keras.layers.Multiply(name="masked")([gated, mask])
    logits = keras.layers.Dense(4, name="logits")(keras.layers.Flatten(name="flat")(masked))
    network = keras.Model({"page": x}, keras.layers.Softmax(name="probabilities")(logits))
    channels = channel_map(graph_of(network))
    assert np.array_equal(channels.makes["wide"], channels.makes["gate"])
    assert not set(channels.makes["mask"]) & set(channels.makes["wide"])
    smaller, facts = without_channels(network, 0.5, batches_for(network))
    assert facts.channels["wide"] == facts.channels["gate"] == (16, 8)
    assert facts.channels["mask"] == (1, 1)
    assert smaller.get_layer("logits").kernel.shape == (8 * 8 * 8, 4)


def test_joined_branches_keep_their_places() -> None:
    """A sum with a concatenation ties each channel to the one beside it, and no other."""
    x = keras.layers.Input((6, 6, 2), name="page")
    parts = [keras.layers.Conv2D(width, 3, padding="same", name=f"part{width}")(x) for width in (16, 24)]
    whole = keras.layers.Conv2D(40, 1, name="whole")(x)
    both = keras.layers.Add(name="both")([keras.layers.Concatenate(name="joined")(parts), whole])
    grouped = keras.layers.Conv2D(8, 1, groups=4, name="grouped")(keras.layers.Conv2D(8, 1, name="before")(both))
    maps = keras.layers.Conv2D(4, 1, name="maps")(grouped)
    pooled = keras.layers.GlobalAveragePooling2D(name="logits")(maps)
    network = with_norms_moved(
        keras.Model({"page": x}, keras.layers.Softmax(name="probabilities")(pooled), name="branches")
    )
    graph = graph_of(network)
    channels = channel_map(graph)
    assert np.array_equal(channels.makes["whole"], np.concatenate([channels.makes[f"part{n}"] for n in (16, 24)]))
    assert (channels.makes["before"] == KEPT).all() and "grouped" not in channels.makes
    removed = some_of_every_block(channels, 0)
    silent, smaller = silenced(graph, channels, removed), without(graph, channels, removed)
    assert difference(build(silent, keras=keras), build(smaller, keras=keras)) < 1e-5


def test_an_input_of_any_size_is_named() -> None:
    x = keras.layers.Input((None, None, 1), name="page")
    with pytest.raises(InputError, match="page"):
        channel_map(graph_of(keras.Model({"page": x}, keras.layers.Conv2D(4, 1)(x))))
