"""From a flat page to one curve per lead: ink, rows, marks, layout, curves, in this order."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.curves import follow
from ecgedge.paper.erase import erase_marks, with_steep_strokes
from ecgedge.paper.ink import Ink, find_ink
from ecgedge.paper.layout_match import LayoutMatch, LeadSpan, match_layout
from ecgedge.paper.levels import find_levels
from ecgedge.paper.page import FloatArray, LeadTrace, Page, Traces
from ecgedge.paper.pulses import Pulse, find_pulses, gain_of
from ecgedge.paper.rows import Rows
from ecgedge.paper.runs import Runs, find_runs
from ecgedge.paper.separators import Separator, find_separators
from ecgedge.paper.strokes import Edges, centre_line, find_edges, over_gaps

USUAL_MM_PER_S = 25.0
"""Paper speed."""
NEAR_MM = 1.5
"""A separator stands within this of a lead's begin or end."""
SPEED_PLAY = (0.005, 0.02)
"""Shares by which leads may be longer or shorter than their seconds are on the grid: less is an error of reading, more
than the second an error of recognition; in between the printer draws curves and grid to different scales."""


def read_traces(page: Page) -> Traces:
    """Curves of all leads of a page, each with its place in time and its level of 0 mV.

    The level of 0 mV is the foot of the row's calibration pulse where there is one, else the median of the curve.

    Parameters
    ----------
    page : flat and upright, header and footer cut off.

    Raises
    ------
    InputError
        If it is not sure which layout the page has.
    """
    x, y = page.px_per_mm_x, page.px_per_mm_y
    ink = find_ink(page)
    rows = find_levels(ink, px_per_mm_x=x, px_per_mm_y=y)
    pulses = find_pulses(ink, rows, px_per_mm_x=x, px_per_mm_y=y)
    separators = find_separators(ink, rows, pulses, px_per_mm_x=x, px_per_mm_y=y)
    match = match_layout(ink, rows, pulses, separators, px_per_mm_x=x, px_per_mm_y=y, name=page.name)
    between = _between_leads(separators, match, x)
    mask = erase_marks(ink.mask, pulses, between, match.names, px_per_mm_x=x, px_per_mm_y=y)
    pen, left = _curves(find_runs(with_steep_strokes(mask, y)), ink, rows, match, page)
    gain = gain_of(pulses, len(rows.baselines_px))
    return Traces(
        leads=tuple(
            _lead(span, row, pen, left, match, pulses, page) for row, spans in enumerate(match.rows) for span in spans
        ),
        layout=match.layout.name,
        confidence=match.confidence,
        px_per_mm_x=x,
        px_per_mm_y=y,
        mm_per_s=_speed(match, x),
        mm_per_mv=gain.mm_per_mv,
        gain_from=gain.source,
        name=page.name,
    )


def _between_leads(separators: tuple[Separator, ...], match: LayoutMatch, px_per_mm_x: float) -> tuple[Separator, ...]:
    """The separators that stand where a lead begins or ends; what else looks like a tick is a QRS complex."""
    ends = np.array([at for spans in match.rows for span in spans for at in (span.left_px, span.right_px)])
    near = NEAR_MM * px_per_mm_x
    return tuple(mark for mark in separators if np.abs(ends - mark.x_px).min(initial=np.inf) <= near)


def _columns(span: LeadSpan, width: int) -> tuple[int, int]:
    """First column of a lead, and the one after its last."""
    first = min(max(0, round(span.left_px)), width - 1)
    return first, min(max(first + 1, round(span.right_px)), width)


def _curves(runs: Runs, ink: Ink, rows: Rows, match: LayoutMatch, page: Page) -> tuple[Edges, int]:
    """Edges of all rows' curves, and the page column where they begin."""
    width = page.pixels.shape[1]
    bounds = [[_columns(span, width) for span in spans] for spans in match.rows]
    left = min(first for spans in bounds for first, _ in spans)
    right = max(last for spans in bounds for _, last in spans) - 1
    changes = np.full((len(bounds), max(map(len, bounds))), -1)
    for row, spans in enumerate(bounds):
        changes[row, : len(spans)] = [first for first, _ in spans]
    paths = follow(
        runs,
        rows.baselines_px,
        changes,
        left_px=left,
        right_px=right,
        px_per_mm_x=page.px_per_mm_x,
        px_per_mm_y=page.px_per_mm_y,
    )
    return find_edges(runs, paths.run, ink.darkness), left


def _lead(
    span: LeadSpan, row: int, pen: Edges, left: int, match: LayoutMatch, pulses: tuple[Pulse, ...], page: Page
) -> LeadTrace:
    first, last = _columns(span, page.pixels.shape[1])
    part = slice(first - left, last - left)
    curve = centre_line(
        pen.upper_px[row, part],
        pen.lower_px[row, part],
        width_px=pen.width_px,
        steep_px=pen.steep_px,
        px_per_mm_x=page.px_per_mm_x,
    )
    curve[pen.doubt[row, part]] = np.nan
    curve = over_gaps(curve, px_per_mm_x=page.px_per_mm_x, px_per_mm_y=page.px_per_mm_y)
    seen = np.isfinite(curve)
    return LeadTrace(
        lead=span.lead,
        row=row,
        strip=span.strip,
        start_s=match.rows[row].index(span) * match.layout.column_s,
        x_px=np.arange(first, last, dtype=np.float32),
        y_px=curve,
        baseline_px=_zero(curve, seen, [pulse.foot_px for pulse in pulses if pulse.row == row], page),
        confidence=float(span.confidence * seen.mean()),
    )


def _zero(curve: FloatArray, seen: NDArray[np.bool_], feet: list[float], page: Page) -> float:
    """Level of 0 mV: a pulse's foot, or the median of the curve."""
    if feet:
        return float(feet[0])
    return float(np.median(curve[seen])) if seen.any() else page.pixels.shape[0] / 2


def _speed(match: LayoutMatch, px_per_mm_x: float) -> float:
    """Paper speed in the grid's mm/s: measured from lead to lead where that is close to the usual speed."""
    lengths = [b.left_px - a.left_px for spans in match.rows for a, b in pairwise(spans)]
    if not lengths:
        return USUAL_MM_PER_S
    measured = float(np.median(lengths)) / px_per_mm_x / match.layout.column_s
    return measured if SPEED_PLAY[0] <= abs(measured / USUAL_MM_PER_S - 1) <= SPEED_PLAY[1] else USUAL_MM_PER_S
