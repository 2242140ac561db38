"""Figures with 95 % intervals, and differences of two models with theirs: bootstrap over pages or patients.

Every model is counted on the same draws, so that what is common to two of them falls out of their difference. The
draws are those of `ecgedge.metrics` and `ecgedge.class_metrics`: a figure has the same interval here as there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.labels import AAMI
from ecgedge.metrics import ROWS, BeatFigures, beat_figures
from ecgedge.records import IntArray
from ecgedge_convert.report.answers import Answers, Tallies, alike, tallies

DRAWS = 1000
SEED = 0
_LIMITS = (2.5, 97.5)
_TAIL = 0.025

Values = NDArray[np.float64]
Measures = Mapping[str, Values]
"""Name of a figure -> (n,) float64, its value in each of n sets."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, or a difference of two, with its 95 % interval; NaN where nothing could be counted."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Sample:
    """A model's figures: of all groups together, and of each draw."""

    whole: Mapping[str, float]
    drawn: Measures
    exact: Mapping[str, int]
    """Shares that have the limits of Clopper & Pearson 1934 (10.1093/biomet/26.4.404) where they are exactly 0 or 1,
    since resampling what is all alike says nothing; name -> number of groups."""

    def figure(self, name: str) -> Figure:
        """One figure."""
        value = self.whole[name]
        if value in (0.0, 1.0) and name in self.exact:
            return _edge(value, self.exact[name])
        return Figure(value, *_percentiles(self.drawn[name]))

    def minus(self, other: "Sample", name: str) -> Figure:
        """How much more of a figure this model has than the other."""
        difference = self.drawn[name] - other.drawn[name]
        return Figure(self.whole[name] - other.whole[name], *_percentiles(difference))


def sample(answers: Answers, *, draws: int = DRAWS, seed: int = SEED) -> Sample:
    """All figures of a model's answers."""
    counted = tallies(answers)
    n_groups = len(counted.answered)
    weights = _weights(n_groups, draws=draws, seed=seed)
    whole, drawn = _measures(counted, np.ones((1, n_groups))), _measures(counted, weights)
    exact = dict.fromkeys(("accuracy", "covered", "no_answer"), n_groups)
    if counted.confusion.shape[1] < len(ROWS):  # pages; of beats, metrics.bootstrap_interval has percentiles throughout
        there = (counted.confusion.sum(axis=2) > 0).sum(axis=0).tolist()
        exact |= {f"recall {k}": n for k, n in enumerate(there)}
    return Sample({name: float(values[0]) for name, values in whole.items()}, drawn, exact)


def agreement(one: Answers, other: Answers, *, draws: int = DRAWS, seed: int = SEED) -> Figure:
    """Share of the items that two models call the same, no answer being a call too.

    Where patients are drawn and every beat is called the same, there is no interval: patients are too few to give one.
    """
    counts = alike(one, other)
    shares = _share(*(_weights(len(counts), draws=draws, seed=seed) @ counts).T)
    same, items = counts.sum(axis=0)
    if same == items and len(one.rows) == len(ROWS):
        return Figure(1.0, float("nan"), float("nan"))
    return Sample({"agreement": float(same / items)}, {"agreement": shares}, {"agreement": len(counts)}).figure(
        "agreement"
    )


def _weights(n_groups: int, *, draws: int, seed: int) -> Values:
    """(draws, n_groups): how often each group is in each draw."""
    picks = np.random.default_rng(seed).integers(0, n_groups, (draws, n_groups))
    weights = np.zeros((draws, n_groups))
    np.add.at(weights, (np.arange(draws)[:, None], picks), 1)
    return weights


def _added(counted: Tallies, weights: Values) -> tuple[IntArray, Values, Values]:
    """Confusion (n, rows, columns), gaps (n, bins) and answered items (n,) of n weighted sums of groups."""
    flat = counted.confusion.reshape(len(counted.confusion), -1)
    confusion = np.rint(weights @ flat).astype(np.int64).reshape(-1, *counted.confusion.shape[1:])
    return confusion, weights @ counted.gaps, weights @ counted.answered


def _measures(counted: Tallies, weights: Values) -> dict[str, Values]:
    confusion, gaps, answered = _added(counted, weights)
    found = beat_measures(confusion) if confusion.shape[1] == len(ROWS) else page_measures(confusion)
    found["ece"] = _share(np.abs(gaps).sum(axis=1), answered)
    if counted.sets is not None:
        found["covered"], found["set_size"] = _share(weights @ counted.sets, answered[:, None]).T
    return found


def page_measures(confusion: IntArray) -> dict[str, Values]:
    """Accuracy, macro F1 and recalls of (n, classes, classes + 1) counts, defined as in `ecgedge.class_metrics`; and
    the share without an answer."""
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    true, called = confusion.sum(axis=2), confusion[:, :, :-1].sum(axis=1)
    recall, f1 = _share(hits, true), _share(2 * hits, true + called)
    found = {
        "accuracy": _share(hits.sum(axis=1), true.sum(axis=1)),
        "macro_f1": _mean_where(f1, true > 0),
        "balanced_accuracy": _mean_where(recall, true > 0),
        "no_answer": _share(confusion[:, :, -1].sum(axis=1), true.sum(axis=1)),
    }
    return found | {f"recall {k}": recall[:, k] for k in range(recall.shape[1])}


def beat_measures(confusion: IntArray) -> dict[str, Values]:
    """The figures of EC57 of (n, 5, 6) counts, defined as in `ecgedge.metrics`."""
    figures = [_plain(beat_figures(one)) for one in confusion]
    return {name: np.array([one[name] for one in figures]) for name in figures[0]}


def _plain(figures: BeatFigures) -> dict[str, float]:
    found = {"jk": figures.jk, "accuracy": figures.accuracy, "macro_f1": figures.macro_f1}
    for title, name in (("SVEB", "S"), ("VEB", "V")):
        found |= {f"{title} Se": figures.sensitivity[name], f"{title} PPV": figures.ppv[name]}
    return found | {f"recall {k}": figures.sensitivity[name] for k, name in enumerate(AAMI.names)}


def _share(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Values:
    parts, wholes = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    wholes = np.broadcast_to(wholes, parts.shape)
    shares: Values = np.divide(parts, wholes, out=np.full(parts.shape, np.nan), where=wholes > 0)
    return shares


def _mean_where(values: Values, there: NDArray[np.bool_]) -> Values:
    return _share(np.where(there, values, 0.0).sum(axis=1), there.sum(axis=1))


def _edge(value: float, n_groups: int) -> Figure:
    bound = _TAIL ** (1 / n_groups)
    return Figure(value, 0.0, 1 - bound) if value == 0 else Figure(value, bound, 1.0)


def _percentiles(values: Values) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, _LIMITS)
    return float(low), float(high)
