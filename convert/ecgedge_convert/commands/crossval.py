"""`ecgedge crossval`: a page recipe trained, converted and judged fold by fold."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from ecgedge import NOTICE
from ecgedge.bundle import find_bundle, read_bundle, write_bundle
from ecgedge.class_metrics import ClassFigures, class_figures
from ecgedge.errors import InputError
from ecgedge.extras import require
from ecgedge.manifest import Json
from ecgedge_train.commands.evaluate_page import class_table, confusion_table, reading_bar
from ecgedge_train.pages.files import write_json
from ecgedge_train.pages.judged import agreement
from ecgedge_train.pages.protocols import EXPLAINED, PROTOCOLS
from ecgedge_train.pages.recipe import PageRecipe, ProtocolName, read_page_recipe, task_of
from ecgedge_train.pages.run_report import totals_text, write_run_report
from ecgedge_train.pages.stamp import crossval_entry, with_figures
from ecgedge_train.quiet import start_keras

if TYPE_CHECKING:
    from ecgedge_convert.page_crossval import Crossvalidation, CrossvalPlan

_PROTOCOLS = "; ".join(f"{name}: {words}" for name, words in EXPLAINED.items())


@click.command(
    epilog=f"""\b
Examples:
  ecgedge crossval train/recipes/page.toml                              5 folds by printed number
  ecgedge crossval train/recipes/page.toml --seeds 0,1,2 --json page.json
  ecgedge crossval train/recipes/page.toml --protocol as-published      3 folds of 928 files, copies and all
  ecgedge crossval train/recipes/page.toml --only 0                     one fold, to try something

{NOTICE}"""
)
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--protocol", type=click.Choice(list(PROTOCOLS)), default="by-number", show_default=True, help=f"{_PROTOCOLS}."
)
@click.option("--folds", type=click.IntRange(2), help="How many folds; default: 5, as-published 3.")
@click.option("--seeds", default="0", show_default=True, help="Seeds of the folds, with commas between.")
@click.option("--only", default="", help="Folds to do, with commas between; default: all.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Folder of the folds; default: runs/NAME-crossval. Goes on."
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data sets; default: ECGEDGE_DATA.")
@click.option("--workers", type=click.IntRange(1), default=1, help="Processes that read pages, the first time.")
@click.option("--stamp", "stamp", metavar="BUNDLE", help="Write the figures into this bundle's card.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE", help="Write all of it as JSON.")
def crossval(
    recipe: Path,
    *,
    protocol: ProtocolName,
    folds: int | None,
    seeds: str,
    only: str,
    out: Path | None,
    data: Path | None,
    workers: int,
    stamp: str | None,
    json_path: Path | None,
) -> None:
    """Cross-validate RECIPE, a page model's: every fold trained, converted to int8, and judged by what it has not seen.

    A fold that is done with this recipe is not done again, one that was killed goes on; after a change of the code
    name another folder with -o.
    """
    if (task := task_of(recipe)) != "page":
        raise InputError(f"{recipe}: a recipe for {task!r}; for beats write: ecgedge train {recipe} --folds")
    require("tensorflow")
    start_keras()
    from ecgedge_convert.page_crossval import CrossvalPlan

    content = read_page_recipe(recipe)
    plan = CrossvalPlan(protocol, folds, _numbers(seeds, "--seeds"), _numbers(only, "--only"))
    folder = out or Path("runs") / f"{content.name}-crossval"
    full = _crossval(content, plan, folder, data=data, workers=workers)
    if json_path is not None:
        write_json(json_path, full)
    if stamp is not None:
        write_bundle(with_figures(read_bundle(stamp), crossval_entry(full)), find_bundle(stamp))
    click.echo(NOTICE)


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise InputError(f"{option} {text}: whole numbers with commas between, such as 0,1,2") from None


def _crossval(
    recipe: PageRecipe, plan: "CrossvalPlan", folder: Path, *, data: Path | None, workers: int
) -> dict[str, Json]:
    from ecgedge_convert.page_crossval import cross_validate, crossval_json
    from ecgedge_train.commands.train import training_bar
    from ecgedge_train.pages.crew import networks
    from ecgedge_train.pages.figures import page_figures
    from ecgedge_train.pages.workshop import images_of

    epochs = sum(most for _, most in networks(recipe))
    n_folds = len(plan.seeds) * len(plan.only or range(plan.folds or PROTOCOLS[plan.protocol][1]))
    with reading_bar() as read, training_bar() as progress:
        task = progress.add_task("training", total=epochs * n_folds, loss="")
        done = iter(range(1, n_folds + 1))

        def advance(fold: str, name: str, loss: float) -> None:
            if name:
                progress.update(task, advance=1, description=f"{fold} {name}", loss=f"loss {loss:.3f}" if loss else "")
            else:
                progress.update(task, completed=epochs * next(done))

        found = cross_validate(
            recipe,
            images_of(recipe, data_root=data),
            plan,
            folder,
            workers=workers,
            read=read,
            advance=advance,
        )
    full = crossval_json(found)
    figures = page_figures(found.quantised)
    title = f"{recipe.name}: {plan.protocol}, {found.folds} folds, seeds {', '.join(map(str, plan.seeds))}, int8"
    console = Console()
    console.print(confusion_table(figures, title), class_table(figures))
    console.print(f"{totals_text(figures)}\n{_beside(found)}", highlight=False)
    write_json(folder / f"{plan.protocol}.json", full)
    facts = {"recipe": recipe.name, "pages": EXPLAINED[plan.protocol], "float beside int8": _beside(found)}
    click.echo(write_run_report(folder / plan.protocol, title, facts, found.quantised, figures))
    return full


def _beside(found: "Crossvalidation") -> str:
    """int8 beside float, seed by seed."""
    quantised, floating = (class_figures(one.probabilities, one.truth) for one in (found.quantised, found.floating))
    seeds = sorted({one.seed for one in found.answers})
    by_seed = [class_figures((one := found.of_seed(seed)).probabilities, one.truth) for seed in seeds]
    same, size = agreement(found.quantised, found.floating), max(one.model_bytes for one in found.answers)
    return (
        f"accuracy / macro F1: float {_two(floating)}, int8 {_two(quantised)}; both call {same:.1%} of the pages the "
        f"same; by seed {', '.join(map(_two, by_seed))}; model part {size} bytes"
    )


def _two(figures: ClassFigures) -> str:
    return f"{figures.accuracy:.3f} / {figures.macro_f1:.3f}"
