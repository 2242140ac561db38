"""From the folder of a page model's training run to a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgedge.bundle import Bundle, write_bundle
from ecgedge.decide import Decision
from ecgedge.errors import BundleError, InputError
from ecgedge.golden import selftest
from ecgedge_convert.page_export import PageModelFacts, Shapes, page_bundle
from ecgedge_convert.quantise import Representative, to_float32, to_int8
from ecgedge_convert.run import load_model, run_file, run_json
from ecgedge_train.datasets import PAGE_DATASETS
from ecgedge_train.pages.cache import page_inputs
from ecgedge_train.pages.pool import IntArray, PagePool
from ecgedge_train.pages.recipe import read_page_recipe
from ecgedge_train.pages.workshop import PAGES, RECIPE, SETTINGS, TRAINING

if TYPE_CHECKING:
    import keras

DEFAULT_REPRESENTATIVE = 300
"""Pages whose ranges set the scales; more changed nothing."""


def is_page_run(model: Path) -> bool:
    """Whether a run is of a page model; one of beats, which says nothing, is not."""
    return run_json(model, SETTINGS).get("task", "beat") == "page"


def convert_page_run(
    model: Path, *, kind: str, calibration: tuple[str, int] | None, root: Path | None, out: Path
) -> Bundle:
    """Convert, verify by its own golden vectors, and write.

    Parameters
    ----------
    model : folder of a training run, or the model.keras in it
    kind : `int8` or `float32`
    calibration : data set and number of representative pages; None for those that the model was trained on
    root : folder of the data sets

    Raises
    ------
    InputError
        The run lacks a file, or the representative data does not fit.
    BundleError
        The bundle cannot be written, or does not reproduce its own golden vectors.
    """
    loaded = load_model(model)
    facts = page_facts(model, loaded, name=out.stem)
    if kind == "float32":
        converted = to_float32(loaded)
    else:
        converted = to_int8(loaded, _representative(model, facts, calibration, root=root))
    bundle = write_bundle(page_bundle(converted, facts), out)
    if failed := [check.name for check in selftest(bundle) if not check.passed]:
        raise BundleError(f"{out}: self-test failed in {', '.join(failed)}; report this, with the model")
    return bundle


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


def _representative(
    model: Path, facts: PageModelFacts, calibration: tuple[str, int] | None, *, root: Path | None
) -> Representative:
    data = str(facts.training.get("data", ""))
    name, count = calibration or (data, DEFAULT_REPRESENTATIVE)
    if name != data:
        raise InputError(f"--calibrate {name}: the model was trained on {data}; write --calibrate {data}:{count}")
    names = run_json(model, PAGES).get("trained_on")
    wanted = set(names) if isinstance(names, list) else set()
    images = [image for image in PAGE_DATASETS[name](root=root) if image.name in wanted]
    pool = page_inputs(images, facts.pipeline)
    return pool.take(representative_rows(pool, np.arange(len(images)), most=count))
