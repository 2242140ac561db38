"""Every family written plain and rounded in training: nothing is refused, all of it is int8, and it says the same."""

from dataclasses import replace

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow_model_optimization", reason="the workshop's extra [convert] is not installed")

from ecgedge.runtime import Model, dequantise, quantise  # noqa: E402
from ecgedge_convert.changing.fine_tune import answers_of  # noqa: E402
from ecgedge_convert.changing.graph import Graph, build, graph_of  # noqa: E402
from ecgedge_convert.changing.qat import rounded  # noqa: E402
from ecgedge_convert.changing.qat_biases import rounded_kernel, with_corrected_biases  # noqa: E402
from ecgedge_convert.changing.qat_graph import ONLY_IN_TRAINING, WEIGHED, plain  # noqa: E402
from ecgedge_convert.qat_int8 import qat_to_int8  # noqa: E402
from ecgedge_convert.tflite_file import read_graph  # noqa: E402
from ecgedge_train.models import build_model  # noqa: E402
from ecgedge_train.models.page_models import PAGE_MODELS  # noqa: E402
from ecgedge_train.pages.crew import joined  # noqa: E402

PAGE = {"page": (64, 64, 1)}
SHAPES = {"lead_cnn": {"leads": (12, 48, 2), "strip": (1, 90, 2)}, "mobilenet": {"page": (32, 32, 1)}}
OPTIONS = {"mobilenet": {"blocks": 4}, "custom_cnn": {"width": 0.25}, "optimised_cnn": {"width": 0.25}}


def lively(model: "keras.Model", seed: int = 0) -> "keras.Model":
    """With batch norms that have seen something, so that folding them shows."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
    return model


def page_family(name: str, seed: int = 0) -> "keras.Model":
    keras.utils.set_random_seed(seed)
    return lively(PAGE_MODELS[name](SHAPES.get(name, PAGE), OPTIONS.get(name, {}), keras=keras), seed)


def odd_layers() -> "keras.Model":
    """What our families do not have, but other people's files do."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    page = layers.Input((16, 16, 3), name="page")
    x = layers.SeparableConv2D(8, 3, activation="relu")(layers.Rescaling(2.0, -1.0)(page))
    x = layers.BatchNormalization()(layers.Activation("linear")(x))
    both = layers.Average()([layers.Conv2D(8, 1)(x), x])
    return lively(keras.Model(page, layers.Dense(4, activation="softmax")(layers.GlobalMaxPooling2D()(both))))


MODELS = {
    **{name: lambda name=name: page_family(name) for name in PAGE_MODELS},
    "crew": lambda: joined([page_family("custom_cnn", seed) for seed in (1, 2)]),
    "beats": lambda: lively(build_model(["beat_mlp", "beat_cnn"], 6, 96, keras=keras)),
    "odd": odd_layers,
}


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> "keras.Model":
    found: keras.Model = MODELS[request.param]()
    return found


def inputs_of(model: "keras.Model", n: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {tensor.name: rng.uniform(0, 1, (n, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs}


def test_written_plain_it_says_the_same(model: "keras.Model") -> None:
    graph, inputs = plain(graph_of(model)), inputs_of(model)
    assert not {node.kind for node in graph.nodes} & {*ONLY_IN_TRAINING, "BatchNormalization", "Average", "Rescaling"}
    np.testing.assert_allclose(
        answers_of(build(graph, keras=keras), inputs, keras=keras), answers_of(model, inputs, keras=keras), atol=1e-5
    )


def test_rounded_it_is_int8_throughout_and_says_the_same(model: "keras.Model") -> None:
    import tf_keras

    inputs = inputs_of(model)
    found = rounded(graph_of(model), inputs)
    assert found.left == {}
    made = qat_to_int8(found.model)
    assert not [tensor.name for tensor in read_graph(made).tensors if tensor.is_float]
    loaded = Model(made)
    (at,) = (k for k, spec in enumerate(loaded.outputs) if spec.shape == (1, 4))
    said = loaded.invoke({spec.name: quantise(inputs[spec.name], spec) for spec in loaded.inputs})[at]
    answers = dequantise(said, loaded.outputs[at])
    np.testing.assert_allclose(answers, answers_of(found.model, inputs, keras=tf_keras), atol=0.04)
    np.testing.assert_allclose(answers, answers_of(model, inputs, keras=keras), atol=0.08)


def test_biases_make_up_for_rounded_weights() -> None:
    """On inputs that hardly vary the errors of a layer's weights add up to one number everywhere."""
    graph = plain(graph_of(page_family("mobilenet")))
    rng = np.random.default_rng(2)
    examples = {"page": np.where(rng.random((64, 32, 32, 1)) < 0.05, 1, 0).astype(np.float32)}
    whole = answers_of(build(graph, keras=keras), examples, keras=keras)

    def error(changed: Graph) -> float:
        nodes = [
            replace(node, weights=(rounded_kernel(node.weights[0], node.kind), node.weights[1]))
            if node.kind in WEIGHED
            else node
            for node in changed.nodes
        ]
        model = build(replace(changed, nodes=tuple(nodes)), keras=keras)
        return float(np.abs(answers_of(model, examples, keras=keras) - whole).mean())

    assert error(with_corrected_biases(graph, examples)) < 0.5 * error(graph)


def test_what_cannot_be_rounded_stays_in_float_and_is_named() -> None:
    layers = keras.layers
    page = layers.Input((16, 16, 1), name="page")
    x = layers.ReLU(negative_slope=0.2, name="leaky")(layers.Conv2D(4, 3, name="first")(page))
    model = keras.Model(page, layers.Dense(4, name="last")(layers.GlobalAveragePooling2D()(x)))
    found = rounded(graph_of(model), keep_float=("last",))
    assert found.left == {
        "leaky": "no way to round a ReLU with a slope or a threshold is known",
        "last": "it was asked to stay in float",
    }
    found.model(inputs_of(model), training=True)
    tensors = {tensor.name: tensor for tensor in read_graph(qat_to_int8(found.model)).tensors}
    assert {tensor.dtype for tensor in tensors.values()} >= {"float32", "int8"}
