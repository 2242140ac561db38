"""Quantisation of a small real model: int8 throughout, close to float, bad representative data named."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from ecgedge.errors import InputError  # noqa: E402
from ecgedge.runtime import Model, dequantise, quantise  # noqa: E402
from ecgedge_convert.export import spec_of  # noqa: E402
from ecgedge_convert.quantise import convert, to_float32, to_int8  # noqa: E402
from ecgedge_convert.tflite_file import read_graph  # noqa: E402

NAMES = ("window", "rhythm")


@pytest.fixture(scope="module")
def model() -> "keras.Model":
    keras.utils.set_random_seed(0)
    window, rhythm = keras.Input((1, 32, 1), name="window"), keras.Input((5,), name="rhythm")
    x = keras.layers.Conv2D(4, (1, 5), activation="relu")(window)
    x = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(x), rhythm])
    return keras.Model([window, rhythm], keras.layers.Dense(4, activation="softmax")(x))


@pytest.fixture(scope="module")
def inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "window": rng.normal(size=(150, 1, 32, 1)).astype(np.float32),
        "rhythm": rng.uniform(-1, 1, (150, 5)).astype(np.float32),
    }


def run(model_bytes: bytes, inputs: dict[str, np.ndarray]) -> np.ndarray:
    loaded = Model(model_bytes)
    specs = {name: spec for name in NAMES if (spec := spec_of(name, loaded.inputs)) is not None}
    assert set(specs) == set(NAMES)
    output = loaded.invoke({spec.name: quantise(inputs[name], spec) for name, spec in specs.items()})[0]
    return dequantise(output, loaded.outputs[0])


def test_float32_is_the_model(model: "keras.Model", inputs: dict[str, np.ndarray]) -> None:
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(run(to_float32(model), inputs), expected, atol=1e-5)


def test_int8_is_int8_throughout_and_close(model: "keras.Model", inputs: dict[str, np.ndarray]) -> None:
    quantised = to_int8(model, inputs)
    loaded = Model(quantised)
    assert {spec.dtype.name for spec in (*loaded.inputs, *loaded.outputs)} == {"int8"}
    expected = model.predict(inputs, verbose=0)
    assert np.abs(run(quantised, inputs) - expected).max() < 0.03


def test_the_same_model_gives_the_same_bytes(model: "keras.Model", inputs: dict[str, np.ndarray]) -> None:
    assert to_int8(model, inputs) == to_int8(model, inputs)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: {**a, "window": a["window"][:, :, :16]}, "representative data of shape"),
        (lambda a: {name: values[:10] for name, values in a.items()}, "10 representative inputs; at least 100"),
        (lambda a: {**a, "rhythm": np.full_like(a["rhythm"], np.nan)}, "rhythm holds NaN"),
    ],
)
def test_bad_representative_data_is_named(model, inputs, change, said) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=said):
        to_int8(model, change(inputs))


def test_dense_layers_may_have_one_scale(model: "keras.Model", inputs: dict[str, np.ndarray]) -> None:
    found = {}
    for per_channel in (True, False):
        quantised = convert(model, "int8", inputs, dense_per_channel=per_channel)
        (dense,) = [op for op in read_graph(quantised).ops if op.name == "FULLY_CONNECTED"]
        found[per_channel] = len(dense.inputs[1].scales), len(quantised)
        assert np.abs(run(quantised, inputs) - model.predict(inputs, verbose=0)).max() < 0.03
    assert (found[True][0], found[False][0]) == (4, 1)
    assert found[False][1] < found[True][1]
