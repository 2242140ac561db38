"""What a .tflite file costs, against counts by hand, Keras's own count, and LiteRT's tensors."""

import gzip

import numpy as np
import pytest

from ecgedge.bundle import read_bundle, shipped_bundles
from ecgedge.errors import BundleError
from ecgedge.runtime import load_interpreter
from ecgedge_convert.tflite_file import read_graph
from ecgedge_convert.tflite_graph import graph_facts, peak_tensor_bytes

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
tf = pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")


@pytest.fixture(scope="module")
def model() -> "keras.Model":
    """Sides, strides and paddings chosen so that a mix-up of axes changes a count."""
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 20, 3), name="image")
    x = keras.layers.Conv2D(24, (3, 5), strides=(1, 2), padding="same", activation="relu")(image)
    x = keras.layers.DepthwiseConv2D((3, 3), padding="valid", activation="relu")(x)
    x = keras.layers.Conv2DTranspose(6, (2, 3), strides=2, padding="same")(x)
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(4)(x))
    made = keras.Model(image, keras.layers.Dense(5, activation="softmax")(x))
    rng = np.random.default_rng(0)  # no bias of zeros, since the converter stores equal constants once
    made.set_weights([rng.normal(size=weight.shape).astype(np.float32) for weight in made.get_weights()])
    return made


MACS = {
    "CONV_2D": 12 * 10 * 24 * (3 * 5 * 3),
    "DEPTHWISE_CONV_2D": 10 * 8 * 24 * (3 * 3),
    "TRANSPOSE_CONV": 10 * 8 * 24 * (2 * 3 * 6),
    "FULLY_CONNECTED": 5 * 4 * 6 * 5,
}


def converted(model: "keras.Model", kind: str) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "int16x8"):
        rng = np.random.default_rng(0)
        pictures = rng.normal(size=(20, 1, 12, 20, 3)).astype(np.float32)
        converter.representative_dataset = lambda: ([picture] for picture in pictures)
        sets = tf.lite.OpsSet
        wide = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [wide if kind == "int16x8" else sets.TFLITE_BUILTINS_INT8]
    return bytes(converter.convert())


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_counts_are_those_by_hand_in_every_kind(model: "keras.Model", kind: str) -> None:
    content = converted(model, kind)
    facts = graph_facts(content)
    assert facts.kind == kind
    assert facts.macs_by_op == MACS and facts.macs == sum(MACS.values())
    assert facts.parameters == model.count_params()
    assert facts.model_bytes == len(content)
    assert facts.gzip_bytes == len(gzip.compress(content, 9, mtime=0)) < len(content)
    assert bool(facts.float_ops) == (kind in ("float32", "float16", "dynamic"))


def test_the_arena_holds_what_is_alive_and_no_more(model: "keras.Model") -> None:
    """In a chain the peak is the largest pair of neighbours, which can always be put side by side."""
    graph = read_graph(converted(model, "float32"))
    chain = [op for op in graph.ops if op.name not in ("SHAPE", "STRIDED_SLICE", "PACK")]
    pairs = [sum(t.n_bytes for t in (*op.activations, *op.outputs)) for op in chain]
    assert max(pairs) <= peak_tensor_bytes(graph) <= max(pairs) + 5 * 16


def test_an_output_that_is_early_is_kept_to_the_end() -> None:
    data = keras.Input((1000,), name="data")
    early = keras.layers.Dense(700)(data)
    late = keras.layers.Dense(3)(keras.layers.Dense(900)(early))
    facts = graph_facts(converted(keras.Model(data, [early, late]), "float32"))
    assert facts.peak_tensor_bytes >= 4 * (700 + 900 + 3)


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_tensors_are_those_that_the_interpreter_sees(name: str) -> None:
    model = read_bundle(name).model
    interpreter = load_interpreter(model)
    graph = read_graph(model)
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}  # type: ignore[attr-defined]
    assert len(graph.ops) > 10
    for tensor in graph.tensors:
        found = details[tensor.index]
        assert (tensor.name, tensor.dtype) == (found["name"], np.dtype(found["dtype"]).name)
        np.testing.assert_array_equal(tensor.scales, found["quantization_parameters"]["scales"])
        np.testing.assert_array_equal(tensor.zero_points, found["quantization_parameters"]["zero_points"])
        if tensor.constant is not None:
            np.testing.assert_array_equal(tensor.values, interpreter.get_tensor(tensor.index))


def test_the_shipped_beat_model_is_counted() -> None:
    """Three MLPs of 49-64-32-4, and the CNN of beat_cnn.py, by hand."""
    facts = graph_facts(read_bundle("beat").model)
    dense = 3 * (49 * 64 + 64 * 32 + 32 * 4) + 49 * 64 + 96 * 16 + 80 * 32 + 32 * 4
    convolutions = 48 * 16 * 7 * 2 + 24 * 24 * 5 * 16 + 12 * 32 * 5 * 24 + 12 * 8 * 32
    assert facts.macs_by_op == {"FULLY_CONNECTED": dense, "CONV_2D": convolutions}
    assert facts.kind == "int8" and not facts.float_ops


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x1c\0\0\0TFL3" + b"\xff" * 200, b"\x1c\0\0\0TFL3"])
def test_what_is_no_model_is_named(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"\.tflite model"):
        graph_facts(content)


def test_a_model_cut_short_is_named() -> None:
    model = read_bundle("beat").model
    with pytest.raises(BundleError, match="damaged"):
        graph_facts(model[: len(model) // 2])
