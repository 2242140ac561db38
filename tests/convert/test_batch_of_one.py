"""A model rewritten for a batch of one: the same answers, no shape arithmetic, constants aligned."""

import numpy as np
import pytest

from ecgedge.bundle import read_bundle, shipped_bundles
from ecgedge.errors import BundleError
from ecgedge.runtime import Model
from ecgedge_convert.target.batch_of_one import ALIGNMENT, batch_of_one
from ecgedge_convert.tflite_file import read_graph, tflite_schema
from ecgedge_convert.tflite_graph import graph_facts
from tests.convert.small_models import repeating_model

SHIPPED = sorted(shipped_bundles())
REPEATING = "a repeating model"


def answers(model: bytes, *, n: int) -> list[dict[str, np.ndarray]]:
    loaded, rng, found = Model(model), np.random.default_rng(3), []
    for _ in range(n):
        inputs = {
            spec.name: rng.integers(-128, 128, spec.shape).astype(np.int8)
            for spec in sorted(loaded.inputs, key=lambda spec: spec.name)
        }
        outputs = zip(loaded.outputs, loaded.invoke(inputs), strict=True)
        found.append({spec.name: values.copy() for spec, values in outputs})
    return found


@pytest.mark.parametrize("slim", [False, True])
@pytest.mark.parametrize("name", SHIPPED)
def test_answers_stay_the_same(name: str, slim: bool) -> None:
    model = read_bundle(name).model
    fixed = batch_of_one(model, slim=slim)
    for before, after in zip(answers(model, n=10), answers(fixed, n=10), strict=True):
        assert before.keys() == after.keys()
        for key, values in before.items():
            np.testing.assert_array_equal(values, after[key])
    assert len({answer.tobytes() for row in answers(fixed, n=10) for answer in row.values()}) > 1


@pytest.mark.parametrize("name", [*SHIPPED, REPEATING])
def test_nothing_is_left_to_be_computed_from_shapes(name: str) -> None:
    model = repeating_model() if name == REPEATING else read_bundle(name).model
    assert name != REPEATING or "SHAPE" in graph_facts(model).ops
    graph, facts = read_graph(batch_of_one(model)), graph_facts(batch_of_one(model))
    assert not {"SHAPE", "PACK"} & facts.ops.keys()
    assert all(tensor.dynamic == () for tensor in graph.tensors)
    assert all(len(op.activations) >= 1 for op in graph.ops)
    assert facts.macs == graph_facts(model).macs
    assert facts.parameters == graph_facts(model).parameters


@pytest.mark.parametrize("name", SHIPPED)
def test_slim_is_smaller_and_the_same_again(name: str) -> None:
    model = read_bundle(name).model
    fixed, slim = batch_of_one(model), batch_of_one(model, slim=True)
    assert len(slim) < len(fixed) < len(model)
    assert slim == batch_of_one(model, slim=True) == batch_of_one(slim, slim=True)
    shown = {tensor.index for tensor in (*read_graph(slim).inputs, *read_graph(slim).outputs)}
    assert all(bool(tensor.name) == (tensor.index in shown) for tensor in read_graph(slim).tensors)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_constant_begins_where_the_schema_wants_it(name: str) -> None:
    fixed = batch_of_one(read_bundle(name).model, slim=True)
    content = tflite_schema().Model.GetRootAs(fixed, 0)
    places = []
    for number in range(content.BuffersLength()):
        buffer = content.Buffers(number)
        if not buffer.DataIsNone() and buffer.DataLength():
            places.append(buffer._tab.Vector(buffer._tab.Offset(4)))
    assert len(places) > 20
    assert [place % ALIGNMENT for place in places] == [0] * len(places)


def test_an_input_that_no_op_reads_is_gone() -> None:
    tf = pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")
    specs = [tf.TensorSpec((None, 3), tf.float32, name=name) for name in ("unread", "read")]

    @tf.function(input_signature=specs)
    def network(unread, read):  # type: ignore[no-untyped-def]
        del unread
        return tf.nn.relu(read)

    model = bytes(tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()]).convert())
    assert len(read_graph(model).inputs) == 2
    for slim in (False, True):
        (kept,) = Model(batch_of_one(model, slim=slim)).inputs
        assert kept.name == "read"


def test_what_is_no_model_is_named() -> None:
    with pytest.raises(BundleError, match=r"\.tflite model"):
        batch_of_one(b"nonsense")


def test_a_loop_is_refused() -> None:
    tf = pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
    def doubled(x):  # type: ignore[no-untyped-def]
        return tf.while_loop(lambda y: tf.reduce_sum(y) < 100.0, lambda y: (y * 2,), [x])[0]

    model = tf.lite.TFLiteConverter.from_concrete_functions([doubled.get_concrete_function()]).convert()
    with pytest.raises(BundleError, match="3 subgraphs"):
        batch_of_one(bytes(model))
