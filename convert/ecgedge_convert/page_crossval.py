"""Cross-validation of a page recipe: every fold trained, converted to int8 and judged, float and int8 side by side.

Each fold has its folder; one that is done is taken from there, one that was killed goes on where it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ecgedge.decide import Decision
from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge.page_engine import PageEngine
from ecgedge_convert.page_export import PageModelFacts, bare_bundle
from ecgedge_convert.page_run import output_shapes, representative_rows
from ecgedge_convert.quantise import to_int8
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.pages.cache import page_inputs
from ecgedge_train.pages.crew import Advance
from ecgedge_train.pages.figures import figures_json, missed, page_figures, pages_json
from ecgedge_train.pages.fit import predict
from ecgedge_train.pages.judged import (
    JudgedPages,
    agreement,
    joined_pages,
    judge_pages,
    judged_arrays,
    judged_from,
)
from ecgedge_train.pages.pool import PagePool
from ecgedge_train.pages.protocols import deal
from ecgedge_train.pages.recipe import PageRecipe, ProtocolName
from ecgedge_train.pages.workshop import PageData, TrainedPages, train_without_fold, training_facts

FoldAdvance = Callable[[str, str, float], None]
"""Called after each epoch with the fold's name, the network's name and its loss; both empty-named when it is done."""

_RESULT = "judged.npz"
_BUNDLE = "model.tflite"


@dataclass(frozen=True)
class FoldAnswers:
    """What one fold's model said of the pages it had not seen."""

    seed: int
    fold: int
    quantised: JudgedPages
    floating: JudgedPages
    model_bytes: int


@dataclass(frozen=True)
class Crossvalidation:
    """All folds of all seeds."""

    recipe: PageRecipe
    protocol: ProtocolName
    folds: int
    answers: tuple[FoldAnswers, ...]

    @property
    def quantised(self) -> JudgedPages:
        """Every held-out page of every seed, as the int8 models judged it."""
        return joined_pages([one.quantised for one in self.answers])

    @property
    def floating(self) -> JudgedPages:
        """The same by the float models."""
        return joined_pages([one.floating for one in self.answers])

    def of_seed(self, seed: int) -> JudgedPages:
        """The int8 answers of one seed."""
        return joined_pages([one.quantised for one in self.answers if one.seed == seed])


@dataclass(frozen=True, slots=True)
class CrossvalPlan:
    """Which folds are trained."""

    protocol: ProtocolName
    folds: int | None = None
    """None for the usual number of the protocol."""
    seeds: tuple[int, ...] = (0,)
    only: tuple[int, ...] = ()
    """Folds to train; none for all."""


def cross_validate(
    recipe: PageRecipe,
    images: Sequence[ReportImage],
    plan: CrossvalPlan,
    out_dir: Path,
    *,
    cache_dir: Path | None = None,
    workers: int = 1,
    read: Callable[[int, int], None] = lambda _done, _all: None,
    advance: FoldAdvance = lambda _fold, _name, _loss: None,
) -> Crossvalidation:
    """Train, convert and judge every fold.

    Parameters
    ----------
    images : all files of the data set
    out_dir : a folder per fold is kept here

    Raises
    ------
    InputError
        A fold that is not there.
    DataError
        A split that leaks.
    """
    answers: list[FoldAnswers] = []
    pool: PagePool | None = None
    k = 0
    for seed in plan.seeds:
        dealt = deal(images, plan.protocol, seed=seed, folds=plan.folds)
        pool = pool or page_inputs(dealt.images, recipe.pipeline, cache_dir=cache_dir, workers=workers, advance=read)
        k = dealt.split.k
        for fold in _folds(plan, k):
            name = f"{plan.protocol}-{k}-s{seed}-f{fold}"
            told = partial(advance, name)
            answers.append(_fold(recipe, PageData(dealt, pool, fold), out_dir / name, advance=told))
            advance(name, "", 0.0)
    return Crossvalidation(recipe, plan.protocol, k, tuple(answers))


