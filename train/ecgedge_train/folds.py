"""Patient-wise cross-validation inside DS1: what every choice of a recipe is made by. DS2 is never read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgedge.metrics import BeatFigures, Confusion, beat_figures
from ecgedge_train.ensemble import train_ensemble
from ecgedge_train.fit import predict_pool
from ecgedge_train.pool import Pool, build_pool, fit_settings, scaled, some_of
from ecgedge_train.recipe import Recipe
from ecgedge_train.split import DS1, FOLDS

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class FoldResult:
    """Predictions for patients that were held out."""

    record: IntArray
    """(n,) int64, place in DS1."""
    classes: IntArray
    probabilities: FloatArray
    """(n, 4) float32."""

    def confusion(self, rows: NDArray[np.bool_] | None = None) -> Confusion:
        """Confusion matrix of all beats or of some."""
        matrix = np.zeros((5, 6), np.int64)
        chosen = np.ones(len(self.classes), bool) if rows is None else rows
        np.add.at(matrix, (self.classes[chosen], self.probabilities[chosen].argmax(axis=1)), 1)
        return matrix

    def figures(self) -> BeatFigures:
        """Figures over all held-out beats."""
        return beat_figures(self.confusion())


def cross_validate(
    recipe: Recipe, *, data_root: Path | None, advance: Callable[[str], None] = lambda _name: None
) -> FoldResult:
    """Train a model per fold on the other patients and judge the fold's real beats at annotated R-peaks.

    `advance` is called after the data is there and after each fold.
    """
    pool = build_pool(recipe.pool, DS1, data_root=data_root, seed=recipe.seed)
    advance("data")
    results = []
    for number, fold in enumerate(FOLDS):
        results.append(_judge_fold(pool, recipe, fold))
        advance(f"fold {number + 1}")
    return _joined(results)


def _judge_fold(pool: Pool, recipe: Recipe, fold: tuple[str, ...]) -> FoldResult:
    held_out = np.isin(pool.record, [DS1.index(record) for record in fold])
    training = some_of(pool, np.flatnonzero(~held_out))
    settings = fit_settings(training, recipe.pool.features)
    trained = train_ensemble(scaled(training, settings), recipe)
    judged = scaled(some_of(pool, np.flatnonzero(held_out & pool.real)), settings)
    return FoldResult(judged.record, judged.classes, predict_pool(trained.model, judged))


def _joined(results: list[FoldResult]) -> FoldResult:
    names = ("record", "classes", "probabilities")
    return FoldResult(*(np.concatenate([getattr(result, name) for result in results]) for name in names))
