"""Shifts of lines are told from their phases, on folded and on noisy pages."""

import numpy as np
import pytest

from ecgedge.paper.page import FloatArray
from ecgedge.paper.squares import Complexes
from ecgedge.paper.unwrap import unwrapped

ROWS, COLUMNS = 44, 60


def wave_of(shift: FloatArray, *, noise: float = 0.0, unseen: float = 0.0, seed: int = 0) -> Complexes:
    """What a look gives for lines shifted by `shift`, with noise on it and nothing in a share of the squares."""
    rng = np.random.default_rng(seed)
    disturbed = np.exp(-2j * np.pi * shift) + noise * (rng.normal(size=shift.shape) + 1j * rng.normal(size=shift.shape))
    return np.asarray(disturbed * (rng.random(shift.shape) >= unseen), dtype=np.complex64)


def off(found: FloatArray, true: FloatArray) -> FloatArray:
    """Difference without the whole lines that no wave tells."""
    difference = found - true
    return np.asarray(difference - np.round(np.median(difference)), dtype=np.float32)


def test_beyond_a_fold_lines_are_counted_on() -> None:
    """A shift that grows to three lines beyond a fold, an eighth of a line per square."""
    row = np.arange(ROWS, dtype=np.float32)[:, None]
    shift = np.tile(np.maximum(row - 20, 0) / np.float32(8), COLUMNS).astype(np.float32)

    found = unwrapped((wave_of(shift, noise=0.3, unseen=0.2), wave_of(-shift, noise=0.3, unseen=0.2)))

    assert np.percentile(np.abs(off(found[..., 0], shift)), 95) < 0.15
    assert np.percentile(np.abs(off(found[..., 1], -shift)), 95) < 0.15


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_bends_no_flat_page(seed: int) -> None:
    flat = np.zeros((ROWS, COLUMNS), dtype=np.float32)
    first, second = (wave_of(flat, noise=0.7, unseen=0.4, seed=seed + 10 * axis) for axis in (0, 1))

    found = unwrapped((first, second))

    assert max(np.abs(off(found[..., axis], flat)).max() for axis in (0, 1)) < 0.25


def test_nothing_seen_is_no_shift() -> None:
    nothing = np.zeros((ROWS, COLUMNS), dtype=np.complex64)
    assert not unwrapped((nothing, nothing)).any()
