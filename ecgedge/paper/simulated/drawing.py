"""A recording drawn as a paper page whose truth is known: where each curve, pulse, separator and name lies."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.paper.layouts import LEADS, STRIP, Layout, layouts
from ecgedge.paper.page import FloatArray, Pixels
from ecgedge.paper.simulated.canvas import Box, Canvas, new_canvas
from ecgedge.paper.simulated.lettering import strokes_of
from ecgedge.paper.simulated.page_style import PageStyle, random_style
from ecgedge.paper.simulated.page_words import footer_words, header_of
from ecgedge.paper.simulated.printed_grid import grid_box_mm, grid_layers
from ecgedge.records import Recording
from ecgedge.signals import resample

MM_PER_S = 25.0
TRUTH_HZ = 500.0
GAINS = (20.0, 10.0, 5.0, 2.5)
"""mm/mV that machines offer."""
_USUAL_ROWS = 4
_DENSE_MM = 13.0  # from the words, or the edge of the grid, to a baseline where there are more rows than usual
_LINE_MM = 6.0  # separators reach this far beyond the baselines of the first and the last row
_CLEAR_MM = 1.0  # between the level of a row and its names
_NAME_MM = 0.4  # between the start of a curve and its name
_RULE_MM = 0.5
_BAND_PX = 64
_EDGE_MM = 2.0  # curves keep this far from the edge of the sheet


@dataclass(frozen=True, slots=True)
class DrawnCurve:
    """One lead, or the strip, as it was drawn."""

    lead: str
    row: int
    strip: bool
    start_s: float
    """Time since the left end of the row."""
    points_px: FloatArray
    """(n, 2) float32, x and y of the polyline, one point per sample; NaN where the recording has none."""
    baseline_px: float


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A pulse, separator or lead name: its outer box, px (left, top, right, bottom)."""

    kind: Literal["pulse", "line", "tick", "name"]
    text: str
    row: int
    """-1 for a line through several rows."""
    box_px: Box


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A page and the truth about it. The corners of the sheet are those of the picture."""

    pixels: Pixels
    """(height, width, 3) uint8, blue-green-red."""
    layout: str
    px_per_mm: float
    mm_per_mv: float
    style: PageStyle
    curves: tuple[DrawnCurve, ...]
    truth: Recording
    """The twelve leads at 500 Hz, as long as a row; NaN where a lead is not drawn."""
    boxes: tuple[DrawnBox, ...]
    grid_corners_px: FloatArray
    """(4, 2) float32: top left, top right, bottom right, bottom left."""

    @property
    def sheet_corners_px(self) -> FloatArray:
        """(4, 2) float32, as `grid_corners_px`."""
        height, width = self.pixels.shape[:2]
        return _corners(-0.5, -0.5, width - 0.5, height - 0.5)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one lead goes, mm on the sheet."""

    lead: str
    row: int
    column: int
    strip: bool
    start_s: float
    stop_s: float
    left_mm: float
    baseline_mm: float


def draw_page(
    recording: Recording,
    *,
    layout: str,
    seed: int,
    style: PageStyle | None = None,
    px_per_mm: float = 8.0,
    note: str = "SIMULATED",
) -> DrawnPage:
    """Draw a recording as a page; the same arguments give the same pixels.

    Parameters
    ----------
    recording : with the twelve standard leads, at any rate; what is longer than a row is left out
    layout : a name in layouts.toml
    seed : of the words, and of the style where none is given
    px_per_mm : 2 to 24; 8 is a scan at 200 dpi
    note : stands at the foot of the page

    Raises
    ------
    InputError
        A lead is missing, the layout is not known, or `px_per_mm` out of range.
    """
    plan = _layout(layout)
    if not 2 <= px_per_mm <= 24:
        raise InputError(f"{px_per_mm:g} px/mm; a page is drawn at 2 to 24; 8 is usual")
    rng = np.random.default_rng(seed)
    style = random_style(seed) if style is None else style
    signal = _drawable(recording, plan)
    places = list(_places(plan, style))
    style = replace(style, mm_per_mv=_fitting_gain(signal, places, style))
    canvas = new_canvas(*style.sheet_mm, px_per_mm=px_per_mm)
    curves = tuple(_draw_curve(canvas, signal, place, style) for place in places)
    boxes = [*_draw_pulses(canvas, places, style), *_draw_separators(canvas, plan, places, style)]
    boxes += _draw_names(canvas, plan, places, style)
    _draw_words(canvas, style, first_row_mm=places[0].baseline_mm, note=note, rng=rng)
    return DrawnPage(
        pixels=_printed(canvas, style),
        layout=layout,
        px_per_mm=px_per_mm,
        mm_per_mv=style.mm_per_mv,
        style=style,
        curves=curves,
        truth=_truth(recording.name, signal, places),
        boxes=tuple(boxes),
        grid_corners_px=_grid_corners(canvas, style),
    )


def _layout(name: str) -> Layout:
    if name not in layouts():
        raise InputError(f"layout {name!r} is not known; choose one of {', '.join(layouts())}")
    return layouts()[name]


