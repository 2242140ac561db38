"""A sheet to draw on in mm: coverage of fine lines is exact, pens are drawn large and reduced."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray, Pixels

_FINE_PX_PER_MM = 16.0  # the pen layer is drawn at least this large: a pen of 0.25 mm is then 4 px wide
_SHIFT = 4  # bits behind the point of coordinates given to OpenCV
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Canvas:
    """Scale of a sheet and the large layer of one pen. A point at (0, 0) mm is the corner of the first pixel."""

    px_per_mm: float
    width_px: int
    height_px: int
    enlarged: int
    """How many times larger the layer is than the picture."""
    layer: NDArray[np.uint8]
    """(height_px * enlarged, width_px * enlarged) uint8, 255 where there is ink; drawn into."""

    def to_px(self, points_mm: NDArray[np.floating]) -> FloatArray:
        """Where points lie in the picture: (n, 2) mm -> (n, 2) float32 px; whole numbers are centres of pixels."""
        return np.asarray(np.asarray(points_mm) * self.px_per_mm - 0.5, dtype=np.float32)

    def stroke(self, points_mm: NDArray[np.floating] | Sequence[tuple[float, float]], *, width_mm: float) -> None:
        """Draw a line through the points, (n, 2) mm, with round ends."""
        scale = self.px_per_mm * self.enlarged
        at = np.round((np.asarray(points_mm, dtype=np.float64) * scale - 0.5) * 2**_SHIFT).astype(np.int32)
        cv2.polylines(self.layer, [at], False, 255, max(1, round(width_mm * scale)), cv2.LINE_AA, _SHIFT)

    def bar(self, box_mm: Box) -> None:
        """Fill a rectangle: left, top, right, bottom in mm."""
        left, top, right, bottom = (v * self.px_per_mm * self.enlarged for v in box_mm)
        # A filled polygon covers the pixels of its outline too: half a pixel less at every side.
        corners = np.array([[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]])
        at = np.round(corners * 2**_SHIFT).astype(np.int32)
        cv2.fillConvexPoly(self.layer, at, 255, cv2.LINE_AA, _SHIFT)

    def write(self, text: str, *, left_mm: float, baseline_mm: float, height_mm: float) -> Box:
        """Write a line with OpenCV's letters; returns left, top, right, bottom in mm."""
        scale = self.px_per_mm * self.enlarged
        face = cv2.FONT_HERSHEY_SIMPLEX
        size = height_mm * scale / 22  # capitals of Hershey's letters are about 22 px high at size 1
        thickness = max(1, round(0.1 * height_mm * scale))
        if int(cv2.__version__.split(".")[0]) >= 5:
            thickness = 1  # there it is a weight, not a width
        at = (round(left_mm * scale), round(baseline_mm * scale))
        cv2.putText(self.layer, text, at, face, size, 255, thickness, cv2.LINE_AA)
        (width, height), below = cv2.getTextSize(text, face, size, thickness)
        return left_mm, baseline_mm - height / scale, left_mm + width / scale, baseline_mm + below / scale

    def ink(self) -> Pixels:
        """Share of each pixel of the picture that is inked, (height_px, width_px) uint8, 0 to 255."""
        small = cv2.resize(self.layer, (self.width_px, self.height_px), interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.uint8)


def new_canvas(width_mm: float, height_mm: float, *, px_per_mm: float) -> Canvas:
    """A blank sheet."""
    width_px, height_px = round(width_mm * px_per_mm), round(height_mm * px_per_mm)
    enlarged = max(1, ceil(_FINE_PX_PER_MM / px_per_mm))
    layer = np.zeros((height_px * enlarged, width_px * enlarged), dtype=np.uint8)
    return Canvas(px_per_mm, width_px, height_px, enlarged, layer)


def lines_coverage(n_px: int, centres_mm: NDArray[np.floating], *, width_mm: float, px_per_mm: float) -> FloatArray:
    """Share of each pixel along an axis that is covered by lines across it.

    Returns
    -------
    (n_px,) float32, 0 to 1
    """
    edges = np.arange(n_px + 1)
    left = (np.asarray(centres_mm)[:, np.newaxis] - width_mm / 2) * px_per_mm
    covered = np.clip(edges - left, 0, width_mm * px_per_mm).sum(axis=0)
    return np.asarray(np.clip(np.diff(covered), 0, 1), dtype=np.float32)
