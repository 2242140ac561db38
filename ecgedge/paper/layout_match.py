"""Which layout a page has, where each lead begins and ends, and how sure that is; refused when unsure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecgedge.errors import InputError
from ecgedge.paper.columns import Columns, find_columns
from ecgedge.paper.ink import Ink
from ecgedge.paper.layouts import LEADS, STRIP, Layout, layouts
from ecgedge.paper.lead_names import LeadName, Site, Style, read_lead_names
from ecgedge.paper.page import FloatArray
from ecgedge.paper.pulses import USUAL_MM_PER_MV, Pulse, gain_of
from ecgedge.paper.rows import Rows
from ecgedge.paper.separators import Separator
from ecgedge.paper.small_ink import SmallInk, shrink
from ecgedge.paper.strip_lead import likeness

LIKE_NOISE, LIKE_SCATTER = 0.02, 1.6
"""Likeness that a good scan falls short of 1; and how many times the best lead's shortfall tells two leads apart."""
LIKE_LEAST, LIKE_RANGE = 0.65, 0.3
"""From this likeness on the strip repeats some lead; leads that far behind the best one are all alike."""
NAME_MM = 0.25
"""Names stand this far behind the beginning of their leads: where there are no separators, they tell the beginning."""
SURE = 0.5
"""Confidence below which a layout is refused."""
SUPPORT, SUPPORT_STEP = 0.45, 0.025
"""Mean correlation of the names at which it is even odds that they are there: ECG pages have 0.53 to 0.9, pages with
other names in these places 0.38 at most."""
FIT, FIT_STEP = 0.5, 0.06
"""Share of the attainable likelihood of the names at which it is even odds that they are there."""
GAP, GAP_STEP = 4.0, 0.35
"""Lead of another order of the names from which it is taken for true: a single name with a wave through it gives 3 at
most, two clean names exchanged give 5 to 50."""
USUAL_STRIP, USUALLY = "II", 1.5
"""Most rhythm strips show lead II; log likelihood by which it is ahead of each other lead before anything is seen."""
STRIP_SURE = 2.0
"""Least lead of the rhythm strip's name; below it the strip is left out."""
UNREAD = 4.0
"""Least log likelihood of a name against nothing being written, for the strip's name to count as read."""


@dataclass(frozen=True, slots=True)
class LeadSpan:
    """Where one lead lies in its row."""

    lead: str
    strip: bool
    left_px: float
    right_px: float
    confidence: float
    """0 to 1: how sure it is that this lead is written here."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a layout."""

    layout: Layout
    columns: Columns
    style: Style
    names: tuple[LeadName, ...]
    expected: tuple[str, ...]
    fit: float
    """Likelihood of the expected names against nothing being written, as a share of what perfect print would give."""
    gap: float
    """By how much another order of the same names, or other names, fit better; 0 where the expected order fits best."""
    strip_lead: str | None
    strip_margin: float


@dataclass(frozen=True, slots=True)
class LayoutMatch:
    """A page's layout."""

    layout: Layout
    confidence: float
    """0 to 1."""
    rows: tuple[tuple[LeadSpan, ...], ...]
    """Leads of each row, from the left; a row without any is a rhythm strip whose lead could not be read."""
    names: tuple[LeadName, ...]
    """Names as they were read, to be taken off the ink."""
    evidence: Evidence
    """What it was decided by."""


def match_layout(
    ink: Ink,
    rows: Rows,
    pulses: tuple[Pulse, ...],
    separators: tuple[Separator, ...],
    *,
    px_per_mm_x: float,
    px_per_mm_y: float,
    name: str = "page",
) -> LayoutMatch:
    """The layout of a page: by its number of rows, its separators, and its lead names, which are read.

    The names decide: a page without names, or with names in another order than a known layout has, is refused, however
    usual it looks.

    Parameters
    ----------
    ink, rows, pulses, separators : of one flat page.
    name : of the picture, for messages.

    Returns
    -------
    LayoutMatch, its confidence at least 0.5.

    Raises
    ------
    InputError
        If no known layout has so many rows, or none fits well, or another fits nearly as well.
    """
    _require_usual_gain(pulses, name)
    found = weigh_all(ink, rows, pulses, separators, px_per_mm_x=px_per_mm_x, px_per_mm_y=px_per_mm_y)
    if not found:
        usual = ", ".join(str(n) for n in sorted({len(layout.rows) for layout in layouts().values()}))
        seen = len(rows.baselines_px)
        raise InputError(
            f"{name}: {seen} rows of curves, known layouts have {usual}; photograph the whole sheet, sharply"
        )
    best = found[0]
    sure = confidence(best) * _ahead(found)
    if sure < SURE:
        raise InputError(f"{name}: {_why(found)} (layout confidence {sure:.2f}, needs {SURE}); {_REMEDY}")
    return LayoutMatch(best.layout, sure, _spans(best, sure), best.names, best)


