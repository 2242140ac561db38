"""The shipped beat model in TensorFlow Lite Micro: its arena, its answers beside LiteRT's, and why they may differ."""

import math
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite_micro", reason="the workshop's extra [mcu] is not installed")

from ecgedge.bundle import read_bundle
from ecgedge.errors import BundleError
from ecgedge.golden_checks import part
from ecgedge_convert.target.batch_of_one import batch_of_one
from ecgedge_convert.target.micro import (
    ARENA_STEP,
    DEFAULT,
    OPTIMISED,
    REFERENCE,
    MicroRun,
    _Lite,
    _Micro,
    _refusal,
    run_in_micro,
)
from ecgedge_convert.tflite_file import TfliteGraph, read_graph
from ecgedge_convert.tflite_graph import graph_facts
from tests.convert.small_models import repeating_model

OLD_PYTHON = Path(__file__).parents[2] / ".venv-tflite" / "bin" / "python"
OLD = """
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter, OpResolverType
model = Interpreter(sys.argv[1] + "/m.tflite", experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
model.allocate_tensors()
kept, equal = np.load(sys.argv[1] + "/m.npz"), 0
for row, expected in zip(kept["rows"], kept["expected"]):
    model.set_tensor(model.get_input_details()[0]["index"], row)
    model.invoke()
    equal += np.array_equal(model.get_tensor(model.get_output_details()[0]["index"])[0], expected)
print(equal, "of", len(kept["rows"]))
"""


@pytest.fixture(scope="module")
def model() -> bytes:
    return batch_of_one(read_bundle("beat").model, slim=True)


@pytest.fixture(scope="module")
def run(model: bytes) -> MicroRun:
    return run_in_micro(model, part(read_bundle("beat").golden, "input"), n_random=200)


def test_the_arena_is_the_smallest(model: bytes, run: MicroRun) -> None:
    assert _refusal(model, run.arena_bytes) is None
    assert _refusal(model, run.arena_bytes - ARENA_STEP) is not None
    assert graph_facts(model).peak_tensor_bytes < run.arena_bytes < 16_000


def test_it_answers_as_litert_does(run: MicroRun) -> None:
    found = {(one.against, one.inputs): one for one in run.agreements}
    assert len(found) == 6
    golden = read_bundle("beat").golden
    assert found[REFERENCE, "golden"].vectors == len(golden["output"])
    assert found[OPTIMISED, "golden"].bit_equal
    for one in found.values():
        assert one.equal > 0.85 * one.vectors
        assert one.most_steps <= (1 if one.inputs == "golden" else 8)


def test_where_they_differ_is_found_and_only_in_dense_layers(run: MicroRun) -> None:
    places = {name for one in run.agreements if one.against == REFERENCE for name in one.first_ops}
    assert places == {"FULLY_CONNECTED"}
    assert not run.bit_equal


def test_a_model_without_a_kernel_is_named() -> None:
    with pytest.raises(BundleError, match="cannot run the model"):
        run_in_micro(batch_of_one(repeating_model()), {})


def test_another_bias_is_seen(model: bytes) -> None:
    """One bit of the last dense layer's bias changed: its values must be found different."""
    graph = read_graph(model)
    last = [op for op in graph.ops if op.name == "FULLY_CONNECTED"][-1]
    bias = last.inputs[2].constant
    assert bias is not None
    place = model.index(bias) + 1
    changed = model[:place] + bytes((model[place] ^ 0x20,)) + model[place + 1 :]
    golden = part(read_bundle("beat").golden, "input")
    vector = [golden[tensor.name][:1] for tensor in graph.inputs]
    ours, same, theirs = (
        _Micro(graph, changed, keep_all=True),
        _Micro(graph, model, keep_all=True),
        _Lite(graph, model, REFERENCE, keep_all=True),
    )
    for judge in (ours, same, theirs):
        judge.answer(vector)
    made = last.outputs[0]
    assert np.array_equal(same.tensor(made), theirs.tensor(made))
    assert not np.array_equal(ours.tensor(made), theirs.tensor(made))


@pytest.fixture(scope="module")
def convolutions() -> bytes:
    """The family for microcontrollers, int8, with weights and biases that are not trained but random."""
    keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
    pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")
    from ecgedge_convert.quantise import to_int8
    from ecgedge_train.models import build_model

    rng = np.random.default_rng(0)
    made = build_model(["beat_micro"], 49, 96, keras=keras)
    made.set_weights([rng.normal(size=weight.shape) / 4 for weight in made.get_weights()])
    inputs = {"beat": rng.uniform(-1, 1, (150, 1, 96, 2)), "features": rng.uniform(-2, 2, (150, 49))}
    return batch_of_one(to_int8(made, {name: values.astype(np.float32) for name, values in inputs.items()}), slim=True)


