"""`ecgedge convert`: from a trained model to a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecgedge import NOTICE
from ecgedge.errors import InputError
from ecgedge.extras import require
from ecgedge_train.quiet import start_keras

if TYPE_CHECKING:
    from ecgedge.bundle import Bundle

DEFAULT_REPRESENTATIVE = {"mitdb": 2000, "ecg_images": 300}


@click.command(
    epilog=f"""\b
Examples:
  ecgedge convert runs/beat --int8 --calibrate mitdb -o beat.tflite
  ecgedge convert runs/beat/model.keras --int8 --calibrate mitdb:4000 -o beat.tflite --parity ds1
  ecgedge convert runs/page --int8 -o page.tflite
  ecgedge convert runs/beat --float32 -o beat-float.tflite

{NOTICE}"""
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--int8", "kind", flag_value="int8", default="int8", help="Full-integer quantisation (the default).")
@click.option("--float32", "kind", flag_value="float32", help="No quantisation: the reference to compare with.")
@click.option(
    "--calibrate",
    metavar="DATA[:N]",
    help="Representative data, from the training side only; default: what the model was trained on.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The bundle to write (.tflite).")
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data set; default: ECGEDGE_DATA.")
@click.option(
    "--parity", type=click.Choice(["ds1", "ds2"]), help="Compare with float, beat by beat, on these patients."
)
def convert(model: Path, *, kind: str, calibrate: str | None, out: Path, root: Path | None, parity: str | None) -> None:
    """Convert MODEL, the folder of a training run or the model.keras in it, to a bundle for devices."""
    require("tensorflow")
    start_keras()
    from ecgedge_convert.page_run import is_page_run

    change = _convert_page if is_page_run(model) else _convert_beat
    converted = change(model, kind=kind, calibrate=calibrate, root=root, out=out)
    click.echo(
        f"{out}: {converted.manifest.name} {converted.manifest.version}, {kind}, "
        f"model part {converted.manifest.model_bytes} bytes, self-test passed"
    )
    if parity is not None:
        _print_parity(model, out, split=parity, root=root)
    click.echo(NOTICE)


def _convert_beat(model: Path, *, kind: str, calibrate: str | None, root: Path | None, out: Path) -> "Bundle":
    from ecgedge_convert.run import convert_run

    return convert_run(model, kind=kind, calibration=_calibration(calibrate or "mitdb"), root=root, out=out)


def _convert_page(model: Path, *, kind: str, calibrate: str | None, root: Path | None, out: Path) -> "Bundle":
    from ecgedge_convert.page_run import convert_page_run

    calibration = _calibration(calibrate) if calibrate else None
    return convert_page_run(model, kind=kind, calibration=calibration, root=root, out=out)


def _calibration(text: str) -> tuple[str, int]:
    name, _, count = text.partition(":")
    if count and not count.isdecimal():
        raise InputError(f"--calibrate {text}: {count!r} is no number of inputs; write for example {name}:2000")
    return name, int(count or DEFAULT_REPRESENTATIVE.get(name, 2000))


def _print_parity(model: Path, out: Path, *, split: str, root: Path | None) -> None:
    from ecgedge.bundle import read_bundle
    from ecgedge_convert.parity import compare
    from ecgedge_convert.run import float_bundle
    from ecgedge_train.datasets import DATASETS
    from ecgedge_train.split import SPLITS

    recordings = DATASETS["mitdb"](SPLITS[split], root=root)
    found = compare(float_bundle(model), read_bundle(out), recordings)
    click.echo(
        f"parity on {split}: {found.agreeing} of {found.beats} beats agree ({100 * found.agreement:.2f} %); "
        f"jk float {found.jk_float:.4f}, int8 {found.jk_int8:.4f}"
    )
