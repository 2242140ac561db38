"""The `ecgedge-agent` command."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ecgedge import NOTICE, __version__
from ecgedge.bundle import read_bundle
from ecgedge.cli import run_command
from ecgedge.commands.completion import complete_bundle
from ecgedge.errors import EcgedgeError
from ecgedge.golden import selftest as run_selftest
from ecgedge.preprocess import pipeline_of
from ecgedge.records import SignalChunk
from ecgedge_device.agent import Outcome, Watch, beat_engine, clock, serve
from ecgedge_device.demo import prepare_demo
from ecgedge_device.report import print_report
from ecgedge_device.settings import Settings, read_settings
from ecgedge_device.sources import Source, open_source
from ecgedge_device.stopping import stop_on_signals
from ecgedge_device.store import Store
from ecgedge_device.summary import as_json, summarise

_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("agent.toml"),
    show_default=True,
    metavar="FILE",
    help="Settings; device/agent.toml shows every key.",
)
_QUIET = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
_JSON = click.option("--json", "json_output", is_flag=True, help="Print the report as JSON.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=f"""\b
Examples:
  ecgedge-agent demo
  ecgedge-agent check --config agent.toml
  ecgedge-agent run --config agent.toml

{NOTICE}""",
)
@click.version_option(__version__, prog_name="ecgedge-agent")
def agent() -> None:
    """Judge ECG on the device: from a source, through a bundle, into a store, to a report."""


@agent.command(
    epilog="""\b
Examples:
  ecgedge-agent run --config agent.toml
  ecgedge-agent run --config agent.toml --json > report.json
SIGTERM or Ctrl-C ends it with nothing lost; the next start goes on there. A second one ends it at once."""
)
@_CONFIG
@click.option("--again", is_flag=True, help="Judge a recording once more that was begun or judged before.")
@_QUIET
@_JSON
def run(config: Path, *, again: bool, quiet: bool, json_output: bool) -> None:
    """Judge the source that the settings name."""
    _serve(read_settings(config), again=again, quiet=quiet, json_output=json_output)


@agent.command(
    epilog="""\b
Example:
  ecgedge-agent check --config agent.toml"""
)
@_CONFIG
def check(config: Path) -> None:
    """Check the settings, and that bundle and source can be opened; nothing is judged or written."""
    settings = read_settings(config)
    bundle = read_bundle(settings.agent.bundle)
    with stop_on_signals() as stop:
        stream = open_source(settings.source, stop=stop).stream
    engine = beat_engine(bundle, stream, settings.agent.threads)
    click.echo(f"settings  {config}")
    click.echo(f"bundle    {bundle.manifest.name} {bundle.manifest.version}, verified")
    click.echo(f"source    {stream.address}, {clock(stream.n_samples / stream.fs_hz)}, lead {engine.lead}")
    click.echo(f"store     {settings.agent.store}")
    click.echo(f"report    {settings.report.path}")


@agent.command(
    epilog="""\b
Examples:
  ecgedge-agent selftest
  ecgedge-agent selftest my.tflite
Exit code 1 where a golden vector comes out differently on this machine."""
)
@click.argument("bundle", default="beat", shell_complete=complete_bundle)
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Threads of the interpreter.")
def selftest(bundle: str, *, threads: int) -> None:
    """Run the golden vectors of BUNDLE (a file or the name of a shipped one; default: beat)."""
    opened = read_bundle(bundle)
    checks = run_selftest(opened, threads=threads)
    for found in checks:
        click.echo(f"{'pass' if found.passed else 'FAIL'}  {found.name}: {found.found}")
    failed = [found.name for found in checks if not found.passed]
    if failed:
        raise EcgedgeError(
            f"{opened.source}: self-test failed in {', '.join(failed)}; do not use this bundle on this machine"
        )


@agent.command(
    epilog="""\b
Examples:
  ecgedge-agent demo
  ecgedge-agent demo -o /tmp/demo --json"""
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results/demo"),
    show_default=True,
    metavar="DIR",
    help="Folder for settings, store and JSON lines.",
)
@_JSON
def demo(output: Path, *, json_output: bool) -> None:
    """Judge MIT-BIH record 200, or a simulated ECG where that is not found, and compare with the truth."""
    settings, notice = prepare_demo(output)
    click.echo(f"demo: {notice}", err=True)
    _serve(read_settings(settings), again=True, quiet=False, json_output=json_output)


def _serve(settings: Settings, *, again: bool, quiet: bool, json_output: bool) -> None:
    with stop_on_signals() as stop, _progress(quiet=quiet) as watch:
        outcome = serve(settings, stop=stop, again=again, watch=watch)
    _tell(outcome, quiet=quiet)
    _show(outcome, settings, quiet=quiet, json_output=json_output)
    if outcome.trouble is not None:
        raise outcome.trouble


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Watch]:
    """A bar on a terminal, gone when the work is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("opening", total=None)

        def watch(source: Source) -> Iterator[SignalChunk]:
            progress.update(task, description=source.stream.recording, total=source.stream.n_samples)
            for chunk in source:
                yield chunk
                progress.update(task, completed=chunk.start + len(chunk.signal))

        yield watch


def _tell(outcome: Outcome, *, quiet: bool) -> None:
    """One line each about where it began and why it ended, for the log."""
    stream = outcome.run.stream
    if quiet:
        return
    if doubt := pipeline_of(outcome.bundle.manifest).doubt_about(outcome.lead):
        click.echo(f"{stream.recording}: {doubt}", err=True)
    if outcome.notice:
        click.echo(f"{stream.recording}: {outcome.notice}", err=True)
    if not outcome.run.finished_utc:
        at, length = clock(outcome.run.next_sample / stream.fs_hz), clock(stream.n_samples / stream.fs_hz)
        click.echo(f"{stream.recording}: stopped at {at} of {length}; the next start goes on there", err=True)


def _show(outcome: Outcome, settings: Settings, *, quiet: bool, json_output: bool) -> None:
    if quiet and not json_output:
        return
    with Store(settings.agent.store) as store:
        summary = summarise(outcome, store.beats(outcome.run), settings=settings)
    if json_output:
        click.echo(json.dumps(as_json(summary), indent=1, allow_nan=False))
    elif summary.finished:
        print_report(summary, Console())


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run_command(agent, None, program="ecgedge-agent"))
