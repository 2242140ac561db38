"""`ecgedge bench`: how fast a bundle is on this machine, as a table and as one JSON that may be sent in."""

import json
from pathlib import Path

import click
from click.shell_completion import CompletionItem
from rich.console import Console

from ecgedge import NOTICE
from ecgedge.bench_report import BenchReport
from ecgedge.board import usable_cores
from ecgedge.bundle import find_bundle, read_bundle
from ecgedge.commands.bench_compare import compare
from ecgedge.commands.bench_table import show_report
from ecgedge.commands.completion import complete_bundle
from ecgedge.errors import InputError
from ecgedge.measurement import Plan, measure

_DEFAULT_THREADS = (1, 2, 4)
_MOST = 4096
_MEASURE = "measure"


def _numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Whole numbers above 0, with commas between them: each once, in the order given."""
    if value is None:
        return None
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in value.split(",")))
    except ValueError:
        raise click.BadParameter(
            f"{value!r}: give whole numbers with commas between them, as 1,2,4", ctx, param
        ) from None
    if not all(1 <= number <= _MOST for number in numbers):
        raise click.BadParameter(f"{value!r} has a number below 1 or above {_MOST}", ctx, param)
    return numbers


class _MeasuringGroup(click.Group):
    """A group that measures where it is given a bundle in place of a subcommand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the default command before arguments that name no other."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [_MEASURE, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The subcommands that have a name for users."""
        return [name for name in super().list_commands(ctx) if name != _MEASURE]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Both ways to call it."""
        formatter.write_usage(ctx.command_path, "BUNDLE [OPTIONS]")
        formatter.write_usage(ctx.command_path, "compare A.json B.json [OPTIONS]")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of measuring, and the subcommands."""
        self.commands[_MEASURE].format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Subcommands, options and bundles."""
        measuring = self.commands[_MEASURE]
        if incomplete.startswith("-"):
            return measuring.shell_complete(click.Context(measuring, parent=ctx), incomplete)
        return [*super().shell_complete(ctx, incomplete), *complete_bundle(ctx, measuring.params[0], incomplete)]


@click.group(
    cls=_MeasuringGroup,
    epilog=f"""\b
Examples:
  ecgedge bench beat                                   a shipped bundle, on 1, 2 and 4 threads
  ecgedge bench my.tflite --threads 1 --seconds 30 --json my-board.json
  ecgedge bench beat --batch 1,8,64 --json -           JSON alone, to the screen or a pipe
  ecgedge bench compare before.json after.json --fail-over 1.10
The JSON says which board, processor and software this is, and how fast; it holds no names, paths or addresses, and may
be sent in. Stop what else runs on the machine before you measure.

{NOTICE}""",
)
def bench() -> None:
    """Measure how fast BUNDLE (a file or the name of a shipped one) is on this machine, or compare measurements."""


bench.add_command(compare)


@bench.command(_MEASURE)
@click.argument("bundle", shell_complete=complete_bundle)
@click.option(
    "--threads",
    callback=_numbers,
    metavar="N,N,...",
    help="Threads of the interpreter.  [default: 1,2,4 as far as there are cores]",
)
@click.option(
    "--batch",
    "batches",
    callback=_numbers,
    metavar="N,N,...",
    default="1",
    show_default=True,
    help="Inputs in each call.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.01, 3600),
    default=10.0,
    show_default=True,
    help="How long to measure each pair of threads and batch.",
)
@click.option(
    "--starts",
    type=click.IntRange(0, 100),
    default=3,
    show_default=True,
    help="Fresh processes that are timed from their start to the first answer; 0 leaves start-up and memory out.",
)
@click.option(
    "--json",
    "place",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE|-",
    help="Also write all of it as JSON; - for JSON alone on the screen.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE where it is there already.")
def measure_bundle(
    bundle: str,
    *,
    threads: tuple[int, ...] | None,
    batches: tuple[int, ...],
    seconds: float,
    starts: int,
    place: Path | None,
    overwrite: bool,
) -> None:
    """Measure a bundle."""
    path = find_bundle(bundle)
    opened = read_bundle(path)
    file = None if place is None or str(place) == "-" else place
    if file is not None:
        _require_writable(file, overwrite=overwrite)
    plan = Plan(threads or _fitting_threads(), batches, seconds, starts)
    console = Console(stderr=True)
    with console.status(f"measuring {opened.manifest.name}") as status:
        report = measure(opened, path, plan, tell=lambda what: status.update(f"measuring {what}"))
    if str(place) == "-":
        click.echo(_text(report))
        return
    show_report(report, Console())
    if file is not None:
        _write(file, _text(report))
        click.echo(f"written: {file}")
    click.echo(NOTICE)


def _fitting_threads() -> tuple[int, ...]:
    return tuple(number for number in _DEFAULT_THREADS if number <= usable_cores())


def _text(report: BenchReport) -> str:
    return json.dumps(report.to_json(), indent=1, allow_nan=False)


def _require_writable(file: Path, *, overwrite: bool) -> None:
    """Refuse before the work what would fail after it."""
    if file.exists() and not overwrite:
        raise InputError(f"{file}: is there already and is not replaced; choose another name or give --overwrite")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft(file)
        draft.touch()
        draft.unlink()
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror}); choose another place with --json") from None


def _write(file: Path, text: str) -> None:
    """Under a temporary name first, so that a failure leaves what was there."""
    draft = _draft(file)
    try:
        draft.write_text(f"{text}\n")
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(f"{file}: cannot be written ({error.strerror}); choose another place with --json") from None


def _draft(file: Path) -> Path:
    return file.with_name(f".{file.name}.part")
