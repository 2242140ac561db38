"""A measurement as people read it."""

from collections.abc import Sequence
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ecgedge.bench_report import BenchReport, warnings_of
from ecgedge.board import Condition
from ecgedge.first_answer import FirstAnswer
from ecgedge.latency import Latency


def show_report(report: BenchReport, console: Console) -> None:
    """Print facts, latency and warnings."""
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for key, value in _facts(report).items():
        facts.add_row(key, value)
    console.print(facts, highlight=False)
    console.print(_latency_table(report.latency), highlight=False)
    for words in warnings_of(report):
        console.print(f"[bold yellow]warning[/]: {words}", highlight=False, soft_wrap=True)


def _facts(report: BenchReport) -> dict[str, str]:
    board, software, bundle = report.board, report.software, report.bundle
    commit = f" ({software.commit[:12]}{'+' if software.commit.endswith('+') else ''})" if software.commit else ""
    facts = {
        "bundle": f"{bundle.name} {bundle.version} ({bundle.task}), {bundle.input_dtype}, "
        f"{bundle.model_bytes / 1000:.1f} kB, SHA-256 {bundle.model_sha256[:16]}",
        "board": board.model or "not named by this machine",
        "processor": f"{board.cpu or board.architecture}, {board.cores} cores; {' '.join(board.cpu_flags)}",
        "software": f"ecgedge {software.ecgedge}{commit}, Python {software.python}, {software.interpreter}; "
        f"{board.kernel}, {board.system or 'system not named'}",
        "before": condition_words(report.before),
        "after": condition_words(report.after),
    }
    if report.start_up:
        facts["start-up"] = start_words(report.start_up, report.bundle.task)
        facts["memory"] = memory_words(report.start_up)
    if report.energy is not None:
        energy = report.energy
        facts["energy"] = (
            f"{energy.per_input_mj:.3g} mJ above idle for one input; {energy.busy_w:.2f} W at work, "
            f"{energy.idle_w:.2f} W idle ({energy.meter})"
        )
    return facts


def condition_words(condition: Condition) -> str:
    """Temperatures, clock, throttling and load, as far as they are known."""
    parts = [f"{name} {value:.0f} \u00b0C" for name, value in condition.temperatures_c.items()]
    if condition.throttling is not None:
        parts.append(", ".join(condition.throttling_words) or "not throttled")
    if condition.frequency_mhz is not None:
        parts.append(f"{condition.frequency_mhz} MHz ({condition.governor or 'no governor'})")
    if condition.load is not None:
        parts.append(f"load {condition.load:.2f}")
    return ", ".join(parts) or "this machine tells nothing of it"


def start_words(starts: Sequence[FirstAnswer], task: str) -> str:
    """Median of the fresh processes, and its parts."""
    what = "a page" if task == "page" else "a minute of ECG"
    return (
        f"{_median(starts, 'process_s'):.2f} s to the first answer: imports {_median(starts, 'import_s'):.2f}, "
        f"loading {_median(starts, 'load_s'):.3f}, {what} {_median(starts, 'answer_s'):.3f}; "
        f"the same once more {_median(starts, 'again_s'):.3f} s"
    )


def memory_words(starts: Sequence[FirstAnswer]) -> str:
    """The most that a fresh process took."""
    loaded = [one.loaded_mb for one in starts if one.loaded_mb is not None]
    peaks = [one.peak_mb for one in starts if one.peak_mb is not None]
    if not loaded or not peaks:
        return "this machine does not tell"
    return f"{max(loaded):.0f} MB with the bundle loaded, {max(peaks):.0f} MB at most while answering"


def _median(starts: Sequence[FirstAnswer], field: str) -> float:
    return median(float(getattr(one, field)) for one in starts)


def _latency_table(latency: Sequence[Latency]) -> Table:
    scale, unit = (1000, "us") if max(one.p50_ms for one in latency) < 1 else (1, "ms")
    table = Table(title=f"set, invoke and get, {unit}", title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    for heading in ("threads", "batch", "p50", "p90", "p99", "mean", "least", "calls", "inputs/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in latency:
        times = (one.p50_ms, one.p90_ms, one.p99_ms, one.mean_ms, one.least_ms)
        shown = [_three_figures(scale * value) for value in times]
        table.add_row(str(one.threads), str(one.batch), *shown, str(one.n), f"{one.per_s:.0f}")
    return table


def _three_figures(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
