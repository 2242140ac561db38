"""The decision of a changed network: temperature and sets fitted again as its training fitted them, on the same pages.

Training judged pages that it had held back, or every page by the network of an inner fold that had not seen it; such
networks are then changed in the same way. Where that cannot be done, the unchanged network's decision stays and the
facts say why. The test side is never opened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgedge.decide import Decision
from ecgedge.manifest import Json
from ecgedge_convert.changing.fine_tune import answers_of
from ecgedge_convert.changing.page_side import PageSide, page_side
from ecgedge_convert.changing.tuning_data import FloatArray, TuningData, page_data
from ecgedge_convert.page_run import is_page_run
from ecgedge_convert.run import run_json
from ecgedge_train.pages.workshop import SETTINGS

if TYPE_CHECKING:
    import keras

Said = Callable[["keras.Model", TuningData, str], FloatArray]
"""A network of the run, its training data and its name in words -> what it says, once changed, of what is held back:
(n, classes) float32."""

AGAIN, KEPT = "the changed network, as float", "the unchanged network"
"""Whose answers temperature and sets were fitted to."""
_SAME_TEMPERATURE, _SAME_QUANTILE = 0.02, 0.01
"""By which a decision may differ that is fitted again on another machine: the logarithm of its temperature, shares."""


@dataclass(frozen=True)
class Decided:
    """What is decided by."""

    decision: Decision | None
    """None for that of the unchanged network."""
    facts: dict[str, Json]
    """For the manifest: `of` is `AGAIN` or `KEPT`."""

    @property
    def words(self) -> str:
        """For a table."""
        if self.decision is None:
            return f"calibration of the unchanged network, since {self.facts['why']}."
        return f"temperature and sets fitted again on {self.facts['fitted_on']}."


def decided_again(run: Path, model: "keras.Model", said: Said, *, root: Path | None, seed: int) -> Decided:
    """Fit the decision of a changed network.

    Parameters
    ----------
    run : that the unchanged `model` is of
    root : folder of the data sets
    seed : of fine-tuning

    Raises
    ------
    DataError
        The data set is not on this machine.
    """
    if not is_page_run(run):
        return _kept("its run fitted none")
    side = page_side(run, root=root)
    if not side.fitted:
        return _kept("its run held back no pages to fit one on")
    if (networks := side.networks(model)) is None:
        return _kept("the networks of its inner folds are not in the run's checkpoints")
    before, stated = _unchanged(side, networks), _stated(run)
    if not _alike(before, stated):
        return _kept(
            f"the pages that its run fitted it on are not found again: temperature {before.temperature:g} there, the "
            f"run says {stated.temperature:g}"
        )
    parts = [page_data(side, number, seed=seed) for number in range(len(networks))]
    names = [f"inner fold {number + 1} of {len(parts)}" if len(parts) > 1 else "" for number in range(len(parts))]
    after = _fitted(side, [said(*each) for each in zip(networks, parts, names, strict=True)])
    return Decided(after, _facts(side, before, after))


def _kept(why: str) -> Decided:
    return Decided(None, {"of": KEPT, "why": why})


def _facts(side: PageSide, before: Decision, after: Decision) -> dict[str, Json]:
    n = sum(map(len, side.parts))
    inner = "each judged by the network of an inner fold that had not seen it, changed in the same way"
    own = "which neither training nor fine-tuning learnt from"
    return {
        "of": AGAIN,
        "fitted_on": f"{n} training pages, {inner if len(side.parts) > 1 else own}",
        "temperature": [before.temperature, after.temperature],
        "conformal_quantile": [round(one.conformal_quantile, 4) for one in (before, after)],
    }


def _unchanged(side: PageSide, networks: Sequence["keras.Model"]) -> Decision:
    """What the networks give as they are: the run's own decision, if these are its pages and its networks."""
    import keras

    pairs = zip(networks, side.parts, strict=True)
    return _fitted(side, [answers_of(network, side.pool.take(part), keras=keras) for network, part in pairs])


def _fitted(side: PageSide, said: Sequence[FloatArray]) -> Decision:
    from ecgedge_train.pages.calibrate import calibrated

    settings, truth = side.recipe.calibrate, side.pool.classes[np.concatenate(side.parts)]
    return calibrated(np.concatenate(said), truth, coverage=settings.coverage, abstain_below=settings.abstain_below)


def _stated(run: Path) -> Decision:
    stated = run_json(run, SETTINGS).get("decision")
    return Decision.from_manifest(stated if isinstance(stated, dict) else {})


def _alike(one: Decision, other: Decision) -> bool:
    warmer = abs(log(one.temperature / other.temperature))
    wider = abs(one.conformal_quantile - other.conformal_quantile)
    return warmer < _SAME_TEMPERATURE and wider < _SAME_QUANTILE
