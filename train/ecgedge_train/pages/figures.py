"""All figures of judged pages as plain values: for JSON, model cards and tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np

from ecgedge.class_metrics import NO_ANSWER, ClassFigures, Interval, bootstrap_intervals, class_figures
from ecgedge.labels import REPORT
from ecgedge.manifest import Json
from ecgedge.sure_answers import SetFigures, abstention_curve, set_coverage
from ecgedge_train.pages.judged import JudgedPages

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
"""Shares of pages answered at which the accuracy of the answers is given."""
_DRAWS = 1000
_PLACES = 4


@dataclass(frozen=True)
class PageFigures:
    """Figures of one set of judged pages."""

    classes: ClassFigures
    intervals: Mapping[str, Interval]
    """95 %, bootstrap over groups; names as in `ClassFigures.scalars`."""
    sets: SetFigures
    """Over the pages that were answered."""
    accuracy_at: Mapping[float, float]
    """Share of pages answered, surest first -> accuracy of the answers."""
    groups: int


def page_figures(judged: JudgedPages, *, draws: int = _DRAWS) -> PageFigures:
    """Count all of it."""
    answered = judged.answered
    curve = abstention_curve(judged.probabilities, judged.truth)
    return PageFigures(
        classes=class_figures(judged.probabilities, judged.truth),
        intervals=bootstrap_intervals(judged.probabilities, judged.truth, judged.groups, draws=draws),
        sets=set_coverage(judged.sets[answered], judged.truth[answered]),
        accuracy_at={share: curve.at_coverage(share) for share in COVERAGES},
        groups=len(set(judged.groups)),
    )


def figures_json(figures: PageFigures) -> dict[str, Json]:
    """Plain values, NaN as null, shares to four places."""
    classes, sets = figures.classes, figures.sets
    return {
        "pages": classes.pages,
        "groups": figures.groups,
        "answered": classes.answered,
        "figures": {name: number(value) for name, value in classes.scalars().items()},
        "intervals_95": {name: [number(low), number(high)] for name, (low, high) in figures.intervals.items()},
        "confusion": {
            "rows": list(REPORT.names),
            "columns": [*REPORT.names, NO_ANSWER],
            "counts": classes.confusion.tolist(),
        },
        "sets": {
            "coverage": number(sets.coverage),
            "mean_size": number(sets.mean_size),
            "single": number(sets.single),
            "coverage_by_class": {name: number(value) for name, value in sets.by_class.items()},
        },
        "accuracy_where_answered": {f"{share:g}": number(value) for share, value in figures.accuracy_at.items()},
    }


def pages_json(judged: JudgedPages) -> list[Json]:
    """One entry a page: truth, what it was called, probabilities, classes not excluded, reason."""
    return [
        {
            "name": name,
            "truth": REPORT.names[int(truth)],
            "called": called,
            "probabilities": [number(float(value)) for value in row],
            "not_excluded": [label for label, inside in zip(REPORT.names, kept, strict=True) if inside],
            "reason": reason,
        }
        for name, truth, called, row, kept, reason in zip(
            judged.names, judged.truth, judged.called, judged.probabilities, judged.sets, judged.reasons, strict=True
        )
    ]


def missed(judged: JudgedPages, label: str) -> list[str]:
    """Names of the pages of a class that were called otherwise or not at all."""
    pages = zip(judged.names, judged.truth, judged.called, strict=True)
    return [name for name, truth, called in pages if REPORT.names[int(truth)] == label and called != label]


def number(value: float) -> float | None:
    """Rounded to four places; null where there is none."""
    return round(float(np.float64(value)), _PLACES) if isfinite(value) else None
