"""The short report of a run, for people at a terminal."""

import math
from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ecgedge_device.runs import minutes
from ecgedge_device.summary import ClassLine, Summary

_STYLE = {"N": "green", "S": "cyan", "V": "red", "F": "magenta", "Q": "dim"}
_MOST_FAULTS = 3


def print_report(summary: Summary, console: Console) -> None:
    """Print the report, and after it what must not be forgotten."""
    console.print(render(summary), highlight=False)
    console.print(Text(summary.notice, style="bold"))


def render(summary: Summary) -> RenderableType:
    """The report without its last line."""
    title = Text(f"{summary.recording}  {minutes(summary.duration_s)}  lead {summary.lead}", style="bold")
    parts: list[RenderableType] = [Rule(title, align="left"), _facts(_heart(summary))]
    parts += [Padding(_classes(summary.classes), (1, 0)), _facts(_machine(summary)), Rule()]
    return Group(*parts)


def _facts(facts: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts:
        table.add_row(name, Text(text))
    return table


def _heart(summary: Summary) -> Iterable[tuple[str, str]]:
    rate = summary.rate
    span = f" (by minute {_whole(rate.slowest_minute_bpm)} to {_whole(rate.fastest_minute_bpm)})"
    yield "heart rate", f"{_whole(rate.mean_bpm)}/min{span}"
    yield "ectopic burden", f"{_percent(summary.burden)} of judged beats (S, V and F)"
    yield "signal", _signal(summary)


def _signal(summary: Summary) -> str:
    lines = list(summary.faults[:_MOST_FAULTS])
    if more := len(summary.faults) - len(lines):
        lines.append(f"and {more} faults more")
    lines += [f"{count} beats not judged: {reason}" for reason, count in list(summary.reasons.items())[:_MOST_FAULTS]]
    return "\n".join(lines) or "no fault found, every beat judged"


def _classes(lines: tuple[ClassLine, ...]) -> Table:
    known = any(line.truth is not None for line in lines)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("class")
    table.add_column("")
    for heading in ("beats", "share", *(("truth", "Se", "PPV") if known else ())):
        table.add_column(heading, justify="right")
    for line in lines:
        table.add_row(*_class_row(line, known=known), style=_STYLE.get(line.label, ""))
    return table


def _class_row(line: ClassLine, *, known: bool) -> list[str]:
    row = [line.label, line.title, str(line.beats), _percent(line.share)]
    if known:
        row += ["" if line.truth is None else str(line.truth), _percent(line.sensitivity), _percent(line.ppv)]
    return row


def _machine(summary: Summary) -> Iterable[tuple[str, str]]:
    yield "bundle", f"{summary.bundle}, model {summary.model_bytes / 1000:.1f} kB, {summary.interpreter}"
    if (latency := summary.latency) is not None:
        text = f"{latency.mean_ms:.2f} ms mean, {latency.p99_ms:.2f} ms p99 (R-peak, windows, inference)"
        yield "time per beat", text
    yield "store", summary.store
    waiting = f" ({summary.unsent} results still to be sent)" if summary.unsent else ""
    yield "results", summary.report + waiting


def _whole(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "-"


def _percent(value: float | None) -> str:
    if value is None:
        return ""
    return f"{100 * value:.1f} %" if math.isfinite(value) else "-"
