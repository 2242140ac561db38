"""One curve per row followed through the ink of a page, by dynamic programming over upright runs of ink."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray
from ecgedge.paper.runs import IntArray, Runs

CANDIDATES = 6
"""Runs of a column that a row may choose from, the nearest to its baseline."""
REACH_MM = 50.0
"""No wave is higher or deeper: 5 mV at 10 mm/mV."""
GAP_COST = 1.0
"""Per mm of paper between the runs of neighbouring columns: a curve does not jump."""
MOVE_COST = 0.02
"""Per mm between their middles: of two ways without a gap, the calmer one."""
AWAY_COST = 0.03
"""Per mm that a run lies away from the row's baseline, and mm of paper along: of two curves, the row's own."""
INK_GAIN, TALLEST_MM = 0.02, 15.0
"""Per mm that a run is high, up to the second: what looks like a stroke is the curve's, even across a small gap."""
START_COST = 0.2
"""Per mm that a lead's first run lies away from the row's baseline."""
CLAIMED_COST, SHARED_MM = 0.4, 3.0
"""Per mm of paper along for a run that a nearer row has taken, if rows share a stretch longer than the second."""
MISSING_COST = 2.0
"""Per mm of paper along without ink."""

IndexArray = NDArray[np.intp]
Costs = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Paths:
    """For each row and column the run of ink that the row's curve takes."""

    run: IndexArray
    """(n_rows, n_columns) index of a run, -1 where there is none."""
    left_px: int
    """Page column of the first one."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What each row may take in each column, nearest first; an empty place has no index and endless cost."""

    run: IndexArray
    """(n_columns, n_rows, CANDIDATES)."""
    top_mm: Costs
    end_mm: Costs
    start: Costs
    """Cost of beginning a lead with it; likewise of the two below."""
    cost: Costs
    home_mm: Costs
    """(n_rows,) the baselines."""


def follow(
    runs: Runs,
    baselines_px: FloatArray,
    changes_px: NDArray[np.int_],
    *,
    left_px: int,
    right_px: int,
    px_per_mm_x: float,
    px_per_mm_y: float,
) -> Paths:
    """The cheapest way along each row from `left_px` to `right_px`; rows that would share a curve are told apart.

    Parameters
    ----------
    runs : ink of the page without separators, letters and pulses.
    baselines_px : (n_rows,) float32, y of each row.
    changes_px : (n_rows, n_changes) int, columns where a row's lead changes and its curve may jump; -1 where none.
    left_px, right_px : first and last page column.
    """
    choice = _choice(runs, baselines_px, left_px, right_px, px_per_mm_x, px_per_mm_y)
    free = np.zeros((right_px - left_px + 1, len(baselines_px)), dtype=bool)
    for row, changes in enumerate(changes_px):
        inside = changes[(changes >= left_px) & (changes <= right_px)]
        free[inside - left_px, row] = True
    run = _taken(choice, _cheapest(choice, free, MISSING_COST / px_per_mm_x))
    if _longest_shared(run) > SHARED_MM * px_per_mm_x:
        claimed = _claimed_by_others(choice, run, baselines_px, runs)
        dearer = np.where(claimed, choice.cost + np.float32(CLAIMED_COST / px_per_mm_x), choice.cost)
        run = _taken(choice, _cheapest(replace(choice, cost=dearer), free, MISSING_COST / px_per_mm_x))
    return Paths(np.ascontiguousarray(run.T), left_px)


def _taken(choice: _Choice, place: IndexArray) -> IndexArray:
    """(n_columns, n_rows) index of the run at the place chosen, -1 for none."""
    run = np.take_along_axis(choice.run, np.minimum(place, CANDIDATES - 1)[..., None], axis=2)[..., 0]
    return np.where(place < CANDIDATES, run, -1)


def _longest_shared(run: IndexArray) -> int:
    """Columns of the longest stretch in which two neighbouring rows take the same runs."""
    shared = (run[:, 1:] == run[:, :-1]) & (run[:, 1:] >= 0)
    edge = np.zeros((1, shared.shape[1]), dtype=bool)
    steps = np.diff(np.concatenate([edge, shared, edge]).astype(np.int8), axis=0).T
    begins, ends = np.nonzero(steps > 0)[1], np.nonzero(steps < 0)[1]
    return int((ends - begins).max(initial=0))


def _claimed_by_others(choice: _Choice, run: IndexArray, baselines_px: FloatArray, runs: Runs) -> NDArray[np.bool_]:
    """(n_columns, n_rows, CANDIDATES) whether another row took that run to whose baseline it lies nearer."""
    owner_away = np.full(len(runs.top_px) + 1, np.inf, dtype=np.float32)
    for row, baseline in enumerate(baselines_px):
        own = run[:, row][run[:, row] >= 0]
        away = _away(runs.top_px[own], runs.end_px[own], float(baseline))
        owner_away[own] = np.minimum(owner_away[own], away)
    mine = _away(runs.top_px[choice.run], runs.end_px[choice.run], baselines_px[None, :, None])
    return np.asarray((owner_away[choice.run] < mine) & (choice.run >= 0))


