"""The table of `ecgedge evaluate BUNDLE --shortcuts`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ecgedge.bundle import Bundle
from ecgedge.class_metrics import class_figures
from ecgedge.manifest import Json
from ecgedge.page_engine import PageEngine
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.pages.cache import Advance, page_inputs
from ecgedge_train.pages.deletion import SHARES, DeletionCurves, deletion_curves
from ecgedge_train.pages.evaluate import PageEvaluation
from ecgedge_train.pages.judged import JudgedPages
from ecgedge_train.pages.plots import draw_lines
from ecgedge_train.pages.shortcuts import shortcut_rows


def print_shortcuts(
    bundle: Bundle, evaluation: PageEvaluation, *, folder: Path | None, advance: Advance
) -> dict[str, Json]:
    """Measure, print, and return it as plain values; with a folder, the curves as a picture in it."""
    rows = evaluation.dealt.split.held_out(evaluation.fold)
    images = [evaluation.dealt.images[row] for row in rows]
    found = shortcut_rows(bundle, images, evaluation.judged, advance=advance)
    shown = [("as they are", evaluation.judged, 1.0), *((row.name, row.judged, row.same) for row in found)]
    Console().print(_table(shown))
    curves = _curves(bundle, images)
    if curves is not None:
        areas = ", ".join(f"{name} {area:.3f}" for name, area in curves.areas().items())
        Console().print(f"area under the curves, by maps and in random order: {areas}", highlight=False)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            _draw(curves, folder / "deletion.png")
    return {
        "changes": [_entry(*row) for row in shown],
        "areas": None if curves is None else {name: round(area, 4) for name, area in curves.areas().items()},
    }


def _curves(bundle: Bundle, images: Sequence[ReportImage]) -> DeletionCurves | None:
    engine = PageEngine(bundle)
    pool = page_inputs(images, engine.pipeline)
    return deletion_curves(engine, pool, np.arange(len(images)))


def _table(shown: Sequence[tuple[str, JudgedPages, float]]) -> Table:
    table = Table(
        *("pages", "accuracy", "balanced accuracy", "macro F1", "called as before", "refused"),
        title="what the answer hangs on (balanced accuracy by chance: 0.25)",
        title_justify="left",
    )
    for name, judged, same in shown:
        figures = class_figures(judged.probabilities, judged.truth)
        values = (figures.accuracy, figures.balanced_accuracy, figures.macro_f1, same)
        table.add_row(name, *(f"{value:.3f}" for value in values), str(figures.pages - figures.answered))
    return table


def _entry(name: str, judged: JudgedPages, same: float) -> Json:
    figures = class_figures(judged.probabilities, judged.truth)
    return {
        "pages": name,
        "accuracy": round(figures.accuracy, 4),
        "balanced_accuracy": round(figures.balanced_accuracy, 4),
        "macro_f1": round(figures.macro_f1, 4),
        "called_as_before": round(same, 4),
        "refused": figures.pages - figures.answered,
    }


def _draw(curves: DeletionCurves, path: Path) -> None:
    names = ("deletion", "insertion", "random_deletion", "random_insertion")
    lines = {name.replace("_", " "): (SHARES, getattr(curves, name)) for name in names}
    draw_lines(lines, ("share of the input taken away or shown", "probability of the class called"), path)
