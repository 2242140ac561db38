"""Layers left in float, ops that int8 or int16x8 lack, errors tensor by tensor, and biases that are corrected."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from ecgedge.errors import InputError  # noqa: E402
from ecgedge.runtime import Model, dequantise, quantise  # noqa: E402
from ecgedge_convert.layer_names import layers_in, ops_of  # noqa: E402
from ecgedge_convert.quantise import by_tensor, convert  # noqa: E402
from ecgedge_convert.refused_ops import RefusedOp, require_int8  # noqa: E402
from ecgedge_convert.tensor_errors import tensor_errors, worst  # noqa: E402
from ecgedge_convert.tflite_file import read_graph  # noqa: E402
from ecgedge_convert.tflite_graph import computes_in_float, graph_facts  # noqa: E402
from tests.convert.small_models import beat_inputs, beat_network  # noqa: E402

INPUTS = beat_inputs()


class Wave(keras.layers.Layer):
    """An op that TFLite has in float only."""

    def call(self, inputs):  # type: ignore[no-untyped-def]
        return keras.ops.sin(inputs)


class Bend(keras.layers.Layer):
    """An op that TFLite has not at all."""

    def call(self, inputs):  # type: ignore[no-untyped-def]
        return keras.ops.arctan(inputs)


@pytest.fixture(scope="module")
def model() -> "keras.Model":
    return beat_network(keras)


def in_float(converted: bytes) -> set[str]:
    return {op.outputs[0].name for op in read_graph(converted).ops if computes_in_float(op)}


def test_a_kept_layer_computes_in_float_and_nothing_else_does(model) -> None:  # type: ignore[no-untyped-def]
    kept = convert(model, "int8", INPUTS, keep_float=("second",))
    ops = read_graph(kept).ops
    assert in_float(kept) == {op.outputs[0].name for op in ops_of(ops, "second")} != set()
    assert graph_facts(kept).ops["DEQUANTIZE"] == graph_facts(kept).ops["QUANTIZE"] == 1
    assert {tensor.dtype.name for tensor in (*Model(kept).inputs, *Model(kept).outputs)} == {"int8"}
    assert not in_float(convert(model, "int8", INPUTS))
    require_int8(kept, keep_float=("second",))
    with pytest.raises(RefusedOp, match="layer second: op CONV_2D"):
        require_int8(kept)


def test_what_cannot_be_kept_is_named(model) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"--keep-float third: no op .* its layers: first, second"):
        convert(model, "int8", INPUTS, keep_float=("third",))
    with pytest.raises(InputError, match="use it with --int8"):
        convert(model, "float16", keep_float=("second",))


def test_an_op_that_int8_lacks_is_named_and_can_be_kept() -> None:
    waved = beat_network(keras, wave=Wave(name="wave"))
    with pytest.raises(RefusedOp, match=r"layer wave: op SIN cannot be quantised to int8; .*--keep-float wave"):
        require_int8(convert(waved, "int8", INPUTS))
    require_int8(convert(waved, "int8", INPUTS, keep_float=("wave",)), keep_float=("wave",))
    with pytest.raises(RefusedOp, match=r"int16x8: no op SIN of that kind \(wave\)"):
        convert(waved, "int16x8", INPUTS)


def test_an_op_that_tflite_lacks_is_named() -> None:
    with pytest.raises(RefusedOp, match="layer bend: TFLite has no op Atan, in no kind"):
        convert(beat_network(keras, wave=Bend(name="bend")), "float32")


def test_layers_are_read_out_of_tensor_names() -> None:
    assert list(layers_in("m_1/relu_1/Relu;m_1/norm_1/add_1;m_1/conv_1/convolution")) == ["relu_1", "norm_1", "conv_1"]
    assert list(layers_in("StatefulPartitionedCall_1:0")) == []


def test_the_worst_layer_is_found(model) -> None:  # type: ignore[no-untyped-def]
    """The weights of one layer are made coarse: one huge weight a channel takes the whole range."""
    spoilt = keras.models.clone_model(model)
    spoilt.set_weights(model.get_weights())
    layer = spoilt.get_layer("second")
    kernel, bias = layer.get_weights()
    kernel[0, 0, 0] *= 300
    layer.set_weights([kernel, bias])
    plain = convert(spoilt, "float32")
    errors = tensor_errors(plain, convert(spoilt, "int8", INPUTS, correct=False), by_tensor(plain, INPUTS))
    kept = tensor_errors(plain, convert(spoilt, "int8", INPUTS, keep_float=("second",)), by_tensor(plain, INPUTS))
    assert all(one.lost_db < 20 for one in kept) and np.isnan(next(o.rmse_steps for o in kept if o.layer == "second"))
    good = tensor_errors(plain, plain, by_tensor(plain, INPUTS))
    assert worst(errors, 1)[0].layer == "second" and {one.snr_db for one in good} == {120.0}
    assert all(np.isnan(one.rmse_steps) for one in good)


def steady(n: int = 200) -> dict[str, np.ndarray]:
    """Inputs that hardly vary, as blank paper does not."""
    rng = np.random.default_rng(2)
    return {
        "beat": (0.9 + 0.01 * rng.normal(size=(n, 1, 96, 2))).astype(np.float32),
        "features": (0.5 + 0.01 * rng.normal(size=(n, 4))).astype(np.float32),
    }


def mean_shift(converted: bytes, plain: bytes, inputs: dict[str, np.ndarray]) -> float:
    """How far the mean of the hidden layer's inputs is from that of the float model."""
    errors = tensor_errors(plain, converted, by_tensor(plain, inputs))
    return next(one.rmse for one in errors if one.layer == "first")


