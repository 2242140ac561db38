"""Which variant is best for what, in words, with a loss told from noise."""

from collections.abc import Sequence
from math import isfinite, isnan

from ecgedge_convert.report.document import Verdict
from ecgedge_convert.report.intervals import Figure
from ecgedge_convert.report.section import Row, Section
from ecgedge_convert.report.speed import ratio
from ecgedge_convert.report.wording import (
    TITLES,
    count,
    difference,
    difference_interval,
    duration,
    listed,
    size,
    threads_words,
    times,
    times_interval,
    unit,
)

_AS_FAST = 1.0
_CLOSE = 1.03


def _as_small(row: Row, best: Row) -> bool:
    return row.entry.facts.model_bytes <= _CLOSE * best.entry.facts.model_bytes


def verdicts(section: Section) -> tuple[Verdict, ...]:
    """What a reader looks for first: the smallest and the fastest that lose nothing that shows, and what does lose."""
    if section.reference is None:
        why = "There is no unchanged float32 bundle to compare with; write one with ecgedge convert MODEL --float32."
        return (Verdict("Smallest and fastest without a loss", "cannot be told", why),)
    if len(section.rows) == 1:
        return (
            Verdict("Smallest and fastest without a loss", "only one bundle", "There is nothing to compare it with."),
        )
    return (_smallest(section), _fastest(section), _losses(section))


def _smallest(section: Section) -> Verdict:
    best = min((row for row in section.rows if row.holds), key=lambda row: row.entry.facts.model_bytes)
    reference = section.reference
    assert reference is not None
    why = f"{size(best.entry.facts.model_bytes)}."
    if best is not reference:
        factor = reference.entry.facts.model_bytes / best.entry.facts.model_bytes
        why = f"{why[:-1]}, {factor:.1f} times smaller than float32. {difference_words(section, best)}"
    close = [row.name for row in section.rows if row.holds and row is not best and _as_small(row, best)]
    if close:
        why += f" {listed(close)} {'is' if len(close) == 1 else 'are'} within {_CLOSE - 1:.0%} of its size.".replace(
            "%", " %"
        )
    return Verdict("Smallest without a loss that shows", best.name, why)


def _fastest(section: Section) -> Verdict:
    holding = [row for row in section.rows if row.holds]
    threads = holding[0].threads()[0]
    best = min(holding, key=lambda row: row.latency[threads].p50_ms)
    why = f"{duration(best.latency[threads].p50_ms)} at {threads_words(threads)}"
    if (ratio := best.to_float.get(threads)) is not None:
        why += f", {times(ratio.value)} the time of float32 [{times_interval(ratio)}]"
    if tied := [row.name for row in holding if row is not best and _as_fast(row, best, threads)]:
        why += f". {listed(tied)} cannot be told from it"
    return Verdict("Fastest without a loss that shows", best.name, f"{why}.")


def _as_fast(row: Row, best: Row, threads: int) -> bool:
    return ratio(row.latency[threads], best.latency[threads]).low <= _AS_FAST


def _losses(section: Section) -> Verdict:
    lost = [row for row in section.rows if row.state == "lost"]
    if not lost:
        return Verdict("A loss that shows", "none", _not_excluded(section))
    why = " ".join(f"{row.name}: {_changes_of(section, row)}." for row in lost)
    return Verdict("A loss that shows", listed([row.name for row in lost]), why, tone="bad")


def _not_excluded(section: Section) -> str:
    """What the data is too small to exclude."""
    first = section.judged[0]
    worst = min(
        (row.lost[first].low for row in section.rows if row.lost and isfinite(row.lost[first].low)), default=0.0
    )
    if worst >= 0:
        known = [row.agreement.low for row in section.rows if row.agreement and isfinite(row.agreement.low)]
        others = f" Of new ones up to {100 * (1 - min(known)):.1f} % may be answered otherwise." if known else ""
        return f"No variant answers otherwise than float32 in a way that costs anything here.{others}"
    return (
        "No interval of a difference lies wholly below 0. The data is small: for the variant with the widest interval "
        f"a loss of up to {difference(first, -worst).lstrip('+')}{unit(first)} of {TITLES[first]} is not excluded."
    )


def difference_words(section: Section, row: Row) -> str:
    """Its differences to float32 in a sentence."""
    if row.same_answers:
        return "Every answer is that of float32."
    return f"Against float32: {_changes_of(section, row)}."


def _changes_of(section: Section, row: Row) -> str:
    if any(isnan(row.lost[name].value) for name in section.judged):
        return "a class is never called, so that not every figure can be counted"
    parts = [
        f"{TITLES[name]} {difference(name, row.lost[name].value)}{unit(name)} "
        f"[{difference_interval(name, row.lost[name])}]"
        for name in section.judged
    ]
    return "; ".join(parts)


def remarks(section: Section) -> tuple[str, ...]:
    """What each kind of change does and does not, from the figures of this very report."""
    found = [_change_words(section, row) for row in section.rows]
    return tuple(words for words in found if words)


def _change_words(section: Section, row: Row) -> str:
    other = _counterpart(section.rows, row)
    if other is None or not row.entry.changes:
        return ""
    threads = row.threads()[0]
    time = ratio(row.latency[threads], other.latency[threads])
    facts, before = row.entry.facts, other.entry.facts
    parts = (
        f"{row.name} ({', '.join(row.entry.changes)}) against {other.name}: download (gzip) "
        f"{size(facts.gzip_bytes)} for {size(before.gzip_bytes)}, multiplications {count(facts.macs)} for "
        f"{count(before.macs)}, time {times(time.value)} [{times_interval(time)}]."
    )
    return f"{parts} {_moral(row, time)}".strip()


def _moral(row: Row, time: Figure) -> str:
    words = " ".join(row.entry.changes)
    slower = time.high < _AS_FAST
    if "channels" in words:
        return (
            "Whole channels are gone, so it computes less."
            if slower
            else "It computes less, yet no time is saved here."
        )
    if "set to zero" in words and not slower:
        return "Zeros compress well and are multiplied all the same: pruning saves download, not time."
    if "different weights" in words and not slower:
        return "Equal weights compress well: clustering saves download, not time."
    return ""


def _counterpart(rows: Sequence[Row], row: Row) -> Row | None:
    """The unchanged model whose numbers are written the same way."""
    kind = row.entry.facts.kind
    return next((one for one in rows if one.entry.facts.kind == kind and not one.entry.changes), None)
