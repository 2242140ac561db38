"""From the folder of a page model's training run to a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgedge.decide import Decision
from ecgedge.errors import InputError
from ecgedge_convert.page_export import PageModelFacts, Shapes
from ecgedge_convert.run import run_file, run_json
from ecgedge_train.pages.pool import IntArray, PagePool
from ecgedge_train.pages.recipe import read_page_recipe
from ecgedge_train.pages.workshop import RECIPE, SETTINGS, TRAINING

if TYPE_CHECKING:
    import keras

DEFAULT_REPRESENTATIVE = 300
"""Pages whose ranges set the scales; more changed nothing."""


def is_page_run(model: Path) -> bool:
    """Whether a run is of a page model; one of beats, which says nothing, is not."""
    return run_json(model, SETTINGS).get("task", "beat") == "page"


def page_facts(model: Path, loaded: "keras.Model", *, name: str) -> PageModelFacts:
    """What the run says about its preprocessing, its decision and its training."""
    decision = run_json(model, SETTINGS).get("decision")
    if not isinstance(decision, dict):
        raise InputError(f"{model}: {SETTINGS} has no decision; train the model again")
    return PageModelFacts(
        name=name,
        pipeline=read_page_recipe(run_file(model, RECIPE)).pipeline,
        decision=Decision.from_manifest(decision),
        training=run_json(model, TRAINING),
        output_shapes=output_shapes(loaded),
    )


def output_shapes(model: "keras.Model") -> Shapes:
    """Name of each output -> its shape without the leading axis."""
    return {name: tuple(int(side) for side in tensor.shape[1:]) for name, tensor in model.output.items()}


def representative_rows(pool: PagePool, rows: IntArray, *, most: int = DEFAULT_REPRESENTATIVE) -> IntArray:
    """Pages of the training side, drawn evenly over the classes' pages; all, if there are not more."""
    chosen = pool.readable(rows)
    if len(chosen) <= most:
        return chosen
    by_class = chosen[np.argsort(pool.classes[chosen], kind="stable")]
    return np.sort(by_class[np.linspace(0, len(by_class) - 1, most).round().astype(int)])
