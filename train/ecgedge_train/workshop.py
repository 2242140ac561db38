"""From a recipe to a trained model in a folder, with all that must be known about it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from ecgedge.beats import BeatSettings
from ecgedge.decide import Decision
from ecgedge.extras import versions
from ecgedge.manifest import Json
from ecgedge_train.ensemble import train_ensemble
from ecgedge_train.fit import History
from ecgedge_train.pool import build_pool, fit_settings, scaled
from ecgedge_train.recipe import RUN_RECIPE, Recipe, read_recipe
from ecgedge_train.split import DS1, FOLDS, split_hash

RECIPE = RUN_RECIPE
_LIBRARIES = ("keras", "tensorflow", "numpy", "scipy")
_LEFT_OUT = "201: the same person as 202 of the test side"

Advance = Callable[[str, float], None]
"""Called after the data is there (name `data`) and after each epoch, with the network's name and its loss."""


@dataclass(frozen=True)
class TrainedModel:
    """What a training run leaves behind."""

    folder: Path
    model: keras.Model
    settings: BeatSettings
    recipe: Recipe


def train_recipe(
    recipe_path: Path,
    out_dir: Path,
    *,
    data_root: Path | None,
    resume: bool = True,
    advance: Advance = lambda _name, _loss: None,
    records: tuple[str, ...] = DS1,
) -> TrainedModel:
    """Train what a recipe says and write model, settings, facts, history and curves.

    Parameters
    ----------
    data_root : folder of the data sets; None looks where `ecgedge.catalogue.locate` looks
    resume : go on with a run that was killed, if it had the same recipe; otherwise begin again
    records : patients to train on; never one of DS2

    Raises
    ------
    SettingsError
        The recipe cannot be read.
    DataError
        MIT-BIH is not on this machine.
    """
    recipe = read_recipe(recipe_path)
    checkpoints = _checkpoint_folder(out_dir, recipe, resume=resume)
    pool = build_pool(recipe.pool, records, data_root=data_root, seed=recipe.seed)
    settings = fit_settings(pool, recipe.pool.features)
    advance("data", 0.0)
    found = train_ensemble(scaled(pool, settings), recipe, folder=checkpoints, advance=advance)
    trained = TrainedModel(out_dir, found.model, settings, recipe)
    _write(trained, found.history, records)
    return trained


def _checkpoint_folder(out_dir: Path, recipe: Recipe, *, resume: bool) -> Path:
    """A folder of this recipe's checkpoints; those of another recipe, or of a run not to be resumed, are removed."""
    folder = out_dir / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "recipe.sha256"
    if not resume or not stamp.is_file() or stamp.read_text() != recipe.stamp:
        for old in folder.iterdir():
            old.unlink()
        stamp.write_text(recipe.stamp)
    return folder


def _write(trained: TrainedModel, history: dict[str, History], records: tuple[str, ...]) -> None:
    folder = trained.folder
    trained.model.save(folder / "model.keras")
    decision = Decision()
    _write_json(folder / "settings.json", {"beats": trained.settings.to_manifest(), "decision": decision.to_manifest()})
    (folder / RECIPE).write_text(trained.recipe.text)
    for teacher, known in zip(trained.recipe.teachers, trained.recipe.teacher_recipes, strict=True):
        (folder / teacher.recipe).write_text(known.text)
    _write_json(folder / "training.json", training_facts(trained, records))
    _write_json(folder / "history.json", history)
    draw_curves(history, folder / "curves.png")


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


def training_facts(trained: TrainedModel, records: tuple[str, ...]) -> dict[str, Json]:
    """How the weights came about, for the manifest."""
    recipe = trained.recipe
    return {
        "recipe": recipe.name,
        "recipe_sha256": recipe.sha256,
        "pool_seed": recipe.seed,
        "seeds": [seed for one in recipe.members for seed in one.seeds],
        "split_sha256": split_hash(),
        "training_records": list(records),
        "left_out": _LEFT_OUT,
        "selection": f"patient-wise in {len(FOLDS)} folds of DS1; DS2 was not read",
        "parameters": int(trained.model.count_params()),
        "members": json.loads(json.dumps([asdict(member) for member in recipe.members])),
        "class_bias": list(recipe.class_bias),
        **_teachers(recipe),
        "libraries": versions(_LIBRARIES),
    }


def _teachers(recipe: Recipe) -> dict[str, Json]:
    """Whom the networks learnt from, where there was anybody."""
    if not recipe.teachers:
        return {}
    pairs = zip(recipe.teachers, recipe.teacher_recipes, strict=True)
    return {
        "teachers": [
            {"recipe": known.name, "recipe_sha256": known.sha256, "share": teacher.share} for teacher, known in pairs
        ]
    }


def draw_curves(history: dict[str, History], path: Path) -> None:
    """Loss of each network over its epochs, as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="epoch", ylabel="training loss")
    for name, rows in history.items():
        axes.plot([row["epoch"] for row in rows], [row["loss"] for row in rows], label=name)
    axes.legend()
    figure.savefig(path, dpi=120)
