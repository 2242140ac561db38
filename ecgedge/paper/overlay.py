"""Curves drawn over their page, or over the photo itself, so that a person can check them at a glance."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ecgedge import NOTICE
from ecgedge.paper.layouts import LEADS, STRIP, layouts
from ecgedge.paper.page import FloatArray, LeadTrace, Measure, Page, Picture, Pixels, Traces

WIDTH_PX = 1600
"""Width of the pictures made here."""

Colour = tuple[int, int, int]  # blue, green, red
Place = Callable[[FloatArray], FloatArray]  # (n, 2) points of the page -> (n, 2) points of the canvas

# Okabe & Ito 2008 (jfly.uni-koeln.de/color): told apart with any colour vision. Black and yellow are left out: the
# first is the ink's, the second is not seen on paper.
PALETTE: tuple[Colour, ...] = (
    (178, 114, 0),  # blue
    (0, 94, 213),  # vermilion
    (115, 158, 0),  # bluish green
    (167, 121, 204),  # reddish purple
    (233, 180, 86),  # sky blue
    (0, 159, 230),  # orange
)
_INK: Colour = (60, 52, 46)
_SOFT: Colour = (125, 115, 108)
_GOOD, _BAD = PALETTE[2], PALETTE[1]
_MARGIN_PX = 24
_LINE_PX = 30
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CONTRAST_LEFT = 0.55  # of the page behind the curves: its ink must still be seen where a curve misses it
_DASH_MM = 1.0
_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of words beside the page."""

    words: str
    scale: float = 0.6
    colour: Colour = _INK
    mark: bool | None = None
    """A dot (good) or a cross (bad) before the words."""


def draw_overlay(page: Page, traces: Traces, *, width_px: int = WIDTH_PX) -> Pixels:
    """Draw the curves over their page: each lead's colour, name, 0-mV line and confidence; in words the layout, the
    scale and the quality figures.

    Returns
    -------
    (height, width_px, 3) uint8, blue-green-red
    """
    canvas = draw_curves(page, traces, width_px=width_px - 2 * _MARGIN_PX)
    body = cv2.copyMakeBorder(canvas, 0, 0, _MARGIN_PX, _MARGIN_PX, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    below = [*map(_quality_line, sorted(page.quality, key=lambda measure: measure.good)), _Line(NOTICE, 0.55, _SOFT)]
    return np.vstack([_words(_heading(page, traces), width_px), body, _words(below, width_px)]).astype(np.uint8)


def draw_curves(page: Page, traces: Traces, *, width_px: int) -> Pixels:
    """Draw the curves and their names over the page, as `draw_overlay`, without words around them.

    Returns
    -------
    (height, width_px, 3) uint8, blue-green-red
    """
    scale = width_px / page.pixels.shape[1]
    canvas = _faded(_resized(page.pixels, width_px))
    _draw_traces(canvas, traces, lambda points_px: (points_px + np.float32(0.5)) * np.float32(scale) - np.float32(0.5))
    return canvas


def draw_on_photo(picture: Picture, page: Page, traces: Traces, *, width_px: int = WIDTH_PX) -> Pixels:
    """Draw the curves over the picture that they were read from, and the outline of the page found in it.

    Returns
    -------
    (height, width_px, 3) uint8, blue-green-red
    """
    scale = width_px / picture.pixels.shape[1]
    canvas = _resized(picture.pixels, width_px)

    def place(points_px: FloatArray) -> FloatArray:
        return np.asarray(page.to_picture(points_px) * np.float32(scale), dtype=np.float32)

    outline = np.round(page.corners_px * scale).astype(np.int32)
    cv2.polylines(canvas, [outline], True, (255, 255, 255), 5, cv2.LINE_AA)
    cv2.polylines(canvas, [outline], True, _GOOD, 2, cv2.LINE_AA)
    _draw_traces(canvas, traces, place)
    below = _words([_Line(NOTICE, 0.55, _SOFT)], width_px)
    return np.vstack([_words(_heading(page, traces), width_px), canvas, below]).astype(np.uint8)


def colour_of(lead: str) -> Colour:
    """Colour of a lead; leads beside or below each other differ in every layout."""
    index = LEADS.index(lead) if lead in LEADS else 5
    return PALETTE[(index + index // 6) % len(PALETTE)]


def _resized(pixels: Pixels, width_px: int) -> Pixels:
    height, width = pixels.shape[:2]
    size = (width_px, max(1, round(height * width_px / width)))
    how = cv2.INTER_AREA if width_px < width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=how), dtype=np.uint8)


def _faded(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.addWeighted(pixels, _CONTRAST_LEFT, pixels, 0, 255 * (1 - _CONTRAST_LEFT)), dtype=np.uint8)


def _draw_traces(canvas: Pixels, traces: Traces, place: Place) -> None:
    """Draw 0-mV lines first, then all curves, then all names, so that no curve hides a name."""
    for trace in traces.leads:
        _draw_zero(canvas, trace, place, dash_px=_DASH_MM * traces.px_per_mm_x)
    for trace in traces.leads:
        for run in _runs(trace):
            _polyline(canvas, place(run), colour_of(trace.lead), thickness=2)
    for trace in traces.leads:
        _draw_name(canvas, trace, place)


def _draw_zero(canvas: Pixels, trace: LeadTrace, place: Place, *, dash_px: float) -> None:
    if len(trace.x_px) == 0:
        return
    starts = np.arange(trace.x_px[0], trace.x_px[-1], 2 * dash_px)
    ends = np.minimum(starts + dash_px, trace.x_px[-1])
    x_px = np.stack([starts, ends], axis=1).reshape(-1)
    placed = place(np.stack([x_px, np.full(len(x_px), trace.baseline_px)], axis=1).astype(np.float32))
    for dash in placed.reshape(-1, 2, 2):
        _polyline(canvas, dash, colour_of(trace.lead), thickness=1)


def _runs(trace: LeadTrace) -> Iterator[FloatArray]:
    """Points of each stretch without a gap, (n, 2) float32, page px; a lone column becomes a short stroke."""
    there = np.flatnonzero(np.isfinite(trace.y_px))
    for run in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1):
        if len(run):
            points = np.stack([trace.x_px[run], trace.y_px[run]], axis=1).astype(np.float32)
            yield points if len(run) > 1 else np.concatenate([points, points + np.array([1, 0], np.float32)])


