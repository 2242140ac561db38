"""Rows of options that several commands have, and how a command is given them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from ecgedge_train.split import SPLITS

P = ParamSpec("P")
R = TypeVar("R")
Option = Callable[[Callable[..., object]], Callable[..., object]]

HELD_OUT = (
    click.option("--root", type=click.Path(path_type=Path), help="Folder of the data set; default: ECGEDGE_DATA."),
    click.option(
        "--split", type=click.Choice(sorted(SPLITS)), default="ds2", show_default=True, help="Beats: patients."
    ),
    click.option(
        "--peaks",
        type=click.Choice(["annotated", "detected"]),
        default="annotated",
        show_default=True,
        help="Beats: R-peaks from the reference, or from our own detector.",
    ),
)
"""Which data a bundle is judged on."""


def with_options(options: Sequence[Option]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Give a command these options, in their order."""

    def given(command: Callable[P, R]) -> Callable[P, R]:
        for option in reversed(options):
            command = option(command)  # type: ignore[assignment]
        return command

    return given
