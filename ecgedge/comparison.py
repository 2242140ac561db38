"""Two measurements of the same things, and whether one is really slower than the other.

Each side is a list of values in the order they were measured. Values that follow each other share a clock, a cache and
a neighbour, so that single rounds are not independent: they are joined to at most twenty blocks of consecutive rounds,
and the medians of the blocks are drawn again (bootstrap). What lies between two runs (another clock, another layout in
memory) is in neither of them; it is covered by a least difference that counts. Knows nothing of files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

BLOCKS = 20
"""Blocks that a side is joined to at most."""
FEWEST = 5
"""Values on each side for a bootstrap; with fewer the ranges are compared."""
LEAST_DIFFERENCE = 0.05
"""What is nearer to a ratio of 1 is never told apart from noise."""
DRAWS = 4000
CONFIDENCE = 0.99
"""Of the interval; many benchmarks are compared at once."""

Verdict = Literal["slower", "faster", "no difference"]
Method = Literal["bootstrap", "spread", "range", "single"]
METHODS: Mapping[Method, str] = {
    "bootstrap": "99 % interval of the ratio of medians, drawn from the medians of up to 20 blocks of rounds in a row",
    "spread": "99 % interval from median, interquartile range and number of rounds, where the file keeps no rounds",
    "range": "from the smallest to the largest ratio of any two values, where a side has fewer than 5",
    "single": "one value on a side, or no spread known: the ratio alone",
}


@dataclass(frozen=True, slots=True)
class Series:
    """What was measured of one thing; more is worse."""

    name: str
    unit: str
    median: float
    values: tuple[float, ...] = ()
    """In the order they were measured; empty where only the figures below are known."""
    iqr: float = 0.0
    """Distance between the quartiles, where `values` is empty."""
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class Change:
    """One thing, measured before and after."""

    name: str
    unit: str
    before: float
    """Median."""
    after: float
    """Median."""
    ratio: float
    """After over before: above 1 is slower, or more."""
    low: float
    """Interval of the ratio."""
    high: float
    verdict: Verdict
    method: Method


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that both sides have, told apart from noise first and of those what changed most; and what only one has."""

    changes: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]

    def slower_than(self, limit: float) -> tuple[Change, ...]:
        """What is slower, told apart from noise, by more than this ratio."""
        return tuple(change for change in self.changes if change.verdict == "slower" and change.ratio > limit)


def compare_series(
    before: Sequence[Series], after: Sequence[Series], *, least_difference: float = LEAST_DIFFERENCE, seed: int = 0
) -> Comparison:
    """Compare by name.

    Parameters
    ----------
    least_difference : share below which a difference is never told apart from noise
    seed : of the bootstrap; the same files give the same answer
    """
    old, new = {one.name: one for one in before}, {one.name: one for one in after}
    changes = [
        change_of(old[name], new[name], least_difference=least_difference, seed=seed) for name in old if name in new
    ]
    return Comparison(
        changes=tuple(sorted(changes, key=_by_interest)),
        only_before=tuple(name for name in old if name not in new),
        only_after=tuple(name for name in new if name not in old),
    )


def _by_interest(change: Change) -> tuple[bool, float, str]:
    return change.verdict == "no difference", -abs(log(change.ratio)), change.name


def change_of(before: Series, after: Series, *, least_difference: float = LEAST_DIFFERENCE, seed: int = 0) -> Change:
    """What became of one thing."""
    method = _method(before, after)
    low, high = _INTERVALS[method](before, after, seed)
    verdict: Verdict = "no difference"
    if low > 1 + least_difference:
        verdict = "slower"
    elif high < 1 / (1 + least_difference):
        verdict = "faster"
    ratio = after.median / before.median
    return Change(before.name, before.unit, before.median, after.median, ratio, low, high, verdict, method)


def _method(before: Series, after: Series) -> Method:
    fewest = min(len(before.values), len(after.values))
    if fewest >= FEWEST:
        return "bootstrap"
    if fewest >= 2:
        return "range"
    if not before.values and not after.values and min(before.rounds, after.rounds) >= FEWEST:
        return "spread"
    return "single"


def _bootstrap(before: Series, after: Series, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    ratios = _drawn_medians(after, rng) / _drawn_medians(before, rng)
    low, high = np.percentile(ratios, (50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)))
    return float(low), float(high)


def _drawn_medians(series: Series, rng: np.random.Generator) -> NDArray[np.float64]:
    """(DRAWS,) medians of blocks drawn with replacement."""
    values = np.asarray(series.values, np.float64)
    blocks = np.array([np.median(block) for block in np.array_split(values, min(BLOCKS, len(values)))])
    drawn = blocks[rng.integers(len(blocks), size=(DRAWS, len(blocks)))]
    return np.asarray(np.median(drawn, axis=1), np.float64)


def _range(before: Series, after: Series, _seed: int) -> tuple[float, float]:
    return min(after.values) / max(before.values), max(after.values) / min(before.values)


def _spread(before: Series, after: Series, _seed: int) -> tuple[float, float]:
    """Standard error of a median of normal values: 1.2533 sigma / sqrt(n); sigma is the quartiles' distance / 1.349."""
    error = float(np.hypot(_relative_error(before), _relative_error(after)))
    ratio = after.median / before.median
    return ratio * np.exp(-_Z * error), ratio * np.exp(_Z * error)


def _relative_error(series: Series) -> float:
    blocks = min(series.rounds, BLOCKS)  # no more independent values than where the rounds are known
    return float(1.2533 * series.iqr / 1.349 / np.sqrt(blocks) / series.median)


def _single(before: Series, after: Series, _seed: int) -> tuple[float, float]:
    ratio = after.median / before.median
    return ratio, ratio


_Z = 2.5758  # of a two-sided 99 % interval
_INTERVALS: Mapping[Method, Callable[[Series, Series, int], tuple[float, float]]] = {
    "bootstrap": _bootstrap,
    "spread": _spread,
    "range": _range,
    "single": _single,
}
