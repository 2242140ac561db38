"""What a page bundle loses when its scans are photographed: the same held-out pages, as files and through a camera.

    python benchmarks/pages_through_camera.py page [--strength moderate] [--scaled 1.3] [--seed 7] [--every 1]

Every scan of the fold that the bundle held out is shown to the simulated camera (`ecgedge.paper.simulated.camera`), at
a strength that no training used, and judged through the same engine as on the device. A photo that is refused counts as
wrong; what the answers are worth where there is one is said beside it.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ecgedge import NOTICE
from ecgedge.bundle import read_bundle
from ecgedge.class_metrics import class_figures
from ecgedge.errors import InputError
from ecgedge.labels import REPORT
from ecgedge.page_engine import PageEngine
from ecgedge.pages import find_page
from ecgedge.paper.page import Picture
from ecgedge.paper.pictures import read_picture
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.scenes import STRENGTHS, Strength
from ecgedge.records import FloatArray, IntArray
from ecgedge_train.datasets import PAGE_DATASETS
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.pages.evaluate import Question, evaluate_page_bundle

SIZE_PX = (3200, 2400)


@dataclass(frozen=True)
class Seen:
    """One page both ways; NaN where there was no answer."""

    name: str
    truth: int
    scan: FloatArray
    photo: FloatArray
    reason: str


def held_out(bundle_name: str, every: int) -> Sequence[ReportImage]:
    """The pages that the bundle was not trained on."""
    images = PAGE_DATASETS["ecg_images"]()
    evaluation = evaluate_page_bundle(read_bundle(bundle_name), images, Question())
    names = set(evaluation.judged.names)
    return [image for image in images if image.name in names][::every]


def see(engine: PageEngine, images: Sequence[ReportImage], strength: Strength, *, seed: int) -> Iterator[Seen]:
    """Judge every page as its file and as a photo of it."""
    for number, image in enumerate(images):
        scan = read_picture(image.path)
        scan_says, _ = _judged(engine, scan)
        px_per_mm = find_page(scan).px_per_mm_x
        shot = photograph(scan.pixels, px_per_mm=px_per_mm, seed=seed + number, strength=strength, size_px=SIZE_PX)
        photo_says, reason = _judged(engine, shot.picture)
        yield Seen(image.name, REPORT.names.index(image.label), scan_says, photo_says, reason)


def _judged(engine: PageEngine, picture: Picture) -> tuple[FloatArray, str]:
    nothing = np.full(len(REPORT.names), np.nan, np.float32)
    try:
        answer = engine.judge(picture)
    except InputError as error:
        return nothing, str(error)
    if not answer.label:
        return nothing, answer.reason
    return np.array([answer.probabilities[name] for name in REPORT.names], np.float32), ""


def report(seen: Sequence[Seen]) -> dict[str, dict[str, float]]:
    """Figures of scans, of photos, and of photos and their scans where a photo was answered."""
    truth = np.array([one.truth for one in seen], np.int64)
    scans, photos = (np.stack([getattr(one, name) for one in seen]) for name in ("scan", "photo"))
    there = np.isfinite(photos).all(axis=1)
    return {
        "scans": _row(scans, truth),
        "photos, refused ones wrong": _row(photos, truth),
        "photos that were answered": _row(photos[there], truth[there]),
        "their scans": _row(scans[there], truth[there]),
    }


def _row(probabilities: FloatArray, truth: IntArray) -> dict[str, float]:
    figures = class_figures(probabilities, truth)
    return {
        "pages": len(truth),
        "answered": int(np.isfinite(probabilities).all(axis=1).sum()),
        "accuracy": figures.accuracy,
        "macro F1": figures.macro_f1,
    }


def parsed() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--strength", choices=sorted(STRENGTHS), default="moderate")
    parser.add_argument("--scaled", type=float, default=1.0, help="all limits of the strength times this")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--every", type=int, default=1, help="one page in so many")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parsed()
    images = held_out(options.bundle, options.every)
    engine = PageEngine(read_bundle(options.bundle))
    strength = STRENGTHS[options.strength].scaled(options.scaled)
    console = Console(stderr=True)
    pages = see(engine, images, strength, seed=options.seed)
    seen = list(track(pages, "photographing", total=len(images), console=console, disable=not console.is_terminal))
    rows = report(seen)
    table = Table(title=f"{options.bundle}, {options.strength} x {options.scaled:g}, seed {options.seed}")
    for heading in ("", "pages", "answered", "accuracy", "macro F1"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in rows.items():
        table.add_row(
            name, f"{row['pages']:g}", f"{row['answered']:g}", f"{row['accuracy']:.3f}", f"{row['macro F1']:.3f}"
        )
    Console().print(table)
    for one in seen:
        if one.reason:
            print(f"no answer: {one.reason}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(NOTICE)


if __name__ == "__main__":
    main()
