"""Shapes that int8 kernels like: the same answers, and none of the ops that asked for a size or made a copy."""

import numpy as np
import pytest

from ecgedge.runtime import load_interpreter
from ecgedge_convert.changing.fusion import fused, fused_model
from ecgedge_convert.changing.graph import FloatArray, Graph, build, graph_of
from ecgedge_convert.changing.kernel_shapes import for_kernels
from ecgedge_convert.quantise import convert
from ecgedge_convert.tflite_graph import graph_facts
from ecgedge_train.quiet import start_keras
from tests.convert.families import FAMILIES, difference, with_norms_moved

start_keras()
import keras  # noqa: E402

_ASKING = {"SHAPE", "PACK"}
_COPYING = {"TILE", "EXPAND_DIMS"}


@pytest.mark.parametrize("family", ["beat_cnn", "lead_cnn"])
def test_no_op_asks_for_a_size_or_repeats_a_row(family: str) -> None:
    network = with_norms_moved(FAMILIES[family](keras))
    rng = np.random.default_rng(2)
    data = {tensor.name: rng.random((100, *tensor.shape[1:])).astype(np.float32) for tensor in network.inputs}
    before = graph_facts(convert(build(fused(graph_of(network)), keras=keras), "float32"))
    after = graph_facts(convert(network, "int8", data))
    assert set(before.ops) & _ASKING
    assert not set(after.ops) & (_ASKING | _COPYING)


def _page() -> "keras.KerasTensor":
    return keras.layers.Input((4, 40, 2), name="page")


def _network(page: "keras.KerasTensor", features: "keras.KerasTensor") -> Graph:
    logits = keras.layers.Conv2D(4, (4, 1), name="logits")(features)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(logits)
    model = keras.Model({"page": page}, keras.layers.Softmax(name="probabilities")(pooled))
    return graph_of(with_norms_moved(model))


def _differ(graph: Graph) -> float:
    return difference(build(graph, keras=keras), build(for_kernels(graph), keras=keras))


def test_a_narrow_depthwise_layer_fills_a_tile_with_its_relu() -> None:
    page = _page()
    scaled = keras.layers.DepthwiseConv2D(1, name="scaled")(page)
    graph = _network(page, keras.layers.ReLU(name="positive")(scaled))
    laid = for_kernels(graph).by_name
    assert laid["scaled"].weights[0].shape == (1, 1, 16, 1)
    assert laid["positive"].inputs == ("scaled",)
    assert laid["logits"].inputs == ("scaled_narrow",)
    assert _differ(graph) < 1e-6


@pytest.mark.parametrize("columns", [37, 40])
def test_a_row_that_cannot_be_parted_stays(columns: int) -> None:
    page = keras.layers.Input((4, columns, 2), name="page")
    graph = _network(page, keras.layers.DepthwiseConv2D(1, name="scaled")(page))
    wide = for_kernels(graph).by_name["scaled"].weights[0].shape[2]
    assert wide == {37: 74, 40: 16}[columns]
    assert _differ(graph) < 1e-6


@pytest.mark.parametrize("settings", [{"kernel_size": (1, 3), "padding": "same"}, {"depth_multiplier": 2}])
def test_other_depthwise_layers_stay(settings: dict[str, object]) -> None:
    page = _page()
    graph = _network(page, keras.layers.DepthwiseConv2D(**{"kernel_size": 1, "name": "scaled"} | settings)(page))
    assert for_kernels(graph).by_name["scaled"].inputs == ("page",)
    assert _differ(graph) < 1e-6


def test_a_row_that_two_repeat_is_repeated_once_more() -> None:
    """Nothing in the sum would have the full height."""
    page = _page()
    row = keras.layers.Conv2D(2, (4, 1), name="row")(page)
    both = [keras.layers.UpSampling2D((4, 1), name=name)(row) for name in ("one", "other")]
    graph = _network(page, keras.layers.Add(name="both")(both))
    assert for_kernels(graph).by_name["both"].inputs == ("one", "other")
    assert _differ(graph) < 1e-6


def test_pictures_that_are_enlarged_stay() -> None:
    page = _page()
    small = keras.layers.MaxPooling2D(2, name="small")(page)
    large = keras.layers.UpSampling2D(2, name="large")(small)
    graph = _network(page, keras.layers.Add(name="both")([page, large]))
    assert for_kernels(graph).by_name["both"].inputs == ("page", "large")
    assert _differ(graph) < 1e-6


def test_batches_of_any_size_are_answered_alike() -> None:
    network = with_norms_moved(FAMILIES["lead_cnn"](keras))
    rng = np.random.default_rng(4)
    data = {tensor.name: rng.random((100, *tensor.shape[1:])).astype(np.float32) for tensor in network.inputs}
    model = convert(fused_model(network), "float32")
    together = _said(model, data, slice(0, 5))
    alone = [_said(model, data, slice(k, k + 1)) for k in range(5)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)


def _said(model: bytes, data: dict[str, FloatArray], part: slice) -> FloatArray:
    interpreter = load_interpreter(model)
    found = {
        detail["name"].split("_", 2)[-1].split(":")[0]: detail["index"] for detail in interpreter.get_input_details()
    }
    for name, values in data.items():
        interpreter.resize_tensor_input(found[name], values[part].shape)
    interpreter.allocate_tensors()
    for name, values in data.items():
        interpreter.set_tensor(found[name], values[part])
    interpreter.invoke()
    outputs = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    return next(values for values in outputs if values.ndim == 2)
