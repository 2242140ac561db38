"""The centre line of a curve from the runs of ink along it: what the pen's width did is undone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.curves import IndexArray
from ecgedge.paper.ink import RIM
from ecgedge.paper.page import FloatArray, Pixels
from ecgedge.paper.runs import IntArray, Runs

MEDIAN_MM = 5.0
"""Window of the median that tells which way a narrow wave points: twice the width of a usual QRS complex, 0.1 s."""
GAP_MM = 1.0
"""Longest gap that is bridged, and largest step across it."""
FINE = 4
"""Places per column at which edges are followed: the pen's width is no whole number of columns."""
LEVEL = 0.5
"""A curve runs level where it moves less than this, px over two columns."""
TIP = 0.95
"""A tip is this much narrower than the stroke; an ellipse as wide as the stroke would lose it to the least noise."""
STEEP, FEWEST = 0.85, 20
"""Usual width of a steep stroke over the height of a level one, for pages with fewer steep runs than the second."""
STERN = 2
"""Power of the distances from the local median by which the upper and the lower edge are weighed."""
THIN_PERCENT = 25
"""Percentile of the ink's height where it runs level that is the pen's: noise thickens the others."""
CALM = 2.5
"""A run up to this many line widths high runs along, also where another row's wave passes through it."""
RESTLESS = 10.0
"""So does one of up to this many line widths, if the other row's is twice as high."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Upper and lower edge of the ink of each row's curve."""

    upper_px: FloatArray
    """(n_rows, n_columns) float32; NaN where there is no ink."""
    lower_px: FloatArray
    """(n_rows, n_columns) float32."""
    doubt: NDArray[np.bool_]
    """(n_rows, n_columns) bool: another row's curve could as well be meant."""
    width_px: float
    """Height of the ink where a curve runs level: the pen's width, and what noise of the signal adds to it."""
    steep_px: float
    """Width of the ink where a curve runs steeply."""


def find_edges(runs: Runs, taken: IndexArray, darkness: Pixels) -> Edges:
    """Edges of the ink along the curves; a run that two rows take is shared out between them.

    Parameters
    ----------
    taken : (n_rows, n_columns) index of a run, -1 where there is none.
    darkness : (height, width) uint8, see `Ink`.
    """
    seen = taken >= 0
    top, end = _crossings(runs, darkness)
    upper = np.where(seen, top[taken], np.nan).astype(np.float32)
    lower = np.where(seen, end[taken], np.nan).astype(np.float32)
    width = _width(upper, lower)
    steep = _steep_width(runs, taken, darkness, width)
    doubt = np.zeros(taken.shape, dtype=bool)
    for above in range(len(taken) - 1):
        for first, last in _stretches((taken[above] == taken[above + 1]) & seen[above]):
            _share(upper, lower, doubt, above, slice(first, last), width)
    return Edges(upper, lower, doubt, width, steep)


def _crossings(runs: Runs, darkness: Pixels) -> tuple[FloatArray, FloatArray]:
    """Where between two pixels the darkness crosses the rim's, at the top and at the end of each run."""
    x, rim, bottom = runs.column_px, RIM * 255.0, len(darkness) - 1

    def crossing(outside: IntArray, inside: IntArray) -> FloatArray:
        dark = darkness[inside, x].astype(np.float32)
        light = darkness[np.clip(outside, 0, bottom), x].astype(np.float32)
        share = np.clip((dark - rim) / np.maximum(dark - light, 1.0), 0, 1)
        return np.asarray(inside + share * (outside - inside), dtype=np.float32)

    return crossing(runs.top_px - 1, runs.top_px), crossing(runs.end_px, runs.end_px - 1)


def _width(upper: FloatArray, lower: FloatArray) -> float:
    """Height of the ink where the curves run level."""
    middle = (upper + lower) / 2
    heights = (lower - upper)[:, 1:-1]
    level = (np.abs(middle[:, 2:] - middle[:, :-2]) < LEVEL) & np.isfinite(heights)
    return float(np.percentile(heights[level], THIN_PERCENT)) if level.any() else 1.0


def _steep_width(runs: Runs, taken: IndexArray, darkness: Pixels, width_px: float) -> float:
    """Width of the ink along its column's middle where the curves run steeply, as wide as a single stroke is."""
    run = np.unique(taken[taken >= 0])
    run = run[runs.height_px[run] > 2 * CALM * width_px]
    reach = int(2 * width_px) + 2
    y, x = (runs.top_px[run] + runs.end_px[run]) // 2, runs.column_px[run]
    columns = np.clip(x[:, None] + np.arange(-reach, reach + 1), 0, darkness.shape[1] - 1)
    across = darkness[y[:, None], columns].astype(np.float32)
    across = across[across[:, reach] >= RIM * 255]
    if len(across) < FEWEST:
        return STEEP * width_px
    widths = _reach(across[:, reach:]) + _reach(across[:, reach::-1])
    return TIP * min(width_px, float(np.percentile(widths, THIN_PERCENT)))


def _reach(across: FloatArray) -> FloatArray:
    """How far from the first column on the darkness stays above the rim's, between two columns where it crosses it."""
    inside = np.logical_and.accumulate(across >= RIM * 255, axis=1).sum(axis=1)
    last = np.minimum(inside, across.shape[1] - 1)[:, None]
    dark, light = (np.take_along_axis(across, at, axis=1)[:, 0] for at in (inside[:, None] - 1, last))
    return np.asarray(inside - 1 + np.clip((dark - RIM * 255) / np.maximum(dark - light, 1), 0, 1), dtype=np.float32)


