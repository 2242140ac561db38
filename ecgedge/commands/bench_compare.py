"""`ecgedge bench compare`: two measurements side by side, and whether a difference is more than noise."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ecgedge.bench_files import BenchFile, read_bench_file
from ecgedge.comparison import LEAST_DIFFERENCE, METHODS, Comparison, compare_series
from ecgedge.errors import InputError

_COLOURS = {"slower": "red", "faster": "green", "no difference": "dim"}
_UNITS = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
    "ms": ((1.0, "ms"), (1e-3, "us")),
    "MB": ((1.0, "MB"),),
}


@click.command(
    epilog="""\b
Examples:
  ecgedge bench compare before.json after.json
  ecgedge bench compare before.json after.json --fail-over 1.10     exit code 1 where something is 10 % slower
  ecgedge bench compare pi4.json pi5.json --json
Both files come from `ecgedge bench BUNDLE --json FILE`, or both from pytest's --benchmark-json (`make bench`).
Ratios are A to B: above 1 is slower, or more memory. A verdict needs the whole interval beyond the least difference."""
)
@click.argument("before", metavar="A.json", type=click.Path(path_type=Path))
@click.argument("after", metavar="B.json", type=click.Path(path_type=Path))
@click.option(
    "--fail-over",
    type=click.FloatRange(min=1.0),
    metavar="RATIO",
    help="Exit code 1 where something is slower, told apart from noise, by more than this ratio.",
)
@click.option(
    "--least-difference",
    type=click.FloatRange(0.0, 10.0),
    default=LEAST_DIFFERENCE,
    show_default=True,
    help="Share below which a difference always counts as noise: what lies between two runs of the same.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(before: Path, after: Path, *, fail_over: float | None, least_difference: float, as_json: bool) -> None:
    """Compare two measurements: what became faster, slower, or cannot be told apart from noise."""
    old, new = read_bench_file(before), read_bench_file(after)
    if old.kind != new.kind:
        raise InputError(f"{before.name} is of {old.kind}, {after.name} of {new.kind}; give two of one kind")
    found = compare_series(old.series, new.series, least_difference=least_difference)
    if not found.changes:
        raise InputError(f"{before.name} and {after.name} have no benchmark of the same name; measure the same things")
    if as_json:
        click.echo(json.dumps(asdict(found), indent=1, allow_nan=False))
    else:
        _show(found, least_difference=least_difference)
        _show_remarks(old, new)
    if fail_over is not None and (slower := found.slower_than(fail_over)):
        names = ", ".join(f"{change.name} {change.ratio:.2f}" for change in slower)
        click.echo(f"ecgedge: slower than {fail_over:g} times: {names}", err=True)
        click.get_current_context().exit(1)


def _show(found: Comparison, *, least_difference: float) -> None:
    console = Console()
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("what", overflow="fold")
    for heading in ("A", "B", "B / A", "99 %", ""):
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    for change in found.changes:
        colour = _COLOURS[change.verdict]
        interval = "" if change.method == "single" else f"{change.low:.2f} to {change.high:.2f}"
        mark = _MARKS[change.method]
        cells = (_amount(change.before, change.unit), _amount(change.after, change.unit))
        ratios = (f"{change.ratio:.2f}", f"{interval}{mark}")
        table.add_row(change.name.removeprefix("test_"), *cells, *ratios, f"[{colour}]{change.verdict}[/]")
    console.print(table, highlight=False)
    counts = {verdict: sum(change.verdict == verdict for change in found.changes) for verdict in _COLOURS}
    click.echo(", ".join(f"{n} {verdict}" for verdict, n in counts.items()))
    for method in dict.fromkeys(change.method for change in found.changes):
        click.echo(f"interval{_MARKS[method]}: {METHODS[method]}")
    click.echo(f"a verdict needs all of the interval beyond {100 * least_difference:g} %")
    for title, names in (("only in A", found.only_before), ("only in B", found.only_after)):
        if names:
            click.echo(f"{title}: {', '.join(names)}")


_MARKS = {"bootstrap": "", "spread": " *", "range": " +", "single": " -"}


def _show_remarks(old: BenchFile, new: BenchFile) -> None:
    for side, file in (("A", old), ("B", new)):
        for words in file.warnings:
            click.echo(f"{side} was measured with a warning: {words}")
    if old.machine != new.machine:
        click.echo(f"two machines: {old.machine or 'not named'}; {new.machine or 'not named'}")
    if old.model != new.model:
        click.echo(f"two models: SHA-256 {old.model[:12]} and {new.model[:12]}")


def _amount(value: float, unit: str) -> str:
    """Three figures, in the unit that needs no powers of ten."""
    for scale, name in _UNITS[unit]:
        if value >= scale:
            return f"{value / scale:.3g} {name}"
    scale, name = _UNITS[unit][-1]
    return f"{value / scale:.3g} {name}"