def _drawable(recording: Recording, plan: Layout) -> FloatArray:
    """The twelve leads at 500 Hz, one row long, (n_samples, 12) float32, mV; NaN beyond the end of the recording."""
    columns = [recording.lead(lead) for lead in LEADS]
    n_read = min(len(recording.signal), round(plan.duration_s * recording.fs_hz))
    signal = recording.signal[:n_read, columns]
    if recording.fs_hz != TRUTH_HZ:
        signal = resample(signal, recording.fs_hz, TRUTH_HZ)
    whole = np.full((round(plan.duration_s * TRUTH_HZ), len(LEADS)), np.nan, dtype=np.float32)
    n = min(len(whole), len(signal))
    whole[:n] = signal[:n]
    return whole


def _places(plan: Layout, style: PageStyle) -> Iterator[_Place]:
    baselines = _baselines_mm(len(plan.rows), style)
    for row, leads in enumerate(plan.rows):
        length_s = plan.duration_s / len(leads)
        for column, lead in enumerate(leads):
            start_s = column * length_s
            strip = lead == STRIP
            name = style.strip_lead if strip else lead
            left_mm = style.left_mm + start_s * MM_PER_S
            yield _Place(name, row, column, strip, start_s, start_s + length_s, left_mm, float(baselines[row]))


def _baselines_mm(n_rows: int, style: PageStyle) -> NDArray[np.float64]:
    """Where the rows lie; more than four reach farther up and down than the style says, as far as there is room."""
    first, last = style.rows_mm
    if n_rows > _USUAL_ROWS:
        _, top, _, bottom = grid_box_mm(style)
        header_mm = 6 * style.text_height_mm if style.header == "inside" else 0.0
        footer_mm = 0.0 if style.footer == "below" and any(style.grid_margins_mm) else 2 * style.text_height_mm
        first, last = min(first, top + header_mm + _DENSE_MM), max(last, bottom - footer_mm - _DENSE_MM)
    return np.linspace(first, last, n_rows)


def _window(signal: FloatArray, place: _Place) -> FloatArray:
    """The samples of a lead that are drawn at a place, (n,) float32, mV."""
    first, last = round(place.start_s * TRUTH_HZ), round(place.stop_s * TRUTH_HZ)
    return signal[first:last, LEADS.index(place.lead)]


def _fitting_gain(signal: FloatArray, places: list[_Place], style: PageStyle) -> float:
    """The gain wished for, or the next smaller one with which every curve stays on the sheet and pulses stay apart."""
    most = min(style.mm_per_mv, _row_room_mm(places, style))
    gains = [gain for gain in GAINS if gain <= most] or [GAINS[-1]]
    for gain in gains:
        # The 1 mV is the pulse.
        heights = [place.baseline_mm - gain * np.append(_window(signal, place), 1.0) for place in places]
        drawn = np.concatenate([height[np.isfinite(height)] for height in heights])
        if drawn.min() >= _EDGE_MM and drawn.max() <= style.sheet_mm[1] - _EDGE_MM:
            return gain
    return gains[-1]


def _row_room_mm(places: list[_Place], style: PageStyle) -> float:
    """From one row to the next."""
    return float(min(np.diff(sorted({place.baseline_mm for place in places})), default=style.sheet_mm[1]))


def _draw_curve(canvas: Canvas, signal: FloatArray, place: _Place, style: PageStyle) -> DrawnCurve:
    mv = _window(signal, place)
    x_mm = place.left_mm + np.arange(len(mv)) * (MM_PER_S / TRUTH_HZ)
    y_mm = place.baseline_mm - style.mm_per_mv * mv
    points_mm = np.column_stack((x_mm, y_mm))
    for run in np.split(points_mm, np.flatnonzero(np.isnan(y_mm))):
        run = run[np.isfinite(run[:, 1])]
        if len(run):
            canvas.stroke(run, width_mm=style.curve_width_mm)
    baseline_px = place.baseline_mm * canvas.px_per_mm - 0.5
    return DrawnCurve(place.lead, place.row, place.strip, place.start_s, canvas.to_px(points_mm), baseline_px)


def _draw_pulses(canvas: Canvas, places: list[_Place], style: PageStyle) -> Iterator[DrawnBox]:
    """One pulse of 1 mV per row, before or behind the curve."""
    if style.pulse == "none":
        return
    width, foot, gap = style.pulse_width_mm, style.pulse_foot_mm, style.pulse_gap_mm
    row_mm = max(place.stop_s for place in places) * MM_PER_S
    right = style.left_mm - gap if style.pulse == "start" else style.left_mm + row_mm + gap + width + 2 * foot
    for place in places:
        if place.column == 0:
            low, high = place.baseline_mm, place.baseline_mm - style.mm_per_mv
            a, b = right - foot - width, right - foot
            points = [(a - foot, low), (a, low), (a, high), (b, high), (b, low), (b + foot, low)]
            canvas.stroke(points, width_mm=style.curve_width_mm)
            yield DrawnBox("pulse", "", place.row, _box_px(canvas, (a, high, b, low)))