def _require_usual_gain(pulses: tuple[Pulse, ...], name: str) -> None:
    """Refuses pulses of a height that no machine prints: then the grid, and with it every length, was misread."""
    if len(pulses) >= 2:
        gain = gain_of(pulses, len(pulses)).mm_per_mv
        if gain not in USUAL_MM_PER_MV:
            usual = ", ".join(f"{mm:g}" for mm in USUAL_MM_PER_MV)
            raise InputError(
                f"{name}: calibration pulses {gain:.1f} mm high, usual are {usual}: the grid was misread; "
                "photograph the page flat, sharply and from above"
            )


def weigh_all(
    ink: Ink,
    rows: Rows,
    pulses: tuple[Pulse, ...],
    separators: tuple[Separator, ...],
    *,
    px_per_mm_x: float,
    px_per_mm_y: float,
) -> list[Evidence]:
    """Evidence for each layout with so many rows, best first; of layouts with the same leads only the best."""
    known = [layout for layout in layouts().values() if len(layout.rows) == len(rows.baselines_px)]
    if not known:
        return []
    small = shrink(ink, px_per_mm_x=px_per_mm_x, px_per_mm_y=px_per_mm_y)
    read: dict[tuple[tuple[tuple[str, ...], ...], float], Evidence] = {}
    found = []
    for layout in known:
        shape = layout.rows, layout.column_s
        if shape not in read:
            read[shape] = weigh(layout, small, rows, pulses, separators, px_per_mm_x=px_per_mm_x)
        found.append(replace(read[shape], layout=layout))
    return _distinct(found)


_REMEDY = "photograph the whole sheet sharply, lead names and all, or use a print of a known layout"


def confidence(evidence: Evidence) -> float:
    """0 to 1: whether the page has this layout, other layouts left aside."""
    there = _odds(evidence.style.support, SUPPORT, SUPPORT_STEP) * _odds(evidence.fit, FIT, FIT_STEP)
    in_order = _odds(GAP - evidence.gap, 0.0, GAP_STEP)
    return there * in_order


def _odds(value: float, even: float, step: float) -> float:
    """Logistic function: 0.5 at `even`."""
    return float(1 / (1 + np.exp(-np.clip((value - even) / step, -30, 30))))


def _rank(evidence: Evidence) -> float:
    """Confidence; among layouts with the same leads, the one whose separators and names stand as on the page."""
    kinds = {"lines": "line", "ticks": "tick", "none": ""}
    inner = evidence.columns.kinds
    alike = float(np.mean([kind == kinds[evidence.layout.separators] for kind in inner])) if inner else 0.5
    above = evidence.style.above == (evidence.layout.labels == "above")
    return confidence(evidence) + 1e-3 * (alike + 0.5 * above + evidence.columns.support)


def _distinct(found: list[Evidence]) -> list[Evidence]:
    """Best first; of layouts with the same leads in the same places only the best."""
    ranked = sorted(found, key=_rank, reverse=True)
    seen: dict[tuple[tuple[tuple[str, ...], ...], float], Evidence] = {}
    for evidence in ranked:
        seen.setdefault((evidence.layout.rows, evidence.layout.column_s), evidence)
    return list(seen.values())


def _ahead(found: list[Evidence]) -> float:
    """Share of the confidence that the best layout has beside the next one."""
    if len(found) < 2:
        return 1.0
    first, second = confidence(found[0]), confidence(found[1])
    return first / (first + second) if first else 0.0


def _why(found: list[Evidence]) -> str:
    """What speaks most against the best layout."""
    best = found[0]
    if best.style.support < SUPPORT + SUPPORT_STEP or best.fit < FIT + FIT_STEP:
        like = f"likeness {best.style.support:.2f}, needs {SUPPORT}"
        return f"lead names not found where layout {best.layout.name} has them ({like})"
    if best.gap > GAP - 2 * GAP_STEP:
        read = " ".join(name.text for name in best.names)
        return f"lead names read as {read}, which is not the order of layout {best.layout.name}"
    names = " and ".join(evidence.layout.name for evidence in found[:2])
    return f"layouts {names} fit alike"


def _spans(evidence: Evidence, sure: float) -> tuple[tuple[LeadSpan, ...], ...]:
    """Leads of each row; a strip without a readable name gives an empty row."""
    edges = evidence.columns.edges_px
    spans: list[tuple[LeadSpan, ...]] = []
    for i, row in enumerate(evidence.layout.rows):
        if row == (STRIP,):
            lead = evidence.strip_lead
            strip_sure = _odds(evidence.strip_margin, 0.0, 1.0)
            whole = LeadSpan(lead, True, float(edges[0]), float(edges[-1]), sure * strip_sure) if lead else None
            spans.append((whole,) if whole else ())
        else:
            spans.append(
                tuple(
                    LeadSpan(lead, False, float(edges[k]), float(edges[k + 1]), sure * _seen(evidence, i, k, lead))
                    for k, lead in enumerate(row)
                )
            )
    return tuple(spans)


