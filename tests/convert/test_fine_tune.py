"""Fine-tuning on what a run was trained on: other patients and pages held back, seeded, and it learns."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from ecgedge.errors import InputError  # noqa: E402
from ecgedge_convert.changing.fine_tune import Course, answers_of, fine_tune  # noqa: E402
from ecgedge_convert.changing.page_side import page_side  # noqa: E402
from ecgedge_convert.changing.teachers import taught_by, teachers_of  # noqa: E402
from ecgedge_convert.changing.tuning_data import TuningData, data_of  # noqa: E402
from ecgedge_convert.run import load_model  # noqa: E402
from tests.convert.small_runs import BEAT_RECIPE, PATIENTS, beat_run, page_run  # noqa: E402


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder, patch = tmp_path_factory.mktemp("runs"), pytest.MonkeyPatch()
    yield {"beat": beat_run(folder, patch), "page": page_run(folder, patch)}
    patch.undo()


@pytest.fixture(scope="module")
def data(runs: dict[str, Path]) -> dict[str, TuningData]:
    return {task: data_of(run, root=None, copies=1) for task, run in runs.items()}


@pytest.mark.parametrize("task", ["beat", "page"])
def test_batches_depend_on_seed_and_epoch_only(task: str, data: dict[str, TuningData]) -> None:
    one = data[task]
    batches = list(one.batches(3))
    assert len(batches) == one.steps_per_epoch
    for (inputs, labels, weights), (again, *_) in zip(batches, one.batches(3), strict=True):
        assert all(np.array_equal(values, again[name]) for name, values in inputs.items())
        np.testing.assert_allclose(labels.sum(axis=1), 1)
        assert len(weights) == len(labels) and (weights > 0).all()
    other = next(one.batches(4))[0]
    assert not all(np.array_equal(values, other[name]) for name, values in batches[0][0].items())


def test_a_patient_held_back_is_never_drawn(data: dict[str, TuningData]) -> None:
    one = data["beat"]
    assert one.held_back.what == f"real beats of the training records {PATIENTS[-1]}"
    held = {row.tobytes() for row in one.held_back.inputs["features"]}
    drawn = {row.tobytes() for inputs, *_ in one.batches(0) for row in inputs["features"]}
    assert len(held) > 50 and len(drawn) > 100 and not held & drawn


def test_pages_held_back_are_those_that_the_run_held_back(runs: dict[str, Path], data: dict[str, TuningData]) -> None:
    facts = json.loads((runs["page"] / "training.json").read_text())
    held = data["page"].held_back
    assert facts["calibrated_on"] == f"{len(held.classes)} training pages held back"
    assert held.what.endswith("never seen by the model")
    side = page_side(runs["page"], root=None)
    learnt, part = side.lesson(0).rows, side.parts[0]
    numbers = [{side.pool.groups[row] for row in rows.tolist()} for rows in (learnt, part)]
    assert len(part) == len(held.classes) and not numbers[0] & numbers[1]
    assert {len(set(side.pool.groups)), len(numbers[0]) + len(numbers[1])} == {len(side.pool.names) // 2}


def test_a_run_of_beats_keeps_its_recipe(runs: dict[str, Path], tmp_path: Path) -> None:
    assert (runs["beat"] / "recipe.toml").read_text() == BEAT_RECIPE
    older = shutil.copytree(runs["beat"], tmp_path / "older")
    (older / "recipe.toml").unlink()
    with pytest.raises(InputError, match=r"no recipe\.toml and no recipe 'tiny' of its hash"):
        data_of(older, root=None)


@pytest.mark.parametrize("task", ["beat", "page"])
def test_it_learns_what_was_forgotten_alike_each_time(
    task: str, runs: dict[str, Path], data: dict[str, TuningData]
) -> None:
    whole = load_model(runs[task])
    teach = taught_by([whole], keras=keras)
    before = answers_of(whole, data[task].held_back.inputs, keras=keras)
    tuned = []
    for _ in range(2):
        hurt = load_model(runs[task])
        rng = np.random.default_rng(0)
        hurt.set_weights([value + rng.normal(0, 0.1, value.shape) ** 2 for value in hurt.get_weights()])
        off = np.abs(answers_of(hurt, data[task].held_back.inputs, keras=keras) - before).mean()
        history = fine_tune(hurt, Course(data[task], epochs=3, learning_rate=3e-3, teach=teach), keras=keras)
        assert np.abs(answers_of(hurt, data[task].held_back.inputs, keras=keras) - before).mean() < 0.7 * off
        assert [row["epoch"] for row in history] == [0, 1, 2]  # losses hold the entropy of other batches each time
        assert 0 <= history[-1]["called_as_teacher"] <= 1
        tuned.append(hurt.get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(*tuned, strict=True))


def test_a_teacher_with_other_inputs_is_named(runs: dict[str, Path]) -> None:
    beat, page = load_model(runs["beat"]), load_model(runs["page"])
    assert len(teachers_of([str(runs["beat"]), str(runs["beat"])], beat)) == 2
    with pytest.raises(InputError, match="a teacher sees the same batch"):
        teachers_of([str(runs["beat"])], page)


def test_two_teachers_say_their_mean(runs: dict[str, Path], data: dict[str, TuningData]) -> None:
    one, other = load_model(runs["beat"]), load_model(runs["beat"])
    other.set_weights([value * 0.5 for value in other.get_weights()])
    inputs = data["beat"].held_back.inputs
    said = [answers_of(model, inputs, keras=keras) for model in (one, other)]
    np.testing.assert_allclose(taught_by([one, other], keras=keras)(inputs), np.mean(said, axis=0), atol=1e-6)
