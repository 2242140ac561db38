"""The options of `ecgedge convert`, and what they ask for."""

from pathlib import Path
from typing import TypedDict

import click

from ecgedge.errors import SettingsError
from ecgedge_convert.variant import KINDS, TARGETS, Kind, Target, Variant, asked_variants
from ecgedge_convert.variant_recipe import read_variants, require_sense


class Asked(TypedDict):
    """Values of the options."""

    kinds: tuple[Kind, ...]
    all_kinds: bool
    recipe: Path | None
    channels: float
    prune: float
    cluster: int
    qat: bool
    teachers: tuple[str, ...]
    epochs: int
    seed: int
    keep_float: tuple[str, ...]
    target: Target
    calibrate: str | None
    like: Path | None
    out: Path
    root: Path | None
    parity: str | None
    errors: bool
    json_path: Path | None


_KINDS = {
    "float32": "No quantisation: the reference to compare with.",
    "float16": "Weights in float16: half the file.",
    "dynamic": "Weights in int8, activations in float; needs no calibration.",
    "int8": "Full-integer quantisation (the default).",
    "int16x8": "Weights in int8, activations in int16.",
}
_PATH = click.Path(path_type=Path)

CONVERT = (
    *(
        click.option(f"--{kind}", "kinds", flag_value=kind, multiple=True, type=click.Choice(KINDS), help=_KINDS[kind])
        for kind in KINDS
    ),
    click.option("--all", "all_kinds", is_flag=True, help="All five kinds, into the folder -o."),
    click.option("--recipe", type=_PATH, metavar="FILE", help="Variants from a TOML file, in place of the flags."),
    click.option("--channels", type=float, default=1.0, metavar="SHARE", help="Keep this share of the channels."),
    click.option("--prune", type=float, default=0.0, metavar="SHARE", help="Set this share of the weights to zero."),
    click.option("--cluster", type=int, default=0, metavar="N", help="Keep N different weights a layer."),
    click.option("--qat", is_flag=True, help="Train on with the rounding of int8 in view."),
    click.option("--teacher", "teachers", multiple=True, metavar="RUN", help="Learn from this run; may be repeated."),
    click.option("--epochs", type=int, default=0, help="Of training on after each change; 0 for the change's own."),
    click.option("--seed", type=int, default=0, help="Of training on."),
    click.option("--keep-float", multiple=True, metavar="LAYER", help="Leave this layer in float; may be repeated."),
    click.option("--target", type=click.Choice(TARGETS), default="pi", show_default=True, help="What it is for."),
    click.option(
        "--calibrate",
        metavar="DATA[:N]",
        help="Representative data, from the training side only; default: what the model was trained on.",
    ),
    click.option(
        "--like",
        type=_PATH,
        metavar="BUNDLE_OR_RUN",
        help="Brings preprocessing, labels and decision to a model without a run; its classes must have that order.",
    ),
    click.option("-o", "--out", type=_PATH, required=True, help="A bundle (.tflite), or a folder of bundles."),
    click.option("--root", type=_PATH, help="Folder of the data sets; default: ECGEDGE_DATA."),
    click.option(
        "--parity", type=click.Choice(["ds1", "ds2"]), help="Compare with float, beat by beat, on these patients."
    ),
    click.option("--errors", is_flag=True, help="Print the ten layers that int8 rounds worst."),
    click.option("--json", "json_path", type=_PATH, metavar="FILE", help="Write the table as JSON."),
)
"""In the order of the help."""


def variants_of(asked: Asked) -> tuple[Variant, ...]:
    """The variants that options or recipe ask for.

    Raises
    ------
    SettingsError
        A recipe beside flags, a recipe that cannot be read, or a value beyond its limits.
    """
    wanted = Variant(
        name="asked",
        channels=asked["channels"],
        prune=asked["prune"],
        cluster=asked["cluster"],
        qat=asked["qat"],
        teachers=asked["teachers"],
        epochs=asked["epochs"],
        keep_float=asked["keep_float"],
        target=asked["target"],
        seed=asked["seed"],
    )
    if (recipe := asked["recipe"]) is not None:
        if asked["kinds"] or asked["all_kinds"] or wanted != Variant(name="asked"):
            raise SettingsError(f"--recipe {recipe} says all of its variants; leave the other options of change away")
        return read_variants(recipe)
    kinds = KINDS if asked["all_kinds"] else tuple(dict.fromkeys(asked["kinds"]))
    variants = asked_variants(kinds, wanted)
    for variant in variants:
        require_sense(variant)
    return variants
