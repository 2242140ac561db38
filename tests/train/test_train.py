"""Training end to end on two simulated patients, in seconds; killed and resumed gives the same weights."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="training needs the extra [train]")
pytest.importorskip("tensorflow", reason="training needs the extra [train]")

from click.testing import CliRunner  # noqa: E402

from ecgedge.beats import BeatSettings, cut_beats  # noqa: E402
from ecgedge.decide import Decision  # noqa: E402
from ecgedge.records import Recording  # noqa: E402
from ecgedge.simulate import simulate_ecg  # noqa: E402
from ecgedge_train import folds, representative, workshop  # noqa: E402
from ecgedge_train.commands.train import train  # noqa: E402
from ecgedge_train.datasets import DATASETS  # noqa: E402
from ecgedge_train.ensemble import count_epochs, join, taught_targets  # noqa: E402
from ecgedge_train.models import MODELS, build_model  # noqa: E402
from ecgedge_train.pool import build_pool, fit_settings, scaled, targets  # noqa: E402
from ecgedge_train.recipe import read_recipe  # noqa: E402
from ecgedge_train.workshop import train_recipe  # noqa: E402

RECIPE = """
name = "tiny"
class_bias = [0.0, 0.5, 0.0, 0.0]
[pool]
virtual_copies = 1
noise = "invented"
features = ["before/q50_30", "qrs_correlation", "p_match"]
[[members]]
model = "beat_mlp"
seeds = [1]
epochs = 2
beats_per_epoch = 256
batch = 64
[[members]]
model = "beat_cnn"
seeds = [2]
epochs = 3
beats_per_epoch = 256
batch = 64
"""
PATIENTS = ("a", "b")


def simulated(records: Sequence[str], *, root: Path | None = None) -> Iterator[Recording]:
    assert root is None
    for record in records:
        seed = sum(record.encode())
        ecg = simulate_ecg(90, fs_hz=360, seed=seed, sveb_rate=6.0, veb_rate=6.0, leads=("MLII", "V1"))
        yield Recording(ecg.signal, 360.0, ecg.leads, record, ecg.beats)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(DATASETS, "mitdb", simulated)
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path


def weights(folder: Path) -> list[np.ndarray]:
    found: list[np.ndarray] = keras.models.load_model(folder / "model.keras", compile=False).get_weights()
    return found


class Killed(Exception):
    """Stands for a kill."""


def test_killed_and_resumed_equals_uninterrupted(recipe: Path, tmp_path: Path) -> None:
    train_recipe(recipe, tmp_path / "whole", data_root=None, records=PATIENTS)
    for last in (2, 4):
        epochs = iter(range(last))

        def advance(_name: str, loss: float, epochs: Iterator[int] = epochs) -> None:
            if loss and next(epochs, None) is None:
                raise Killed

        with pytest.raises(Killed):
            train_recipe(recipe, tmp_path / "cut", data_root=None, records=PATIENTS, advance=advance)
        if last == 2:
            assert not (tmp_path / "cut/model.keras").exists()
        train_recipe(recipe, tmp_path / "cut", data_root=None, records=PATIENTS)
        for one, other in zip(weights(tmp_path / "whole"), weights(tmp_path / "cut"), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
        for old in (tmp_path / "cut").rglob("*.*"):
            old.unlink()


def test_a_run_leaves_what_the_conversion_needs(recipe: Path, tmp_path: Path) -> None:
    trained = train_recipe(recipe, tmp_path / "run", data_root=None, records=PATIENTS)
    settings = json.loads((tmp_path / "run/settings.json").read_text())
    assert BeatSettings.from_manifest(settings["beats"]) == trained.settings
    assert Decision.from_manifest(settings["decision"]) == Decision()
    facts = json.loads((tmp_path / "run/training.json").read_text())
    assert facts["recipe_sha256"] == read_recipe(recipe).sha256
    assert facts["seeds"] == [1, 2]
    assert set(json.loads((tmp_path / "run/history.json").read_text())) == {"beat_mlp-1", "beat_cnn-2"}
    assert (tmp_path / "run/curves.png").stat().st_size > 1000
    ecg = next(simulated(["c"]))
    assert ecg.beats is not None
    batch = cut_beats(ecg.signal[:, :1], ecg.beats.sample, trained.settings)
    out = trained.model.predict(batch.inputs, verbose=0)
    assert out.shape == (len(ecg.beats.sample), 4)
    np.testing.assert_allclose(out.sum(axis=1), 1, atol=1e-5)


def test_another_recipe_does_not_take_up_old_checkpoints(recipe: Path, tmp_path: Path) -> None:
    train_recipe(recipe, tmp_path / "run", data_root=None, records=PATIENTS)
    recipe.write_text(RECIPE.replace("0.5, 0.0", "0.6, 0.0"))
    said: list[float] = []
    train_recipe(
        recipe, tmp_path / "run", data_root=None, records=PATIENTS, advance=lambda _name, loss: said.append(loss)
    )
    assert sum(loss > 0 for loss in said) == 5


def test_the_command_trains_and_cross_validates(recipe: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(
        workshop.train_recipe, "__kwdefaults__", workshop.train_recipe.__kwdefaults__ | {"records": PATIENTS}
    )
    done = CliRunner().invoke(train, [str(recipe), "-o", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert "ecgedge convert" in done.output
    monkeypatch.setattr(folds, "FOLDS", (("101",), ("106",)))
    monkeypatch.setattr(folds, "DS1", ("101", "106"))
    done = CliRunner().invoke(train, [str(recipe), "--folds"])
    assert done.exit_code == 0, done.output
    assert "patient-wise folds of DS1, jk" in done.output


def taught_by(recipe: Path, share: float, *, class_bias: float = 0.5) -> Path:
    """A recipe of one small network whose teacher is the other recipe."""
    recipe.write_text(RECIPE.replace("0.5, 0.0", f"{class_bias}, 0.0"))
    path = recipe.with_name("small.toml")
    pool = RECIPE[RECIPE.index("[pool]") : RECIPE.index("[[members]]")]
    members = '[[members]]\nmodel = "beat_micro"\nseeds = [1]\nepochs = 2\nbeats_per_epoch = 256\nbatch = 64\n'
    teacher = f'[[teachers]]\nrecipe = "{recipe.name}"\nshare = {share}\n'
    path.write_text(f'name = "small"\n{pool}{members}{teacher}')
    return path


def test_teachers_are_trained_first_and_named(recipe: Path, tmp_path: Path) -> None:
    epochs: list[str] = []
    path = taught_by(recipe, 1.0)
    trained = train_recipe(
        path, tmp_path / "run", data_root=None, records=PATIENTS, advance=lambda name, _loss: epochs.append(name)
    )
    names = ["teacher0-beat_mlp-1"] * 2 + ["teacher0-beat_cnn-2"] * 3 + ["beat_micro-1"] * 2
    assert epochs == ["data", *names]
    assert count_epochs(trained.recipe) == len(names)
    facts = json.loads((tmp_path / "run/training.json").read_text())
    assert facts["teachers"] == [{"recipe": "tiny", "recipe_sha256": read_recipe(recipe).sha256, "share": 1.0}]
    assert facts["parameters"] == trained.model.count_params() < 3000
    assert set(json.loads((tmp_path / "run/history.json").read_text())) == {"beat_micro-1"}
    assert read_recipe(tmp_path / "run/recipe.toml").stamp == trained.recipe.stamp


def test_targets_are_the_teachers_by_its_share(recipe: Path) -> None:
    """A teacher whose bias makes it say S always is heard as much as its share says."""
    content = read_recipe(taught_by(recipe, 0.75, class_bias=50.0))
    pool = build_pool(content.pool, PATIENTS, data_root=None, seed=content.seed)
    pool = scaled(pool, fit_settings(pool, content.pool.features))
    said = taught_targets(pool, content, folder=None, advance=lambda _name, _loss: None)
    reference = targets(pool)
    np.testing.assert_allclose(said, 0.25 * reference + 0.75 * np.array((0, 1, 0, 0)), atol=1e-3)
    assert (reference[:, 0] == 1).any()


def test_a_changed_teacher_begins_the_run_again(recipe: Path, tmp_path: Path) -> None:
    train_recipe(taught_by(recipe, 1.0), tmp_path / "run", data_root=None, records=PATIENTS)
    losses: list[float] = []
    path = taught_by(recipe, 1.0, class_bias=0.6)
    train_recipe(
        path, tmp_path / "run", data_root=None, records=PATIENTS, advance=lambda _name, loss: losses.append(loss)
    )
    assert sum(loss > 0 for loss in losses) == 7


def test_representative_inputs_are_of_the_training_side(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def watched(records: Sequence[str], *, root: Path | None = None) -> Iterator[Recording]:
        asked.extend(records)
        yield from simulated(records[:3], root=root)

    monkeypatch.setitem(DATASETS, "mitdb", watched)
    settings = BeatSettings(("before/q50_30",), (0.0,), (1.0,))
    inputs = representative.representative_inputs(settings, root=None, n=60)
    again = representative.representative_inputs(settings, root=None, n=60)
    assert set(asked) == set(representative.DS1)
    assert inputs["features"].dtype == np.float32
    assert 30 <= len(inputs["features"]) <= 60
    assert np.array_equal(inputs["beat"], again["beat"])


def test_joined_towers_average_their_logits() -> None:
    names = ["beat_mlp", "beat_cnn", "beat_micro"]
    apart = [(name, build_model([name], 5, 96, keras=keras)) for name in names]
    joined = join(apart, n_features=5, n_window=96)
    rng = np.random.default_rng(0)
    inputs = {"beat": rng.normal(size=(7, 1, 96, 2)), "features": rng.normal(size=(7, 5))}
    logits = np.mean([np.log(model.predict(inputs, verbose=0)) for _, model in apart], axis=0)
    odds = np.exp(logits)
    wanted = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(joined.predict(inputs, verbose=0), wanted, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_models_build_small_and_give_probabilities(name: str) -> None:
    model = build_model([name], 5, 96, keras=keras)
    assert model.count_params() < 20_000
    out = model.predict({"beat": np.zeros((3, 1, 96, 2)), "features": np.zeros((3, 5))}, verbose=0)
    np.testing.assert_allclose(out.sum(axis=1), 1, atol=1e-5)
