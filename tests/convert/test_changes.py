"""Pruning, clustering and quantisation-aware training of small trained networks, through to int8."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow_model_optimization", reason="the workshop's extra [convert] is not installed")

from ecgedge.errors import InputError  # noqa: E402
from ecgedge.runtime import Model, dequantise, quantise  # noqa: E402
from ecgedge_convert.changing.changes import Changed, changed  # noqa: E402
from ecgedge_convert.changing.fine_tune import answers_of  # noqa: E402
from ecgedge_convert.changing.tuning_data import data_of  # noqa: E402
from ecgedge_convert.qat_int8 import qat_to_int8  # noqa: E402
from ecgedge_convert.run import load_model  # noqa: E402
from ecgedge_convert.tflite_file import read_graph  # noqa: E402
from ecgedge_convert.variant import Variant  # noqa: E402
from tests.convert.small_runs import BEAT_RECIPE, beat_run, page_run  # noqa: E402

SHA256 = hashlib.sha256(BEAT_RECIPE.encode()).hexdigest()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder, patch = tmp_path_factory.mktemp("runs"), pytest.MonkeyPatch()
    yield {"beat": beat_run(folder, patch), "page": page_run(folder, patch)}
    patch.undo()


def change(run: Path, variant: Variant) -> Changed:
    return changed(load_model(run), variant, run, root=None)


def kernels(model: "keras.Model") -> dict[str, np.ndarray]:
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    return {layer.name: layer.get_weights()[0] for layer in model.layers if isinstance(layer, kinds)}


def int8_answers(model: bytes, inputs: dict[str, np.ndarray]) -> np.ndarray:
    loaded = Model(model)
    (output,) = (k for k, spec in enumerate(loaded.outputs) if spec.shape == (1, 4))
    specs = {spec.name: spec for spec in loaded.inputs}
    said = loaded.invoke({name: quantise(inputs[name], spec) for name, spec in specs.items()})[output]
    return dequantise(said, loaded.outputs[output])


def test_nothing_asked_changes_nothing(runs: dict[str, Path]) -> None:
    model = load_model(runs["page"])
    found = changed(model, Variant("int8"), None, root=None)
    assert found.model is model and not found.facts and not found.rounded


def test_without_a_run_the_remedy_is_named(runs: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="give the folder of its run"):
        changed(load_model(runs["page"]), Variant("pruned", prune=0.5), None, root=None)


@pytest.mark.parametrize("task", ["beat", "page"])
def test_pruned_and_clustered_and_still_right(task: str, runs: dict[str, Path]) -> None:
    run, held = runs[task], data_of(runs[task], root=None).held_back
    found = change(run, Variant("small", prune=0.6, cluster=8, epochs=3))
    facts = found.facts["prune"]
    assert isinstance(found.model, keras.Model) and not found.rounded and isinstance(facts, dict)
    for name, kernel in kernels(found.model).items():
        assert abs((kernel == 0).mean() - 0.6) < 0.02 + 1 / kernel.size
        if name not in found.facts["cluster"]["left"]:
            assert len(np.unique(kernel)) <= 8
    before, after = facts["gzip_bytes_of_weights"]
    assert after < 0.7 * before and found.facts["cluster"]["gzip_bytes_of_weights"][1] < after
    assert "not time" in facts["saves"] and len(facts["history"]) == 3
    said = answers_of(found.model, held.inputs, keras=keras).argmax(axis=1)
    assert (said == answers_of(load_model(run), held.inputs, keras=keras).argmax(axis=1)).mean() > 0.8


@pytest.mark.parametrize("task", ["beat", "page"])
def test_trained_with_rounding_is_int8_throughout_and_close(task: str, runs: dict[str, Path]) -> None:
    run, held = runs[task], data_of(runs[task], root=None).held_back
    inputs = {name: values[:60] for name, values in held.inputs.items()}
    found = change(run, Variant("qat", qat=True, epochs=2))
    assert found.rounded and found.facts["qat"]["left_in_float"] == {}
    made = qat_to_int8(found.model)
    graph = read_graph(made)
    assert {tensor.name for tensor in graph.inputs} <= set(inputs) and not any(t.is_float for t in graph.tensors)
    whole = answers_of(load_model(run), inputs, keras=keras)
    assert np.abs(int8_answers(made, inputs) - whole).mean() < 0.02
    import tf_keras

    np.testing.assert_allclose(int8_answers(made, inputs), answers_of(found.model, inputs, keras=tf_keras), atol=0.03)


def test_zeros_stay_zeros_through_rounding(runs: dict[str, Path]) -> None:
    found = change(runs["beat"], Variant("pruned-qat", prune=0.7, qat=True, epochs=2))
    made = qat_to_int8(found.model)
    kernels = [t.values for t in read_graph(made).parameters if t.dtype == "int8" and t.n_values > 100]
    assert kernels and all((values == 0).mean() > 0.65 for values in kernels)


def test_the_same_seed_gives_the_same_bytes(runs: dict[str, Path]) -> None:
    variant = Variant("all", channels=0.75, prune=0.5, qat=True, epochs=1, seed=3)
    made = [qat_to_int8(change(runs["page"], variant).model) for _ in range(2)]
    assert made[0] == made[1]
    other = qat_to_int8(
        change(runs["page"], Variant("all", channels=0.75, prune=0.5, qat=True, epochs=1, seed=4)).model
    )
    assert other != made[0]


def test_a_variant_learns_from_the_teachers_it_names(runs: dict[str, Path]) -> None:
    told: list[tuple[str, int, int]] = []
    run = runs["beat"]
    found = changed(
        load_model(run),
        Variant("taught", teachers=(str(run), str(run)), epochs=2),
        run,
        root=None,
        advance=lambda change, epoch, epochs, _loss: told.append((change, epoch, epochs)),
    )
    assert found.facts["fine_tuned_on"]["teachers"] == [f"tiny {SHA256[:8]}"] * 2
    assert told == [("teachers", 1, 2), ("teachers", 2, 2)] and not found.rounded
    assert found.facts["teachers"]["history"][-1]["called_as_teacher"] > 0.9
