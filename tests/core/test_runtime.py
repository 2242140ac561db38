"""The interpreter behind one door: batches, quantisation, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgedge.bundle import read_bundle
from ecgedge.errors import BundleError
from ecgedge.runtime import Model, TensorSpec, dequantise, find_runtime, load_interpreter, quantise

SPEC = TensorSpec("x", 0, (1, 4), np.dtype(np.int8), 0.05, -10)


def test_a_runtime_is_found() -> None:
    assert find_runtime().name in ("ai-edge-litert", "tflite-runtime")


def test_a_broken_model_is_one_line() -> None:
    with pytest.raises(BundleError, match="cannot run the model") as caught:
        load_interpreter(b"not a model").allocate_tensors()
    assert "\n" not in str(caught.value)


@given(st.lists(st.floats(-5.75, 6.25, width=32), min_size=1, max_size=20))
def test_quantisation_is_off_by_half_a_step_at_most(values: list[float]) -> None:
    real = np.array(values, np.float32)
    again = dequantise(quantise(real, SPEC), SPEC)
    assert np.abs(again - real).max() <= SPEC.scale / 2 + 1e-5


def test_quantisation_saturates_and_leaves_float_alone() -> None:
    assert quantise(np.array([-100.0, 100.0], np.float32), SPEC).tolist() == [-128, 127]
    plain = TensorSpec("x", 0, (1, 4), np.dtype(np.float32), 0.0, 0)
    assert quantise(np.array([1.23], np.float32), plain).tolist() == [np.float32(1.23)]


def test_a_batch_gives_what_single_vectors_give() -> None:
    bundle = read_bundle("beat")
    model, rng = Model(bundle.model), np.random.default_rng(0)
    inputs = {spec.name: rng.integers(-128, 128, (7, *spec.shape[1:]), dtype=np.int8) for spec in model.inputs}
    together = model.invoke(inputs)[0].copy()
    alone = [model.invoke({name: values[k : k + 1] for name, values in inputs.items()})[0].copy() for k in range(7)]
    np.testing.assert_array_equal(together, np.concatenate(alone))
