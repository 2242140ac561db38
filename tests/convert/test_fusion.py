"""Layers laid for int8 kernels: the same answers, and no ReLU or batch norm is left alone."""

from collections.abc import Iterator

import numpy as np
import pytest

from ecgedge_convert.changing.fusion import fused, fused_model
from ecgedge_convert.changing.graph import graph_of
from ecgedge_convert.quantise import to_float32, to_int8
from ecgedge_convert.tflite_graph import graph_facts
from ecgedge_train.quiet import start_keras
from tests.convert.families import FAMILIES, difference, with_norms_moved

start_keras()
import keras  # noqa: E402

_ALONE = {"RELU", "RELU6", "RELU_0_TO_1", "MUL"}


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def network(request: pytest.FixtureRequest) -> Iterator["keras.Model"]:
    keras.utils.set_random_seed(5)
    yield with_norms_moved(FAMILIES[request.param](keras))


def test_answers_are_the_same(network: "keras.Model") -> None:
    again = fused_model(network)
    assert difference(network, again) < 3e-6
    assert {tensor.name: tuple(tensor.shape) for tensor in again.inputs} == {
        tensor.name: tuple(tensor.shape) for tensor in network.inputs
    }


def test_a_second_time_changes_nothing(network: "keras.Model") -> None:
    once = fused(graph_of(network))
    twice = fused(once)
    assert [(node.name, node.kind, node.inputs) for node in twice.nodes] == [
        (node.name, node.kind, node.inputs) for node in once.nodes
    ]


@pytest.mark.parametrize("family", ["lead_cnn", "strip_cnn"])
def test_nothing_is_left_alone(family: str) -> None:
    network = with_norms_moved(FAMILIES[family](keras))
    rng = np.random.default_rng(2)
    data = {tensor.name: rng.random((100, *tensor.shape[1:])).astype(np.float32) for tensor in network.inputs}
    before, after = graph_facts(to_float32(network)), graph_facts(to_int8(network, data))
    assert set(before.ops) & _ALONE
    assert not set(after.ops) & _ALONE
    assert sum(after.ops.values()) < sum(before.ops.values())


def test_what_others_read_stays_where_it_is() -> None:
    x = keras.layers.Input((4, 6), name="x")
    hidden = keras.layers.Dense(6, name="hidden")(x)
    moved = keras.layers.Reshape((6, 4), name="moved")(hidden)
    positive = keras.layers.ReLU(name="positive")(moved)
    both = keras.layers.Add(name="both")([moved, positive])
    logits = keras.layers.Dense(4, name="logits")(keras.layers.Flatten(name="flat")(both))
    network = keras.Model({"x": x}, keras.layers.Softmax(name="probabilities")(logits))
    laid = fused(graph_of(network)).by_name
    assert laid["positive"].inputs == ("moved",)


def test_a_norm_whose_channels_are_mixed_stays_behind() -> None:
    """Turned so that channels are rows: no one scale fits a channel before it."""
    x = keras.layers.Input((5, 6, 3), name="page")
    conv = keras.layers.Conv2D(4, 1, name="conv")(x)
    turned = keras.layers.Permute((3, 2, 1), name="turned")(conv)
    norm = keras.layers.BatchNormalization(name="norm")(turned)
    logits = keras.layers.Dense(4, name="logits")(keras.layers.Flatten(name="flat")(norm))
    network = with_norms_moved(keras.Model({"page": x}, keras.layers.Softmax(name="probabilities")(logits)))
    laid = fused(graph_of(network)).by_name
    assert laid["norm"].inputs == ("turned",) and laid["norm"].kind == "DepthwiseConv2D"
    assert difference(network, fused_model(network)) < 3e-6
