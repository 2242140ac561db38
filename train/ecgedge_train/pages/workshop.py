"""From a page recipe to a trained model in a folder, with all that must be known about it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgedge.errors import DataError, SettingsError
from ecgedge.extras import versions
from ecgedge.labels import REPORT
from ecgedge.manifest import Json
from ecgedge.plain import to_plain
from ecgedge_train.datasets import PAGE_DATASETS
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.models.page_models import page_model
from ecgedge_train.pages.cache import Advance as ReadAdvance
from ecgedge_train.pages.cache import page_inputs
from ecgedge_train.pages.crew import Advance, TrainedCrew, train_crew
from ecgedge_train.pages.figures import page_figures
from ecgedge_train.pages.files import write_json
from ecgedge_train.pages.judged import Answers, judge_pages
from ecgedge_train.pages.plots import draw_history, draw_reliability
from ecgedge_train.pages.pool import IntArray, PagePool
from ecgedge_train.pages.protocols import DealtPages, deal
from ecgedge_train.pages.recipe import PageRecipe, read_page_recipe
from ecgedge_train.pages.run_report import write_run_report

_LIBRARIES = ("keras", "tensorflow", "jax", "numpy", "opencv-python-headless")
MODEL, SETTINGS, TRAINING = "model.keras", "settings.json", "training.json"
HISTORY, PAGES, RECIPE = "history.json", "pages.json", "recipe.toml"


@dataclass(frozen=True)
class PageData:
    """A data set, dealt and read, and the fold that is held out."""

    dealt: DealtPages
    pool: PagePool
    fold: int

    @property
    def training_rows(self) -> IntArray:
        """Pages of the other folds, refused ones too."""
        return np.asarray(self.dealt.split.trained_on(self.fold), np.int64)

    @property
    def test_rows(self) -> IntArray:
        """Pages of the fold, refused ones too."""
        return np.asarray(self.dealt.split.held_out(self.fold), np.int64)


@dataclass(frozen=True)
class TrainedPages:
    """What a training run leaves behind."""

    folder: Path
    recipe: PageRecipe
    data: PageData
    crew: TrainedCrew


def train_page_recipe(
    recipe_path: Path,
    out_dir: Path,
    *,
    data_root: Path | None,
    cache_dir: Path | None = None,
    resume: bool = True,
    workers: int = 1,
    read: ReadAdvance = lambda _done, _all: None,
    advance: Advance = lambda _name, _loss: None,
) -> TrainedPages:
    """Train what a recipe says, without the fold that it holds out, into the folder of a run.

    Parameters
    ----------
    data_root : folder of the data sets; None looks where `ecgedge.catalogue.locate` looks
    cache_dir : where pages once read are kept; None for the user's cache
    resume : go on with a run that was killed, if it had the same recipe; otherwise begin again

    Raises
    ------
    SettingsError
        The recipe cannot be read, or names an unknown family or data set.
    DataError
        The data is not on this machine, or the split leaks.
    """
    recipe = read_page_recipe(recipe_path)
    page_model(recipe.family)
    hold_out = recipe.hold_out
    dealt = deal(images_of(recipe, data_root=data_root), hold_out.protocol, seed=hold_out.seed, folds=hold_out.folds)
    pool = page_inputs(dealt.images, recipe.pipeline, cache_dir=cache_dir, workers=workers, advance=read)
    return train_without_fold(recipe, PageData(dealt, pool, hold_out.fold), out_dir, resume=resume, advance=advance)


def images_of(recipe: PageRecipe, *, data_root: Path | None) -> tuple[ReportImage, ...]:
    """All files of the recipe's data set.

    Raises
    ------
    SettingsError
        There is no such data set.
    """
    if recipe.data not in PAGE_DATASETS:
        raise SettingsError(f"data is {recipe.data!r}; choose one of {', '.join(sorted(PAGE_DATASETS))}")
    return tuple(PAGE_DATASETS[recipe.data](root=data_root))


def train_without_fold(
    recipe: PageRecipe,
    data: PageData,
    out_dir: Path,
    *,
    resume: bool = True,
    advance: Advance = lambda _name, _loss: None,
) -> TrainedPages:
    """Train on the other folds and write model, settings, facts, pages, history and curves."""
    require_apart(data)
    crew = train_crew(
        data.pool,
        data.training_rows,
        recipe,
        seed=data.dealt.seed,
        folder=_checkpoint_folder(out_dir, recipe, data, resume=resume),
        advance=advance,
    )
    trained = TrainedPages(out_dir, recipe, data, crew)
    _write(trained)
    return trained


def require_apart(data: PageData) -> None:
    """Refuse to train where a group of the protocol is on both sides; `as-published` promises nothing.

    Raises
    ------
    DataError
        The message names the page.
    """
    if data.dealt.protocol == "as-published":
        return
    trained = {data.dealt.pages[row]: row for row in data.training_rows.tolist()}
    for row in data.test_rows.tolist():
        if (page := data.dealt.pages[row]) in trained:
            other, names = trained[page], data.pool.names
            raise DataError(
                f"leak: {page} is trained on as {names[other]} and held out as {names[row]}; deal the pages again"
            )


def training_facts(trained: TrainedPages) -> dict[str, Json]:
    """How the weights came about, for the manifest."""
    recipe, data, crew = trained.recipe, trained.data, trained.crew
    rows = data.pool.readable(data.training_rows)
    counts = np.bincount(data.pool.classes[rows], minlength=len(REPORT.names)).tolist()
    facts: dict[str, Json] = {
        "recipe": recipe.name,
        "recipe_sha256": recipe.sha256,
        "data": recipe.data,
        "protocol": data.dealt.protocol,
        "folds": data.dealt.split.k,
        "split_seed": data.dealt.seed,
        "held_out_fold": data.fold,
        "split_sha256": data.dealt.split.split_hash(),
        "training_pages": dict(zip(REPORT.names, counts, strict=True)),
        "refused_training_pages": int(len(data.training_rows) - len(rows)),
        "calibrated_on": crew.calibrated_on,
        "family": recipe.family,
        "options": dict(recipe.options),
        "parameters": int(crew.model.count_params()),
        "networks": {name: len(history) for name, history in crew.history.items()},
        "fit": to_plain(recipe.fit),
        "libraries": versions(_LIBRARIES),
    }
    if recipe.distil is not None:
        facts["distilled"] = to_plain(recipe.distil)
    return facts


def _checkpoint_folder(out_dir: Path, recipe: PageRecipe, data: PageData, *, resume: bool) -> Path:
    """A folder of this recipe's and fold's checkpoints; those of others, or of a run not to be resumed, are removed."""
    folder = out_dir / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    stamp, meant = folder / "recipe.sha256", f"{recipe.sha256} {data.dealt.split.split_hash()} {data.fold}"
    if not resume or not stamp.is_file() or stamp.read_text() != meant:
        for old in folder.iterdir():
            old.unlink()
        stamp.write_text(meant)
    return folder


def _write(trained: TrainedPages) -> None:
    folder, crew, data = trained.folder, trained.crew, trained.data
    crew.model.save(folder / MODEL)
    steps = list(trained.recipe.pipeline.to_manifest())
    write_json(folder / SETTINGS, {"task": "page", "preprocessing": steps, "decision": crew.decision.to_manifest()})
    (folder / RECIPE).write_text(trained.recipe.text)
    write_json(folder / TRAINING, training_facts(trained))
    write_json(folder / HISTORY, crew.history)
    names = data.pool.names
    write_json(folder / PAGES, {"trained_on": [names[row] for row in data.pool.readable(data.training_rows)]})
    draw_history(crew.history, folder / "curves.png")
    if len(crew.unseen):
        _report(trained)


def _report(trained: TrainedPages) -> None:
    """report.md: how training pages were judged by networks that had not seen them; the held-out fold stays shut."""
    crew, data, folder = trained.crew, trained.data, trained.folder
    said, truth = crew.unseen_probabilities, data.pool.classes[crew.unseen]
    draw_reliability(said, truth, crew.decision, folder / "calibration.png")
    judged = judge_pages(data.pool, crew.unseen, data.dealt.pages, Answers(said), crew.decision)
    facts = {
        "pages": f"{crew.calibrated_on}; fold {data.fold} of {data.dealt.title} was not opened",
        "temperature and quantile": f"{crew.decision.temperature:g} and {crew.decision.conformal_quantile:.4g}, "
        "fitted on these very pages, so that calibration and coverage look better here than they are",
        "training": ", ".join(
            f"{name} {len(rows)} epochs in {sum(row['seconds'] for row in rows):.0f} s"
            for name, rows in crew.history.items()
        ),
        "parameters": f"{crew.model.count_params():,}",
    }
    write_run_report(folder, f"{trained.recipe.name}: training", facts, judged, page_figures(judged))
