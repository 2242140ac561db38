"""Figures over pictures: pictures are resampled, not leads, and certainty is never claimed of a handful."""

import numpy as np
import pytest

from ecgedge.paper.tallies import Tally


def test_mean_and_median_go_over_all_values() -> None:
    values = [[0.9, 0.8, 0.1], [1.0]]
    assert Tally("", False, values).value() == pytest.approx(0.7)
    assert Tally("", True, values).value() == pytest.approx(0.85)
    assert np.isnan(Tally().value()) and np.isnan(Tally().interval()).all()


@pytest.mark.parametrize("n_pictures", [3, 30, 300])
def test_a_share_of_all_is_not_certain(n_pictures: int) -> None:
    """The exact lower limit p solves p ** n = 0.025."""
    low, high = Tally("%", False, [[1.0]] * n_pictures).interval()
    assert low**n_pictures == pytest.approx(0.025) and high == 1
    assert Tally("%", False, [[0.0]] * n_pictures).interval() == (0.0, pytest.approx(1 - low))


def test_the_bootstrap_agrees_with_theory() -> None:
    """The mean of 400 normal values has a standard error of 1/20."""
    values = np.random.default_rng(1).standard_normal(400)
    low, high = Tally("dB", False, [[value] for value in values]).interval()
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_leads_of_one_picture_are_not_independent() -> None:
    """Twelve equal leads say as little as one."""
    pictures = np.random.default_rng(2).standard_normal(30)
    one = Tally("dB", False, [[value] for value in pictures]).interval()
    twelve = Tally("dB", False, [[value] * 12 for value in pictures]).interval()
    assert twelve == pytest.approx(one)


def test_words() -> None:
    assert Tally("%", False, [[1.0], [0.0]]).shown()[0] == "50.0 %"
    assert Tally("", True, [[0.9581]]).shown()[0] == "0.958"
    assert Tally("dB", False, [[9.46], [9.46]]).shown() == ("9.5 dB", "9.5 to 9.5")
