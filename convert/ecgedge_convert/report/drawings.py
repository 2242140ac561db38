"""The pictures of a chapter: differences, fronts, recalls, confusion, reliability."""

from collections.abc import Callable
from math import isfinite, nan

import numpy as np

from ecgedge.labels import AAMI, REPORT
from ecgedge_convert.report.document import Block, Cell, Gallery, Table
from ecgedge_convert.report.pareto import front
from ecgedge_convert.report.published import Published, published
from ecgedge_convert.report.reliability import reliability
from ecgedge_convert.report.row_plots import Bar, Group, bars, differences
from ecgedge_convert.report.scatter import Axes, Point, scatter
from ecgedge_convert.report.section import Row, Section
from ecgedge_convert.report.wording import (
    TITLES,
    capital,
    difference,
    duration,
    in_percent,
    interval,
    listed,
    size,
    threads_words,
    value,
)

_UNSEEN = (
    "Grey: as published by others, on 928 files with copies of the same pages in training and test; ours are of pages "
    "that were never seen. The two cannot be compared: theirs are shown to say where they lie, not to beat them."
)
_AS_PUBLISHED = (
    "Grey: as published by others, with copies of the same pages in training and test. Ours here are under such a "
    "protocol too (as-published), though not on their splits: neither says how new pages are judged."
)


def difference_picture(section: Section) -> tuple[Block, ...]:
    """Differences to float32 with their intervals; nothing where there is no float32."""
    compared = [row for row in section.rows if row.lost]
    if not compared:
        return ()
    groups = tuple(
        Group(
            f"{TITLES[name]}, difference to float32{' in points' if in_percent(name) else ''}",
            tuple(
                Bar(row.name, row.lost[name], row.entry.facts.kind, difference(name, row.lost[name].value))
                for row in compared
            ),
        )
        for name in section.judged
    )
    measure = section.judged[0]
    return (
        differences(
            groups,
            lambda number: difference(measure, number),
            title="What is lost against float32",
            caption="A point for each variant with its 95 % interval. Where it crosses 0, noise explains it.",
        ),
    )


def front_pictures(section: Section) -> tuple[Block, ...]:
    """The figure that is drawn, against size and against time, with the fronts."""
    measure, threads = section.shown[0], section.rows[0].threads()[0]
    worth = {row.name: row.sample.whole[measure] for row in section.rows}
    by_size = front({row.name: row.entry.facts.model_bytes for row in section.rows}, worth)
    by_time = front({row.name: row.latency[threads].p50_ms for row in section.rows}, worth)
    others = [one for one in published(section.family.task) if one.float_bytes and isfinite(one.value(measure))]
    apart = _AS_PUBLISHED if section.rows[0].entry.training.get("protocol") == "as-published" else _UNSEEN
    grey = f" {apart} Their size is 4 bytes for each parameter they state." if others else ""
    spread = f"Upright lines: 95 % intervals of {TITLES[measure]}. {_shapes(section)}"
    return (
        scatter(
            [point(row, measure, row.entry.facts.model_bytes) for row in section.rows],
            by_size,
            measure_axes(measure, "size of the model", size),
            title=f"{capital(TITLES[measure])} against size",
            caption=f"On the front, from small to large: {listed(by_size)}. {spread}{grey}",
            others=[_other_point(one, measure) for one in others],
        ),
        scatter(
            [
                point(row, measure, row.latency[threads].p50_ms, x_high=row.latency[threads].p99_ms)
                for row in section.rows
            ],
            by_time,
            measure_axes(measure, f"time of one inference, {threads_words(threads)}", duration),
            title=f"{capital(TITLES[measure])} against time",
            caption=f"On the front, from fast to slow: {listed(by_time)}. A point is the median, the line to its right "
            f"ends at the 99th percentile. {spread} None of the published systems states a time on such a machine.",
        ),
    )


