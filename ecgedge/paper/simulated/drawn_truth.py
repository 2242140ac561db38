"""The truth about a drawn page as plain values for JSON, in the pixels of the page or of a photo of it."""

from collections.abc import Callable

import numpy as np

from ecgedge.manifest import Json
from ecgedge.paper.page import FloatArray
from ecgedge.paper.simulated.drawing import MM_PER_S, DrawnBox, DrawnCurve, DrawnPage

Mapped = Callable[[FloatArray], FloatArray]


def truth_of(page: DrawnPage, *, to_picture: Mapped | None = None) -> dict[str, Json]:
    """Layout, scale, corners, curves and boxes of a page.

    Parameters
    ----------
    to_picture : where points (n, 2) of the page lie in the picture that was made of it; by default the page is it

    Returns
    -------
    Values for JSON; lengths in px of the picture, to 0.01 px; a point is null where the recording has no value
    """
    mapped = to_picture or (lambda points_px: points_px)
    return {
        "layout": page.layout,
        "style": page.style.name,
        "px_per_mm": page.px_per_mm,
        "mm_per_s": MM_PER_S,
        "mm_per_mv": page.mm_per_mv,
        "sheet_corners_px": _points(mapped(page.sheet_corners_px)),
        "grid_corners_px": _points(mapped(page.grid_corners_px)),
        "curves": [_curve(curve, mapped) for curve in page.curves],
        "boxes": [_box(box, mapped) for box in page.boxes],
    }


def _curve(curve: DrawnCurve, mapped: Mapped) -> dict[str, Json]:
    left, right = curve.points_px[[0, -1], 0]
    baseline = np.array([[left, curve.baseline_px], [right, curve.baseline_px]], dtype=np.float32)
    return {
        "lead": curve.lead,
        "row": curve.row,
        "strip": curve.strip,
        "start_s": curve.start_s,
        "baseline_px": _points(mapped(baseline)),
        "points_px": _points(mapped(curve.points_px)),
    }


def _box(box: DrawnBox, mapped: Mapped) -> dict[str, Json]:
    left, top, right, bottom = box.box_px
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float32)
    return {"kind": box.kind, "text": box.text, "row": box.row, "corners_px": _points(mapped(corners))}


def _points(points_px: FloatArray) -> list[Json]:
    return [
        [round(float(x), 2), round(float(y), 2)] if np.isfinite(x) and np.isfinite(y) else None for x, y in points_px
    ]
