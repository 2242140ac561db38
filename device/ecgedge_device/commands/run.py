"""`ecgedge-agent run` and `demo`: the agent in the foreground, and a report of recordings at their end."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ecgedge.preprocess import pipeline_of
from ecgedge.records import SignalChunk
from ecgedge_device.agent import Agent, Served
from ecgedge_device.commands.options import CONFIG, JSON, QUIET
from ecgedge_device.demo import prepare_demo
from ecgedge_device.desk import Outcome, Watch
from ecgedge_device.log import start_log
from ecgedge_device.memory import limit_arenas
from ecgedge_device.notify import Notifier, Watchdog
from ecgedge_device.report import print_report
from ecgedge_device.runs import minutes
from ecgedge_device.settings import Settings
from ecgedge_device.settings_file import read_settings
from ecgedge_device.sources import SignalWork
from ecgedge_device.stopping import stop_on_signals
from ecgedge_device.store import Store
from ecgedge_device.summary import as_json, summarise


@click.command(
    epilog="""\b
Examples:
  ecgedge-agent run --config agent.toml
  ecgedge-agent run --config agent.toml --json > report.json
SIGTERM or Ctrl-C ends it with nothing lost; the next start goes on there. A second one ends it at once."""
)
@CONFIG
@click.option("--again", is_flag=True, help="Judge recordings once more that were begun or judged before.")
@QUIET
@JSON
def run(config: Path, *, again: bool, quiet: bool, json_output: bool) -> None:
    """Judge what the sources in the settings bring, until they end or for ever."""
    serve(read_settings(config), again=again, quiet=quiet, json_output=json_output)


@click.command(
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
@JSON
def demo(output: Path, *, json_output: bool) -> None:
    """Judge MIT-BIH record 200, or a simulated ECG where that is not found, and compare with the truth."""
    settings, notice = prepare_demo(output)
    click.echo(f"demo: {notice}", err=True)
    serve(read_settings(settings), again=True, quiet=False, json_output=json_output)


def serve(settings: Settings, *, again: bool, quiet: bool, json_output: bool) -> None:
    """Run the agent and show what came of it.

    Raises
    ------
    Exception
        Why it ended early, or why results could not be sent.
    """
    start_log(settings.agent.log, quiet=quiet)
    limit_arenas()
    with stop_on_signals() as stop, _progress(quiet=quiet) as watch, closing(Notifier()) as service:
        agent = Agent(settings, stop=stop, again=again, watch=watch)
        served = agent.run(ready=service.ready, well=Watchdog(service).fed, ending=service.stopping)
    for outcome in served.outcomes:
        _tell(outcome, quiet=quiet)
        _show(outcome, served, settings, quiet=quiet, json_output=json_output)
    if served.trouble is not None:
        raise served.trouble


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Watch]:
    """A bar on a terminal, gone when the work is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:

        def watch(work: SignalWork) -> Iterator[SignalChunk]:
            task = progress.add_task(work.stream.recording, total=work.stream.n_samples)
            for chunk in work:
                yield chunk
                progress.update(task, completed=chunk.start + len(chunk.signal))
            progress.remove_task(task)

        yield watch


def _tell(outcome: Outcome, *, quiet: bool) -> None:
    """One line each about where it began and why it ended."""
    stream = outcome.run.stream
    if quiet:
        return
    if doubt := pipeline_of(outcome.bundle.manifest).doubt_about(outcome.lead):
        click.echo(f"{stream.recording}: {doubt}", err=True)
    if outcome.notice:
        click.echo(f"{stream.recording}: {outcome.notice}", err=True)
    if not outcome.run.finished_utc and stream.n_samples:
        at, length = minutes(outcome.run.next_sample / stream.fs_hz), minutes(stream.n_samples / stream.fs_hz)
        click.echo(f"{stream.recording}: stopped at {at} of {length}; the next start goes on there", err=True)


def _show(outcome: Outcome, served: Served, settings: Settings, *, quiet: bool, json_output: bool) -> None:
    if (quiet and not json_output) or not outcome.run.stream.n_samples:
        return
    with Store(settings.agent.store) as store:
        summary = summarise(outcome, store.beats(outcome.run), settings=settings, unsent=served.unsent)
    if json_output:
        click.echo(json.dumps(as_json(summary), indent=1, allow_nan=False))
    elif summary.finished:
        print_report(summary, Console())
