"""The grid as it is printed: lines or dots of 1 mm and 5 mm, in a box or over the whole sheet."""

from dataclasses import dataclass

import numpy as np

from ecgedge.paper.page import FloatArray
from ecgedge.paper.simulated.canvas import Box, Canvas, lines_coverage
from ecgedge.paper.simulated.page_style import PageStyle

Axes = tuple[FloatArray, FloatArray]
"""A profile along x, (width,), and one along y, (height,)."""
_DOTS_MM = 0.5  # distance of the dots that a dotted line is made of


@dataclass(frozen=True, slots=True)
class PrintedLayer:
    """One colour of the print: how much of each pixel it covers, as the larger of products of two profiles."""

    bgr: tuple[int, int, int]
    strength: float
    products: tuple[Axes, ...]

    def share(self, first: int, last: int) -> FloatArray:
        """Of the pixels in rows `first` to `last`, (last - first, width) float32, 0 to 1."""
        shares = [np.multiply.outer(y[first:last], x) for x, y in self.products]
        whole = shares[0] if len(shares) == 1 else np.maximum(*shares)
        whole *= np.float32(self.strength)
        return np.asarray(whole, dtype=np.float32)


def grid_box_mm(style: PageStyle) -> Box:
    """Left, top, right, bottom of the grid, mm; in a box it is a whole number of squares of 5 mm wide and high."""
    left, top, right, bottom = style.grid_margins_mm
    width, height = style.sheet_mm
    if style.grid_margins_mm == (0, 0, 0, 0):
        return 0.0, 0.0, width, height
    wide, high = ((width - left - right) // 5 * 5, (height - top - bottom) // 5 * 5)
    return left, top, left + wide, top + high


def grid_layers(canvas: Canvas, style: PageStyle) -> list[PrintedLayer]:
    """What is printed before anything is written, in that order: 1-mm grid, 5-mm grid, border."""
    box = grid_box_mm(style)
    inside = _inside(canvas, box)
    fine = _axes(canvas, box, step_mm=1.0, width_mm=style.fine_width_mm)
    coarse = _axes(canvas, box, step_mm=5.0, width_mm=style.coarse_width_mm)
    layers = []
    if style.grid.startswith("fine"):
        products = (fine,) if style.grid.endswith("dots") else _crossed(fine, inside)
        layers.append(PrintedLayer(style.fine_bgr or style.grid_bgr, style.fine_strength, products))
    dots = _axes(canvas, box, step_mm=_DOTS_MM, width_mm=style.coarse_width_mm)
    products = _crossed(coarse, dots if style.grid.endswith("dots") else inside)
    layers.append(PrintedLayer(style.grid_bgr, style.coarse_strength, products))
    if style.border_bgr is not None:
        layers.append(PrintedLayer(style.border_bgr, 1.0, _frame(canvas, box, style.border_width_mm)))
    return layers


def _crossed(lines: Axes, extent: Axes) -> tuple[Axes, Axes]:
    """Lines along x and along y, each as long as `extent`."""
    return (extent[0], lines[1]), (lines[0], extent[1])


def _axes(canvas: Canvas, box: Box, *, step_mm: float, width_mm: float) -> Axes:
    """Coverage along x and along y of lines every `step_mm` from the left top corner of the box."""
    left, top, right, bottom = box
    across = np.arange(left, right + 1e-6, step_mm)
    down = np.arange(top, bottom + 1e-6, step_mm)
    return (
        lines_coverage(canvas.width_px, across, width_mm=width_mm, px_per_mm=canvas.px_per_mm),
        lines_coverage(canvas.height_px, down, width_mm=width_mm, px_per_mm=canvas.px_per_mm),
    )


def _inside(canvas: Canvas, box: Box) -> Axes:
    """Coverage along x and along y of the box itself."""
    left, top, right, bottom = box
    middle_x, middle_y = np.array([(left + right) / 2]), np.array([(top + bottom) / 2])
    return (
        lines_coverage(canvas.width_px, middle_x, width_mm=right - left, px_per_mm=canvas.px_per_mm),
        lines_coverage(canvas.height_px, middle_y, width_mm=bottom - top, px_per_mm=canvas.px_per_mm),
    )


def _frame(canvas: Canvas, box: Box, width_mm: float) -> tuple[Axes, Axes]:
    """The border of the box."""
    left, top, right, bottom = box
    half = width_mm / 2
    outer_x, outer_y = _inside(canvas, (left - half, top - half, right + half, bottom + half))
    inner_x, inner_y = _inside(canvas, (left + half, top + half, right - half, bottom - half))
    return (outer_x - inner_x, outer_y), (outer_x, outer_y - inner_y)