def _seen(evidence: Evidence, row: int, column: int, lead: str) -> float:
    """0.8 to 1: a name that cannot be read by itself still stands where the others say."""
    name = next(name for name in evidence.names if (name.row, name.column) == (row, column))
    own = float(name.scores[LEADS.index(lead)])
    return 0.8 + 0.2 * _odds(own - float(np.delete(name.scores, LEADS.index(lead)).max()), 0.0, 1.0)


def weigh(
    layout: Layout,
    small: SmallInk,
    rows: Rows,
    pulses: tuple[Pulse, ...],
    separators: tuple[Separator, ...],
    *,
    px_per_mm_x: float,
) -> Evidence:
    """All evidence for one layout that has the page's number of rows."""
    levels = _levels(rows, pulses)
    n_columns = max(map(len, layout.rows))
    columns = find_columns(
        n_columns,
        layout.column_s,
        rows=rows,
        pulses=pulses,
        separators=separators,
        separated_rows=sum(len(row) > 1 for row in layout.rows),
        px_per_mm_x=px_per_mm_x,
    )
    sites = _sites(layout, columns, levels)
    names, style = read_lead_names(small, sites, separators, pulses)
    if not columns.kinds:
        columns = columns.beginning_at(float(columns.edges_px[0]) + (style.left_mm - NAME_MM) * px_per_mm_x)
    expected = tuple(site.expected for site in sites)
    fit, gap = _order(names, expected)
    strip, margin = _strip(layout, small, columns, levels, names)
    return Evidence(layout, columns, style, names, expected, fit, gap, strip, margin)


def _levels(rows: Rows, pulses: tuple[Pulse, ...]) -> FloatArray:
    """Level of each row: the foot of its pulse, or where its ink runs along."""
    levels = rows.baselines_px.copy()
    for pulse in pulses:
        levels[pulse.row] = pulse.foot_px
    return levels


def _sites(layout: Layout, columns: Columns, levels: FloatArray) -> list[Site]:
    return [
        Site(i, k, float(columns.edges_px[k]), float(levels[i]), lead)
        for i, row in enumerate(layout.rows)
        for k, lead in enumerate(row)
    ]


def _order(names: Sequence[LeadName], expected: Sequence[str]) -> tuple[float, float]:
    """How well the expected names fit, and by how much better the best other order of them does."""
    fixed = [i for i, lead in enumerate(expected) if lead != STRIP]
    leads = [LEADS.index(expected[i]) for i in fixed]
    scores = np.stack([names[i].scores for i in fixed])
    wanted = scores[np.arange(len(fixed)), leads]
    attainable = sum(float(names[i].attainable[lead]) for i, lead in zip(fixed, leads, strict=True))
    return float(wanted.sum()) / max(attainable, 1.0), _exchange(scores[:, leads])


def _exchange(scores: FloatArray) -> float:
    """What the sum of the diagonal gains by exchanging columns two by two, as long as any exchange gains."""
    own, gained = scores.astype(np.float64), 0.0
    for _ in range(len(own)):
        diagonal = np.diag(own)
        gains = own + own.T - diagonal[:, None] - diagonal[None]
        i, k = divmod(int(gains.argmax()), len(own))
        if gains[i, k] <= 1e-6:
            break
        gained += float(gains[i, k])
        own[:, [i, k]] = own[:, [k, i]]
    return gained


def _strip(
    layout: Layout, small: SmallInk, columns: Columns, levels: FloatArray, names: Sequence[LeadName]
) -> tuple[str | None, float]:
    """Lead of the rhythm strip, from its name and from its likeness with the leads; and how far it is ahead."""
    where = [i for i, row in enumerate(layout.rows) if row == (STRIP,)]
    if not where:
        return None, np.inf
    leads = {
        lead: (float(columns.edges_px[k]), float(columns.edges_px[k + 1]), float(levels[i]))
        for i, row in enumerate(layout.rows)
        for k, lead in enumerate(row)
        if lead != STRIP
    }
    alike = likeness(small, float(levels[where[0]]), leads)
    written = next(name.scores for name in names if name.row == where[0])
    repeats = float(alike.max()) >= LIKE_LEAST
    weight = LIKE_SCATTER / (1.0 - float(alike.max()) + LIKE_NOISE) * repeats
    from_likeness = weight * np.maximum(alike - alike.max(), -LIKE_RANGE)
    total = np.maximum(written, 0.0) + from_likeness
    total[LEADS.index(USUAL_STRIP)] += USUALLY
    second, first = np.sort(total)[-2:]
    margin = float(first - second)
    known = margin >= STRIP_SURE and (repeats or float(written.max()) >= UNREAD)
    return (LEADS[int(total.argmax())] if known else None), margin
