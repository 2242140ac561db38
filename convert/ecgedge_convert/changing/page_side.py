"""The training side of a page run: its pages, and the parts of them that it held back for its temperature and sets.

No page of the test side is opened here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge_convert.run import run_file, run_json
from ecgedge_train.datasets import PAGE_DATASETS
from ecgedge_train.pages.cache import page_inputs
from ecgedge_train.pages.inner import held_back, without
from ecgedge_train.pages.lesson import PageLesson
from ecgedge_train.pages.pool import IntArray, PagePool
from ecgedge_train.pages.protocols import PROTOCOLS
from ecgedge_train.pages.recipe import PageRecipe, read_page_recipe
from ecgedge_train.pages.workshop import PAGES, RECIPE, TRAINING

if TYPE_CHECKING:
    import keras

_SHARE = 0.1
"""Held back from fine-tuning where the run held back nothing."""


@dataclass(frozen=True)
class PageSide:
    """What a page run learnt from."""

    recipe: PageRecipe
    pool: PagePool
    """The pages of the training side alone."""
    parts: tuple[IntArray, ...]
    """Rows that the run held back, group by group: one part, or one for each inner fold; at least one."""
    checkpoints: Path

    @property
    def fitted(self) -> bool:
        """Whether the run fitted temperature and sets on these parts."""
        return bool(self.recipe.calibrate.inner_folds or self.recipe.calibrate.inner_share)

    def lesson(self, number: int) -> PageLesson:
        """All pages but those of a part to learn from."""
        rows, part = self.pool.readable(np.arange(len(self.pool.names))), self.parts[number]
        return PageLesson(self.pool, without(rows, part), part, self.recipe.fit, self.recipe.augment)

    def networks(self, model: "keras.Model") -> list["keras.Model"] | None:
        """For each part the network that the run asked about it, which had not seen it; None where one is not kept.

        Parameters
        ----------
        model : of the run
        """
        from ecgedge_train.pages.crew import kept_inner_network

        if not self.recipe.calibrate.inner_folds:
            return [model]
        numbers = range(len(self.parts))
        kept = [kept_inner_network(self.pool, self.recipe, number, self.checkpoints) for number in numbers]
        return None if None in kept else [network for network in kept if network is not None]


def page_side(run: Path, *, root: Path | None) -> PageSide:
    """Read it; `InputError` where a file of the run is missing, `DataError` where the data set is."""
    recipe, facts = read_page_recipe(run_file(run, RECIPE)), run_json(run, TRAINING)
    pool = _training_pages(run, recipe, facts, root=root)
    seed, calibrate = facts.get("split_seed"), recipe.calibrate
    if not (calibrate.inner_folds or calibrate.inner_share):
        calibrate = replace(calibrate, inner_share=_SHARE)
    rows = pool.readable(np.arange(len(pool.names)))
    parts = held_back(pool, rows, calibrate, seed=seed if isinstance(seed, int) else 0)
    return PageSide(recipe, pool, tuple(parts), run_file(run, RECIPE).parent / "checkpoints")


def _training_pages(run: Path, recipe: PageRecipe, facts: Mapping[str, Json], *, root: Path | None) -> PagePool:
    """The pages that a run was trained on, grouped as its protocol groups them, in the order of the data set."""
    wanted = set(listed(run_json(run, PAGES), "trained_on", run))
    stated = facts.get("protocol", recipe.hold_out.protocol)
    view = next((seen for name, (seen, _) in PROTOCOLS.items() if name == stated), None)
    if view is None:
        raise InputError(f"{run}: protocol {stated!r}; known are {', '.join(PROTOCOLS)}; train the model again")
    images = [image for image in view(tuple(PAGE_DATASETS[recipe.data](root=root))) if image.name in wanted]
    return page_inputs(images, recipe.pipeline)


def listed(facts: Mapping[str, Json], key: str, run: Path) -> tuple[str, ...]:
    """The records or pages that a file of the run lists.

    Raises
    ------
    InputError
        It lists none.
    """
    found = facts.get(key)
    if not isinstance(found, list) or not found:
        raise InputError(f"{run}: the run does not say its {key}; train the model again with ecgedge train")
    return tuple(map(str, found))
