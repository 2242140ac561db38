"""Pages with what a bundle said of them, and the truth: what every figure is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgedge.decide import Decision, abstains, decide, prediction_set
from ecgedge.labels import REPORT
from ecgedge.lead_arrays import Inputs
from ecgedge_train.pages.pool import BoolArray, IntArray, PagePool

FloatArray = NDArray[np.float32]

_PIECE = 64  # pages judged at once: bounds the memory of large images


class Judge(Protocol):
    """Says how likely each class is: inputs of n pages -> (n, 4) float32, not yet calibrated."""

    def __call__(self, inputs: Inputs) -> FloatArray: ...


class Answers:
    """A judge who reads out answers given before, (n, 4) float32, in their order."""

    def __init__(self, probabilities: FloatArray) -> None:
        self._left = probabilities

    def __call__(self, inputs: Inputs) -> FloatArray:
        """The answers for the next pages."""
        n = len(next(iter(inputs.values())))
        said, self._left = self._left[:n], self._left[n:]
        return said


@dataclass(frozen=True)
class JudgedPages:
    """n pages; those without an answer have rows of NaN and a reason."""

    names: tuple[str, ...]
    groups: tuple[str, ...]
    """What intervals are drawn over."""
    truth: IntArray
    """(n,) int64, index into `labels.REPORT.names`."""
    probabilities: FloatArray
    """(n, 4) float32, calibrated."""
    sets: BoolArray
    """(n, 4) bool, classes that cannot be excluded; none where there was no answer."""
    reasons: tuple[str, ...]
    """Why there was no answer; else empty."""

    @property
    def answered(self) -> BoolArray:
        """(n,) bool."""
        return np.asarray(np.isfinite(self.probabilities).all(axis=1))

    @property
    def called(self) -> tuple[str, ...]:
        """Class of each page, empty where there was no answer."""
        best = np.nan_to_num(self.probabilities, nan=-1.0).argmax(axis=1)
        return tuple(REPORT.names[k] if there else "" for k, there in zip(best, self.answered, strict=True))


def judge_pages(pool: PagePool, rows: IntArray, groups: Sequence[str], judge: Judge, decision: Decision) -> JudgedPages:
    """Judge some pages of a pool; refused ones, and ones too unsure to be answered, are without an answer.

    Parameters
    ----------
    groups : of every page of the pool
    """
    n = len(rows)
    probabilities = np.full((n, len(REPORT.names)), np.nan, np.float32)
    sets = np.zeros(probabilities.shape, bool)
    reasons = [pool.reasons[row] for row in rows.tolist()]
    readable = np.flatnonzero(pool.read[rows])
    for start in range(0, len(readable), _PIECE):
        at = readable[start : start + _PIECE]
        probabilities[at] = decide(judge(pool.take(rows[at])), decision)[1]
    sets[readable] = prediction_set(probabilities[readable], decision)
    unsure = readable[abstains(probabilities[readable], decision)]
    for index in unsure.tolist():
        reasons[index] = f"too unsure: {probabilities[index].max():.2f}, needs {decision.abstain_below:g}"
    probabilities[unsure] = np.nan
    return JudgedPages(
        names=tuple(pool.names[row] for row in rows.tolist()),
        groups=tuple(groups[row] for row in rows.tolist()),
        truth=pool.classes[rows],
        probabilities=probabilities,
        sets=sets,
        reasons=tuple(reasons),
    )


def joined_pages(parts: Sequence[JudgedPages]) -> JudgedPages:
    """All pages of several folds or seeds."""
    return JudgedPages(
        names=tuple(name for part in parts for name in part.names),
        groups=tuple(group for part in parts for group in part.groups),
        truth=np.concatenate([part.truth for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        sets=np.concatenate([part.sets for part in parts]),
        reasons=tuple(reason for part in parts for reason in part.reasons),
    )


def judged_arrays(judged: JudgedPages) -> dict[str, NDArray[np.generic]]:
    """As arrays by name, for `numpy.savez`."""
    return {entry.name: np.asarray(getattr(judged, entry.name)) for entry in fields(JudgedPages)}


def judged_from(arrays: Mapping[str, NDArray[np.generic]]) -> JudgedPages:
    """What `judged_arrays` gave; `KeyError` where one is missing, others are passed over."""
    return JudgedPages(
        names=tuple(arrays["names"].tolist()),
        groups=tuple(arrays["groups"].tolist()),
        truth=np.asarray(arrays["truth"], np.int64),
        probabilities=np.asarray(arrays["probabilities"], np.float32),
        sets=np.asarray(arrays["sets"], np.bool_),
        reasons=tuple(arrays["reasons"].tolist()),
    )


def agreement(one: JudgedPages, other: JudgedPages) -> float:
    """Share of pages that two models call the same, no answer being a call too."""
    same = [a == b for a, b in zip(one.called, other.called, strict=True)]
    return float(np.mean(same)) if same else float("nan")
