"""What an answer hangs on: pages are changed where no heart is drawn, and where it is, and judged again.

Header and footer masked, borders replaced, grid in another colour: read again from the picture, the answers must stay.
Waveform erased: they must fall to chance, or something else on the page tells the class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecgedge.bundle import Bundle
from ecgedge.decide import Decision
from ecgedge.errors import InputError
from ecgedge.labels import REPORT
from ecgedge.lead_arrays import Inputs
from ecgedge.page_engine import PageEngine
from ecgedge.page_pipeline import PagePipeline
from ecgedge.page_reading import PageReading, read_page
from ecgedge.paper.page import Page, Picture, Pixels
from ecgedge.paper.pictures import read_picture
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.pages.judged import JudgedPages, judge_pages
from ecgedge_train.pages.pool import PagePool

ERASED = "waveform erased"
_BEYOND_MM = (15.0, 5.0)
"""To the side and up or down of the curves this much belongs to them: calibration pulses, names of leads."""
_PAPER = 255

Change = Callable[[Picture, PageReading, np.random.Generator], Picture]


@dataclass(frozen=True)
class ShortcutRow:
    """One change, and what became of the answers."""

    name: str
    judged: JudgedPages
    same: float
    """Share of the pages that are called as before."""


def without_header(picture: Picture, reading: PageReading, rng: np.random.Generator) -> Picture:
    """White wherever the page that is judged does not lie: header, footer, margins."""
    del rng
    left, top, right, bottom = _in_picture(reading.page, (0, 0, *reading.page.pixels.shape[1::-1]))
    pixels = np.full_like(picture.pixels, _PAPER)
    pixels[top:bottom, left:right] = picture.pixels[top:bottom, left:right]
    return replace(picture, pixels=pixels)


def with_other_borders(picture: Picture, reading: PageReading, rng: np.random.Generator) -> Picture:
    """Beyond the curves, the picture turned upside down: paper and grid as they are, but other borders."""
    del rng
    left, top, right, bottom = _in_picture(reading.page, curves_box(reading))
    pixels = picture.pixels[::-1, ::-1].copy()
    pixels[top:bottom, left:right] = picture.pixels[top:bottom, left:right]
    return replace(picture, pixels=pixels)


def with_other_grid(picture: Picture, reading: PageReading, rng: np.random.Generator) -> Picture:
    """Red and blue exchanged: a red grid turns blue, black ink stays black."""
    del reading, rng
    return replace(picture, pixels=np.ascontiguousarray(picture.pixels[:, :, ::-1]))


CHANGES: dict[str, Change] = {
    "header and footer masked": without_header,
    "borders replaced": with_other_borders,
    "grid in another colour": with_other_grid,
}


def curves_box(reading: PageReading) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what belongs to the curves, px of the page.

    Raises
    ------
    InputError
        No curves were read.
    """
    page, traces = reading.page, reading.traces
    if traces is None:
        raise InputError(f"{page.name}: no curves were read; their place is not known")
    x = np.concatenate([trace.x_px for trace in traces.leads])
    y = np.concatenate([trace.y_px[np.isfinite(trace.y_px)] for trace in traces.leads])
    beyond_x, beyond_y = _BEYOND_MM[0] * page.px_per_mm_x, _BEYOND_MM[1] * page.px_per_mm_y
    height, width = page.pixels.shape[:2]
    left, right = max(0, int(x.min() - beyond_x)), min(width, int(x.max() + beyond_x))
    return left, max(0, int(y.min() - beyond_y)), right, min(height, int(y.max() + beyond_y))


def without_waveform(page: Page, reading: PageReading) -> Page:
    """The page with nothing but paper where the curves are."""
    left, top, right, bottom = curves_box(reading)
    pixels: Pixels = page.pixels.copy()
    pixels[top:bottom, left:right] = _PAPER
    return replace(page, pixels=pixels)


def shortcut_rows(
    bundle: Bundle,
    images: Sequence[ReportImage],
    before: JudgedPages,
    *,
    advance: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[ShortcutRow]:
    """Judge the pages again after every change.

    Parameters
    ----------
    images : the pages that `before` says the answers of, in its order
    """
    engine, changed = PageEngine(bundle), _Changed({name: [] for name in (*CHANGES, ERASED)})
    for number, image in enumerate(images):
        rng = np.random.default_rng(number)
        picture = read_picture(image.path)
        changed.add(_again(picture, engine.pipeline, rng))
        advance(number + 1, len(images))
    decision = Decision.from_manifest(bundle.manifest.decision)
    rows = []
    for name, inputs in changed.inputs.items():
        pool = _pool(inputs, images, before)
        judged = judge_pages(pool, np.arange(len(images)), before.groups, engine.probabilities, decision)
        same = [a == b for a, b in zip(judged.called, before.called, strict=True)]
        rows.append(ShortcutRow(name, judged, float(np.mean(same))))
    return rows


@dataclass(frozen=True)
class _Changed:
    """Inputs of every page after every change; None where it was refused."""

    inputs: dict[str, list[Inputs | None]]

    def add(self, found: dict[str, Inputs | None]) -> None:
        for name, values in self.inputs.items():
            values.append(found.get(name))


def _again(picture: Picture, pipeline: PagePipeline, rng: np.random.Generator) -> dict[str, Inputs | None]:
    """One page after every change; nothing where it cannot be read as it is."""
    try:
        reading = read_page(picture, pipeline)
    except InputError:
        return {}
    found: dict[str, Inputs | None] = {ERASED: _erased(reading, pipeline)}
    for name, change in CHANGES.items():
        try:
            again = read_page(change(picture, reading, rng), pipeline)
            found[name] = pipeline.inputs_of(again.page, again.traces)
        except InputError:
            found[name] = None
    return found


def _erased(reading: PageReading, pipeline: PagePipeline) -> Inputs:
    """Without curves there is no ink to read: a lead model sees nothing, an image model the rest of the page."""
    if pipeline.takes_leads:
        whole = pipeline.inputs_of(reading.page, reading.traces)
        return {name: np.zeros_like(values) for name, values in whole.items()}
    return pipeline.inputs_of(without_waveform(reading.page, reading), reading.traces)


def _pool(inputs: Sequence[Inputs | None], images: Sequence[ReportImage], before: JudgedPages) -> PagePool:
    there = [found for found in inputs if found is not None]
    place = np.cumsum([found is not None for found in inputs]) - 1
    return PagePool(
        pictures={name: np.concatenate([found[name] for found in there]) for name in (there[0] if there else {})},
        picture=np.where([found is not None for found in inputs], place, -1).astype(np.int64),
        classes=np.array([REPORT.names.index(image.label) for image in images], np.int64),
        groups=before.groups,
        names=before.names,
        reasons=tuple("" if found is not None else "refused after the change" for found in inputs),
    )


def _in_picture(page: Page, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """A box on the page as the upright box around it in the picture: exact for scans, which lie straight."""
    left, top, right, bottom = box
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    at = page.to_picture(corners)
    (x0, y0), (x1, y1) = at.min(axis=0), at.max(axis=0)
    return max(0, round(float(x0))), max(0, round(float(y0))), round(float(x1)), round(float(y1))