def _draw_separators(canvas: Canvas, plan: Layout, places: list[_Place], style: PageStyle) -> Iterator[DrawnBox]:
    kind = style.separators or plan.separators
    changes = [place for place in places if place.column > 0]
    half = style.separator_width_mm / 2
    if kind == "ticks":
        for place in changes:
            x, y, long = place.left_mm, place.baseline_mm, style.tick_mm / 2
            canvas.bar((x - half, y - long, x + half, y + long))
            yield DrawnBox("tick", "", place.row, _box_px(canvas, (x - half, y - long, x + half, y + long)))
    if kind == "lines":
        for x in sorted({place.left_mm for place in changes}):
            rows = [place.baseline_mm for place in changes if place.left_mm == x]
            box = (x - half, min(rows) - _LINE_MM, x + half, max(rows) + _LINE_MM)
            canvas.bar(box)
            yield DrawnBox("line", "", -1, _box_px(canvas, box))


def _draw_names(canvas: Canvas, plan: Layout, places: list[_Place], style: PageStyle) -> Iterator[DrawnBox]:
    where = style.label_place or plan.labels
    height = style.label_height_mm
    room_mm = _row_room_mm(places, style) / 2 - height  # nearer to its own row than to the next
    offset = max(_CLEAR_MM, min(style.label_offset_mm, room_mm))
    shift = {"above": -offset, "on": height / 2, "below": offset + height}[where]
    for place in places:
        at = (place.left_mm + _NAME_MM, place.baseline_mm + shift)
        yield DrawnBox("name", place.lead, place.row, _box_px(canvas, _write_name(canvas, place.lead, at, style)))


def _write_name(canvas: Canvas, name: str, at_mm: tuple[float, float], style: PageStyle) -> Box:
    """Write a lead name, its baseline beginning at `at_mm`; returns its box, mm."""
    left, baseline = at_mm
    height = style.label_height_mm
    if style.letters == "opencv":
        return canvas.write(name, left_mm=left, baseline_mm=baseline, height_mm=height)
    pen, serif = style.label_width_mm, style.letters == "serif"
    strokes, width = strokes_of(name, height=height, pen=pen, serif=serif, slant=style.label_slant)
    for stroke in strokes:
        canvas.stroke(stroke + np.array([left, baseline]), width_mm=pen)
    return left, baseline - height, left + width, baseline


def _draw_words(canvas: Canvas, style: PageStyle, *, first_row_mm: float, note: str, rng: np.random.Generator) -> None:
    header = header_of(style, first_row_mm=first_row_mm, rng=rng)
    left, _, right, _ = grid_box_mm(style)
    for line in (*header.words, *footer_words(style, note=note, rng=rng)):
        canvas.write(line.text, left_mm=line.left_mm, baseline_mm=line.baseline_mm, height_mm=line.height_mm)
    for y in header.rules_mm:
        canvas.bar((left, y, right, y + _RULE_MM))


def _printed(canvas: Canvas, style: PageStyle) -> Pixels:
    """Paper, grid and ink laid over each other, a band of rows at a time: that spares memory and time."""
    layers, ink = grid_layers(canvas, style), canvas.ink()
    pixels = np.empty((canvas.height_px, canvas.width_px, 3), dtype=np.uint8)
    for first in range(0, canvas.height_px, _BAND_PX):
        last = min(first + _BAND_PX, canvas.height_px)
        inked = ink[first:last] * np.float32(style.ink_strength / 255)
        shares = [(layer.share(first, last), layer.bgr) for layer in layers] + [(inked, style.ink_bgr)]
        for channel in range(3):
            level = np.full(inked.shape, style.paper_bgr[channel], dtype=np.float32)
            for share, bgr in shares:
                level += share * (np.float32(bgr[channel]) - level)
            pixels[first:last, :, channel] = np.rint(level)
    return pixels


def _truth(name: str, signal: FloatArray, places: list[_Place]) -> Recording:
    truth = np.full_like(signal, np.nan)
    for place in places:
        first, last = round(place.start_s * TRUTH_HZ), round(place.stop_s * TRUTH_HZ)
        column = LEADS.index(place.lead)
        truth[first:last, column] = signal[first:last, column]
    return Recording(truth, TRUTH_HZ, LEADS, name)


def _grid_corners(canvas: Canvas, style: PageStyle) -> FloatArray:
    corners = _corners(*_box_px(canvas, grid_box_mm(style)))
    return np.minimum(corners, np.array([canvas.width_px - 0.5, canvas.height_px - 0.5], dtype=np.float32))


def _box_px(canvas: Canvas, box_mm: Box) -> Box:
    left, top, right, bottom = (v * canvas.px_per_mm - 0.5 for v in box_mm)
    return left, top, right, bottom


def _corners(left: float, top: float, right: float, bottom: float) -> FloatArray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float32)
