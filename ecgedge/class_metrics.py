"""Figures of a classifier of whole pages, with intervals. numpy only; each figure is defined where it is counted.

A row of probabilities that is NaN is a page without an answer: it is wrong in accuracy, recall and F1, has a column of
its own in the confusion matrix, and is left out where probabilities are judged (AUC, AUPRC, ECE, Brier, NLL).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.labels import REPORT
from ecgedge.records import IntArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Interval = tuple[float, float]

NO_ANSWER = "-"
"""Name of the confusion matrix's last column."""
ECE_BINS = 15
"""Equal-width bins of the expected calibration error, as Guo et al. 2017 (arXiv 1706.04599) have it."""
_LEAST = 1e-7  # stands for a probability of 0 in the log-loss
_LIMITS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Figures of one set of pages; shares from 0 to 1, NaN where nothing could be counted.

    Macro figures are means over the classes that occur in the truth.
    """

    accuracy: float
    balanced_accuracy: float
    """Mean recall."""
    macro_f1: float
    precision: Mapping[str, float]
    """0 where a class that occurs is never called."""
    recall: Mapping[str, float]
    f1: Mapping[str, float]
    macro_roc_auc: float
    roc_auc: Mapping[str, float]
    """One class against the rest; ties count half (Mann & Whitney 1947, 10.1214/aoms/1177730491)."""
    macro_auprc: float
    auprc: Mapping[str, float]
    """Average precision: the step-wise area, without interpolation."""
    ece: float
    """Expected calibration error of the likeliest class, `ECE_BINS` equal-width bins."""
    brier: float
    """Squared error added over the classes, 0 to 2 (Brier 1950)."""
    nll: float
    """Mean negative natural logarithm of the truth's probability."""
    confusion: IntArray
    """(n_classes, n_classes + 1) int64: rows truth, columns called, the last one no answer."""
    answered: int
    pages: int

    def scalars(self) -> dict[str, float]:
        """Every figure that is one number, by name; those of a class as `recall: mi`."""
        names = ("accuracy", "balanced_accuracy", "macro_f1", "macro_roc_auc", "macro_auprc", "ece", "brier", "nll")
        found = {name: float(getattr(self, name)) for name in names}
        for name in ("precision", "recall", "f1", "roc_auc", "auprc"):
            found |= {f"{name}: {label}": value for label, value in getattr(self, name).items()}
        return found


def class_figures(
    probabilities: NDArray[np.floating], truth: IntArray, *, labels: Sequence[str] = REPORT.names
) -> ClassFigures:
    """All figures of one set of pages.

    Parameters
    ----------
    probabilities : (n, n_classes) float, NaN rows where there was no answer
    truth : (n,) int64, index into `labels`

    Raises
    ------
    InputError
        Shapes that do not fit, no pages, a class out of range, or rows that are not probabilities.
    """
    values = _checked(probabilities, truth, len(labels))
    answered: BoolArray = np.asarray(np.isfinite(values).all(axis=1))
    confusion = _confusion(values, truth, answered)
    hits, present = np.diag(confusion), confusion.sum(axis=1) > 0
    called, true = confusion[:, :-1].sum(axis=0), confusion.sum(axis=1)
    recall = _share(hits, true)
    precision = np.where(present & (called == 0), 0.0, _share(hits, called))
    f1 = _share(2 * hits, true + called)
    areas = np.array([_areas(values[answered, k], truth[answered] == k) for k in range(len(labels))])
    return ClassFigures(
        accuracy=float(hits.sum() / len(truth)),
        balanced_accuracy=_mean(recall[present]),
        macro_f1=_mean(f1[present]),
        precision=_named(precision, labels),
        recall=_named(recall, labels),
        f1=_named(f1, labels),
        macro_roc_auc=_mean(areas[present, 0]),
        roc_auc=_named(areas[:, 0], labels),
        macro_auprc=_mean(areas[present, 1]),
        auprc=_named(areas[:, 1], labels),
        ece=expected_calibration_error(values[answered], truth[answered]),
        brier=_mean(((values[answered] - np.eye(len(labels))[truth[answered]]) ** 2).sum(axis=1)),
        nll=_mean(-np.log(np.maximum(values[answered, truth[answered]], _LEAST))),
        confusion=confusion,
        answered=int(answered.sum()),
        pages=len(truth),
    )


