"""Measure a page bundle on pages it was not trained on, through the same engine as on the device.

Never imports TensorFlow: a figure can be checked on a Raspberry Pi.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgedge.bundle import Bundle
from ecgedge.decide import Decision
from ecgedge.errors import BundleError, DataError, InputError
from ecgedge.manifest import Json
from ecgedge.page_engine import PageEngine
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.pages.cache import Advance, page_inputs
from ecgedge_train.pages.figures import PageFigures, figures_json, missed, page_figures, pages_json
from ecgedge_train.pages.judged import JudgedPages, judge_pages
from ecgedge_train.pages.protocols import PROTOCOLS, DealtPages, deal
from ecgedge_train.pages.recipe import ProtocolName

_RARE = "mi"
"""The class with 30 different pages: those that are missed are named."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be measured; None for what the bundle says that it was trained for."""

    protocol: ProtocolName | None = None
    folds: int | None = None
    seed: int | None = None
    fold: int | None = None


@dataclass(frozen=True)
class PageEvaluation:
    """A bundle's answers for the pages of one fold."""

    bundle: str
    model_bytes: int
    dealt: DealtPages
    fold: int
    judged: JudgedPages

    @property
    def title(self) -> str:
        """Which pages, in words."""
        return f"{self.dealt.title}, fold {self.fold}"


def evaluate_page_bundle(
    bundle: Bundle,
    images: Sequence[ReportImage],
    question: Question,
    *,
    cache_dir: Path | None = None,
    workers: int = 1,
    advance: Advance = lambda _done, _all: None,
) -> PageEvaluation:
    """Judge the pages of a fold through the bundle.

    Parameters
    ----------
    images : all files of the data set

    Raises
    ------
    BundleError
        The bundle is not for pages, or does not say what it was trained on.
    DataError
        A page of the fold was trained on, or the data set is not the one that the bundle was trained on.
    """
    engine = PageEngine(bundle)
    trained = trained_on(bundle, images)
    asked = _asked(bundle, question)
    dealt = deal(images, asked.protocol, seed=asked.seed, folds=asked.folds)
    rows = np.asarray(dealt.split.held_out(asked.fold), np.int64)
    chosen = [dealt.images[row] for row in rows.tolist()]
    require_unseen(chosen, trained, asked.protocol, images)
    pool = page_inputs(chosen, engine.pipeline, cache_dir=cache_dir, workers=workers, advance=advance)
    judged = judge_pages(
        pool,
        np.arange(len(chosen)),
        [dealt.pages[row] for row in rows.tolist()],
        engine.probabilities,
        Decision.from_manifest(bundle.manifest.decision),
    )
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return PageEvaluation(name, len(bundle.model), dealt, asked.fold, judged)


def trained_on(bundle: Bundle, images: Sequence[ReportImage]) -> set[str]:
    """Names of the pictures that the bundle's model was trained on, dealt again as its manifest says.

    Raises
    ------
    BundleError
        The manifest does not say.
    DataError
        Dealt again, they are not the same: the data set is another.
    """
    how = _trained_how(bundle)
    dealt = deal(images, how.protocol, seed=how.seed, folds=how.folds)
    if (found := dealt.split.split_hash()) != bundle.manifest.training.get("split_sha256"):
        raise DataError(
            f"{bundle.source}: its training pages cannot be dealt again (split {found[:12]} is not the one it states); "
            "evaluate on the data set it was trained on"
        )
    return {dealt.split.names[row] for row in dealt.split.trained_on(how.fold)}


def require_unseen(
    chosen: Sequence[ReportImage], trained: set[str], protocol: ProtocolName, images: Sequence[ReportImage]
) -> None:
    """Refuse to measure on a page that was trained on; under `as-published` a copy of one is let pass.

    Raises
    ------
    DataError
        The message names the page and the picture that was trained on.
    """
    seen = {key: image.name for image in images if image.name in trained for key in _keys(image, protocol)}
    true = {image.name: image for image in images}
    for image in chosen:
        for key in _keys(true[image.name], protocol):
            if key in seen:
                raise DataError(
                    f"leak: {image.name} was trained on as {seen[key]}; choose the fold that the bundle held out"
                )


def _keys(image: ReportImage, protocol: ProtocolName) -> tuple[str, ...]:
    """What must not be on both sides."""
    if protocol == "as-published":
        return (image.name,)
    return (image.group,) if protocol == "leak-free" else (image.group, f"number {image.number}")


@dataclass(frozen=True, slots=True)
class _Asked:
    protocol: ProtocolName
    folds: int | None
    seed: int
    fold: int


def _trained_how(bundle: Bundle) -> _Asked:
    facts = bundle.manifest.training
    protocol = next((name for name in PROTOCOLS if name == facts.get("protocol")), None)
    try:
        if protocol is None:
            raise KeyError("protocol")
        numbers = [int(str(facts[key])) for key in ("folds", "split_seed", "held_out_fold")]
    except (KeyError, ValueError) as error:
        raise BundleError(f"{bundle.source}: does not say what it was trained on ({error}); convert it again") from None
    return _Asked(protocol, *numbers)


def _asked(bundle: Bundle, question: Question) -> _Asked:
    how = _trained_how(bundle)
    protocol = question.protocol or how.protocol
    same = protocol == how.protocol
    asked = _Asked(
        protocol=protocol,
        folds=question.folds or (how.folds if same else None),
        seed=how.seed if question.seed is None else question.seed,
        fold=how.fold if question.fold is None else question.fold,
    )
    k = asked.folds or PROTOCOLS[protocol][1]
    if not 0 <= asked.fold < k:
        raise InputError(f"fold {asked.fold} of {k}; choose 0 to {k - 1}")
    return asked


def evaluation_json(evaluation: PageEvaluation, figures: PageFigures | None = None) -> dict[str, Json]:
    """Everything measured, as plain values."""
    found = figures or page_figures(evaluation.judged)
    dealt = evaluation.dealt
    return {
        "bundle": evaluation.bundle,
        "model_bytes": evaluation.model_bytes,
        "protocol": dealt.protocol,
        "folds": dealt.split.k,
        "seed": dealt.seed,
        "fold": evaluation.fold,
        "split_sha256": dealt.split.split_hash(),
        **figures_json(found),
        f"missed_{_RARE}": list(missed(evaluation.judged, _RARE)),
        "answers": pages_json(evaluation.judged),
    }
