"""Several models on the same held-out data, all their variants in one picture: which of them nothing beats."""

from collections.abc import Sequence

import numpy as np

from ecgedge_convert.report.document import Cell, Chapter, Part, Table
from ecgedge_convert.report.drawings import measure_axes, point
from ecgedge_convert.report.pareto import front
from ecgedge_convert.report.scatter import Point, scatter
from ecgedge_convert.report.section import Row, Section, is_plain_int8
from ecgedge_convert.report.shelf import common_start
from ecgedge_convert.report.wording import TITLES, capital, duration, interval, listed, size, threads_words, value

Named = tuple[str, Row]


def together(sections: Sequence[Section]) -> tuple[tuple[Section, ...], ...]:
    """Sections that were measured on the very same pages or beats; those that stand alone are left out."""
    groups: list[list[Section]] = []
    for one in sections:
        alike = next((group for group in groups if _same_data(group[0], one)), None)
        if alike is None:
            groups.append([one])
        else:
            alike.append(one)
    return tuple(tuple(group) for group in groups if len(group) > 1)


def _same_data(one: Section, other: Section) -> bool:
    a, b = one.rows[0].answers, other.rows[0].answers
    return one.family.task == other.family.task and a.groups == b.groups and np.array_equal(a.truth, b.truth)


def overview(sections: Sequence[Section], anchor: str) -> Chapter:
    """All variants of several models in one picture, and the table of those that nothing beats."""
    start = len(common_start([one.family.name for one in sections]))
    rows = [(f"{one.family.name[start:]} {row.name}".strip(), row) for one in sections for row in one.rows]
    measure, threads = sections[0].shown[0], rows[0][1].threads()[0]
    worth = {name: row.sample.whole[measure] for name, row in rows}
    by_size = front({name: row.entry.facts.model_bytes for name, row in rows}, worth)
    by_time = front({name: row.latency[threads].p50_ms for name, row in rows}, worth)
    named = {name for name, row in rows if is_plain_int8(row.entry)} | {*by_size, *by_time}
    spread = f"Upright lines: 95 % intervals of {TITLES[measure]}. Named are those on the fronts and the int8 models."
    pictures = (
        scatter(
            [_point(one, measure, one[1].entry.facts.model_bytes, named) for one in rows],
            by_size,
            measure_axes(measure, "size of the model", size),
            title=f"{capital(TITLES[measure])} of all models against size",
            caption=f"On the front, from small to large: {listed(by_size)}. {spread}",
        ),
        scatter(
            [_point(one, measure, one[1].latency[threads].p50_ms, named) for one in rows],
            by_time,
            measure_axes(measure, f"time of one inference, {threads_words(threads)}", duration),
            title=f"{capital(TITLES[measure])} of all models against time",
            caption=f"On the front, from fast to slow: {listed(by_time)}. {spread}",
        ),
    )
    fronts = _table([one for one in rows if one[0] in {*by_size, *by_time}], measure, threads, by_size, by_time)
    items = "pages" if sections[0].family.task == "page" else "beats"
    return Chapter(
        title=f"All models for {items} together",
        anchor=anchor,
        lead=f"{listed([one.family.name for one in sections])}, measured on the very same {items} and timed in turns.",
        parts=(Part("What nothing beats", (fronts, *pictures)),),
    )


def _point(named_row: Named, measure: str, x: float, named: set[str]) -> Point:
    name, row = named_row
    return point(row, measure, x, name=name, named=name in named)


def _table(rows: Sequence[Named], measure: str, threads: int, by_size: Sequence[str], by_time: Sequence[str]) -> Table:
    def cells(name: str, row: Row) -> tuple[Cell, ...]:
        figure = row.sample.figure(measure)
        fronts = [words for words, members in (("size", by_size), ("time", by_time)) if name in members]
        return (
            Cell(name, tone="strong"),
            Cell(value(measure, figure.value), interval(measure, figure)),
            Cell(size(row.entry.facts.model_bytes)),
            Cell(duration(row.latency[threads].p50_ms)),
            Cell(listed(fronts)),
        )

    return Table(
        caption="On at least one of the fronts",
        head=("model", TITLES[measure], "size", f"time, {threads_words(threads)}", "on the front of"),
        rows=tuple(cells(*one) for one in sorted(rows, key=lambda one: one[1].entry.facts.model_bytes)),
        note="Points that lie within each other's intervals cannot be told apart: a front is drawn through what was "
        "measured, not through what is known.",
    )
