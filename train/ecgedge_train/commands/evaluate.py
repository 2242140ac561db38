"""`ecgedge evaluate`: a bundle's figures on a public data set, as a table and as JSON."""

import json
from collections.abc import Iterator
from math import isnan
from pathlib import Path
from typing import cast

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ecgedge import NOTICE
from ecgedge.bundle import Bundle, find_bundle, read_bundle, write_bundle
from ecgedge.commands.completion import complete_bundle
from ecgedge.errors import InputError
from ecgedge.labels import AAMI
from ecgedge.metrics import COLUMNS, ROWS, beat_figures
from ecgedge.records import Recording
from ecgedge_train.commands.options import HELD_OUT, with_options
from ecgedge_train.datasets import DATASETS, PAGE_DATASETS
from ecgedge_train.evaluate import Evaluation, Peaks, as_json, evaluate_bundle
from ecgedge_train.pages.evaluate import Question
from ecgedge_train.pages.protocols import EXPLAINED, PROTOCOLS
from ecgedge_train.pages.recipe import ProtocolName
from ecgedge_train.split import SPLITS, split_hash
from ecgedge_train.stamp import stamped

_PROTOCOLS = "; ".join(f"{name} ({words})" for name, words in EXPLAINED.items())


@click.command(
    epilog=f"""\b
Examples:
  ecgedge evaluate beat --data mitdb --split ds2 --peaks annotated
  ecgedge evaluate beat --data mitdb --split ds2 --peaks detected --json beat-ds2.json
  ecgedge evaluate my.tflite --split ds2 --skip-first-s 300     as bxb does it
  ecgedge evaluate my.tflite --split ds2 --stamp                and write it into the model card
  ecgedge evaluate page --data ecg_images --protocol by-number  the fold that the bundle has not seen
  ecgedge evaluate page --shortcuts --report runs/page          does it look at the heart? with pictures

{NOTICE}"""
)
@click.argument("bundle", shell_complete=complete_bundle)
@click.option(
    "--data", type=click.Choice(sorted({*DATASETS, *PAGE_DATASETS})), help="Data set; default: what the task has."
)
@with_options(HELD_OUT)
@click.option("--skip-first-s", type=click.FloatRange(0), default=0.0, help="Beats: leave out the start (bxb: 300 s).")
@click.option("--per-record", is_flag=True, help="Beats: a line per record too.")
@click.option("--protocol", type=click.Choice(list(PROTOCOLS)), help=f"Pages: {_PROTOCOLS}. Default: the bundle's own.")
@click.option("--folds", type=click.IntRange(2), help="Pages: how many folds; default: as trained.")
@click.option("--fold", type=click.IntRange(0), help="Pages: which fold; default: the one held out in training.")
@click.option("--seed", type=int, help="Pages: seed of the folds; default: as trained.")
@click.option("--shortcuts", is_flag=True, help="Pages: what the answer hangs on: header, borders, grid, waveform.")
@click.option("--report", type=click.Path(path_type=Path), metavar="DIR", help="Pages: write report.md and pictures.")
@click.option("--stamp", is_flag=True, help="Write the figures into the bundle, its manifest and card.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE", help="Write all of it as JSON.")
def evaluate(
    bundle: str,
    *,
    data: str | None,
    root: Path | None,
    split: str,
    peaks: str,
    skip_first_s: float,
    per_record: bool,
    protocol: ProtocolName | None,
    folds: int | None,
    fold: int | None,
    seed: int | None,
    shortcuts: bool,
    report: Path | None,
    stamp: bool,
    json_path: Path | None,
) -> None:
    """Measure BUNDLE (a file or the name of a shipped one) on public data it was not trained on."""
    opened = read_bundle(bundle)
    task = opened.manifest.task
    data = _data_for(task, data)
    if task == "page":
        from ecgedge_train.commands.evaluate_page import Wanted, evaluate_page

        question = Question(protocol, folds, seed, fold)
        evaluate_page(opened, question, Wanted(json_path, report, stamp, shortcuts), data=data, root=root)
    else:
        _refuse_page_options(protocol=protocol, folds=folds, fold=fold, seed=seed, shortcuts=shortcuts, report=report)
        recordings = _with_progress(data, SPLITS[split], root)
        evaluation = evaluate_bundle(opened, recordings, peaks=cast(Peaks, peaks), skip_first_s=skip_first_s)
        _write(evaluation, opened, data=data, split=split, stamp=stamp, json_path=json_path)
        show(evaluation, title=f"{evaluation.bundle} on {data} {split}, {peaks} R-peaks", per_record=per_record)
    click.echo(NOTICE)


