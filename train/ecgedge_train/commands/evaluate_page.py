"""What `ecgedge evaluate` does with a bundle for pages."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ecgedge.bundle import Bundle, find_bundle, write_bundle
from ecgedge.class_metrics import NO_ANSWER
from ecgedge.labels import REPORT
from ecgedge_train.datasets import PAGE_DATASETS
from ecgedge_train.pages.cache import Advance
from ecgedge_train.pages.evaluate import PageEvaluation, Question, evaluate_page_bundle, evaluation_json
from ecgedge_train.pages.figures import PageFigures, missed, page_figures
from ecgedge_train.pages.protocols import EXPLAINED
from ecgedge_train.pages.run_report import class_rows, totals_text, write_run_report
from ecgedge_train.pages.stamp import card_entry, with_figures


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is done with the figures of a page bundle, beside printing them."""

    json_path: Path | None = None
    report: Path | None = None
    """Folder for report.md and its pictures."""
    stamp: bool = False
    shortcuts: bool = False


def evaluate_page(bundle: Bundle, question: Question, wanted: Wanted, *, data: str, root: Path | None) -> None:
    """Measure, print, and write what is wanted."""
    images = PAGE_DATASETS[data](root=root)
    with reading_bar() as read:
        evaluation = evaluate_page_bundle(bundle, images, question, advance=read)
    figures = page_figures(evaluation.judged)
    _print(evaluation, figures)
    full = evaluation_json(evaluation, figures)
    if wanted.shortcuts:
        from ecgedge_train.commands.shortcut_table import print_shortcuts

        with reading_bar() as read:
            full["shortcuts"] = print_shortcuts(bundle, evaluation, folder=wanted.report, advance=read)
    if wanted.json_path is not None:
        wanted.json_path.write_text(json.dumps(full, indent=1) + "\n")
    if wanted.report is not None:
        facts = {"bundle": evaluation.bundle, "pages": f"{evaluation.title}: {EXPLAINED[evaluation.dealt.protocol]}"}
        click.echo(write_run_report(wanted.report, evaluation.bundle, facts, evaluation.judged, figures))
    if wanted.stamp:
        write_bundle(with_figures(bundle, card_entry(evaluation, figures)), find_bundle(bundle.source))


def _print(evaluation: PageEvaluation, figures: PageFigures) -> None:
    console = Console()
    console.print(confusion_table(figures, f"{evaluation.bundle} on {evaluation.title}"))
    console.print(class_table(figures))
    refused = figures.classes.pages - figures.classes.answered
    console.print(
        f"{totals_text(figures)}\n"
        f"{figures.classes.pages} pages, {figures.groups} groups: {EXPLAINED[evaluation.dealt.protocol]}; {refused} "
        f"refused and counted as wrong; model part {evaluation.model_bytes} bytes",
        highlight=False,
    )
    if lost := missed(evaluation.judged, "mi"):
        console.print(f"MI pages missed: {', '.join(lost)}", highlight=False)


def confusion_table(figures: PageFigures, title: str) -> Table:
    """Rows truth, columns called."""
    table = Table("truth \\ called", *REPORT.names, NO_ANSWER, title=title, title_justify="left")
    for name, row in zip(REPORT.names, figures.classes.confusion.tolist(), strict=True):
        table.add_row(name, *map(str, row))
    return table


def class_table(figures: PageFigures) -> Table:
    """Figures of each class with their intervals."""
    columns = ("class (pages)", "recall", "precision", "F1", "ROC AUC", "AUPRC")
    table = Table(*columns, title="per class [95 % interval over groups]", title_justify="left")
    for cells in class_rows(figures):
        table.add_row(*cells)
    return table


@contextmanager
def reading_bar() -> Iterator[Advance]:
    """A bar that fills while pages are read; what is kept from before goes by in a second."""
    console = Console(stderr=True)
    columns = (TextColumn("reading pages"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield advance
