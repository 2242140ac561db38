"""`ecgedge train`: a recipe to a model, or to its cross-validation inside the training patients."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ecgedge import NOTICE
from ecgedge_train.commands.evaluate import percent
from ecgedge_train.pages.recipe import task_of
from ecgedge_train.quiet import start_keras
from ecgedge_train.recipe import Recipe, read_recipe
from ecgedge_train.split import DS1, FOLDS

if TYPE_CHECKING:
    from ecgedge.metrics import BeatFigures
    from ecgedge_train.folds import FoldResult


@click.command(
    epilog=f"""\b
Examples:
  ecgedge train train/recipes/beat.toml                     into runs/beat; goes on with a run that was killed
  ecgedge train train/recipes/beat.toml --fresh -o /tmp/b   from the beginning, elsewhere
  ecgedge train train/recipes/beat.toml --folds             patient-wise figures inside DS1, no model
  ecgedge train train/recipes/page.toml                     pages: without the fold that the recipe holds out

{NOTICE}"""
)
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Folder of the run; default: runs/NAME of the recipe."
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data sets; default: ECGEDGE_DATA.")
@click.option("--fresh", is_flag=True, help="Begin again instead of going on with what is in the folder.")
@click.option("--folds", is_flag=True, help="Beats: cross-validate inside DS1; DS2 is not read.")
def train(recipe: Path, *, out: Path | None, data: Path | None, fresh: bool, folds: bool) -> None:
    """Train the model of RECIPE (a .toml file), reproducibly, on the training side alone."""
    if task_of(recipe) == "page":
        from ecgedge_train.commands.train_page import train_page

        train_page(recipe, out=out, data=data, resume=not fresh, folds=folds)
    else:
        _train_beat(recipe, out=out, data=data, resume=not fresh, folds=folds)
    click.echo(NOTICE)


def _train_beat(recipe: Path, *, out: Path | None, data: Path | None, resume: bool, folds: bool) -> None:
    content = read_recipe(recipe)
    start_keras()
    if folds:
        _print_folds(content, data)
    else:
        _train(recipe, content, out=out or Path("runs") / content.name, data=data, resume=resume)


def _train(path: Path, recipe: Recipe, *, out: Path, data: Path | None, resume: bool) -> None:
    from ecgedge_train.ensemble import count_epochs
    from ecgedge_train.workshop import train_recipe

    with training_bar() as progress:
        task = progress.add_task("virtual patients", total=count_epochs(recipe) + 1, loss="")

        def advance(name: str, loss: float) -> None:
            said = f"loss {loss:.3f}" if loss else ""
            progress.update(task, advance=1, description=f"training {name}", loss=said)

        trained = train_recipe(path, out, data_root=data, resume=resume, advance=advance)
    click.echo(
        f"{out}: {recipe.name}, {trained.model.count_params()} parameters\n"
        f"next: ecgedge convert {out} --int8 --calibrate mitdb -o {recipe.name}.tflite"
    )


def _print_folds(recipe: Recipe, data: Path | None) -> None:
    from ecgedge_train.folds import cross_validate

    with training_bar() as progress:
        task = progress.add_task("virtual patients", total=len(FOLDS) + 1, loss="")
        result = cross_validate(
            recipe,
            data_root=data,
            advance=lambda name: progress.update(task, advance=1, description=f"{name} done"),
        )
    Console().print(_folds_table(recipe, result))


def training_bar() -> Progress:
    """A bar with the loss and the time left."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _folds_table(recipe: Recipe, result: "FoldResult") -> Table:
    from ecgedge.metrics import beat_figures

    figures = result.figures()
    table = Table(
        *("record", "beats", "S", "S Se %", "S PPV %", "V", "V Se %", "V PPV %"),
        title=f"{recipe.name}: patient-wise folds of DS1, jk {figures.jk:.3f}, kappa {figures.kappa:.3f}",
        title_justify="left",
    )
    for number, record in enumerate(DS1):
        rows = result.record == number
        one = beat_figures(result.confusion(rows))
        counts = {k: int((result.classes[rows] == k).sum()) for k in (1, 2)}
        table.add_row(record, str(int(rows.sum())), *_cells(counts[1], one, "S"), *_cells(counts[2], one, "V"))
    totals = [int((result.classes == k).sum()) for k in (1, 2)]
    table.add_section()
    table.add_row("all", str(len(result.classes)), *_cells(totals[0], figures, "S"), *_cells(totals[1], figures, "V"))
    return table


def _cells(count: int, figures: "BeatFigures", name: str) -> tuple[str, str, str]:
    return str(count), percent(figures.sensitivity[name]), percent(figures.ppv[name])
