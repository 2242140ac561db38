"""The page with what a page model looked at: orange where the curves speak for the class, blue where against it.

The model's maps are shares of its logits, so nothing is guessed: their mean over the page is the answer.
Knows nothing of bundles or models.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge import NOTICE
from ecgedge.errors import InputError
from ecgedge.lead_arrays import ArrayPlace, LeadArraySettings, places
from ecgedge.page_images import PageImageSettings
from ecgedge.paper.layouts import LEADS
from ecgedge.paper.page import FloatArray, Page, Pixels, Traces

WIDTH_PX = 1600
"""Width of the picture made here."""

Maps = Mapping[str, FloatArray]

# Orange and blue of Okabe & Ito 2008 (jfly.uni-koeln.de/color), which every colour vision tells apart; blue-green-red.
_FOR, _AGAINST = np.array((0, 159, 230), np.float32), np.array((178, 114, 0), np.float32)
_STRONGEST = 0.85  # of the colour at full evidence: the ink below is still seen
_PAGE_CONTRAST = 0.6  # of the page's ink and grid behind the colours
_FULL_PERCENTILE = 99.0  # of the evidence on the page that is drawn at full strength: one spike must not pale the rest
_MARGIN_PX, _LINE_PX = 24, 30
_SCALE_PX = (220, 16)  # width and height of the legend's colour scale
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK, _SOFT = (60, 52, 46), (125, 115, 108)


@dataclass(frozen=True, slots=True)
class _Patch:
    """A piece of the page and the evidence along it."""

    box_px: tuple[int, int, int, int]
    """Left, top, right, bottom on the canvas."""
    evidence: FloatArray
    """(rows, columns) float32, stretched over the box."""


def draw_attention(
    page: Page,
    traces: Traces | None,
    maps: Maps,
    *,
    inputs: LeadArraySettings | PageImageSettings,
    class_index: int,
    title: str,
    words: Sequence[str] = (),
    width_px: int = WIDTH_PX,
) -> Pixels:
    """Draw what speaks for one class and against it.

    Evidence is a class's map less the mean of all classes' maps, since a softmax sees differences only; orange is
    positive, blue negative, and full strength is the same for the whole page.

    Parameters
    ----------
    maps : `maps` (time, 12, n_classes) and perhaps `strip_maps` (1, time, n_classes) of a lead model, or `maps` (rows,
        columns, n_classes) of an image model
    inputs : settings of the model's inputs, which say where an array lies on the page
    class_index : which class
    title : large, above the page; the class that is shown stands there
    words : lines below it

    Returns
    -------
    (height, width_px, 3) uint8, blue-green-red

    Raises
    ------
    InputError
        The model has no maps, or a lead model's page has no curves.
    """
    if "maps" not in maps:
        raise InputError(f"{page.name}: the model does not say what it looked at; convert one that has maps")
    scale = (width_px - 2 * _MARGIN_PX) / page.pixels.shape[1]
    canvas = _faded(page.pixels, scale)
    shown = {name: _evidence(values, class_index) for name, values in maps.items()}
    if isinstance(inputs, LeadArraySettings):
        if traces is None:
            raise InputError(f"{page.name}: no curves were read, so that nothing can be drawn along them")
        patches = list(_lead_patches(shown, traces, inputs, scale))
    else:
        patches = [_page_patch(shown["maps"], inputs, canvas)]
    _paint(canvas, patches)
    body = cv2.copyMakeBorder(canvas, 0, 0, _MARGIN_PX, _MARGIN_PX, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    return np.vstack([_heading(title, words, width_px), body, _legend(width_px)]).astype(np.uint8)


def _evidence(values: FloatArray, class_index: int) -> FloatArray:
    return np.asarray(values[..., class_index] - values.mean(axis=-1), np.float32)


def _lead_patches(shown: Maps, traces: Traces, settings: LeadArraySettings, scale: float) -> Iterator[_Patch]:
    """A stripe along each curve, as high as the room between rows; of leads (time, 12), of the strip (1, time)."""
    leads, strip = places(traces, settings)
    half_px = _half_row_px(traces)
    for name, place in leads.items():
        yield _stripe(place, traces, settings.fs_hz, shown["maps"][:, LEADS.index(name)], half_px, scale)
    if strip is not None and "strip_maps" in shown:
        yield _stripe(strip, traces, settings.fs_hz, shown["strip_maps"][0], half_px, scale)


def _stripe(
    place: ArrayPlace, traces: Traces, fs_hz: float, evidence: FloatArray, half_px: float, scale: float
) -> _Patch:
    columns_px = place.columns_px(traces, fs_hz)
    step_px = (columns_px[-1] - columns_px[0]) / max(1, len(columns_px) - 1)
    left, right = float(columns_px[0]) - step_px / 2, float(columns_px[-1]) + step_px / 2
    level_px = place.trace.baseline_px
    edges = np.rint(np.array((left, level_px - half_px, right, level_px + half_px)) * scale).astype(int)
    return _Patch((int(edges[0]), int(edges[1]), int(edges[2]), int(edges[3])), evidence[None])


def _half_row_px(traces: Traces) -> float:
    levels_px = np.unique([trace.baseline_px for trace in traces.leads])
    gaps_px = np.diff(levels_px)[np.diff(levels_px) > traces.px_per_mm_y]
    return float(gaps_px.min()) * 0.46 if len(gaps_px) else 15 * traces.px_per_mm_y


def _page_patch(evidence: FloatArray, settings: PageImageSettings, canvas: Pixels) -> _Patch:
    """The map over the page; a page that was padded to the model's shape lies in the middle of it."""
    height, width = canvas.shape[:2]
    if settings.fit == "stretch":
        return _Patch((0, 0, width, height), evidence)
    across = max(1.0, settings.width_px / settings.height_px * height / width)  # of the model's image over the page
    down = max(1.0, settings.height_px / settings.width_px * width / height)
    left, top = round(width * (1 - across) / 2), round(height * (1 - down) / 2)
    return _Patch((left, top, width - left, height - top), evidence)


