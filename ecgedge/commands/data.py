"""`ecgedge data`: find, fetch and prove the public data sets."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from ecgedge.catalogue import CATALOGUE, Advance, Dataset, Verification, destination, find_dataset, locate, verify
from ecgedge.commands.audit import audit_dataset
from ecgedge.downloads import PATIENCE, Patience, fetch
from ecgedge.errors import DataError

_MOST_NAMES = 8
_STAGES = ("checking", "downloading", "unpacking")
_name_argument = click.argument("name", type=click.Choice(list(CATALOGUE)))
_root_option = click.option(
    "--root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with the data sets, one folder each; only it is looked in.",
)


@click.group(
    epilog="""\b
Examples:
  ecgedge data list
  ecgedge data fetch mitdb                     into ECGEDGE_DATA, else the cache
  ecgedge data verify mitdb --root /srv/ecg    a copy that is already there
  cd "$(ecgedge data path mitdb)"
Looked in, in order: --root and nothing else; or ECGEDGE_DATA, ../shared/data, the cache (XDG_CACHE_HOME/ecgedge)."""
)
def data() -> None:
    """Find, fetch, prove and count the public data sets."""


data.add_command(audit_dataset)


@data.command("list", epilog="Example: ecgedge data list --json")
@_root_option
@click.option("--json", "as_json", is_flag=True, help="Print everything known of each data set as JSON.")
def list_datasets(*, root: Path | None, as_json: bool) -> None:
    """List the data sets, and where they lie on this machine."""
    if as_json:
        click.echo(json.dumps([_as_json(dataset, root) for dataset in CATALOGUE.values()], indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "version", "data set", "licence", "MB", "where"):
        table.add_column(heading, justify="right" if heading == "MB" else "left", overflow="fold")
    for dataset in CATALOGUE.values():
        size_mb = f"{dataset.size_bytes / 1e6:.0f}"
        place = _place(dataset, root)
        table.add_row(dataset.name, dataset.version, dataset.title, dataset.licence, size_mb, place)
    Console().print(table, highlight=False)


@data.command(
    "fetch",
    epilog="""\b
Examples:
  ecgedge data fetch mitdb
  ecgedge data fetch cinc2017 --root /srv/ecg
  ecgedge data fetch mitdb --from https://mirror.example.org/mitdb/1.0.0/
  ECGEDGE_MIRROR=https://mirror.example.org ecgedge data fetch mitdb     takes .../mitdb/
A broken download goes on where it stopped. Files that are there and right are not fetched again.""",
)
@_name_argument
@_root_option
@click.option("--from", "address", metavar="URL", help="Base address of a mirror of this data set.")
@click.option("--tries", type=click.IntRange(1, 100), default=PATIENCE.tries, show_default=True, help="Tries per file.")
@click.option(
    "--timeout-s",
    type=click.FloatRange(min=0.1),
    default=PATIENCE.read_s,
    show_default=True,
    help="A server that sends nothing for so long has stalled.",
)
def fetch_dataset(name: str, *, root: Path | None, address: str | None, tries: int, timeout_s: float) -> None:
    """Fetch a data set and hold every file against its checksum."""
    dataset = find_dataset(name)
    with _progress(dataset) as advance:
        there = _whole_copy(dataset, root, advance=advance)
        found = there or fetch(
            dataset,
            destination(name, root=root),
            address=address,
            patience=Patience(tries=tries, read_s=timeout_s),
            advance=advance,
        )
    _show(dataset, found)
    _require_proved(dataset, found)
    click.echo(f"please cite: {dataset.citation}, doi:{dataset.doi}; licence {dataset.licence}")


@data.command("verify", epilog="Example: ecgedge data verify mitdb --root /media/data")
@_name_argument
@_root_option
def verify_dataset(name: str, *, root: Path | None) -> None:
    """Hold every file of a data set against its checksum. Exit code 1 where one is missing, damaged or unproved."""
    dataset = find_dataset(name)
    folder = locate(name, root=root)
    with _progress(dataset) as advance:
        found = verify(dataset, folder, advance=advance)
    _show(dataset, found)
    _require_proved(dataset, found)


@data.command("path", epilog="Example: ls $(ecgedge data path mitdb)")
@_name_argument
@_root_option
def print_path(name: str, *, root: Path | None) -> None:
    """Print the folder of a data set. Exit code 1 where it is not on this machine."""
    click.echo(str(locate(name, root=root)))


def _whole_copy(dataset: Dataset, root: Path | None, *, advance: Advance) -> Verification | None:
    """The copy that is already on this machine, wherever that is, if it is whole and right."""
    folder = _find(dataset, root)
    if folder is None or _lacking(dataset, folder):
        return None
    found = verify(dataset, folder, advance=advance)
    return found if found.complete else None


def _find(dataset: Dataset, root: Path | None) -> Path | None:
    try:
        return locate(dataset.name, root=root)
    except DataError:
        return None


def _lacking(dataset: Dataset, folder: Path) -> list[str]:
    return [name for name in dataset.names(folder) if not (folder / name).exists()]


def _place(dataset: Dataset, root: Path | None) -> str:
    folder = _find(dataset, root)
    if folder is None:
        return "not here"
    if not _lacking(dataset, folder):
        return str(folder)
    reduced = dataset.reduced_folder and (folder / dataset.reduced_folder).is_dir()
    return f"{folder} ({'reduced copy' if reduced else 'partial'})"


def _as_json(dataset: Dataset, root: Path | None) -> dict[str, object]:
    folder = _find(dataset, root)
    return {
        "name": dataset.name,
        "title": dataset.title,
        "version": dataset.version,
        "licence": dataset.licence,
        "citation": dataset.citation,
        "doi": dataset.doi,
        "address": dataset.address,
        "size_bytes": dataset.size_bytes,
        "folder": None if folder is None else str(folder),
        "missing": [] if folder is None else _lacking(dataset, folder),
    }


def _show(dataset: Dataset, found: Verification) -> None:
    click.echo(f"{dataset.name} {dataset.version}: {_verdict(found)}")
    click.echo(f"folder: {found.folder}")
    if found.proof:
        click.echo(f"proved: {found.proof}")
    lists = {"damaged": found.damaged, "missing": found.missing, "not proved": found.unproved}
    for heading, names in lists.items():
        if names and not found.reduced:
            click.echo(f"{heading}: {_some(names)}")


def _verdict(found: Verification) -> str:
    if found.complete:
        return f"verified, all {len(found.good)} files are right"
    if found.reduced:
        return f"reduced copy: {found.reduced} unique pictures, scaled; originals not here"
    parts = {"right": found.good, "damaged": found.damaged, "missing": found.missing, "not proved": found.unproved}
    counts = ", ".join(f"{len(names)} {what}" for what, names in parts.items() if names)
    return f"{'DAMAGED' if found.damaged else 'partial'}: {counts}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _require_proved(dataset: Dataset, found: Verification) -> None:
    if not found.complete and not found.reduced:
        raise DataError(f"{dataset.name} in {found.folder} is not whole; run: ecgedge data fetch {dataset.name}")


@contextmanager
def _progress(dataset: Dataset) -> Iterator[Advance]:
    """A bar for each stage, on stderr, and only where a person looks on."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks = {
            stage: bars.add_task(f"{stage} {dataset.name}", total=dataset.size_bytes, visible=False)
            for stage in _STAGES
        }

        def advance(stage: str, n_bytes: int) -> None:
            bars.update(tasks[stage], advance=n_bytes, visible=True)

        yield advance
