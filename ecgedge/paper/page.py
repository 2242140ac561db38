"""The values that flow from a photo to signals: Picture, Page, LeadTrace, Traces. Frozen, units in names."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, EXIF rotation applied."""

    pixels: Pixels
    """(height, width, 3) uint8, blue-green-red as OpenCV has it."""
    name: str = "picture"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a picture's quality, with its limit."""

    name: str
    """sharpness, glare, contrast, resolution, coverage or tilt."""
    value: float
    unit: str
    limit: float
    at_least: bool
    """Whether the value must be at least the limit, or at most."""
    remedy: str
    """What helps to take a better picture, e.g. "hold still or come closer"."""

    @property
    def good(self) -> bool:
        """Whether the limit is kept."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        word = "needs" if self.at_least else "at most"
        return f"{self.name} {self.value:.3g} {self.unit}, {word} {self.limit:.3g}: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Page:
    """A flat, upright page without header and footer: what is judged and stored."""

    pixels: Pixels
    """(height, width, 3) uint8, blue-green-red; paper near 255, shading removed."""
    px_per_mm_x: float
    px_per_mm_y: float
    corners_px: FloatArray
    """(4, 2) float32, x and y in the picture: top left, top right, bottom right, bottom left as the page is read."""
    corners_of: Literal["sheet", "grid", "picture"]
    """What the corners bound: the sheet of paper, the printed grid, or the whole picture (a scan)."""
    turned_deg: int
    """By how much the picture was turned clockwise to make the page upright: 0, 90, 180 or 270."""
    map_px: FloatArray
    """(rows, columns, 2) float32: x and y in the picture of a coarse lattice of page points; see `to_picture`."""
    map_step_px: float
    """Distance of the lattice's points on the page, px; point [r, c] is page pixel (c * step, r * step)."""
    quality: tuple[Measure, ...] = ()
    name: str = "page"

    def to_picture(self, points_px: FloatArray) -> FloatArray:
        """Where points of the page lie in the picture.

        Parameters
        ----------
        points_px : (n, 2) float32, x and y on the page, px; outside the page they are extrapolated.

        Returns
        -------
        (n, 2) float32, x and y in the picture, px.
        """
        rows, columns = self.map_px.shape[:2]
        at = np.asarray(points_px, dtype=np.float32) / np.float32(self.map_step_px)
        column = np.clip(np.floor(at[:, 0]).astype(int), 0, columns - 2)
        row = np.clip(np.floor(at[:, 1]).astype(int), 0, rows - 2)
        right, down = (at[:, 0] - column)[:, None], (at[:, 1] - row)[:, None]
        upper = self.map_px[row, column] * (1 - right) + self.map_px[row, column + 1] * right
        lower = self.map_px[row + 1, column] * (1 - right) + self.map_px[row + 1, column + 1] * right
        return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class LeadTrace:
    """The curve of one lead, or of one rhythm strip, as read off a page."""

    lead: str
    row: int
    """Row of the page, from the top, 0 first."""
    strip: bool
    """Whether it is a rhythm strip."""
    start_s: float
    """Time since the left end of the row."""
    x_px: FloatArray
    """(n_columns,) float32, page columns that the curve spans, increasing by 1."""
    y_px: FloatArray
    """(n_columns,) float32, centre of the curve in each column, px from the top; NaN where there is no ink or doubt."""
    baseline_px: float
    """Where 0 mV lies, px from the top."""
    confidence: float
    """0 to 1: how sure it is that this is the curve of this lead."""


@dataclass(frozen=True, slots=True)
class Traces:
    """All curves of a page, and how sure it is what they are."""

    leads: tuple[LeadTrace, ...]
    layout: str
    """Name in layouts.toml."""
    confidence: float
    """0 to 1, of the layout."""
    px_per_mm_x: float
    px_per_mm_y: float
    mm_per_s: float
    mm_per_mv: float
    gain_from: Literal["pulse", "assumed"]
    """Whether mm/mV were measured on calibration pulses or are the usual 10."""
    name: str = "page"
