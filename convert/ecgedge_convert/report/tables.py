"""The tables of a chapter: figures with intervals, what a device must hold, how long it takes, figures of others."""

import os
from math import isfinite

from ecgedge_convert.report.changes import OWN
from ecgedge_convert.report.document import Cell, Table, Tone
from ecgedge_convert.report.published import published
from ecgedge_convert.report.section import Row, Section
from ecgedge_convert.report.wording import (
    NONE,
    TITLES,
    count,
    difference,
    difference_interval,
    duration,
    interval,
    size,
    threads_words,
    times,
    times_interval,
    unit,
    value,
)

_STATES: dict[str, tuple[str, Tone]] = {
    "reference": ("the reference", "soft"),
    "lost": ("loss shows", "bad"),
    "alike": ("no loss shows", "good"),
    "gained": ("gain shows", "good"),
    "unknown": (NONE, "soft"),
}
_SURE = {
    "ece": "calibration error (ECE)",
    "covered": "truth in its set",
    "set_size": "classes in a set",
    "no_answer": "no answer",
}
_OF_SETS = (
    " A set holds the classes that cannot be excluded; sets are fitted to hold the truth on 90 % of pages, where the "
    "recipe says no other share, and are counted over the pages that were answered. No answer: pages refused, or on "
    "which no class was likely enough."
)


def accuracy_table(section: Section) -> Table:
    """Figures with intervals, agreement with float32, and whether a loss shows."""
    titles = tuple(TITLES[name] for name in section.shown)
    lost = tuple(f"{TITLES[name]} against float32" for name in section.judged)
    head = ("variant", *titles, "agrees with float32", *lost, "verdict")
    return Table(
        caption="Figures with their 95 % intervals",
        head=head,
        rows=tuple(_accuracy_row(section, row) for row in section.rows),
        note=(
            f"Intervals: bootstrap over {section.groups}, 1000 draws, seed 0; of differences over the same draws for "
            "both models. A loss shows where the interval of a difference lies wholly below 0; otherwise it cannot be "
            "told from noise, which does not prove that there is none. No answer counts as a call, and as a wrong one."
        ),
    )


def _accuracy_row(section: Section, row: Row) -> tuple[Cell, ...]:
    words, tone = _STATES[row.state]
    figures = [_figure_cell(row, name) for name in section.shown]
    lost = [_lost_cell(row, name) for name in section.judged]
    agreement = Cell(NONE, tone="soft")
    if row.agreement is not None:
        agreement = Cell(
            value("agreement", row.agreement.value), interval("agreement", row.agreement) or "every answer"
        )
    return (
        _name_cell(row),
        *figures,
        agreement,
        *lost,
        Cell(words, tone=tone),
    )


def _name_cell(row: Row) -> Cell:
    below = ", ".join(row.entry.changes) or row.entry.facts.kind
    return Cell(row.name, below if below != row.name else "", tone="strong")


def _figure_cell(row: Row, name: str) -> Cell:
    figure = row.sample.figure(name)
    return Cell(value(name, figure.value), interval(name, figure))


def _lost_cell(row: Row, name: str) -> Cell:
    if name not in row.lost:
        return Cell(NONE, tone="soft")
    figure = row.lost[name]
    if not isfinite(figure.value):
        return Cell(NONE, "a class is never called", tone="bad")
    if row.same_answers:
        return Cell(f"{difference(name, figure.value)}{unit(name)}", "every answer the same")
    tone: Tone = "bad" if figure.high < 0 else "good" if figure.low > 0 else ""
    return Cell(f"{difference(name, figure.value)}{unit(name)}", difference_interval(name, figure), tone=tone)


def sureness_table(section: Section) -> Table:
    """Calibration error; of pages also how often and how tightly sets hold the truth, and how many have no answer."""
    return Table(
        caption="How sure the answers are, with 95 % intervals",
        head=("variant", *(_SURE[name] for name in section.sure), "calibration"),
        rows=tuple(
            (_name_cell(row), *(_figure_cell(row, name) for name in section.sure), _calibration_cell(row))
            for row in section.rows
        ),
        note="ECE: how far confidence and accuracy lie apart on average. Calibration: by whose answers temperature and "
        "sets were fitted, where the run fitted any." + (_OF_SETS if "covered" in section.sure else ""),
    )