def _stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Begin and end (exclusive) of the stretches of true."""
    steps = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(steps[::2], steps[1::2], strict=True)]


def _share(
    upper: FloatArray, lower: FloatArray, doubt: NDArray[np.bool_], above: int, where: slice, width_px: float
) -> None:
    """Ink taken by rows `above` and `above + 1`: the calm one runs straight through, the other has the wave."""
    top, end = upper[above, where].copy(), lower[above, where].copy()
    pair = (above, above + 1)
    unrest = [_unrest(upper[row], lower[row], where) for row in pair]
    limit = max(CALM * width_px, min(RESTLESS * width_px, max(unrest) / 2))
    through = [
        _through(upper[row], lower[row], where) if restless <= limit else None
        for row, restless in zip(pair, unrest, strict=True)
    ]
    for row, own, other in ((above, through[0], through[1]), (above + 1, through[1], through[0])):
        if own is not None:
            upper[row, where] = lower[row, where] = own
        elif other is not None and row == above:
            lower[row, where] = np.where(end > other + width_px, end, np.maximum(other, top))
        elif other is not None:
            upper[row, where] = np.where(top < other - width_px, top, np.minimum(other, end))
        else:
            doubt[row, where] = True
            half = (top + end) / 2
            upper[row, where], lower[row, where] = (top, half) if row == above else (half, end)


def _ends(edge: FloatArray, where: slice) -> tuple[float, float]:
    """Values before and after a stretch."""
    return float(edge[max(where.start - 1, 0)]), float(edge[min(where.stop, len(edge) - 1)])


def _unrest(upper: FloatArray, lower: FloatArray, where: slice) -> float:
    """How far from level and thin a curve is where it enters and leaves a stretch, px; endless where it is not seen."""
    (top, top_after), (end, end_after) = _ends(upper, where), _ends(lower, where)
    step = abs(top_after + end_after - top - end) / 4
    unrest = max(end - top, end_after - top_after, step)
    return unrest if np.isfinite(unrest) else np.inf


def _through(upper: FloatArray, lower: FloatArray, where: slice) -> FloatArray:
    """The straight way through a stretch."""
    (top, top_after), (end, end_after) = _ends(upper, where), _ends(lower, where)
    way = np.linspace((top + end) / 2, (top_after + end_after) / 2, where.stop - where.start + 2)
    return way[1:-1].astype(np.float32)


def centre_line(
    upper: FloatArray, lower: FloatArray, *, width_px: float, steep_px: float, px_per_mm_x: float
) -> FloatArray:
    """The curve between the edges of its ink.

    A round pen of width w inks all within w/2 of the curve, so the upper edge is the curve moved by a disc. The same
    disc rolled along below the edge gives back the curve itself, but for hollows narrower than the disc: narrow waves
    that point down. The lower edge likewise gives all but narrow waves that point up. Of the two the one farther from
    the local median counts most; in noise, where both are as far, their mean.

    Parameters
    ----------
    upper, lower : (n_columns,) float32, px; NaN where there is no ink.
    width_px, steep_px : see `Edges`.

    Returns
    -------
    (n_columns,) float32, px; NaN where there is no ink.
    """
    seen = ~np.isnan(upper)
    if not seen.any():
        return upper.copy()
    at = np.arange(len(upper))
    fine = np.linspace(0, len(upper) - 1, FINE * (len(upper) - 1) + 1)
    high, low = (np.interp(fine, at[seen], edge[seen]).astype(np.float32) for edge in (upper, lower))
    from_above, from_below = (_rolled(high, width_px, steep_px), -_rolled(-low, width_px, steep_px))
    middle = _median(np.asarray((from_above + from_below) / 2, dtype=np.float32), MEDIAN_MM * px_per_mm_x)
    up, down = (np.maximum(away, 0.1) ** STERN for away in (middle - from_above, from_below - middle))
    curve = (up * from_above + down * from_below) / (up + down)
    return np.where(seen, curve, np.nan).astype(np.float32)


def _rolled(edge: FloatArray, width_px: float, steep_px: float) -> FloatArray:
    """Per column the middle of an ellipse of the pen's height and width, rolled along below an edge."""
    reach = int(steep_px / 2 * FINE)
    shifts = np.arange(-reach, reach + 1)
    drop = (width_px / 2 * np.sqrt(np.maximum(1 - (2 * shifts / (FINE * steep_px)) ** 2, 0))).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(edge, reach, mode="edge"), shifts.size)
    return np.asarray((windows + drop).max(axis=1)[::FINE], dtype=np.float32)


def _median(values: FloatArray, window_px: float) -> FloatArray:
    """Sliding median over about a window; every second value of it is enough."""
    half = max(1, round(window_px / 2))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, half, mode="edge"), 2 * half + 1)[:, ::2]
    return np.asarray(np.partition(windows, half // 2, axis=1)[:, half // 2], dtype=np.float32)


def over_gaps(curve: FloatArray, *, px_per_mm_x: float, px_per_mm_y: float) -> FloatArray:
    """The curve with short gaps bridged by a straight line where it runs level on both sides; others stay NaN."""
    filled = curve.copy()
    for first, last in _stretches(np.isnan(curve)):
        if first == 0 or last == len(curve) or last - first > GAP_MM * px_per_mm_x:
            continue
        ends = curve[first - 1], curve[last]
        if abs(ends[1] - ends[0]) <= GAP_MM * px_per_mm_y:
            filled[first:last] = np.linspace(*ends, last - first + 2)[1:-1]
    return filled
