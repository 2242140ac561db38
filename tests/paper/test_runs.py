"""Runs hold a mask completely."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ecgedge.paper.runs import find_runs

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(MASKS)
def test_runs_give_back_the_mask(mask: NDArray[np.bool_]) -> None:
    runs = find_runs(mask)
    drawn = np.zeros_like(mask)
    for x, top, end in zip(runs.column_px, runs.top_px, runs.end_px, strict=True):
        assert not drawn[top:end, x].any()
        drawn[top:end, x] = True
    assert (drawn == mask).all()


@given(MASKS)
def test_runs_are_sorted_by_column(mask: NDArray[np.bool_]) -> None:
    runs = find_runs(mask)
    assert len(runs.first) == mask.shape[1] + 1
    for x in range(mask.shape[1]):
        of_column = slice(runs.first[x], runs.first[x + 1])
        assert (runs.column_px[of_column] == x).all()
        assert (np.diff(runs.top_px[of_column]) > 0).all()
    assert (runs.height_px > 0).all()