def _calibration_cell(row: Row) -> Cell:
    own = row.entry.calibration == OWN
    return Cell(OWN) if own else Cell("kept", row.entry.calibration)


def cost_table(section: Section) -> Table:
    metered = any(row.energy_mj is not None for row in section.rows)
    head = ("variant", "model", "gzip", "parameters", "multiply-accumulates", "peak tensor memory")
    return Table(
        caption="What a device must hold",
        head=(*head, "energy") if metered else head,
        rows=tuple(_cost_row(row, section.reference, metered=metered) for row in section.rows),
        note=(
            "Model: the .tflite part, what is on the disk; gzip: what a download takes. Multiply-accumulates and peak "
            "tensor memory (all activations, without the interpreter's own buffers) are counted from the ops, for a "
            "batch of one; float16 weights that are unpacked count as memory. kB is 1000 bytes."
        ),
    )


def _cost_row(row: Row, reference: Row | None, *, metered: bool) -> tuple[Cell, ...]:
    facts = row.entry.facts
    before = reference.entry.facts if reference is not None and row is not reference else None
    cells = [
        _name_cell(row),
        Cell(size(facts.model_bytes), _share(facts.model_bytes, before.model_bytes) if before else ""),
        Cell(size(facts.gzip_bytes), _share(facts.gzip_bytes, before.gzip_bytes) if before else ""),
        Cell(count(facts.parameters), _share(facts.parameters, before.parameters) if before else ""),
        Cell(count(facts.macs), _share(facts.macs, before.macs) if before else ""),
        Cell(
            size(facts.peak_tensor_bytes), _share(facts.peak_tensor_bytes, before.peak_tensor_bytes) if before else ""
        ),
    ]
    if metered:
        cells.append(Cell(f"{row.energy_mj:.3g} mJ" if row.energy_mj is not None else NONE))
    return tuple(cells)


def _share(part: float, whole: float) -> str:
    return times(part / whole) if whole else ""


def latency_table(section: Section) -> Table:
    threads = section.rows[0].threads()
    return Table(
        caption="Time of one inference, batch of one: the median, and below it the 99th percentile",
        head=("variant", *map(threads_words, threads), "against float32", "against int8"),
        rows=tuple(_latency_row(row) for row in section.rows),
        note=_latency_note(section),
    )


def _latency_row(row: Row) -> tuple[Cell, ...]:
    measured = [row.latency[number] for number in row.threads()]
    cells = [_name_cell(row), *(Cell(duration(one.p50_ms), duration(one.p99_ms)) for one in measured)]
    first = row.threads()[0]
    for ratios in (row.to_float, row.to_int8):
        figure = ratios.get(first)
        cells.append(Cell(times(figure.value), times_interval(figure)) if figure else Cell(NONE, tone="soft"))
    return tuple(cells)


def _latency_note(section: Section) -> str:
    first, cores = section.rows[0].latency, os.cpu_count() or 1
    calls = min(one.n for row in section.rows for one in row.latency.values())
    words = (
        f"The variants took turns, so that drift of the machine hit all alike; at least {calls} calls each. Ratios "
        f"are at {threads_words(min(first))}, turn by turn, with 95 % intervals (bootstrap over the turns)."
    )
    if max(first) > cores:
        words += f" This machine has {cores} cores: {max(first)} threads share them."
    return words


def published_table(task: str) -> Table:
    """What others published for a task, each with its protocol and its source."""
    found = published(task)
    measures = ("accuracy", "macro_f1", "balanced_accuracy")
    rows = tuple(
        (
            Cell(one.system, one.model, tone="strong"),
            *(Cell(value(name, one.value(name))) for name in measures),
            Cell(count(one.parameters) if one.parameters else NONE),
            Cell(one.data),
            Cell(one.protocol),
            Cell(one.source),
        )
        for one in found
    )
    head = ("system", *(TITLES[name] for name in measures), "parameters", "data", "how it was tested", "source")
    return Table(
        f"Figures for {task}s that others published, as they state them",
        head,
        rows,
        note="Not comparable with the figures above: their test data holds what they were trained on, or another "
        "question was asked. They are here so that a reader finds them with their protocol beside them.",
    )