def test_corrected_biases_take_out_the_shift(model) -> None:  # type: ignore[no-untyped-def]
    inputs = steady()
    plain = convert(model, "float32")
    without, with_it = (convert(model, "int16x8", inputs, correct=correct) for correct in (False, True))
    assert len(without) == len(with_it) and without != with_it
    assert mean_shift(with_it, plain, inputs) < 0.5 * mean_shift(without, plain, inputs)
    assert graph_facts(without).ops == graph_facts(with_it).ops


def blank(n: int = 200) -> dict[str, np.ndarray]:
    """Inputs that are the same nearly everywhere, as white paper is: what rounding does to one place it does to all."""
    beat = np.full((n, 1, 96, 2), 0.37, np.float32)
    beat[::2, :, :8] = 1.0
    return {"beat": beat, "features": steady(n)["features"]}


def deep_network(layers: int = 6) -> "keras.Model":
    keras.utils.set_random_seed(5)
    drawn = {"bias_initializer": "random_normal"}
    beat, features = keras.Input((1, 96, 2), name="beat"), keras.Input((4,), name="features")
    x = beat
    for k in range(layers):
        x = keras.layers.Conv2D(8, (1, 3), padding="same", activation="relu", name=f"layer{k}", **drawn)(x)
    x = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(x), features])
    said = keras.layers.Dense(4, activation="softmax", name="probabilities", **drawn)(x)
    return keras.Model([beat, features], {"probabilities": said})


def test_the_rounding_of_inputs_does_not_add_up_over_layers() -> None:
    """Each layer's bias makes up for its inputs as they are by then, rounded and corrected before it."""
    network, inputs = deep_network(), blank()
    plain = convert(network, "float32")
    without, with_it = (
        tensor_errors(plain, convert(network, "int8", inputs, correct=correct), by_tensor(plain, inputs))
        for correct in (False, True)
    )
    ratios = {one.layer: one.rmse / other.rmse for one, other in zip(with_it, without, strict=True)}
    assert ratios["layer5"] < 0.7 and ratios["probabilities"] < 0.8
    assert all(ratio < 1.05 for ratio in ratios.values()), ratios


def answers(converted: bytes, inputs: dict[str, np.ndarray]) -> np.ndarray:
    loaded = Model(converted)
    fed = by_tensor(converted, inputs)
    found = loaded.invoke({spec.name: quantise(fed[spec.name], spec) for spec in loaded.inputs})[0]
    return dequantise(found, loaded.outputs[0])


def test_every_kind_answers_as_float_does(model) -> None:  # type: ignore[no-untyped-def]
    expected = model.predict(INPUTS, verbose=0)
    limits = {"float32": 1e-5, "float16": 2e-3, "dynamic": 0.02, "int8": 0.03, "int16x8": 5e-3}
    for kind, limit in limits.items():
        converted = convert(model, kind, INPUTS)
        assert np.abs(answers(converted, INPUTS) - expected).max() < limit, kind
        assert graph_facts(converted).kind == kind or kind == "dynamic"