def bootstrap_intervals(
    probabilities: NDArray[np.floating],
    truth: IntArray,
    groups: Sequence[str],
    *,
    labels: Sequence[str] = REPORT.names,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """95 % intervals of all `ClassFigures.scalars`: percentiles over groups drawn with replacement.

    Pages of one group (copies of one picture, pages of one person) are drawn together. An accuracy or recall of
    exactly 0 or 1 has the limits of Clopper & Pearson 1934 (10.1093/biomet/26.4.404) over its groups instead, since
    resampling what is all alike says nothing.
    """
    if len(groups) != len(truth):
        raise InputError(f"{len(groups)} groups for {len(truth)} pages; one for each is needed")
    whole = class_figures(probabilities, truth, labels=labels).scalars()
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    rows = [np.flatnonzero(member == k) for k in range(len(names))]
    picks = np.random.default_rng(seed).integers(0, len(rows), (draws, len(rows)))
    drawn = (np.concatenate([rows[k] for k in pick]) for pick in picks)
    found = [class_figures(probabilities[row], truth[row], labels=labels).scalars() for row in drawn]
    intervals = {name: _percentiles(np.array([one[name] for one in found])) for name in whole}
    in_class = {f"recall: {label}": len(np.unique(member[truth == k])) for k, label in enumerate(labels)}
    for name, n_groups in {"accuracy": len(names), **in_class}.items():
        if whole[name] in (0.0, 1.0):
            bound = 0.025 ** (1 / n_groups)
            intervals[name] = (0.0, 1 - bound) if whole[name] == 0 else (bound, 1.0)
    return intervals


def expected_calibration_error(probabilities: FloatArray, truth: IntArray) -> float:
    """Mean distance of confidence and accuracy over `ECE_BINS` equal-width bins of the largest probability."""
    if not len(truth):
        return float("nan")
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.clip(np.ceil(top * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    gaps = np.bincount(bins, weights=top - right, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(truth))


def _confusion(values: FloatArray, truth: IntArray, answered: BoolArray) -> IntArray:
    n_classes = values.shape[1]
    called = np.where(answered, np.nan_to_num(values, nan=-1.0).argmax(axis=1), n_classes)
    counts = np.bincount(truth * (n_classes + 1) + called, minlength=n_classes * (n_classes + 1))
    return counts.reshape(n_classes, n_classes + 1).astype(np.int64)


def _areas(scores: FloatArray, positive: BoolArray) -> Interval:
    """Area under the ROC curve and average precision of one class against the rest; NaN where either side is empty."""
    n_positive = int(positive.sum())
    if n_positive in (0, len(positive)):
        return float("nan"), float("nan")
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of each run of equal scores
    hits = np.cumsum(positive[order])[last]
    called = last + 1.0
    sensitivity, false_alarms = (
        np.append(0, hits) / n_positive,
        np.append(0, called - hits) / (len(scores) - n_positive),
    )
    roc = np.sum(np.diff(false_alarms) * (sensitivity[1:] + sensitivity[:-1])) / 2
    return float(roc), float(np.sum(np.diff(sensitivity) * hits / called))


def _share(part: NDArray[np.integer], whole: NDArray[np.integer]) -> FloatArray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _named(values: FloatArray, labels: Sequence[str]) -> dict[str, float]:
    return {label: float(value) for label, value in zip(labels, values, strict=True)}


def _percentiles(values: FloatArray) -> Interval:
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, _LIMITS)
    return float(low), float(high)


def _checked(probabilities: NDArray[np.floating], truth: IntArray, n_classes: int) -> FloatArray:
    values = np.asarray(probabilities, dtype=np.float64)
    if values.shape != (len(truth), n_classes) or not len(truth):
        raise InputError(
            f"probabilities of shape {values.shape} for {len(truth)} pages; ({len(truth)}, {n_classes}), n > 0"
        )
    if truth.min() < 0 or truth.max() >= n_classes:
        raise InputError(f"classes {truth.min()} to {truth.max()}; 0 to {n_classes - 1} are known; check the labels")
    sums = values[np.isfinite(values).all(axis=1)].sum(axis=1)
    if len(sums) and np.abs(sums - 1).max() > 0.03:
        raise InputError(
            f"probabilities that add up to {sums[np.abs(sums - 1).argmax()]:.3g}; 1 is needed; apply softmax"
        )
    return values
