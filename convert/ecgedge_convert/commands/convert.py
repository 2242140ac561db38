"""`ecgedge convert`: from a trained model to bundles."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from typing_extensions import Unpack

from ecgedge import NOTICE
from ecgedge.errors import InputError
from ecgedge.extras import require
from ecgedge_convert.convert_options import CONVERT, Asked, variants_of
from ecgedge_train.commands.options import with_options
from ecgedge_train.quiet import start_keras

if TYPE_CHECKING:
    from ecgedge_convert.conversion import Advance, Workbench
    from ecgedge_convert.convert_plan import Plan, Row
    from ecgedge_convert.variant import Variant


@click.command(
    epilog=f"""\b
Examples:
  ecgedge convert runs/beat --int8 --calibrate mitdb -o beat.tflite
  ecgedge convert runs/beat/model.keras --int8 --calibrate mitdb:4000 -o beat.tflite --parity ds1
  ecgedge convert runs/page --all -o variants/                         five kinds and a table
  ecgedge convert runs/beat --channels 0.5 --int8 -o small.tflite      half of the channels: faster
  ecgedge convert runs/beat --recipe convert/recipes/variants.toml -o variants/
  ecgedge convert mine.h5 --like beat --int8 -o mine.tflite            a model without a run
  ecgedge convert runs/page --int8 --errors --keep-float maps -o page.tflite

{NOTICE}"""
)
@click.argument("model", type=click.Path(path_type=Path))
@with_options(CONVERT)
def convert(model: Path, **asked: Unpack[Asked]) -> None:
    """Convert MODEL to bundles for devices: the folder of a run, a .keras, .h5 or float .tflite file, a SavedModel.

    Files come to their places together, when all variants are done: a call that fails or is killed leaves what was
    there before. Where a variant is refused and another one is made, a bundle of an earlier call under the name of the
    refused one is removed, and the table says so; bundles of other variants stay.

    A network that was changed has its temperature and 90 % sets fitted again where its run fitted them, on the pages
    that the run held back; where inner folds were judged, their networks are changed too, which takes as long again for
    each. Otherwise it keeps those of the unchanged network. The table and the manifest say which.
    """
    variants = variants_of(asked)
    require("tensorflow")
    start_keras()
    from ecgedge_convert.calibration import calibration_of
    from ecgedge_convert.conversion import Workbench
    from ecgedge_convert.convert_plan import make_plan, plan_json
    from ecgedge_convert.source import read_source
    from ecgedge_train.pages.files import write_json

    source = read_source(model, like=asked["like"])
    if asked["parity"] is not None and source.task != "beat":
        raise InputError(f"--parity {asked['parity']}: patients of mitdb; pages are compared in the table as they are")
    plan = make_plan(variants, asked["out"], name=source.name)
    bench = Workbench(source, calibration_of(source, asked["calibrate"], root=asked["root"]), asked["root"])
    rows = _carried_out(plan, bench)
    _print(rows, bench)
    if asked["errors"]:
        _print_errors(bench, rows)
    if asked["json_path"] is not None:
        write_json(asked["json_path"], plan_json(rows, bench.calibration))
    if asked["parity"] is not None:
        _print_parity(bench, rows, split=asked["parity"])
    click.echo(NOTICE)


def _carried_out(plan: "Plan", bench: "Workbench") -> list["Row"]:
    from ecgedge_convert.convert_plan import carry_out

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("converting", total=len(plan.variants))

        def begin(variant: "Variant") -> "Advance":
            progress.update(task, description=variant.name)
            return lambda change, epoch, epochs, loss: progress.update(
                task, description=f"{variant.name}: {change}, epoch {epoch} of {epochs}, loss {loss:.3f}"
            )

        return carry_out(plan, bench, begin=begin, done=lambda _one: progress.advance(task))


def _print(rows: list["Row"], bench: "Workbench") -> None:
    from ecgedge_convert.convert_table import convert_table, remarks

    drawn = bench.calibration
    on = f"agreement with float32 on {drawn.n_apart} other inputs" if drawn.n_apart else "no other inputs to compare on"
    title = f"{bench.source.name}: calibrated on {drawn.count} of {drawn.data} (training side), {on}"
    Console().print(convert_table(rows, title=title))
    for words in remarks(rows):
        click.echo(words)
    for row in rows:
        if row.made is not None:
            manifest = row.made.bundle.manifest
            click.echo(f"{row.path}: {manifest.name} {manifest.version}, self-test passed")


def _print_errors(bench: "Workbench", rows: list["Row"]) -> None:
    from ecgedge_convert.convert_table import error_table
    from ecgedge_convert.layer_errors import layer_errors

    for row in rows:
        if row.made is not None and row.variant.kind in ("int8", "int16x8"):
            errors = layer_errors(bench, row.variant, row.made.bundle.model)
            title = f"{row.variant.name}: the layers that lose most, against float32, on {errors.inputs} inputs"
            Console().print(error_table(errors.worst, title=title))
            click.echo("lost dB is what the layer itself takes away; leave one in float with --keep-float LAYER")


def _print_parity(bench: "Workbench", rows: list["Row"], *, split: str) -> None:
    from ecgedge_convert.conversion import convert_variant
    from ecgedge_convert.convert_plan import REFERENCE
    from ecgedge_convert.parity import compare
    from ecgedge_train.datasets import DATASETS
    from ecgedge_train.split import SPLITS

    recordings = list(DATASETS["mitdb"](SPLITS[split], root=bench.root))
    reference = convert_variant(bench, REFERENCE, name="float32").bundle
    for row in rows:
        if row.made is None:
            continue
        found = compare(reference, row.made.bundle, recordings)
        click.echo(
            f"parity on {split}, {row.variant.name}: {found.agreeing} of {found.beats} beats agree "
            f"({100 * found.agreement:.2f} %); jk float {found.jk_float:.4f}, {row.variant.kind} {found.jk_int8:.4f}"
        )