def test_convolutions_are_bit_equal_with_the_reference_kernels(convolutions: bytes) -> None:
    found = run_in_micro(convolutions, {}, n_random=1000)
    assert found.bit_equal
    first = found.agreements[0]
    assert (first.against, first.vectors) == (REFERENCE, 1000)
    assert found.arena_bytes < 6_000 and len(convolutions) < 12_000


def test_the_old_runtime_agrees_bit_by_bit(convolutions: bytes, tmp_path: Path) -> None:
    """tflite-runtime 2.14, reference kernels, in an environment of its own."""
    if not OLD_PYTHON.exists():
        pytest.skip("no .venv-tflite here; `make test` builds it on Python 3.11, the last that tflite-runtime has")
    graph = read_graph(convolutions)
    micro = _Micro(graph, convolutions, keep_all=False)
    rows = np.random.default_rng(4).integers(-128, 128, (500, 1, 49)).astype(np.int8)
    expected = np.concatenate([micro.answer([row])[0] for row in rows])
    (tmp_path / "m.tflite").write_bytes(convolutions)
    np.savez(tmp_path / "m.npz", rows=rows, expected=expected)
    done = subprocess.run([OLD_PYTHON, "-c", OLD, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["500", "of", "500"]


# --- why: the three ways in which an accumulator is brought back to 8 bits, each computed here by hand


def fixed_point(real: float) -> tuple[int, int]:
    """A factor as a 31-bit integer and a power of two."""
    mantissa, power = math.frexp(real)
    return round(mantissa * 2**31), power


def rounded_twice(total: np.ndarray, real: float) -> np.ndarray:
    """First to the high half of the doubled product, then by the shift; ties away from zero."""
    factor, power = fixed_point(real)
    assert power <= 0
    product = total * factor
    nudged = product + np.where(product >= 0, 2**30, 1 - 2**30)
    high = np.sign(nudged) * (np.abs(nudged) >> 31)
    mask = (1 << -power) - 1
    return (high >> -power) + ((high & mask) > (mask >> 1) + (high < 0))


def rounded_once(total: np.ndarray, real: float) -> np.ndarray:
    """The whole product, then one shift; ties upwards."""
    factor, power = fixed_point(real)
    shift = 31 - power
    return (total * factor + (1 << (shift - 1))) >> shift


def rounded_in_float(total: np.ndarray, real: float) -> np.ndarray:
    """In float32; ties to even."""
    return np.rint(total.astype(np.float32) * np.float32(real)).astype(np.int64)


@pytest.fixture(scope="module")
def dense() -> bytes:
    """One dense layer, int8, one scale for all its weights."""
    keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
    tf = pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")
    keras.utils.set_random_seed(0)
    features = keras.Input((49,), name="features")
    layer = keras.layers.Dense(64, activation="relu", bias_initializer="random_normal")
    model = keras.Model(features, layer(features))
    rng = np.random.default_rng(0)
    examples = rng.uniform(-2, 2, (200, 1, 49)).astype(np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row] for row in examples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return batch_of_one(bytes(converter.convert()))


def expected(graph: TfliteGraph, values: np.ndarray, rounded) -> np.ndarray:  # type: ignore[no-untyped-def]
    (op,) = graph.ops
    source, weights, bias = op.inputs
    (made,) = op.outputs
    total = (values.astype(np.int64) - source.zero_points[0]) @ weights.values.astype(np.int64).T
    real = source.scales[0] * weights.scales[0] / made.scales[0]
    zero = made.zero_points[0]
    return np.clip(rounded(total + bias.values.astype(np.int64), real) + zero, zero, 127)


@pytest.mark.parametrize(
    ("kernels", "rounded"),
    [("micro", rounded_twice), (OPTIMISED, rounded_twice), (REFERENCE, rounded_once), (DEFAULT, rounded_in_float)],
)
def test_why_kernels_differ(dense: bytes, kernels: str, rounded) -> None:  # type: ignore[no-untyped-def]
    """Each kernel is exactly one of the three roundings; rounding twice is seen to differ from the other two."""
    graph = read_graph(dense)
    assert [op.name for op in graph.ops] == ["FULLY_CONNECTED"]
    judge = _Micro(graph, dense, keep_all=False) if kernels == "micro" else _Lite(graph, dense, kernels, keep_all=False)
    values = np.random.default_rng(1).integers(-128, 128, (1500, 1, 49)).astype(np.int8)
    found = np.concatenate([judge.answer([row])[0] for row in values]).astype(np.int64)
    np.testing.assert_array_equal(found, expected(graph, values[:, 0], rounded))
    others = (rounded_once, rounded_in_float) if rounded is rounded_twice else (rounded_twice,)
    assert all(np.any(found != expected(graph, values[:, 0], other)) for other in others)
