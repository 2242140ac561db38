"""Figures of page classifiers against values worked out by hand, and the laws they must keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgedge.class_metrics import bootstrap_intervals, class_figures, expected_calibration_error
from ecgedge.errors import InputError

THREE = ("a", "b", "c")
# Truth a a a b b c; called a a b b a a.
TRUTH = np.array([0, 0, 0, 1, 1, 2])
ROWS = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.3, 0.5, 0.2], [0.1, 0.9, 0.0], [0.5, 0.4, 0.1], [0.7, 0.1, 0.2]])


def one_hot(called: list[int], n: int = 3) -> np.ndarray:
    return np.eye(n)[called]


def test_counts_worked_out_by_hand() -> None:
    found = class_figures(ROWS, TRUTH, labels=THREE)
    assert found.confusion.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]]
    assert found.accuracy == pytest.approx(3 / 6)
    assert found.recall == pytest.approx({"a": 2 / 3, "b": 1 / 2, "c": 0})
    assert found.precision == pytest.approx({"a": 2 / 4, "b": 1 / 2, "c": 0})
    assert found.f1 == pytest.approx({"a": 4 / 7, "b": 1 / 2, "c": 0})
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2) / 3)
    assert found.macro_f1 == pytest.approx((4 / 7 + 1 / 2) / 3)


def test_probabilities_worked_out_by_hand() -> None:
    found = class_figures(ROWS, TRUTH, labels=THREE)
    assert found.brier == pytest.approx(np.mean([0.06, 0.26, 0.78, 0.02, 0.62, 1.14]))
    assert found.nll == pytest.approx(-np.mean(np.log([0.8, 0.6, 0.3, 0.9, 0.4, 0.2])))
    assert found.roc_auc["b"] == pytest.approx(7 / 8)  # of 8 pairs one is wrong: .4 below .5
    assert found.auprc["b"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert found.roc_auc["c"] == pytest.approx((4 + 0.5) / 5)  # .2 beats four and ties with .2
    assert found.auprc["c"] == pytest.approx(1 / 2)


def test_calibration_error_worked_out_by_hand() -> None:
    rows = np.array([[0.95, 0.05], [0.95, 0.05], [0.55, 0.45], [0.55, 0.45]])
    assert expected_calibration_error(rows, np.array([0, 0, 0, 1])) == pytest.approx((0.05 + 0.05) / 2)
    assert np.isnan(expected_calibration_error(rows[:0], np.array([], int)))


def test_a_page_without_an_answer_is_wrong_but_not_miscalibrated() -> None:
    rows = one_hot([0, 1, 2])
    rows[1] = np.nan
    found = class_figures(rows, np.array([0, 1, 2]), labels=THREE)
    assert found.confusion.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.recall["b"] == 0
    assert (found.answered, found.pages) == (2, 3)
    assert found.ece == found.brier == 0


def test_a_class_that_does_not_occur_is_in_no_mean() -> None:
    found = class_figures(one_hot([0, 1, 1]), np.array([0, 1, 1]), labels=THREE)
    assert found.macro_f1 == found.balanced_accuracy == found.macro_roc_auc == 1
    assert np.isnan([found.recall["c"], found.f1["c"], found.roc_auc["c"]]).all()


@given(st.integers(0, 10_000))
def test_auc_is_one_half_for_a_constant_and_mirrors_when_scores_are_turned(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([[0, 1], rng.integers(0, 2, 20)])
    p = rng.integers(0, 8, len(truth)) / 8  # with ties
    found = class_figures(np.stack([1 - p, p], 1), truth, labels=("no", "yes"))
    turned = class_figures(np.stack([p, 1 - p], 1), truth, labels=("no", "yes"))
    assert found.roc_auc["yes"] + turned.roc_auc["yes"] == pytest.approx(1)
    assert found.roc_auc["yes"] == pytest.approx(found.roc_auc["no"])
    flat = class_figures(np.full((len(truth), 2), 0.5), truth, labels=("no", "yes"))
    assert flat.roc_auc["yes"] == 0.5
    assert flat.auprc["yes"] == pytest.approx(truth.mean())


def test_intervals_draw_groups_together() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(0, 3, 60), 4)
    called = np.where(np.repeat(rng.random(60) < 0.7, 4), truth, (truth + 1) % 3)
    rows = one_hot(called.tolist()) * 0.7 + 0.1
    together = bootstrap_intervals(rows, truth, [str(k // 4) for k in range(240)], labels=THREE, draws=300)
    alone = bootstrap_intervals(rows, truth, [str(k) for k in range(240)], labels=THREE, draws=300)
    width = {name: np.diff(found["accuracy"])[0] for name, found in (("together", together), ("alone", alone))}
    assert width["together"] / width["alone"] == pytest.approx(2, rel=0.25)  # the root of four copies
    figures = class_figures(rows, truth, labels=THREE).scalars()
    assert set(figures) == set(together)
    assert all(low <= figures[name] <= high for name, (low, high) in together.items() if name != "ece")
    assert bootstrap_intervals(rows, truth, ["x"] * 240, labels=THREE, draws=20)["accuracy"][0] == figures["accuracy"]


def test_a_recall_of_one_has_an_interval() -> None:
    truth = np.repeat([0, 1, 2], [60, 10, 10])
    found = bootstrap_intervals(one_hot(truth.tolist()), truth, [str(k) for k in range(80)], labels=THREE, draws=20)
    assert found["recall: b"] == pytest.approx((0.6915, 1.0), abs=1e-4)  # Clopper-Pearson, 10 of 10


@pytest.mark.parametrize(
    ("rows", "truth", "said"),
    [
        (ROWS, TRUTH[:3], r"shape \(6, 3\) for 3 pages"),
        (ROWS[:0], TRUTH[:0], "n > 0"),
        (ROWS, TRUTH + 1, "classes 1 to 3; 0 to 2 are known"),
        (ROWS * 2, TRUTH, "add up to 2"),
    ],
)
def test_what_cannot_be_counted_is_named(rows: np.ndarray, truth: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        class_figures(rows, truth, labels=THREE)


def test_groups_that_do_not_fit_are_named() -> None:
    with pytest.raises(InputError, match="5 groups for 6 pages"):
        bootstrap_intervals(ROWS, TRUTH, list("abcde"), labels=THREE)
