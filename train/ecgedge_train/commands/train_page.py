"""What `ecgedge train` does with a recipe for pages."""

from pathlib import Path

import click

from ecgedge.errors import InputError
from ecgedge_train.commands.evaluate_page import reading_bar
from ecgedge_train.pages.recipe import PageRecipe, read_page_recipe
from ecgedge_train.quiet import start_keras


def train_page(recipe_path: Path, *, out: Path | None, data: Path | None, resume: bool, folds: bool) -> None:
    """Train, with progress, and say what comes next."""
    if folds:
        raise InputError(f"--folds is for beats; for pages write: ecgedge crossval {recipe_path}")
    recipe = read_page_recipe(recipe_path)
    folder = out or Path("runs") / recipe.name
    start_keras()
    parameters = _train(recipe_path, recipe, folder, data=data, resume=resume)
    click.echo(
        f"{folder}: {recipe.name}, {parameters} parameters; fold {recipe.hold_out.fold} of {recipe.hold_out.folds} "
        f"({recipe.hold_out.protocol}, seed {recipe.hold_out.seed}) was held out\n"
        f"next: ecgedge convert {folder} --int8 -o {recipe.name}.tflite && ecgedge evaluate {recipe.name}.tflite"
    )


def _train(recipe_path: Path, recipe: PageRecipe, folder: Path, *, data: Path | None, resume: bool) -> int:
    from ecgedge_train.commands.train import training_bar
    from ecgedge_train.pages.crew import networks
    from ecgedge_train.pages.workshop import train_page_recipe

    with reading_bar() as read, training_bar() as progress:
        total = sum(epochs for _, epochs in networks(recipe))
        task = progress.add_task("training", total=total, loss="")

        def advance(name: str, loss: float) -> None:
            progress.update(task, advance=1, description=f"training {name}", loss=f"loss {loss:.3f}" if loss else "")

        trained = train_page_recipe(recipe_path, folder, data_root=data, resume=resume, read=read, advance=advance)
    return int(trained.crew.model.count_params())
