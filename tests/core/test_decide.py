"""The decision: argmax of tempered, biased probabilities, each beat by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgedge.decide import Decision, decide
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
    ],
)
def test_a_bad_manifest_is_named(raw, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BundleError, match=said):
        Decision.from_manifest(raw)
