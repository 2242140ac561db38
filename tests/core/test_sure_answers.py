"""Abstention and sets against values worked out by hand."""

import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.sure_answers import abstention_curve, set_coverage

TRUTH = np.array([0, 1, 0, 1])
ROWS = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.3, 0.7]])


def test_the_curve_has_a_point_per_threshold() -> None:
    curve = abstention_curve(ROWS, TRUTH)
    assert curve.threshold.tolist() == [0.9, 0.8, 0.7]
    assert curve.coverage.tolist() == [0.25, 0.5, 1.0]
    assert curve.accuracy.tolist() == [1.0, 0.5, 0.75]
    assert (curve.at_coverage(0.25), curve.at_coverage(0.6)) == (1.0, 0.75)


def test_pages_without_an_answer_are_never_covered() -> None:
    rows = ROWS.copy()
    rows[0] = np.nan
    curve = abstention_curve(rows, TRUTH)
    assert curve.coverage[-1] == 0.75
    assert np.isnan(curve.at_coverage(0.9))
    none = abstention_curve(np.full((4, 2), np.nan), TRUTH)
    assert len(none.threshold) == 0 and np.isnan(none.at_coverage(0.1))


def test_sets_are_counted() -> None:
    sets = np.array([[True, False], [True, False], [True, True], [False, True]])
    found = set_coverage(sets, TRUTH, labels=("a", "b"))
    assert (found.coverage, found.mean_size, found.single) == (0.75, 1.25, 0.75)
    assert found.by_class == {"a": 1.0, "b": 0.5}


def test_sets_that_do_not_fit_are_named() -> None:
    with pytest.raises(InputError, match=r"sets of shape \(4, 2\) for 3 pages"):
        set_coverage(np.ones((4, 2), bool), TRUTH[:3], labels=("a", "b"))