def _choice(
    runs: Runs, baselines_px: FloatArray, left_px: int, right_px: int, px_per_mm_x: float, px_per_mm_y: float
) -> _Choice:
    columns = right_px - left_px + 1
    shape = (columns, len(baselines_px), CANDIDATES)
    chosen = np.full(shape, -1, dtype=np.intp)
    for row, baseline in enumerate(baselines_px):
        away = _away(runs.top_px, runs.end_px, float(baseline))
        inside = (runs.column_px >= left_px) & (runs.column_px <= right_px) & (away < REACH_MM * px_per_mm_y)
        index = np.flatnonzero(inside)
        index = index[np.lexsort((away[index], runs.column_px[index]))]
        column = runs.column_px[index] - left_px
        rank = np.arange(index.size) - np.searchsorted(column, np.arange(columns))[column]
        near = rank < CANDIDATES
        chosen[column[near], row, rank[near]] = index[near]
    top, end = runs.top_px[chosen], runs.end_px[chosen]
    away_mm = _away(top, end, baselines_px[None, :, None]) / px_per_mm_y
    height_mm = np.minimum((end - top) / px_per_mm_y, TALLEST_MM)
    cost = np.where(chosen >= 0, away_mm * AWAY_COST / px_per_mm_x - height_mm * INK_GAIN, np.inf).astype(np.float32)
    top_mm, end_mm = (edge.astype(np.float32) / np.float32(px_per_mm_y) for edge in (top, end))
    home_mm = np.asarray(baselines_px / px_per_mm_y, dtype=np.float32)
    return _Choice(chosen, top_mm, end_mm, START_COST * away_mm, cost, home_mm)


def _away(top: IntArray, end: IntArray, baseline: float | FloatArray) -> FloatArray:
    """Distance of runs from a baseline; 0 where they touch it."""
    return np.asarray(np.maximum(np.maximum(top - baseline, baseline - end), 0), dtype=np.float32)


def _cheapest(choice: _Choice, free: NDArray[np.bool_], missing: float) -> IndexArray:
    """(n_columns, n_rows) the candidate taken, CANDIDATES for none: a Viterbi search over all rows at once."""
    columns, rows, places = choice.run.shape
    back = np.zeros((columns, rows, places + 1), dtype=np.intp)
    home = choice.home_mm[:, None]
    total = np.concatenate([choice.cost[0] + choice.start[0], np.full((rows, 1), missing, np.float32)], axis=1)
    top = np.concatenate([choice.top_mm[0], home], axis=1)
    end = np.concatenate([choice.end_mm[0], home], axis=1)
    each = np.arange(rows)
    for column in range(1, columns):
        step = _steps(top, end, choice.top_mm[column], choice.end_mm[column])
        fresh = free[column]
        step[fresh] = choice.start[column, fresh][:, None]
        way = total[:, :, None] + step
        best = way.argmin(axis=1)
        back[column, :, :places] = best
        last = total.argmin(axis=1)
        back[column, :, places] = last
        ghost = total[each, last] + missing
        total = np.concatenate([way.min(axis=1) + choice.cost[column], ghost[:, None]], axis=1)
        top = _with_ghost(choice.top_mm[column], top[each, last], home[:, 0], fresh)
        end = _with_ghost(choice.end_mm[column], end[each, last], home[:, 0], fresh)
    taken = np.empty((columns, rows), dtype=np.intp)
    taken[-1] = total.argmin(axis=1)
    for column in range(columns - 1, 0, -1):
        taken[column - 1] = back[column, each, taken[column]]
    return taken


def _with_ghost(edges: Costs, last: Costs, home: Costs, fresh: NDArray[np.bool_]) -> Costs:
    """Edges of a column's runs, and of the last run seen, which stands for none; the baseline where a lead begins."""
    return np.concatenate([edges, np.where(fresh, home, last)[:, None]], axis=1)


def _steps(top: Costs, end: Costs, next_top: Costs, next_end: Costs) -> Costs:
    """(n_rows, from, to) cost of going from runs to runs of the next column."""
    above = next_top[:, None] - end[:, :, None]
    below = top[:, :, None] - next_end[:, None]
    gap = np.maximum(np.maximum(above, below), 0)
    return np.asarray(GAP_COST * gap + 0.5 * MOVE_COST * np.abs(above - below), dtype=np.float32)