def point(row: Row, measure: str, x: float, *, x_high: float = nan, name: str = "", named: bool = True) -> Point:
    """One variant in a scatter plot; `name` where it is not the row's own."""
    figure = row.sample.figure(measure)
    return Point(
        name or row.name,
        x,
        figure.value,
        figure.low,
        figure.high,
        kind=row.entry.facts.kind,
        shape=_shape(row),
        x_high=x_high,
        named=named,
    )


def _other_point(one: Published, measure: str) -> Point:
    return Point(one.name, one.float_bytes, one.value(measure), nan, nan, kind="published")


def _shape(row: Row) -> str:
    words = " ".join(row.entry.changes)
    if not words:
        return "circle"
    return "square" if "channels" in words else "triangle" if "set to zero" in words else "diamond"


def _shapes(section: Section) -> str:
    meanings = {"square": "channels removed", "triangle": "weights set to zero", "diamond": "another change"}
    there = {_shape(row) for row in section.rows}
    told = [f"{shape}: {words}" for shape, words in meanings.items() if shape in there]
    return f"Circle: unchanged network; {'; '.join(told)}." if told else ""


def measure_axes(measure: str, x_title: str, x_words: Callable[[float], str]) -> Axes:
    """A figure against what it costs."""
    return Axes(x_title, TITLES[measure], x_words, lambda number: value(measure, number))


def recall_picture(section: Section) -> Block:
    """Recall of each class, a bar for each variant."""
    classes = AAMI if section.family.task == "beat" else REPORT
    groups = []
    for k, title in enumerate(classes.titles):
        answers = section.rows[0].answers
        n = int((answers.truth == k).sum())
        figures = [(row, row.sample.figure(f"recall {k}")) for row in section.rows]
        groups.append(
            Group(
                f"{title} ({n:,} {_items(section)})",
                tuple(Bar(row.name, one, row.entry.facts.kind, value("recall", one.value)) for row, one in figures),
            )
        )
    return bars(
        groups,
        lambda number: f"{100 * number:.0f} %",
        title="Recall of each class",
        caption=f"How many of a class are called so, with 95 % intervals over {section.groups}.",
    )


def confusions(section: Section) -> Gallery:
    """A confusion matrix for each variant."""
    return Gallery(
        note="Confusion: rows are the truth, columns what was called; shaded by the share of the row. "
        + (
            "-: a page without an answer; not shown where there is none."
            if section.family.task == "page"
            else _BEAT_NOTE
        ),
        items=tuple(_confusion(row) for row in section.rows),
    )


_BEAT_NOTE = "Q: too bad to judge; - as a column: not found, as a row: no beat there. Not shown where there is none."


def _confusion(row: Row) -> Table:
    answers = row.answers
    counts = np.zeros((len(answers.rows), len(answers.columns)), np.int64)
    np.add.at(counts, (answers.truth, answers.called), 1)
    classes = len(REPORT.names)
    shown = [k for k in range(len(answers.columns)) if k < classes or counts[:, k].any()]
    rows = []
    for name, line in zip(answers.rows, counts, strict=True):
        if name in answers.rows[:classes] or line.any():
            total = max(1, int(line.sum()))
            cells = (Cell(f"{line[k]:,}", shade=float(line[k] / total)) for k in shown)
            rows.append((Cell(_spaced(name), tone="strong"), *cells))
    return Table(row.name, ("truth", *(_spaced(answers.columns[k]) for k in shown)), tuple(rows))


def reliabilities(section: Section) -> Gallery:
    """A reliability diagram for each variant."""
    return Gallery(
        note="A dot on the line: of the answers given with a confidence of .8, 80 % are right. Below the line a model "
        "is too sure of itself. The area of a dot grows with the answers it stands for.",
        items=tuple(
            reliability(row.answers, name=row.name, kind=row.entry.facts.kind, caption=f"ECE {_ece(row)}")
            for row in section.rows
        ),
    )


def _ece(row: Row) -> str:
    figure = row.sample.figure("ece")
    return f"{value('ece', figure.value)} [{interval('ece', figure)}]"


def _items(section: Section) -> str:
    return "beats" if section.family.task == "beat" else "pages"


def _spaced(name: str) -> str:
    return name.replace("_", " ")
