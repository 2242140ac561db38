"""All networks of one page model: inner ones for calibration, teachers, and those that are shipped.

Everything here sees the rows it is given and nothing else: teachers are trained on the student's own pages, inner
networks on parts of them. What is said about calibration is therefore said without the pages held out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ecgedge.decide import Decision
from ecgedge.lead_arrays import Inputs
from ecgedge_train.pages.calibrate import calibrated
from ecgedge_train.pages.fit import History, answering, fit_page_model, kept_network, predict_rows
from ecgedge_train.pages.inner import held_back, without
from ecgedge_train.pages.lesson import FloatArray, PageLesson, Teach
from ecgedge_train.pages.pool import IntArray, PagePool
from ecgedge_train.pages.recipe import PageRecipe

Advance = Callable[[str, float], None]
"""Called after each epoch with the name of the network and its loss."""

_LEAST = 1e-7


@dataclass(frozen=True)
class TrainedCrew:
    """A page model, trained and calibrated, ready to be converted."""

    model: keras.Model
    decision: Decision
    calibrated_on: str
    """Which pages temperature and quantile come from, in words."""
    history: dict[str, History]
    """Network -> a row per epoch."""
    unseen: IntArray
    """Training pages that were judged by a network that had not seen them."""
    unseen_probabilities: FloatArray
    """(n, 4) float32, what it said of each."""


@dataclass(frozen=True)
class _Workplace:
    """What every network of a crew shares."""

    pool: PagePool
    recipe: PageRecipe
    seed: int
    folder: Path | None
    advance: Advance
    history: dict[str, History] = field(default_factory=dict)

    def train(self, name: str, lesson: PageLesson, *, number: int) -> keras.Model:
        """One network; its seed comes from its number."""
        model, self.history[name] = fit_page_model(
            lesson,
            self.recipe.family,
            self.recipe.options,
            seed=1000 * self.seed + number,
            checkpoint=self.folder and self.folder / f"{name}.npz",
            advance=lambda loss: self.advance(name, loss),
        )
        return model

    def lesson(self, rows: IntArray, part: IntArray) -> PageLesson:
        """Rows to learn from and a part held back."""
        return PageLesson(self.pool, rows, part, self.recipe.fit, self.recipe.augment)


def train_crew(
    pool: PagePool,
    rows: IntArray,
    recipe: PageRecipe,
    *,
    seed: int = 0,
    folder: Path | None = None,
    advance: Advance = lambda _name, _loss: None,
) -> TrainedCrew:
    """Train a model on some pages and calibrate it, all from these pages.

    Parameters
    ----------
    rows : pages to train on; those that were refused are left out
    folder : where checkpoints are kept and looked for
    """
    work = _Workplace(pool, recipe, seed, folder, advance)
    rows = pool.readable(rows)
    parts = held_back(pool, rows, recipe.calibrate, seed=seed)
    if recipe.calibrate.inner_folds:
        said = [_inner(work, rows, part, number) for number, part in enumerate(parts)]
        model = _final(work, rows, np.zeros(0, np.int64))
        unseen, source = np.concatenate(parts), f"{len(parts)} inner folds of the training pages, each judged unseen"
    else:
        part = parts[0] if parts else np.zeros(0, np.int64)
        model = _final(work, without(rows, part), part)
        said, unseen = [predict_rows(model, pool, part)], part
        source = f"{len(part)} training pages held back" if len(part) else "nothing: no page was held back"
    probabilities = np.concatenate(said)
    decision = _decision(recipe, probabilities, pool.classes[unseen])
    return TrainedCrew(model, decision, source, work.history, unseen, probabilities)


def kept_inner_network(pool: PagePool, recipe: PageRecipe, number: int, folder: Path) -> keras.Model | None:
    """What `train_crew` asked about an inner fold, from its checkpoints; None where they are not there.

    Parameters
    ----------
    pool : any with the inputs of the recipe
    folder : of the checkpoints
    """
    kept = [
        kept_network(pool.input_shapes, recipe.family, recipe.options, folder / f"{_inner_prefix(number)}member{k}.npz")
        for k in range(recipe.members)
    ]
    found = [model for model in kept if model is not None]
    return joined(found) if len(found) == len(kept) else None


def networks(recipe: PageRecipe) -> Iterator[tuple[str, int]]:
    """Name and most epochs of every network that `train_crew` trains, in order."""
    for fold in range(recipe.calibrate.inner_folds):
        yield from _named_group(recipe, _inner_prefix(fold))
    yield from _named_group(recipe, "")


def _named_group(recipe: PageRecipe, prefix: str) -> Iterator[tuple[str, int]]:
    if recipe.distil is not None:
        for number in range(recipe.distil.teachers):
            yield f"{prefix}teacher{number}", recipe.fit.epochs
    for number in range(recipe.members):
        yield f"{prefix}member{number}", _final_fit_epochs(recipe)


def _inner_prefix(fold: int) -> str:
    return f"inner{fold}-"


def _final_fit_epochs(recipe: PageRecipe) -> int:
    return recipe.distil.epochs if recipe.distil is not None and recipe.distil.epochs else recipe.fit.epochs


def _inner(work: _Workplace, rows: IntArray, part: IntArray, number: int) -> FloatArray:
    """What a model trained without a part says of it; the part also says when to stop, where the recipe wants that."""
    model = _group(work, without(rows, part), part, prefix=_inner_prefix(number), first=100 * (number + 1))
    return predict_rows(model, work.pool, part)


def _final(work: _Workplace, rows: IntArray, part: IntArray) -> keras.Model:
    """The model to ship. With inner folds it learns from all pages, for as long as the inner networks needed."""
    recipe = work.recipe
    if recipe.calibrate.inner_folds and recipe.fit.patience:
        best = [_best_epoch(rows) for name, rows in work.history.items() if name.startswith("inner")]
        fit = replace(recipe.fit, epochs=max(1, round(float(np.median(best)))), patience=0)
        work = replace(work, recipe=replace(recipe, fit=fit))
    return _group(work, rows, part, prefix="", first=0)


def _best_epoch(history: History) -> int:
    return 1 + int(np.argmin([row["held_back_loss"] for row in history]))


def _group(work: _Workplace, rows: IntArray, part: IntArray, *, prefix: str, first: int) -> keras.Model:
    """Members, and teachers before them, on the same rows: one graph."""
    recipe, lesson = work.recipe, work.lesson(rows, part)
    if recipe.distil is not None:
        teachers = [
            work.train(f"{prefix}teacher{number}", lesson, number=first + 50 + number)
            for number in range(recipe.distil.teachers)
        ]
        fit = replace(recipe.fit, epochs=_final_fit_epochs(recipe))
        lesson = replace(
            lesson, fit=fit, teach=_said_by(teachers, recipe.distil.temperature), teach_share=recipe.distil.share
        )
    return joined(
        [work.train(f"{prefix}member{number}", lesson, number=first + number) for number in range(recipe.members)]
    )


def _said_by(teachers: list[keras.Model], temperature: float) -> Teach:
    """The mean of the teachers' probabilities, made softer or harder by the temperature."""
    mean = answering(joined(teachers))

    def teach(inputs: Inputs) -> FloatArray:
        found = np.asarray(mean.predict_on_batch(inputs), np.float64)
        powers = np.maximum(found, _LEAST) ** (1 / temperature)
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    return teach


def joined(models: list[keras.Model]) -> keras.Model:
    """One graph out of several models of a family: the mean of each of their outputs."""
    if len(models) == 1:
        return models[0]
    inputs = {tensor.name: keras.layers.Input(tensor.shape[1:], name=tensor.name) for tensor in models[0].inputs}
    outputs = [_renamed(model, f"member{number}")(inputs) for number, model in enumerate(models)]
    means = {name: keras.layers.Average(name=name)([one[name] for one in outputs]) for name in outputs[0]}
    return keras.Model(inputs, means, name=f"{models[0].name}_x{len(models)}")


def _renamed(model: keras.Model, name: str) -> keras.Model:
    """The same layers under another name, since names in a graph are unique."""
    return keras.Model({tensor.name: tensor for tensor in model.inputs}, model.output, name=name)


def _decision(recipe: PageRecipe, probabilities: NDArray[np.float32], truth: IntArray) -> Decision:
    settings = recipe.calibrate
    if not len(truth):
        return Decision(abstain_below=settings.abstain_below)
    return calibrated(probabilities, truth, coverage=settings.coverage, abstain_below=settings.abstain_below)
