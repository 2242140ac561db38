"""`ecgedge-agent export`: stored results for other programs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import click

from ecgedge import NOTICE
from ecgedge.errors import InputError
from ecgedge_device.commands.options import CONFIG
from ecgedge_device.export import since_utc, stored_since, write_csv, write_fhir, write_lines, write_wfdb_folder
from ecgedge_device.fhir import FHIR_KINDS
from ecgedge_device.results import KINDS
from ecgedge_device.settings_file import read_settings
from ecgedge_device.store import Store


@click.command(
    epilog=f"""\b
Examples:
  ecgedge-agent export --since 7d --format csv -o week.csv
  ecgedge-agent export --since 2026-11-01 --kind page --format jsonl
  ecgedge-agent export --format wfdb -o annotations/
  ecgedge-agent export --kind page --format fhir -o bundle.json
The agent may run meanwhile. Without -o it goes to standard output (wfdb needs a folder).

{NOTICE}"""
)
@CONFIG
@click.option("--since", default="36500d", metavar="TIME", help="From when on: 2026-11-21, 2026-11-21T16:00, 7d, 12h.")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only this kind; may be given again.")
@click.option(
    "--format",
    "how",
    type=click.Choice(["csv", "jsonl", "wfdb", "fhir"]),
    default="csv",
    show_default=True,
    help="CSV table, JSON lines, WFDB annotations and records, or a FHIR R4 Bundle.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="File, or folder for wfdb.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there; write to a folder that is not empty.")
def export(config: Path, *, since: str, kinds: tuple[str, ...], how: str, output: Path | None, overwrite: bool) -> None:
    """Write stored results as CSV, JSON lines, WFDB or FHIR."""
    settings = read_settings(config)
    if not settings.agent.store.is_file():
        raise InputError(f"{settings.agent.store}: no store; run the agent first, or correct [agent] store")
    begin = since_utc(since)
    wanted = _kinds(kinds, how)
    with Store(settings.agent.store) as store:
        if how == "wfdb":
            count = write_wfdb_folder(store, begin, _folder(output, overwrite=overwrite))
        else:
            with _opened(output, overwrite=overwrite) as file:
                results = stored_since(store, begin, wanted)
                if how == "fhir":
                    count = write_fhir(results, file, files=store.files, device=settings.agent.device)
                else:
                    count = write_csv(results, file) if how == "csv" else write_lines(results, file)
    click.echo(f"{count} {'files' if how == 'wfdb' else 'results'} since {begin}", err=True)


def _kinds(kinds: tuple[str, ...], how: str) -> tuple[str, ...]:
    if how != "fhir":
        return kinds or KINDS
    if others := ", ".join(kind for kind in kinds if kind not in FHIR_KINDS):
        raise InputError(f"--kind {others}: FHIR resources are made of {' and '.join(FHIR_KINDS)} only; leave it out")
    return kinds or FHIR_KINDS


def _folder(output: Path | None, *, overwrite: bool) -> Path:
    if output is None:
        raise InputError("--format wfdb writes many files; name a folder with -o")
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        raise InputError(f"{output}: is not empty and is left alone; choose another folder or give --overwrite")
    return output


@contextmanager
def _opened(output: Path | None, *, overwrite: bool) -> Iterator[TextIO]:
    """Standard output, or a file that appears only when it is whole."""
    if output is None:
        yield sys.stdout
        return
    if output.exists() and not overwrite:
        raise InputError(f"{output}: is there already and is not replaced; choose another name or give --overwrite")
    draft = output.with_name(f".{output.name}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8", newline="") as file:
            yield file
        draft.replace(output)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}); choose another place with -o") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