def _data_for(task: str, data: str | None) -> str:
    fitting = PAGE_DATASETS if task == "page" else DATASETS
    if data is not None and data not in fitting:
        raise InputError(f"--data {data}: the bundle judges {task}s; choose one of {', '.join(sorted(fitting))}")
    return data or next(iter(fitting))


def _refuse_page_options(**options: object) -> None:
    for name, value in options.items():
        if value not in (None, False):
            raise InputError(f"--{name} is for bundles that judge pages; this one judges beats; leave it out")


def _write(
    evaluation: Evaluation, bundle: Bundle, *, data: str, split: str, stamp: bool, json_path: Path | None
) -> None:
    if json_path is not None:
        json_path.write_text(json.dumps(as_json(evaluation) | {"data": data, "split": split}, indent=1) + "\n")
    if stamp:
        sealed = stamped(bundle, evaluation, data=data, split=split, split_sha256=split_hash())
        write_bundle(sealed, find_bundle(bundle.source))


def _with_progress(data: str, records: tuple[str, ...], root: Path | None) -> Iterator[Recording]:
    console = Console(stderr=True)
    recordings = DATASETS[data](records, root=root)
    yield from track(
        recordings, "judging", total=len(records), console=console, transient=True, disable=not console.is_terminal
    )


def show(evaluation: Evaluation, *, title: str, per_record: bool = False) -> None:
    """Print confusion matrix, figures per class and totals."""
    console = Console()
    console.print(_confusion_table(evaluation, title))
    console.print(_class_table(evaluation))
    figures, intervals = evaluation.figures, evaluation.intervals()
    console.print(
        f"accuracy {figures.accuracy:.4f}   kappa {figures.kappa:.4f}   j {figures.j:.3f}   "
        f"jk {figures.jk:.4f} [{intervals['jk'][0]:.2f}, {intervals['jk'][1]:.2f}]   macro F1 {figures.macro_f1:.3f}\n"
        f"R-peaks: Se {figures.detection_sensitivity:.4f}, PPV {figures.detection_ppv:.4f}   "
        f"VEB PPV as EC57 counts it {figures.ppv_veb_ec57:.4f}\n"
        f"{figures.beats} beats of {len(evaluation.confusion)} records, {evaluation.paced_or_unknown} of class Q left "
        f"out, first {evaluation.skipped_s:g} s left out; model part {evaluation.model_bytes} bytes",
        highlight=False,
    )
    if per_record:
        console.print(_record_table(evaluation))


def _confusion_table(evaluation: Evaluation, title: str) -> Table:
    table = Table("truth \\ judged", *COLUMNS, title=title, title_justify="left")
    for name, row in zip(ROWS, evaluation.total.tolist(), strict=True):
        table.add_row(name, *map(str, row))
    return table


def _class_table(evaluation: Evaluation) -> Table:
    figures, intervals = evaluation.figures, evaluation.intervals()
    table = Table(
        "class", "Se %", "PPV %", "F1 %", title="per class [95 % interval over patients]", title_justify="left"
    )
    named = {"S": "SVEB", "V": "VEB"}
    for name, title in zip(AAMI.names, AAMI.titles, strict=True):
        cells = []
        for measure, values in (("Se", figures.sensitivity), ("PPV", figures.ppv)):
            low, high = intervals.get(f"{named.get(name)} {measure}", (None, None))
            interval = "" if low is None or high is None else f" [{100 * low:.0f}, {100 * high:.0f}]"
            cells.append(f"{100 * values[name]:.2f}{interval}")
        table.add_row(f"{name} {title}", *cells, f"{100 * figures.f1[name]:.2f}")
    return table


def percent(share: float) -> str:
    """A share from 0 to 1 in percent; a dash where nothing could be counted."""
    return "-" if isnan(share) else f"{100 * share:.1f}"


def _record_table(evaluation: Evaluation) -> Table:
    table = Table("record", "beats", "accuracy", "S", "S Se %", "S PPV %", "V", "V Se %", "V PPV %")
    for name, matrix in evaluation.confusion.items():
        figures = beat_figures(matrix)
        cells = [name, str(figures.beats), f"{figures.accuracy:.4f}"]
        for row, label in ((1, "S"), (2, "V")):
            cells += [
                str(matrix[row].sum()),
                percent(figures.sensitivity[label]),
                percent(figures.ppv[label]),
            ]
        table.add_row(*cells)
    return table
