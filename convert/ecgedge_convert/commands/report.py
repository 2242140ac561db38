"""`ecgedge report`: the variants of a model side by side, as a page, as Markdown and as JSON."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ecgedge import NOTICE
from ecgedge.errors import InputError
from ecgedge.extras import require
from ecgedge_train.commands.options import HELD_OUT, with_options

if TYPE_CHECKING:
    from ecgedge_convert.report.measured import Advance
    from ecgedge_train.evaluate import Peaks


@click.command(
    epilog=f"""\b
Examples:
  ecgedge report variants                       writes variants/report.html, report.md and report.json
  ecgedge report variants -o docs/report        and not beside the bundles
  ecgedge report variants --split ds1 --seconds 0.5 --threads 1     beats, a quick look
  ecgedge report variants --json - | jq '.models[].variants[].figures.accuracy'

{NOTICE}"""
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder to write to; default: DIR.")
@with_options(HELD_OUT)
@click.option("--threads", default="1,2,4", show_default=True, help="Threads to time, with commas between.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, 600, min_open=True),
    default=2.0,
    show_default=True,
    help="How long each model is timed at each number of threads.",
)
@click.option("--again", is_flag=True, help="Measure anew what was measured before.")
@click.option("--json", "json_path", metavar="FILE", help="Write all values there as well; - for the screen.")
def report(
    folder: Path,
    *,
    out: Path | None,
    root: Path | None,
    split: str,
    peaks: str,
    threads: str,
    seconds: float,
    again: bool,
    json_path: str | None,
) -> None:
    """Measure every bundle in DIR on data it was not trained on, and write what each costs and what it loses.

    Pages are those of the fold that the bundles held out in training. What was measured is kept in DIR/.report-cache,
    so that a second report takes seconds.
    """
    require("jinja2")
    from ecgedge_convert.report.measured import HeldOut
    from ecgedge_convert.report.report import Request, make_report
    from ecgedge_convert.report.speed import SpeedSettings

    request = Request(
        folder=folder,
        out=out or folder,
        held_out=HeldOut(split=split, peaks=cast("Peaks", peaks), root=root),
        speed=SpeedSettings(threads=_numbers(threads), seconds=seconds),
        again=again,
        arguments=_arguments(folder, out=out, root=root, split=split, peaks=peaks, threads=threads, seconds=seconds),
    )
    with _bar() as advance:
        written = make_report(request, advance=advance)
    if json_path == "-":
        click.echo(written.values, nl=False)
        return
    if json_path is not None:
        from ecgedge_convert.report.kept import write_whole

        write_whole(Path(json_path), written.values.encode())
    for line in written.told:
        click.echo(line)
    click.echo(", ".join(str(path) for path in written.paths))
    click.echo(NOTICE)


def _arguments(folder: Path, **options: object) -> tuple[str, ...]:
    """What makes this report again: the folder and every option that is not at its default."""
    command = click.get_current_context().command
    usual = {parameter.name: parameter.default for parameter in command.params}
    found = [str(folder)]
    for name, value in options.items():
        if value is not None and value != usual[name]:
            found += [f"--{name}", str(value)]
    return tuple(found)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        found = tuple(sorted({int(word) for word in text.split(",") if word.strip()}))
    except ValueError:
        found = ()
    if not found or found[0] < 1 or found[-1] > 256:
        raise InputError(f"--threads {text}: whole numbers from 1 to 256 with commas between, such as 1,2,4")
    return found


@contextmanager
def _bar() -> Iterator["Advance"]:
    """What is under way, on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading bundles", total=None)

        def advance(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield advance
