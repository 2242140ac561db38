"""Where the columns of a layout begin and end along the rows, from separators, pulses and the ends of the curves."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray
from ecgedge.paper.pulses import Pulse
from ecgedge.paper.rows import Rows
from ecgedge.paper.separators import Separator

MM_PER_S = 25.0
"""Paper speed of a standard 12-lead page."""
STRETCH = np.linspace(0.97, 1.03, 25)
"""Lengths tried, as shares of the nominal one: printers and cameras are a few per cent off."""
STRETCH_SPREAD = 0.01
PLAY_MM = 0.6
"""Standard deviation of a separator around its column's edge."""
LOOSE_MM = 1.0
"""Standard deviation of the curves' first ink around the first column's edge."""
GAP_MM = (0.0, 5.0)
"""From the right side of a pulse to the first column: nothing on some printers, one large square on others."""
SEARCH_MM = 15.0
TRUSTED = 0.4
"""Least share of the edges and rows that must have a separator: below it, QRS complexes were taken for ticks."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Edges of a layout's columns."""

    edges_px: FloatArray
    """(n_columns + 1,) float32, page columns; the last one is the end of the rows."""
    support: float
    """0 to 1: share of the inner edges and rows that have a separator; 1 where there are no inner edges."""
    spurious: float
    """Separators through two rows or more that stand at no edge."""
    kinds: tuple[str, ...]
    """Kinds of the separators at inner edges: "line" or "tick"."""

    def beginning_at(self, x_px: float) -> "Columns":
        """These columns moved along so that the first one begins at `x_px`."""
        return replace(self, edges_px=self.edges_px + np.float32(x_px - float(self.edges_px[0])))


def find_columns(
    n_columns: int,
    column_s: float,
    *,
    rows: Rows,
    pulses: tuple[Pulse, ...],
    separators: tuple[Separator, ...],
    separated_rows: int,
    px_per_mm_x: float,
) -> Columns:
    """The edges that agree best with what is seen.

    Parameters
    ----------
    n_columns, column_s : of the layout.
    separated_rows : number of rows that have separators in this layout (rhythm strips have none).

    Returns
    -------
    Columns; edges at a separator are moved onto it.
    """
    found = _fitted(n_columns, column_s, rows, pulses, separators, separated_rows, px_per_mm_x)
    if separators and found.support < TRUSTED:
        return _fitted(n_columns, column_s, rows, pulses, (), separated_rows, px_per_mm_x)
    return found


def _fitted(
    n_columns: int,
    column_s: float,
    rows: Rows,
    pulses: tuple[Pulse, ...],
    separators: tuple[Separator, ...],
    separated_rows: int,
    px_per_mm_x: float,
) -> Columns:
    """Start and length with which the most separators stand at edges, and the beginning is where it should be."""
    first_px, loose_px = _beginning(rows, pulses, px_per_mm_x)
    column_px = column_s * MM_PER_S * px_per_mm_x
    starts = first_px + np.arange(-SEARCH_MM, SEARCH_MM, 0.25) * px_per_mm_x
    inner = np.arange(1, n_columns)
    places = starts[:, None, None] + inner * (STRETCH * column_px)[None, :, None]
    x, weight = _table(separators)
    near = np.exp(-0.5 * ((places[..., None] - x) / (PLAY_MM * px_per_mm_x)) ** 2)
    gain = (near * weight).sum(axis=(2, 3))
    gain -= 0.5 * (np.maximum(np.abs(starts - first_px) - loose_px, 0)[:, None] / (LOOSE_MM * px_per_mm_x)) ** 2
    gain -= 0.5 * ((STRETCH - 1.0)[None] / STRETCH_SPREAD) ** 2
    start, stretch = np.unravel_index(int(gain.argmax()), gain.shape)
    edges = starts[start] + np.arange(n_columns + 1) * STRETCH[stretch] * column_px
    return _snapped(edges, separators, max(1, separated_rows), PLAY_MM * px_per_mm_x)


def _beginning(rows: Rows, pulses: tuple[Pulse, ...], px_per_mm_x: float) -> tuple[float, float]:
    """Where the first column should begin, and by how much it may be off without doubt, px."""
    starting = [pulse.right_px for pulse in pulses if not pulse.at_end]
    if not starting:
        return rows.left_px, px_per_mm_x
    nearest, farthest = (float(np.median(starting)) + mm * px_per_mm_x for mm in GAP_MM)
    return (nearest + farthest) / 2, (farthest - nearest) / 2


def _snapped(
    edges: NDArray[np.float64], separators: tuple[Separator, ...], separated_rows: int, play_px: float
) -> Columns:
    """Inner edges moved to the middle of their separators; the outer ones go along."""
    x, weight = _table(separators)
    moved = edges.astype(np.float32)
    used = np.zeros(len(x), dtype=bool)
    support = []
    for k in range(1, len(edges) - 1):
        here = np.abs(x - edges[k]) <= 3 * play_px
        used |= here
        support.append(min(1.0, float(weight[here].sum()) / separated_rows))
        if here.any():
            moved[k] = np.average(x[here], weights=weight[here])
    known = np.array([k for k, share in enumerate(support, start=1) if share > 0])
    if known.size:
        at = np.arange(len(edges))
        pace = np.polyfit(known, moved[known], 1)[0] if known.size > 1 else (edges[-1] - edges[0]) / (len(edges) - 1)
        nearest = known[np.abs(at[:, None] - known[None]).argmin(axis=1)]
        moved = (moved[nearest] + (at - nearest) * pace).astype(np.float32)
    kinds = tuple(separator.kind for separator, at_edge in zip(separators, used, strict=True) if at_edge)
    spurious = float((weight[~used] >= 2).sum())
    return Columns(moved, float(np.mean(support)) if support else 1.0, spurious, kinds)


def _table(separators: tuple[Separator, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x of each separator, and how many rows it passes through."""
    x = np.array([separator.x_px for separator in separators], dtype=np.float64)
    return x, np.array([len(separator.rows) for separator in separators], dtype=np.float64)