def _polyline(canvas: Pixels, points_px: FloatArray, colour: Colour, *, thickness: int) -> None:
    fixed = np.round(points_px * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_name(canvas: Pixels, trace: LeadTrace, place: Place) -> None:
    """A small plate with the lead's name and how sure it is, above the beginning of its curve."""
    if len(trace.x_px) == 0:
        return
    words = f"{_name(trace)} {100 * trace.confidence:.0f}%"
    scale = max(0.4, 0.5 * canvas.shape[1] / WIDTH_PX)
    (width, height), _ = cv2.getTextSize(words, _FONT, scale, 1)
    left, top = _plate(canvas, trace, place, size=(width + 8, height + 10))
    colour = colour_of(trace.lead)
    cv2.rectangle(canvas, (left, top), (left + width + 8, top + height + 10), colour, cv2.FILLED, cv2.LINE_AA)
    cv2.putText(canvas, words, (left + 4, top + height + 5), _FONT, scale, _on(colour), 1, cv2.LINE_AA)


def _plate(canvas: Pixels, trace: LeadTrace, place: Place, *, size: tuple[int, int]) -> tuple[int, int]:
    """Left and top of a plate of `size` that hides nothing of its own curve, px."""
    y_px = np.where(np.isfinite(trace.y_px), trace.y_px, trace.baseline_px)
    placed = place(np.stack([trace.x_px, np.minimum(y_px, trace.baseline_px)], axis=1).astype(np.float32))
    near = placed[placed[:, 0] <= placed[0, 0] + size[0] + 4]
    left, top = placed[0, 0] + 2, near[:, 1].min() - size[1] - 6
    limits = np.maximum(np.array(canvas.shape[1::-1]) - size - 1, 0)
    return int(np.clip(left, 0, limits[0])), int(np.clip(top, 0, limits[1]))


def _name(trace: LeadTrace) -> str:
    name = "rhythm" if trace.lead in ("", STRIP) else trace.lead
    return f"{name} strip" if trace.strip else name


def _on(colour: Colour) -> Colour:
    """White on dark colours, black on light ones."""
    blue, green, red = colour
    return (255, 255, 255) if 0.114 * blue + 0.587 * green + 0.299 * red < 140 else (0, 0, 0)


def _heading(page: Page, traces: Traces) -> list[_Line]:
    title = layouts()[traces.layout].title if traces.layout in layouts() else traces.layout
    gain = "measured on the calibration pulses" if traces.gain_from == "pulse" else "assumed: no calibration pulse read"
    turned = f", picture turned by {page.turned_deg} degrees" if page.turned_deg else ""
    return [
        _Line(traces.name, 0.85),
        _Line(f"Layout {traces.layout}: {title}; {100 * traces.confidence:.0f}% sure. {_doubtful(traces)}"),
        _Line(
            f"{traces.mm_per_s:g} mm/s, {traces.mm_per_mv:.3g} mm/mV ({gain}). {page.px_per_mm_x:.2f} x "
            f"{page.px_per_mm_y:.2f} px/mm{turned}. Dashes: 0 mV. Colour: what was read; grey: the page.",
            colour=_SOFT,
        ),
    ]


def _doubtful(traces: Traces) -> str:
    """The leads that are missing, or else the one that is least sure."""
    missing = [lead for lead in LEADS if lead not in {trace.lead for trace in traces.leads}]
    if missing:
        return f"Not read: {', '.join(missing)}."
    least = min(traces.leads, key=lambda trace: trace.confidence)
    return f"Least sure curve: {_name(least)}, {100 * least.confidence:.0f}%."


def _quality_line(measure: Measure) -> _Line:
    limit = f"{'needs' if measure.at_least else 'at most'} {measure.limit:.3g}"
    words = f"{measure.name} {measure.value:.3g} {measure.unit} ({limit})"
    return _Line(words if measure.good else f"{words}: {measure.remedy}", 0.55, mark=measure.good)


def _words(lines: Sequence[_Line], width_px: int) -> Pixels:
    """A white band with lines of words; marked lines stand three to a row."""
    cells = list(_cells(lines, width_px))
    rows = 1 + max((row for row, _, _ in cells), default=-1)
    band = np.full((rows * _LINE_PX + _MARGIN_PX // 2, width_px, 3), 255, np.uint8)
    for row, left, line in cells:
        base = (left, (row + 1) * _LINE_PX)
        if line.mark is not None:
            _draw_mark(band, base, good=line.mark)
            base = (left + 22, base[1])
        words = line.words.encode("ascii", "replace").decode()
        scale = _fitting(words, line.scale, width_px - base[0] - _MARGIN_PX)
        cv2.putText(band, words, base, _FONT, scale, line.colour, 1, cv2.LINE_AA)
    return band


def _cells(lines: Sequence[_Line], width_px: int) -> Iterator[tuple[int, int, _Line]]:
    """Row, left edge and line: short good measures share a row, everything else has its own."""
    row, column, third = -1, 3, (width_px - 2 * _MARGIN_PX) // 3
    for line in lines:
        shares = line.mark is True
        if not shares or column == 3:
            row, column = row + 1, 0
        yield row, _MARGIN_PX + column * third, line
        column = column + 1 if shares else 3


def _draw_mark(band: Pixels, base: tuple[int, int], *, good: bool) -> None:
    x, y = base[0] + 6, base[1] - 6
    if good:
        cv2.circle(band, (x, y), 6, _GOOD, cv2.FILLED, cv2.LINE_AA)
    else:
        cv2.drawMarker(band, (x, y), _BAD, cv2.MARKER_TILTED_CROSS, 12, 3, cv2.LINE_AA)


def _fitting(words: str, scale: float, width_px: int) -> float:
    """The wanted scale, or a smaller one at which the words fit."""
    (width, _), _ = cv2.getTextSize(words, _FONT, scale, 1)
    return scale * min(1.0, width_px / max(1, width))
