"""The period of a grid is told from all its multiples: not two thirds of it, nor half, nor twice."""

import numpy as np
import pytest

from ecgedge.paper.comb import BINS, best_pair, best_teeth, likeness, stacked, whitened
from ecgedge.paper.spectra import TILE_PX, Floats


def _stack(base: float, heights: dict[int, float], *, noise: float = 0.15, seed: int = 0) -> Floats:
    """A stack with lines at multiples of a base, on a slope as curves make it."""
    stack = np.random.default_rng(seed).normal(0, noise, BINS.shape) + 2 * np.exp(-BINS / 10)
    for multiple, height in heights.items():
        stack += height * np.exp(-(((BINS - multiple * base) / 1.2) ** 2))
    return stack


@pytest.mark.parametrize(
    "heights",
    [
        dict.fromkeys(range(1, 9), 3.0),
        {1: 0.4, 2: 3.0, 3: 3.0, 4: 3.0, 5: 3.0, 6: 2.0},
        {1: 1.5, 2: 1.5, 3: 1.5, 4: 1.5, 5: 3.5, 6: 1.0, 7: 1.0, 8: 1.0},
    ],
    ids=["thin lines", "first multiple faint", "1-mm lines stronger"],
)
def test_period_is_that_of_the_coarsest_lines(heights: dict[int, float]) -> None:
    across, down, like = best_pair((_stack(6.4, heights), _stack(6.0, heights, seed=1)))
    assert (across, down) == (pytest.approx(6.4, rel=0.01), pytest.approx(6.0, rel=0.01))
    assert like > 0.6


def test_a_doubtful_direction_goes_by_the_other() -> None:
    """A strong peak of curves at 0.78 of the period in one direction: paper is square."""
    clear, curved = _stack(6.4, dict.fromkeys(range(1, 9), 3.0)), _stack(6.4, {3: 1.5, 4: 2.0, 5: 2.0, 8: 2.0})
    curved += 2.5 * np.exp(-(((BINS - 5.0) / 1.2) ** 2))
    assert best_pair((clear, curved))[1] == pytest.approx(6.4, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_like_no_comb(seed: int) -> None:
    assert likeness(_stack(6, {}, seed=seed)).max() < 0.35


def test_clearest_teeth() -> None:
    assert sorted(best_teeth(_stack(6.0, {1: 1, 2: 1, 3: 1, 4: 3, 5: 4, 6: 1, 8: 3}), 6.0)) == [4, 5, 8]


def test_stack_is_read_along_the_wanted_direction() -> None:
    """A wave of 0.125 cycles per px, 30 degrees off the rows, stands out at 16 bins."""
    y, x = np.mgrid[:TILE_PX, :TILE_PX]
    direction = np.array([np.cos(np.pi / 6), -np.sin(np.pi / 6)])
    wave = np.cos(2 * np.pi * 0.125 * (direction[0] * x + direction[1] * y)) * np.outer(*[np.hanning(TILE_PX)] * 2)
    noisy = wave + np.random.default_rng(0).normal(0, 0.05, wave.shape)
    power = (np.abs(np.fft.rfft2(noisy)) ** 2).astype(np.float32)[None]
    stack = stacked(whitened(power), 0.05 * direction[None])
    assert BINS[stack.argmax()] == pytest.approx(16, abs=0.6)
    across = stacked(whitened(power), 0.05 * np.array([[0.5, np.sqrt(3) / 2]]))
    assert across.max() < stack.max() / 2
