"""What a run was trained on, to train its model further: batches of the training side, and a part that is held back.

It knows which records and pages a run learnt from, and opens no others. What is done to the model is not known here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import ecgedge_train
from ecgedge.errors import InputError
from ecgedge.labels import AAMI, REPORT
from ecgedge_convert.changing.page_side import PageSide, listed, page_side
from ecgedge_convert.page_run import is_page_run
from ecgedge_convert.run import run_facts, run_json
from ecgedge_train.fit import Lesson, drawn_beats
from ecgedge_train.pages.workshop import TRAINING
from ecgedge_train.pool import Pool, build_pool, draw_shares, scaled, some_of, targets
from ecgedge_train.recipe import Recipe, read_recipe
from ecgedge_train.split import FOLDS
from ecgedge_train.workshop import RECIPE

FloatArray = NDArray[np.float32]
Inputs = dict[str, FloatArray]
Batch = tuple[Inputs, FloatArray, FloatArray]
"""Inputs, targets (n, classes) float32 whose rows sum to 1, weights (n,) float32."""

VIRTUAL_COPIES = 4
"""Virtual patients made of each real one for fine-tuning: a quarter of the memory and time that training takes. A
model that is trained further has learnt from all of them before."""
HELD_BACK_FOLD = 4
"""Of `ecgedge_train.split.FOLDS`: its three patients have beats of all four classes, and few of the rare F."""


@dataclass(frozen=True)
class HeldBack:
    """Beats or pages of the training side that fine-tuning does not see: other patients, or other groups of pages."""

    inputs: Inputs
    classes: NDArray[np.int64]
    """(n,) int64, index into the labels; all below their number."""
    what: str
    """In words."""


@dataclass(frozen=True)
class TuningData:
    """Batches to learn from; an epoch depends on seed and number only."""

    labels: tuple[str, ...]
    steps_per_epoch: int
    learning_rate: float
    """At its height, as the recipe trained with."""
    label_smoothing: float
    """As the recipe trained with; not yet in the targets of `batches`."""
    held_back: HeldBack
    seed: int
    draw: Callable[[int, int], Iterator[Batch]]
    """Seed and number of an epoch -> its batches."""

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Batches of an epoch, changed as the recipe of the run changes them, weighted by class."""
        return self.draw(self.seed, epoch)


def data_of(run: Path, *, root: Path | None, seed: int = 0, copies: int = VIRTUAL_COPIES) -> TuningData:
    """What the model of a run was trained on.

    Parameters
    ----------
    run : folder of a training run, or the model.keras in it
    root : folder of the data sets; None looks where `ecgedge.catalogue.locate` looks
    copies : virtual patients of each real one; for beats only

    Raises
    ------
    InputError
        The run lacks a file, or its recipe is not known.
    DataError
        The data set is not on this machine.
    """
    if is_page_run(run):
        return page_data(page_side(run, root=root), 0, seed=seed)
    return _beat_data(run, root=root, seed=seed, copies=copies)


def beat_recipe(run: Path) -> Recipe:
    """The recipe of a run of beats: kept in it, or, of older runs, the one of that hash in `train/recipes`.

    Raises
    ------
    InputError
        There is none.
    """
    folder = run if run.is_dir() else run.parent
    if (folder / RECIPE).is_file():
        return read_recipe(folder / RECIPE)
    facts = run_json(run, TRAINING)
    kept = Path(ecgedge_train.__file__).parents[1] / "recipes" / f"{facts.get('recipe')}.toml"
    if kept.is_file() and (recipe := read_recipe(kept)).sha256 == facts.get("recipe_sha256"):
        return recipe
    raise InputError(
        f"{folder}: no {RECIPE} and no recipe {facts.get('recipe')!r} of its hash in train/recipes; copy the recipe "
        f"that it was trained with to {folder / RECIPE}"
    )


def _beat_data(run: Path, *, root: Path | None, seed: int, copies: int) -> TuningData:
    recipe, facts = beat_recipe(run), run_json(run, TRAINING)
    records = listed(facts, "training_records", run)
    pool_recipe = replace(recipe.pool, virtual_copies=copies)
    pool = build_pool(pool_recipe, records, data_root=root, seed=recipe.seed)
    pool = scaled(pool, run_facts(run, name="").pipeline.beats)
    kept = [number for number, record in enumerate(records) if record in _patients_held_back(records)]
    apart = np.isin(pool.record, kept)
    learnt = some_of(pool, np.flatnonzero(~apart))
    lesson = Lesson(learnt, draw_shares(learnt, pool_recipe), targets(learnt))
    member = recipe.members[0]
    steps = -(-member.beats_per_epoch // member.batch)

    def draw(seed: int, epoch: int) -> Iterator[Batch]:
        inputs, wanted = drawn_beats(lesson, steps * member.batch, np.random.default_rng([seed, epoch]))
        for start in range(0, len(wanted), member.batch):
            part = slice(start, start + member.batch)
            weights = np.ones(len(wanted[part]), np.float32)
            yield {name: values[part] for name, values in inputs.items()}, wanted[part], weights

    held = _beats_held_back(some_of(pool, np.flatnonzero(apart & pool.real)), [records[number] for number in kept])
    return TuningData(AAMI.names, steps, member.learning_rate, member.label_smoothing, held, seed, draw)


def _patients_held_back(records: tuple[str, ...]) -> tuple[str, ...]:
    """Patients of the fold; of other records than those of MIT-BIH the last one, where there are several."""
    found = tuple(record for record in records if record in FOLDS[HELD_BACK_FOLD])
    return found or records[1:][-1:]


def _beats_held_back(pool: Pool, records: list[str]) -> HeldBack:
    known = pool.classes < len(AAMI.names)
    rows = np.flatnonzero(known)
    return HeldBack(pool.inputs(rows), pool.classes[rows], f"real beats of the training records {', '.join(records)}")


def page_data(side: PageSide, number: int, *, seed: int) -> TuningData:
    """The pages of a run but those of one part that it held back, which is held back again.

    Parameters
    ----------
    number : of the part
    """
    recipe, part, lesson = side.recipe, side.parts[number], side.lesson(number)
    seen = "seen by the model before" if recipe.calibrate.inner_folds else "never seen by the model"
    kept = HeldBack(
        side.pool.take(part), side.pool.classes[part], f"{len(part)} training pages of other groups, {seen}"
    )
    return TuningData(
        REPORT.names,
        lesson.steps_per_epoch,
        recipe.fit.learning_rate,
        recipe.fit.label_smoothing,
        kept,
        seed,
        lambda seed, epoch: lesson.batches(seed=seed, epoch=epoch),
    )
