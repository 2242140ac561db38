"""What sureness is worth: accuracy against coverage when unsure pages go unanswered, and how often sets hold the truth.

numpy only. Knows nothing of how probabilities were calibrated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.labels import REPORT
from ecgedge.records import IntArray


@dataclass(frozen=True, slots=True)
class AbstentionCurve:
    """One point per threshold that changes anything, from answering the surest page alone to answering all."""

    threshold: NDArray[np.float64]
    """(m,) falling: pages are answered whose largest probability is at least this."""
    coverage: NDArray[np.float64]
    """(m,) share of all pages that are answered; pages without probabilities never are."""
    accuracy: NDArray[np.float64]
    """(m,) share of right answers among those answered."""

    def at_coverage(self, coverage: float) -> float:
        """Accuracy where at least this share of pages is answered; NaN where so many never are."""
        there = np.flatnonzero(self.coverage >= coverage - 1e-12)
        return float(self.accuracy[there[0]]) if len(there) else float("nan")


@dataclass(frozen=True, slots=True)
class SetFigures:
    """How well sets of classes hold the truth; shares 0 to 1."""

    coverage: float
    """Share of pages whose truth is in their set."""
    mean_size: float
    """Classes per set."""
    single: float
    """Share of sets with one class."""
    by_class: Mapping[str, float]
    """Coverage of the pages of each class; NaN where there are none."""
    pages: int


def abstention_curve(probabilities: NDArray[np.floating], truth: IntArray) -> AbstentionCurve:
    """Accuracy against coverage.

    Parameters
    ----------
    probabilities : (n, n_classes) float, calibrated; NaN rows where there was no answer at all
    truth : (n,) int64
    """
    answered = np.flatnonzero(np.isfinite(probabilities).all(axis=1))
    top = probabilities[answered].max(axis=1).astype(np.float64)
    order = np.argsort(-top, kind="stable")
    right = (probabilities[answered].argmax(axis=1) == truth[answered])[order]
    last = np.flatnonzero(np.append(np.diff(top[order]) != 0, True)[: len(order)])
    counts = last + 1.0
    return AbstentionCurve(top[order][last], counts / max(1, len(truth)), np.cumsum(right)[last] / counts)


def set_coverage(sets: NDArray[np.bool_], truth: IntArray, *, labels: Sequence[str] = REPORT.names) -> SetFigures:
    """Figures of prediction sets: (n, n_classes) bool and (n,) int64 -> how often the truth is inside, and how large.

    Raises
    ------
    InputError
        Shapes that do not fit, or no pages.
    """
    if sets.shape != (len(truth), len(labels)) or not len(truth):
        raise InputError(f"sets of shape {sets.shape} for {len(truth)} pages; ({len(truth)}, {len(labels)}), n > 0")
    inside, size = sets[np.arange(len(truth)), truth], sets.sum(axis=1)
    by_class = {
        label: float(inside[truth == k].mean()) if (truth == k).any() else float("nan")
        for k, label in enumerate(labels)
    }
    return SetFigures(float(inside.mean()), float(size.mean()), float((size == 1).mean()), by_class, len(truth))
