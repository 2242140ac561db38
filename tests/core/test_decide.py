"""The decision: argmax of tempered, biased probabilities, each beat by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.decide import Decision, abstains, decide, prediction_set
from ecgedge.errors import BundleError

ROWS = np.array([[0.7, 0.2, 0.1, 0.0], [0.1, 0.3, 0.25, 0.35]], np.float32)


def test_neutral_decision_is_argmax_and_keeps_probabilities() -> None:
    chosen, probabilities = decide(ROWS, Decision())
    assert chosen.tolist() == [0, 3]
    assert np.allclose(probabilities, ROWS, atol=3e-3)
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_bias_moves_the_decision_and_temperature_only_the_confidence() -> None:
    assert decide(ROWS, Decision(class_bias=(0.0, 2.0, 0.0, 0.0)))[0].tolist() == [1, 1]
    cool, warm = (decide(ROWS, Decision(temperature=t)) for t in (0.5, 3.0))
    assert cool[0].tolist() == warm[0].tolist()
    assert (cool[1].max(axis=1) > warm[1].max(axis=1)).all()


def test_no_beats_give_no_decisions() -> None:
    chosen, probabilities = decide(ROWS[:0], Decision())
    assert chosen.shape == (0,)
    assert probabilities.shape == (0, 4)


@given(st.floats(0.1, 10), st.tuples(*[st.floats(-3, 3)] * 4))
def test_manifest_round_trip(temperature: float, bias: tuple[float, ...]) -> None:
    decision = Decision(temperature, bias)
    assert Decision.from_manifest(decision.to_manifest()) == decision


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"temprature": 1.0}, "unknown keys temprature"),
        ({"temperature": 0.0}, "temperature 0.0; it must be above 0"),
        ({"temperature": "warm"}, "cannot be read"),
        ({"class_bias": 3}, "is no list"),
        ({"abstain_below": 1.5}, "abstain_below 1.5; it must be from 0 to 1"),
        ({"conformal_quantile": -0.1}, "conformal_quantile -0.1; it must be from 0 to 1"),
    ],
)
def test_a_bad_manifest_is_named(raw, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BundleError, match=said):
        Decision.from_manifest(raw)


def test_a_page_that_is_too_unsure_has_no_answer() -> None:
    assert abstains(ROWS, Decision(abstain_below=0.5)).tolist() == [False, True]
    assert abstains(ROWS, Decision()).tolist() == [False, False]


def test_sets_keep_what_is_likely_enough_and_are_never_empty() -> None:
    found = prediction_set(ROWS, Decision(conformal_quantile=0.75))
    assert found.tolist() == [[True, False, False, False], [False, True, True, True]]
    assert prediction_set(ROWS, Decision(conformal_quantile=0.0)).sum(axis=1).tolist() == [1, 1]
    assert prediction_set(ROWS, Decision()).all()


def test_the_page_at_the_quantile_is_inside_its_own_set() -> None:
    quantile = float(1 - ROWS[1, 2])
    assert prediction_set(ROWS, Decision(conformal_quantile=quantile))[1, 2]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_sets_cover_as_often_as_promised(seed: int) -> None:
    """Rank ceil((n + 1) 0.9) of the scores of one half; the other half is covered, whatever the model is worth."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet([0.7] * 4, 4000).astype(np.float32)
    truth = np.array([rng.choice(4, p=row / row.sum()) for row in rows.astype(float)])
    scores = np.sort(1 - rows[np.arange(2000), truth[:2000]])
    sets = prediction_set(rows[2000:], Decision(conformal_quantile=float(scores[int(np.ceil(2001 * 0.9)) - 1])))
    assert sets[np.arange(2000), truth[2000:]].mean() == pytest.approx(0.9, abs=0.045)


def test_beats_say_nothing_of_sets_in_their_manifest() -> None:
    assert set(Decision().to_manifest()) == {"temperature", "class_bias"}
    page = Decision(abstain_below=0.4, conformal_quantile=0.8)
    assert Decision.from_manifest(page.to_manifest()) == page
