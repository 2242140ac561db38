"""Networks cross from one Keras to the other and back: weights to the last bit, answers but for rounding."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge_convert.changing.graph import build, graph_of
from ecgedge_train.models.page_models import PAGE_MODELS
from ecgedge_train.quiet import start_keras
from tests.convert.families import FAMILIES, difference, with_norms_moved

start_keras()
import keras  # noqa: E402
import tf_keras  # noqa: E402

from ecgedge_train.pages.crew import joined  # noqa: E402

_ROUNDING = 2e-6
"""The two Kerases multiply out a batch norm in another order; weights are equal to the last bit."""


def test_every_family_is_here() -> None:
    assert set(PAGE_MODELS) <= set(FAMILIES)


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def network(request: pytest.FixtureRequest) -> Iterator["keras.Model"]:
    keras.utils.set_random_seed(7)
    yield with_norms_moved(FAMILIES[request.param](keras))


def test_rebuilt_is_equal(network: "keras.Model") -> None:
    again = build(graph_of(network), keras=keras)
    assert again.count_params() == network.count_params()
    assert difference(network, again) == 0.0


def test_crosses_and_comes_back(network: "keras.Model") -> None:
    graph = graph_of(network)
    across = build(graph, keras=tf_keras)
    back = graph_of(across)
    assert [node.name for node in back.nodes if node.weights] != []
    assert {node.name: (node.kind, node.config, node.inputs) for node in back.nodes} == {
        node.name: (node.kind, node.config, node.inputs) for node in graph.nodes
    }
    assert back.outputs == graph.outputs
    assert set(back.inputs) == set(graph.inputs)
    assert all(
        np.array_equal(there, here)
        for node, same in zip(back.nodes, graph.nodes, strict=True)
        for there, here in zip(node.weights, same.weights, strict=True)
    )
    assert difference(network, across) <= _ROUNDING
    assert difference(network, build(back, keras=keras)) == 0.0


def test_frozen_layers_stay_frozen() -> None:
    network = FAMILIES["strip_cnn"](keras)
    again = build(graph_of(network), keras=tf_keras)
    frozen = [layer.name for layer in again.layers if layer.weights and not layer.trainable]
    assert sorted(frozen) == ["stem_lower_ruler", "stem_upper_ruler"]


def test_joined_models_are_laid_flat() -> None:
    members = [with_norms_moved(FAMILIES["lead_cnn"](keras)) for _ in range(2)]
    whole = joined(members)
    flat = build(graph_of(whole), keras=keras)
    assert not any(isinstance(layer, keras.Model) for layer in flat.layers)
    assert flat.count_params() == 2 * members[0].count_params()
    assert set(flat.output) == {"probabilities", "maps", "strip_maps"}
    assert difference(whole, flat) == 0.0
    assert difference(whole, build(graph_of(whole), keras=tf_keras)) <= _ROUNDING


def test_a_sequential_model() -> None:
    network = keras.Sequential([keras.layers.Input((5,), name="x"), keras.layers.Dense(3), keras.layers.Softmax()])
    assert difference(network, build(graph_of(network), keras=tf_keras)) <= _ROUNDING


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda: keras.layers.LSTM(4, name="memory"), "memory (LSTM)"),
        (lambda: keras.layers.Lambda(lambda x: x, name="own"), "own (Lambda)"),
    ],
)
def test_an_unknown_layer_is_named(layer: Callable[[], "keras.Layer"], said: str) -> None:
    x = keras.layers.Input((6, 2), name="x")
    with pytest.raises(InputError) as caught:
        graph_of(keras.Model(x, layer()(x)))
    assert said in str(caught.value)


def test_a_layer_used_twice_is_named() -> None:
    x, shared = keras.layers.Input((4,), name="x"), keras.layers.Dense(4, name="shared")
    with pytest.raises(InputError, match="shared"):
        graph_of(keras.Model(x, shared(shared(x))))
