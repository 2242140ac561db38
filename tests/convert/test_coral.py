"""Ops that the Edge TPU compiler would refuse: small real models, each built to break one line of the table."""

from collections.abc import Callable

import numpy as np
import pytest

from ecgedge.bundle import read_bundle
from ecgedge_convert.target.batch_of_one import batch_of_one
from ecgedge_convert.target.coral import coral_mapping
from ecgedge_convert.tflite_file import read_graph

tf = pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

SHAPE = (1, 8, 8, 4)
Network = Callable[["tf.Tensor"], "tf.Tensor"]


def converted(network: Network, shape: tuple[int | None, ...] = SHAPE, *, int8: bool = True) -> bytes:
    """A function of one tensor as .tflite."""
    function = tf.function(network, input_signature=[tf.TensorSpec(shape, tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    if int8:
        rng = np.random.default_rng(0)
        examples = rng.uniform(-1, 1, (20, *(side or 1 for side in shape))).astype(np.float32)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([row] for row in examples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def reasons(model: bytes) -> dict[str, str]:
    return {one.op: one.reason for one in coral_mapping(read_graph(model)).refused}


KERNEL = np.random.default_rng(1).normal(size=(3, 3, 4, 4)).astype(np.float32)
ACCEPTED: dict[str, Network] = {
    "convolution": lambda x: tf.nn.relu6(tf.nn.conv2d(x, KERNEL, 1, "SAME")),
    "mean over the plane": lambda x: tf.reduce_mean(x, axis=(1, 2)),
    "mean over four channels": lambda x: tf.reduce_mean(x, axis=3),
    "softmax of one axis": lambda x: tf.nn.softmax(tf.reduce_mean(x, axis=(1, 2))),
    "pad": lambda x: tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))),
    "slice by ones": lambda x: x[:, 1:5],
    "join": lambda x: tf.concat((x, tf.nn.relu(x)), axis=-1),
    "join zeros": lambda x: tf.concat((x, tf.zeros(SHAPE)), axis=-1),
}
REFUSED: dict[str, tuple[Network, str, str]] = {
    "no such op": (lambda x: tf.nn.leaky_relu(x), "LEAKY_RELU", "not in the Edge TPU's table"),
    "softmax of a plane": (tf.nn.softmax, "SOFTMAX", "only one axis"),
    "mean over the batch": (lambda x: tf.reduce_mean(x, axis=0), "MEAN", "reduces the batch"),
    "slice by twos": (lambda x: x[:, ::2], "STRIDED_SLICE", "stride other than 1"),
    "join ones": (lambda x: tf.concat((x, tf.ones(SHAPE)), axis=-1), "CONCATENATION", "joins a constant"),
    "pad the batch": (lambda x: tf.pad(x, ((0, 1), (0, 0), (0, 0), (0, 0))), "PAD", "pads the batch"),
    "many axes": (lambda x: tf.nn.relu(tf.reshape(x, (4, 4, 4, 4))), "RESHAPE", "3 inner axes"),
    "weights that are computed": (
        lambda x: tf.nn.conv2d(x, tf.reshape(x[0, :3, :3], (3, 3, 4, 1)), 1, "SAME"),
        "CONV_2D",
        "must be constant",
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_the_table_allows_is_accepted(name: str) -> None:
    model = converted(ACCEPTED[name])
    assert reasons(model) == {}
    assert coral_mapping(read_graph(model)).on_tpu == len(read_graph(model).ops)


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_table_limits_is_refused(name: str) -> None:
    network, op, said = REFUSED[name]
    found = reasons(converted(network))
    assert said in found[op], found


def test_a_softmax_too_long_is_refused() -> None:
    assert "16000" in reasons(converted(tf.nn.softmax, (1, 16_001)))["SOFTMAX"]
    assert reasons(converted(tf.nn.softmax, (1, 16_000))) == {}


def test_a_mean_over_three_channels_is_refused() -> None:
    assert "multiple of 4" in reasons(converted(lambda x: tf.reduce_mean(x, axis=3), (1, 8, 8, 3)))["MEAN"]


def test_float_is_refused() -> None:
    found = reasons(converted(ACCEPTED["convolution"], int8=False))
    assert "computes in float" in found["CONV_2D"]


def test_an_open_batch_is_refused_and_a_fixed_one_is_not() -> None:
    model = converted(ACCEPTED["convolution"], (None, 8, 8, 4))
    assert "not fixed" in reasons(model)["CONV_2D"]
    assert reasons(batch_of_one(model)) == {}


def test_what_comes_after_a_refused_op_runs_on_the_cpu_too() -> None:
    mapping = coral_mapping(
        read_graph(converted(lambda x: tf.nn.relu(tf.nn.leaky_relu(tf.nn.conv2d(x, KERNEL, 1, "SAME")))))
    )
    assert (mapping.on_tpu, [one.op for one in mapping.refused]) == (1, ["LEAKY_RELU"])
    assert [one.op for one in mapping.behind] == ["RELU"]
    assert "after the first refused op (LEAKY_RELU, op 1)" in mapping.behind[0].reason


def test_the_shipped_beat_model_maps_whole() -> None:
    graph = read_graph(batch_of_one(read_bundle("beat").model))
    mapping = coral_mapping(graph)
    assert mapping.refused == () and mapping.behind == () and mapping.on_tpu == len(graph.ops)
    assert [one.op for one in mapping.doubtful] == ["RESHAPE"]