def _paint(canvas: Pixels, patches: Sequence[_Patch]) -> None:
    """Mix the colours into the canvas, in place, as a marker pen does: what is dark stays dark."""
    strength = np.zeros(canvas.shape[:2], np.float32)
    for patch in patches:
        _spread(strength, patch)
    full = float(np.percentile(np.abs(np.concatenate([patch.evidence.ravel() for patch in patches])), _FULL_PERCENTILE))
    strength = np.clip(strength / max(full, 1e-6), -1, 1)
    canvas[:] = np.rint(canvas * _tint(strength)).astype(np.uint8)


def _tint(strength: FloatArray) -> NDArray[np.float32]:
    """-1..1 -> what a white page is multiplied with, (..., 3) float32."""
    colour = np.where(strength[..., None] > 0, _FOR, _AGAINST) / np.float32(255)
    return np.asarray(1 - np.abs(strength[..., None]) * _STRONGEST * (1 - colour), np.float32)


def _spread(strength: FloatArray, patch: _Patch) -> None:
    """Stretch a patch's evidence over its box, as far as that lies on the canvas."""
    left, top, right, bottom = patch.box_px
    height, width = strength.shape
    size = (max(1, right - left), max(1, bottom - top))
    large = cv2.resize(patch.evidence, size, interpolation=cv2.INTER_LINEAR).reshape(size[1], size[0])
    rows, columns = slice(max(0, top), min(height, top + size[1])), slice(max(0, left), min(width, left + size[0]))
    inside = large[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    stronger = np.abs(inside) > np.abs(strength[rows, columns])
    strength[rows, columns] = np.where(stronger, inside, strength[rows, columns])


def _faded(pixels: Pixels, scale: float) -> Pixels:
    how: Literal[1, 3] = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR  # type: ignore[assignment]
    resized = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how)
    grey = cv2.cvtColor(cv2.cvtColor(resized, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)  # colour is for evidence alone
    return np.asarray(cv2.addWeighted(grey, _PAGE_CONTRAST, grey, 0, 255 * (1 - _PAGE_CONTRAST)), np.uint8)


def _heading(title: str, words: Sequence[str], width_px: int) -> Pixels:
    band = _band(width_px, 1 + len(words))
    _write(band, title, row=0, scale=0.85, colour=_INK)
    for row, line in enumerate(words, start=1):
        _write(band, line, row=row, scale=0.6, colour=_INK)
    return band


def _legend(width_px: int) -> Pixels:
    """The colour scale and the notice."""
    band = _band(width_px, 2)
    left, top = _MARGIN_PX + 120, _LINE_PX - _SCALE_PX[1]
    ramp = np.linspace(-1, 1, _SCALE_PX[0], dtype=np.float32)[None].repeat(_SCALE_PX[1], axis=0)
    band[top : top + _SCALE_PX[1], left : left + _SCALE_PX[0]] = np.rint(255 * _tint(ramp)).astype(np.uint8)
    _write(band, "speaks against", row=0, scale=0.5, colour=_INK)
    _write(band, "for the class, compared with all", row=0, scale=0.5, colour=_INK, left_px=left + 230)
    _write(band, NOTICE, row=1, scale=0.55, colour=_SOFT)
    return band


def _band(width_px: int, rows: int) -> Pixels:
    return np.full((rows * _LINE_PX + _MARGIN_PX // 2, width_px, 3), 255, np.uint8)


def _write(
    band: Pixels, words: str, *, row: int, scale: float, colour: tuple[int, int, int], left_px: int = _MARGIN_PX
) -> None:
    text = words.encode("ascii", "replace").decode()
    (length, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
    fitting = scale * min(1.0, (band.shape[1] - left_px - _MARGIN_PX) / max(1, length))
    cv2.putText(band, text, (left_px, (row + 1) * _LINE_PX - 3), _FONT, fitting, colour, 1, cv2.LINE_AA)
