"""Every fold of a cross-validation converted in every way of a recipe, and judged on the pages that it had not seen.

    python benchmarks/convert_folds.py RUNS RECIPE -o OUT [--protocol leak-free] [--only 0,1] [--seconds 2]
                                       [--json FILE] [--data DIR]

RUNS holds a folder for each fold, as `ecgedge crossval` leaves it; RECIPE has `[[variant]]` tables as for
`ecgedge convert`. A float32 variant is added in front if there is none: agreement, differences and ratios are against
it; the ratio of latencies also against the variant `int8`. What a fold's variant said is kept in OUT and taken from
there the next time, as long as model and variant are the same.

Definitions. Figures are of all folds' held-out pages together, a refused one counted as wrong, and left out of ECE and
sets; intervals hold 95 %, bootstrap over groups of pages, differences on the same draws. Latency is of one page on one
thread, the variants of a fold in turns; the ratio is the median over turns and folds, its interval that of a bootstrap
over folds' turns.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from fold_variants import FOLD, FoldVariants
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ecgedge import NOTICE
from ecgedge.bundle import Bundle
from ecgedge.errors import EcgedgeError, InputError
from ecgedge.labels import REPORT
from ecgedge.latency import Latency
from ecgedge.manifest import Json
from ecgedge_convert.report.answers import page_answers
from ecgedge_convert.report.intervals import Figure, Sample, agreement, sample
from ecgedge_convert.report.kept import KeptLatencies
from ecgedge_convert.report.speed import SpeedSettings, latency_of
from ecgedge_convert.tflite_graph import graph_facts
from ecgedge_convert.variant import Variant
from ecgedge_convert.variant_recipe import read_variants
from ecgedge_train.pages.judged import JudgedPages, joined_pages
from ecgedge_train.quiet import start_keras

_REFERENCE = Variant("float32", kind="float32")
_DRAWS = 1000
_WIDTH = 240
"""Of the table in a file."""
_FIGURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro_f1",
    "mi_recall": f"recall {REPORT.names.index('mi')}",
    "ece": "ece",
    "covered": "covered",
    "set_size": "set_size",
    "no_answer": "no_answer",
}
"""What is written for each variant -> what it is called in a report; see `ecgedge_convert.report.intervals`."""


@dataclass
class Variants:
    """What became of each variant, fold by fold."""

    judged: dict[str, list[JudgedPages]] = field(default_factory=dict)
    bundles: dict[str, list[Bundle]] = field(default_factory=dict)
    latencies: dict[str, list[Latency]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    asked = _parser().parse_args(arguments)
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    try:
        start_keras()
        variants = _variants(asked.recipe)
        found = Variants()
        for run in folds_of(asked.runs, asked.only, asked.protocol):
            _take_fold(run, variants, found, asked)
        summary = summarise_folds(found)
        console.print(_table(asked.runs.name, len(found.judged["float32"]), summary))
        console.print(NOTICE)
        if asked.json:
            asked.json.write_text(json.dumps({"runs": asked.runs.name, "variants": summary}, indent=1) + "\n")
    except EcgedgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--protocol", help="where RUNS holds folds of several")
    parser.add_argument("--only", type=lambda text: {int(one) for one in text.split(",")}, default=None)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--data", type=Path)
    return parser


def _variants(recipe: Path) -> tuple[Variant, ...]:
    read = read_variants(recipe)
    return read if any(one.name == "float32" for one in read) else (_REFERENCE, *read)


def folds_of(runs: Path, only: set[int] | None, protocol: str | None = None) -> list[Path]:
    """The folders of a cross-validation's folds, or of some of them.

    Raises
    ------
    InputError
        There are none, or they are of several protocols.
    """
    matched = {path: found for path in sorted(runs.glob("*")) if (found := FOLD.fullmatch(path.name))}
    chosen = {path: found["protocol"] for path, found in matched.items() if only is None or int(found["fold"]) in only}
    known = sorted(set(chosen.values()))
    if protocol is not None:
        chosen = {path: named for path, named in chosen.items() if named == protocol}
    if not chosen:
        raise InputError(f"{runs}: no folder of a fold, such as leak-free-5-s0-f0; give what ecgedge crossval wrote")
    if len(set(chosen.values())) > 1:
        raise InputError(
            f"{runs}: folds of {', '.join(known)}, which hold out the same pages; choose one with --protocol"
        )
    return list(chosen)


def _take_fold(run: Path, variants: Sequence[Variant], found: Variants, asked: argparse.Namespace) -> None:
    fold = FoldVariants(run, asked.out / run.name, asked.data)
    models = {}
    for variant in variants:
        try:
            bundle, judged, seconds = fold.variant(variant)
        except InputError as error:
            found.refused[variant.name] = str(error)
            continue
        found.bundles.setdefault(variant.name, []).append(bundle)
        found.judged.setdefault(variant.name, []).append(judged)
        found.seconds.setdefault(variant.name, []).append(seconds)
        models[variant.name] = bundle.model
    settings = SpeedSettings(threads=(1,), seconds=asked.seconds)
    kept = KeptLatencies(fold.out)
    for (name, _), latency in latency_of(models, settings, kept=kept, advance=lambda *_: None).items():
        found.latencies.setdefault(name, []).append(latency)


def summarise_folds(found: Variants) -> list[Json]:
    """Figures of every variant over all folds; a variant that any fold refused is named with the reason."""
    folds = len(found.judged["float32"])
    whole = {name: one for name, one in found.judged.items() if len(one) == folds}
    answers = {name: page_answers(joined_pages(one)) for name, one in whole.items()}
    samples = {name: sample(one, draws=_DRAWS) for name, one in answers.items()}
    int8 = next((name for name in ("int8",) if name in whole), "float32")
    rows: list[Json] = []
    for name in whole:
        facts = [graph_facts(bundle.model) for bundle in found.bundles[name]]
        rows.append(
            {
                "name": name,
                **{key: _plain(samples[name].figure(figure)) for key, figure in _FIGURES.items()},
                **{f"{key} lost": _lost(samples, name, "float32", key) for key in ("accuracy", "macro_f1")},
                **{f"{key} lost to int8": _lost(samples, name, int8, key) for key in ("accuracy", "macro_f1")},
                "agreement": _plain(agreement(answers[name], answers["float32"], draws=_DRAWS)),
                "bytes": max(one.model_bytes for one in facts),
                "gzip_bytes": max(one.gzip_bytes for one in facts),
                "macs": [one.macs for one in facts],
                "p50_ms": float(np.median([one.p50_ms for one in found.latencies[name]])),
                "latency to float32": _ratio(found, name, "float32"),
                "latency to int8": _ratio(found, name, int8),
                "seconds": round(float(np.mean(found.seconds[name])), 1),
            }
        )
    return rows + [{"name": name, "refused": reason} for name, reason in found.refused.items()]


def _lost(samples: dict[str, Sample], name: str, of: str, key: str) -> Json:
    return _plain(samples[of].minus(samples[name], key))


def _ratio(found: Variants, name: str, other: str) -> Json:
    """Median over the turns of all folds; whole folds are drawn for its interval, then turns of them."""
    pairs = zip(found.latencies[name], found.latencies[other], strict=True)
    turns = np.array([np.array(one.blocks_ms) / np.array(base.blocks_ms) for one, base in pairs])
    rng = np.random.default_rng(0)
    folds = turns[rng.integers(0, len(turns), (_DRAWS, len(turns)))]
    picks = rng.integers(0, turns.shape[1], folds.shape)
    low, high = np.percentile(np.median(np.take_along_axis(folds, picks, axis=2), axis=(1, 2)), (2.5, 97.5))
    return _plain(Figure(float(np.median(turns)), float(low), float(high)))


def _plain(figure: Figure) -> list[Json]:
    return [round(figure.value, 4), round(figure.low, 4), round(figure.high, 4)]


def _table(title: str, folds: int, rows: Sequence[Json]) -> Table:
    table = Table(box=SIMPLE_HEAD, title=f"{title}, {folds} folds; shares in per cent, intervals 95 %")
    for column in (
        "variant", "accuracy", "macro F1", "MI recall", "ECE", "truth in set", "accuracy lost", "lost to int8",
        "called as float32", "kB", "gzip", "MMACs", "ms", "to float32", "to int8",
    ):  # fmt: skip
        table.add_column(column, justify="left" if column == "variant" else "right")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Json) -> Iterator[str]:
    assert isinstance(row, dict)
    yield str(row["name"])
    if "refused" in row:
        yield f"refused: {row['refused']}"
        return
    for key in (
        "accuracy",
        "macro_f1",
        "mi_recall",
        "ece",
        "covered",
        "accuracy lost",
        "accuracy lost to int8",
        "agreement",
    ):
        yield _interval(row[key], 100, 1)
    for key in ("bytes", "gzip_bytes"):
        yield f"{float(str(row[key])) / 1000:.0f}"
    macs = row["macs"]
    assert isinstance(macs, list)
    yield f"{np.median([float(str(one)) for one in macs]) / 1e6:.2f}"
    yield f"{float(str(row['p50_ms'])):.3f}"
    for key in ("latency to float32", "latency to int8"):
        yield _interval(row[key], 1, 2)


def _interval(values: Json, factor: float, places: int) -> str:
    assert isinstance(values, list)
    value, low, high = (factor * float(str(one)) for one in values)
    return f"{value:.{places}f} [{low:.{places}f}, {high:.{places}f}]"


if __name__ == "__main__":
    sys.exit(main())
