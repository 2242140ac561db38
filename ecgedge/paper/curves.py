"""One curve per row followed through the ink of a page, by dynamic programming over upright runs of ink."""

from dataclasses import dataclass, replace
from typing import TypeVar

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
PIECE_MM = 40.0
"""Length of the pieces of a page that are searched side by side; two of them share half of it, 0.8 s."""

IndexArray = NDArray[np.intp]
Costs = NDArray[np.float32]
Array = TypeVar("Array", IndexArray, Costs, NDArray[np.bool_])


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
    run = _taken(choice, _cheapest(choice, free, px_per_mm_x))
    if _longest_shared(run) > SHARED_MM * px_per_mm_x:
        claimed = _claimed_by_others(choice, run, baselines_px, runs)
        dearer = np.where(claimed, choice.cost + np.float32(CLAIMED_COST / px_per_mm_x), choice.cost)
        run = _taken(choice, _cheapest(replace(choice, cost=dearer), free, px_per_mm_x))
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


def _cheapest(choice: _Choice, free: NDArray[np.bool_], px_per_mm_x: float) -> IndexArray:
    """(n_columns, n_rows) the candidate taken, CANDIDATES for none: a Viterbi search over all rows at once.

    Pieces of the page are searched side by side, for a step of the search costs the same for one row and for fifty. A
    way has forgotten where it came from after a beat; where two pieces yet disagree, the row is searched as a whole.
    """
    missing = MISSING_COST / px_per_mm_x
    columns, rows = free.shape
    length = round(PIECE_MM * px_per_mm_x)
    count = -(-2 * (columns - length) // length) + 1
    if count < 2:
        return _searched(choice, free, missing)
    starts = np.linspace(0, columns - length, count).astype(int)
    at = starts + np.arange(length)[:, None]
    side_by_side = _Choice(
        run=_joined(choice.run[at]),
        top_mm=_joined(choice.top_mm[at]),
        end_mm=_joined(choice.end_mm[at]),
        start=_joined(choice.start[at]),
        cost=_joined(choice.cost[at]),
        home_mm=np.tile(choice.home_mm, count),
    )
    pieces = _searched(side_by_side, _joined(free[at]), missing).reshape(length, count, rows)
    taken, sure = _seamed(pieces, starts, columns)
    for row in np.flatnonzero(~sure):
        taken[:, [row]] = _searched(_row_of(choice, int(row)), free[:, [row]], missing)
    return taken


def _joined(pieces: Array) -> Array:
    """(n, n_pieces, n_rows, ...) as (n, n_pieces * n_rows, ...)."""
    return pieces.reshape(len(pieces), -1, *pieces.shape[3:])


def _row_of(choice: _Choice, row: int) -> _Choice:
    return _Choice(
        run=choice.run[:, [row]],
        top_mm=choice.top_mm[:, [row]],
        end_mm=choice.end_mm[:, [row]],
        start=choice.start[:, [row]],
        cost=choice.cost[:, [row]],
        home_mm=choice.home_mm[[row]],
    )


def _seamed(pieces: IndexArray, starts: IndexArray, columns: int) -> tuple[IndexArray, NDArray[np.bool_]]:
    """Pieces (length, n_pieces, n_rows) joined where they agree, in the middle of what two of them share.

    Returns
    -------
    (n_columns, n_rows) and (n_rows,) bool: whether all pieces of a row agree with their neighbours.
    """
    length, count, rows = pieces.shape
    taken = np.empty((columns, rows), dtype=np.intp)
    taken[:length] = pieces[:, 0]
    sure = np.ones(rows, dtype=bool)
    for piece in range(1, count):
        step = starts[piece] - starts[piece - 1]
        shared = length - step
        middle = slice(shared // 4, shared - shared // 4)
        agree = pieces[step:, piece - 1][middle] == pieces[:shared, piece][middle]
        seam = middle.start + agree.argmax(axis=0)
        sure &= agree.any(axis=0)
        place = slice(starts[piece], starts[piece] + length)
        taken[place] = np.where(np.arange(length)[:, None] < seam, taken[place], pieces[:, piece])
    return taken, sure


def _searched(choice: _Choice, free: NDArray[np.bool_], missing: float) -> IndexArray:
    """The search itself, column by column; the last place stands for no run, and keeps the edges of the last one seen.

    Rows are the last axis here, so that every step works on neighbouring numbers.
    """
    columns, rows, places = choice.run.shape
    top, end, start, cost = (
        np.ascontiguousarray(part.transpose(0, 2, 1))
        for part in (choice.top_mm, choice.end_mm, choice.start, choice.cost)
    )
    home = np.broadcast_to(choice.home_mm, (columns, 1, rows))
    top, end = np.concatenate([top, home], axis=1), np.concatenate([end, home], axis=1)
    ways = np.empty((columns, places + 1, places, rows), dtype=np.float32)
    ways[1:, :places] = _steps(top[:-1, :places], end[:-1, :places], top[1:, :places], end[1:, :places])
    total = np.full((columns, places + 1, rows), missing, dtype=np.float32)
    total[0, :places] = cost[0] + start[0]
    each = np.arange(rows)
    begun = np.flatnonzero(free.any(axis=1)).tolist()
    for column in range(1, columns):
        before, way = total[column - 1], ways[column]
        last = before.argmin(axis=0)
        way[places] = _steps(
            top[column - 1, places:], end[column - 1, places:], top[column, :places], end[column, :places]
        )[0]
        top[column, places], end[column, places] = top[column - 1, last, each], end[column - 1, last, each]
        if column in begun:
            fresh = free[column]
            way[:, :, fresh] = start[column][:, fresh]
            top[column, places, fresh] = end[column, places, fresh] = choice.home_mm[fresh]
        way += before[:, None]
        np.add(way.min(axis=0), cost[column], out=total[column, :places])
        total[column, places] = before.min(axis=0) + missing
    return _traced_back(total, ways)


def _traced_back(total: Costs, ways: Costs) -> IndexArray:
    """(n_columns, n_rows) the places along the cheapest way to the last column."""
    columns, none, rows = len(total), total.shape[1] - 1, total.shape[2]
    each = np.arange(rows)
    taken = np.empty((columns, rows), dtype=np.intp)
    taken[-1] = total[-1].argmin(axis=0)
    for column in range(columns - 1, 0, -1):
        place = taken[column]
        from_run = ways[column][:, np.minimum(place, none - 1), each].argmin(axis=0)
        taken[column - 1] = np.where(place == none, total[column - 1].argmin(axis=0), from_run)
    return taken


def _steps(top: Costs, end: Costs, next_top: Costs, next_end: Costs) -> Costs:
    """(..., from, to, n_rows) cost of going from runs to runs of the next column, each (..., n_runs, n_rows)."""
    above = next_top[..., None, :, :] - end[..., :, None, :]
    below = top[..., :, None, :] - next_end[..., None, :, :]
    away = np.abs(above - below)
    away *= np.float32(0.5 * MOVE_COST)
    gap = np.maximum(np.maximum(above, below, out=above), 0, out=above)
    gap *= np.float32(GAP_COST)
    return np.asarray(np.add(gap, away, out=gap), dtype=np.float32)
