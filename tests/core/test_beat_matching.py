"""One-to-one matching: hand-made cases, and properties that any matching must have."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgedge.beat_matching import match_beats
from ecgedge.errors import InputError
from ecgedge.records import IntArray


def beats(*samples: int) -> IntArray:
    return np.array(samples, dtype=np.int64)


sorted_beats = st.lists(st.integers(0, 2000), max_size=40).map(lambda found: beats(*sorted(found)))


@pytest.mark.parametrize(
    ("reference", "detected", "pairs", "missed", "extra"),
    [
        pytest.param([100, 200], [101, 199], [(0, 0), (1, 1)], [], [], id="both found"),
        pytest.param([100], [111], [], [0], [0], id="one sample too late"),
        pytest.param([100], [110], [(0, 0)], [], [], id="just in time"),
        pytest.param([100], [92, 99], [(0, 1)], [], [0], id="the closer of two detections"),
        pytest.param([95, 100], [101], [(1, 0)], [0], [], id="the closer of two reference beats"),
        pytest.param([100], [98, 102], [(0, 0)], [], [1], id="a tie goes to the earlier"),
        pytest.param([], [5], [], [], [0], id="nothing to find"),
        pytest.param([5], [], [], [0], [], id="nothing found"),
    ],
)
def test_hand_made(
    reference: list[int], detected: list[int], pairs: list[tuple[int, int]], missed: list[int], extra: list[int]
) -> None:
    match = match_beats(beats(*reference), beats(*detected), tolerance_samples=10)
    assert [tuple(pair) for pair in match.pairs.tolist()] == pairs
    assert match.missed.tolist() == missed
    assert match.extra.tolist() == extra


@given(reference=sorted_beats, detected=sorted_beats, tolerance=st.integers(0, 100))
def test_every_beat_is_counted_exactly_once(reference: IntArray, detected: IntArray, tolerance: int) -> None:
    match = match_beats(reference, detected, tolerance_samples=tolerance)
    assert sorted([*match.pairs[:, 0], *match.missed]) == list(range(len(reference)))
    assert sorted([*match.pairs[:, 1], *match.extra]) == list(range(len(detected)))
    assert all(abs(reference[i] - detected[j]) <= tolerance for i, j in match.pairs)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(match.pairs.tolist()))


@given(reference=sorted_beats, detected=sorted_beats)
def test_no_pair_is_left_on_the_table(reference: IntArray, detected: IntArray) -> None:
    """A missed and an extra beat within the tolerance of each other would both be wrong."""
    match = match_beats(reference, detected, tolerance_samples=20)
    lonely = [(i, j) for i in match.missed for j in match.extra if reference[i] == detected[j]]
    assert not lonely


@given(sorted_beats.map(np.unique))
def test_a_detector_that_is_right_gets_full_marks(reference: IntArray) -> None:
    match = match_beats(reference, reference, tolerance_samples=0)
    assert len(match.pairs) == len(reference)
    assert match.f1 == 1.0 or len(reference) == 0


def test_shares() -> None:
    match = match_beats(beats(10, 20, 30, 40), beats(10, 20, 35), tolerance_samples=2)
    assert match.sensitivity == 0.5
    assert match.positive_predictivity == pytest.approx(2 / 3)
    assert match.f1 == pytest.approx(4 / 7)
    assert np.isnan(match_beats(beats(), beats(), tolerance_samples=2).f1)


@pytest.mark.parametrize(
    ("reference", "tolerance", "message"),
    [
        (beats(3, 2), 10, "sort"),
        (beats(1), -1, "-1 samples"),
        (np.zeros((2, 2), np.int64), 10, r"\(2, 2\)"),
    ],
)
def test_impossible_input(reference: IntArray, tolerance: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        match_beats(reference, beats(1), tolerance_samples=tolerance)
