"""Representative data for a model, drawn from its training side, and other inputs of that side to compare answers on.

Knows nothing of converters. Held-out patients and pages are never opened here.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge_convert.export import BeatModelFacts
from ecgedge_convert.page_export import PageModelFacts
from ecgedge_convert.page_run import DEFAULT_REPRESENTATIVE, representative_rows
from ecgedge_convert.quantise import Representative
from ecgedge_convert.run import run_json
from ecgedge_convert.source import Source
from ecgedge_train.datasets import PAGE_DATASETS
from ecgedge_train.pages.cache import page_inputs
from ecgedge_train.pages.protocols import PROTOCOLS, deal
from ecgedge_train.pages.workshop import PAGES

DEFAULT_N = {"beat": 2000, "page": DEFAULT_REPRESENTATIVE}
"""Inputs whose ranges set the scales; more changed nothing."""
_MOST_APART = 2000


@dataclass(frozen=True)
class Calibration:
    """Inputs by our names, leading axis n."""

    data: str
    """Name of the data set."""
    inputs: Representative
    apart: Representative
    """Of the same side and not among `inputs`; may be empty."""

    @property
    def count(self) -> int:
        """How many set the ranges."""
        return _length(self.inputs)

    @property
    def n_apart(self) -> int:
        """How many answers are compared on."""
        return _length(self.apart)

    def facts(self) -> dict[str, Json]:
        """For the manifest."""
        return {"data": self.data, "count": self.count, "drawn from": "the training side, evenly over the classes"}


def _length(inputs: Representative) -> int:
    return len(next(iter(inputs.values()))) if inputs else 0


def asked_calibration(text: str, task: str) -> tuple[str, int]:
    """Data set and number of `DATA[:N]`.

    Raises
    ------
    InputError
        N is no number.
    """
    name, _, count = text.partition(":")
    if count and not count.isdecimal():
        raise InputError(f"--calibrate {text}: {count!r} is no number of inputs; write for example {name}:2000")
    return name, int(count or DEFAULT_N[task])


def calibration_of(source: Source, asked: str | None, *, root: Path | None) -> Calibration:
    """Draw representative data.

    Parameters
    ----------
    asked : `DATA[:N]`; None for what the model was trained on
    root : folder of the data sets

    Raises
    ------
    InputError
        The data set is not the model's, N is no number, or the training side of the model is not known.
    DataError
        The data is not on this machine.
    """
    if isinstance(source.facts, BeatModelFacts):
        return _of_beats(source.facts, asked_calibration(asked or "mitdb", "beat"), root=root)
    return _of_pages(source, source.facts, asked, root=root)


def _of_beats(facts: BeatModelFacts, asked: tuple[str, int], *, root: Path | None) -> Calibration:
    from ecgedge_train.representative import drawn_apart

    name, count = asked
    if name != "mitdb":
        raise InputError(f"--calibrate {name}: a beat model is calibrated with mitdb; write --calibrate mitdb:{count}")
    chosen, apart = drawn_apart(facts.pipeline.beats, root=root, n=count, n_apart=_MOST_APART)
    return Calibration(name, chosen, apart)


def _of_pages(source: Source, facts: PageModelFacts, asked: str | None, *, root: Path | None) -> Calibration:
    data = str(facts.training.get("data", ""))
    name, count = asked_calibration(asked or data, "page")
    if name != data:
        raise InputError(f"--calibrate {name}: the model was trained on {data}; write --calibrate {data}:{count}")
    everything = PAGE_DATASETS[name](root=root)
    wanted = _trained_on(source) or _dealt(facts, root=root)
    images = [image for image in everything if image.name in wanted]
    pool = page_inputs(images, facts.pipeline)
    readable = pool.readable(np.arange(len(images)))
    rows = representative_rows(pool, readable, most=count)
    apart = representative_rows(pool, np.setdiff1d(readable, rows), most=_MOST_APART)
    return Calibration(name, pool.take(rows), pool.take(apart) if len(apart) else {})


def _trained_on(source: Source) -> set[str]:
    if source.run is None:
        return set()
    names = run_json(source.run, PAGES).get("trained_on")
    return {str(name) for name in names} if isinstance(names, list) else set()


def _dealt(facts: PageModelFacts, *, root: Path | None) -> set[str]:
    """The training side of the split that the manifest states, dealt again."""
    stated = [facts.training.get(key) for key in ("protocol", "split_seed", "folds", "held_out_fold")]
    protocol, *numbers = stated
    known = next((name for name in PROTOCOLS if name == protocol), None)
    if known is None or not all(isinstance(number, int) for number in numbers):
        raise InputError("which pages are of the training side is not stated; name a run with --like")
    seed, folds, fold = (int(str(number)) for number in numbers)
    dealt = deal(PAGE_DATASETS[str(facts.training["data"])](root=root), known, seed=seed, folds=folds)
    if dealt.split.split_hash() != facts.training.get("split_sha256"):
        raise InputError("the pages of the training side cannot be dealt again: the data set is another; name a run")
    return {dealt.images[row].name for row in dealt.split.trained_on(fold)}
