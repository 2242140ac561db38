"""`ecgedge data audit`: how many different pictures a data set of pages really holds."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ecgedge.catalogue import find_dataset, locate
from ecgedge.labels import REPORT

if TYPE_CHECKING:
    from ecgedge.audit import Audit

_BAR_AFTER_S = 2.0
_MOST_GROUPS = 8


@click.command(
    "audit",
    epilog="""\b
Examples:
  ecgedge data audit ecg_images
  ecgedge data audit ecg_images --root /srv/ecg --json
Copies are found by the bytes of the files, then by what the pages show. Of a reduced copy, which has each picture once,
files.csv says what every file was a copy of.""",
)
@click.argument("name", type=click.Choice(["ecg_images"]))
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with the data sets, one folder each; only it is looked in.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts, and the names of all copies, as JSON.")
def audit_dataset(name: str, *, root: Path | None, as_json: bool) -> None:
    """Count the classes, files, different pictures and copies of a data set of pages."""
    from ecgedge.audit import audit  # OpenCV is not loaded for the sake of `data list`
    from ecgedge.duplicates import MOST_DIFFERENT
    from ecgedge.report_images import is_reduced, report_copies, report_files

    folder = locate(name, root=root)
    files = report_files(root=root)
    with _progress(name, len(files)) as advance:
        copies = report_copies(files, advance=advance)
    labels, names = [file.label for file in files], [file.name for file in files]
    found = audit(labels, copies, classes=REPORT.names)
    form = "reduced copy, exact copies by its files.csv" if is_reduced(folder) else "as published"
    if as_json:
        facts = {"name": name, "folder": str(folder), "form": form, "most_different": MOST_DIFFERENT}
        pages = [[names[index] for index in group] for group in copies.groups() if len(group) > 1]
        click.echo(json.dumps(facts | _as_json(found, names, labels) | {"copies": pages}, indent=1))
        return
    click.echo(f"{name} {find_dataset(name).version}: {form}, {folder}")
    Console().print(_table(found), highlight=False)
    click.echo(f"near copies: other bytes, at most {MOST_DIFFERENT:.1%} of the 4096 bits of the page's hash differ")
    _show_groups(found, names)


def _table(found: "Audit") -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("class", "title", "files", "pictures", "exact copies", "near copies"):
        table.add_column(heading, justify="left" if heading in ("class", "title") else "right")
    titles = dict(zip(REPORT.names, REPORT.titles, strict=True))
    for name, count in found.classes.items():
        table.add_row(name, titles[name], *map(str, asdict(count).values()))
    table.add_section()
    table.add_row("all", "", *map(str, asdict(found.total).values()))
    return table


def _show_groups(found: "Audit", names: Sequence[str]) -> None:
    for group in found.near[:_MOST_GROUPS]:
        click.echo(f"near copies of one page: {', '.join(names[index] for index in group)}")
    for group in found.crossing[:_MOST_GROUPS]:
        click.echo(f"ONE PAGE IN TWO CLASSES: {', '.join(names[index] for index in group)}")
    hidden = sum(max(0, len(groups) - _MOST_GROUPS) for groups in (found.near, found.crossing))
    if hidden:
        click.echo(f"and {hidden} more; --json has them all")
    if not found.crossing:
        click.echo("no page lies in more than one class")


def _as_json(found: "Audit", names: Sequence[str], labels: Sequence[str]) -> dict[str, object]:
    return {
        "classes": {name: asdict(count) for name, count in found.classes.items()},
        "total": asdict(found.total),
        "near": [[names[index] for index in group] for group in found.near],
        "crossing": [[{"file": names[i], "class": labels[i]} for i in group] for group in found.crossing],
    }


@contextmanager
def _progress(name: str, n_files: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, where a person looks on, once it takes longer than a moment."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(f"hashing {name}", total=n_files, visible=False)
        start_s = monotonic()

        def advance() -> None:
            bars.update(task, advance=1, visible=monotonic() - start_s > _BAR_AFTER_S)

        yield advance