def _folds(plan: CrossvalPlan, k: int) -> tuple[int, ...]:
    if wrong := [fold for fold in plan.only if not 0 <= fold < k]:
        raise InputError(f"fold {wrong[0]} of {k}; choose 0 to {k - 1}")
    return plan.only or tuple(range(k))


def _fold(recipe: PageRecipe, data: PageData, folder: Path, *, advance: Advance) -> FoldAnswers:
    stamp = f"{recipe.sha256} {data.dealt.split.split_hash()} {data.fold}"
    seed, fold = data.dealt.seed, data.fold
    if (kept := _kept(folder / _RESULT, stamp, seed=seed, fold=fold)) is not None:
        return kept
    trained = train_without_fold(recipe, data, folder, advance=advance)
    answers = _answers(trained, folder)
    _keep(answers, folder / _RESULT, stamp)
    return answers


def _answers(trained: TrainedPages, folder: Path) -> FoldAnswers:
    data, model, decision = trained.data, trained.crew.model, trained.crew.decision
    representative = data.pool.take(representative_rows(data.pool, data.training_rows))
    facts = PageModelFacts(
        trained.recipe.name, trained.recipe.pipeline, decision, training_facts(trained), output_shapes(model)
    )
    bundle = bare_bundle(to_int8(model, representative), facts)
    (folder / _BUNDLE).write_bytes(bundle.model)
    engine = PageEngine(bundle)
    from_manifest = Decision.from_manifest(bundle.manifest.decision)
    judged = partial(judge_pages, data.pool, data.test_rows, data.dealt.pages)
    return FoldAnswers(
        seed=data.dealt.seed,
        fold=data.fold,
        quantised=judged(engine.probabilities, from_manifest),
        floating=judged(partial(predict, model), from_manifest),
        model_bytes=len(bundle.model),
    )


def crossval_json(found: Crossvalidation) -> dict[str, Json]:
    """All figures and answers as plain values."""
    quantised, floating = found.quantised, found.floating
    seeds = sorted({one.seed for one in found.answers})
    return {
        "recipe": found.recipe.name,
        "recipe_sha256": found.recipe.sha256,
        "protocol": found.protocol,
        "folds": found.folds,
        "seeds": list(seeds),
        "folds_done": [[one.seed, one.fold] for one in found.answers],
        "model_bytes": max(one.model_bytes for one in found.answers),
        "int8": figures_json(page_figures(quantised)),
        "float": figures_json(page_figures(floating)),
        "int8_calls_as_float": round(agreement(quantised, floating), 4),
        "by_seed": {str(seed): figures_json(page_figures(found.of_seed(seed), draws=200)) for seed in seeds},
        "missed_mi": list(missed(quantised, "mi")),
        "answers": pages_json(quantised),
    }


def _keep(answers: FoldAnswers, path: Path, stamp: str) -> None:
    arrays: dict[str, np.ndarray] = {"stamp": np.array(stamp), "model_bytes": np.array(answers.model_bytes)}
    for kind, judged in (("int8", answers.quantised), ("float", answers.floating)):
        arrays |= {f"{kind}:{name}": values for name, values in judged_arrays(judged).items()}
    made = path.with_suffix(".new.npz")
    np.savez_compressed(made, **arrays)  # type: ignore[arg-type]
    made.replace(path)


def _kept(path: Path, stamp: str, *, seed: int, fold: int) -> FoldAnswers | None:
    """The answers of a fold that was done before with the same recipe and the same pages."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if str(archive["stamp"]) != stamp:
                return None
            quantised, floating = (_judged({k: archive[k] for k in archive.files}, kind) for kind in ("int8", "float"))
            return FoldAnswers(seed, fold, quantised, floating, int(archive["model_bytes"]))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _judged(arrays: dict[str, np.ndarray], kind: str) -> JudgedPages:
    return judged_from({name.partition(":")[2]: a for name, a in arrays.items() if name.startswith(f"{kind}:")})
