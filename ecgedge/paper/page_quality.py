"""How good a picture of a page is: six figures, each with its limit and what helps to take a better picture.

All are physical: millimetres on paper, shares and degrees, so that a limit means the same for a scan and a photo.
Sharpness and resolution are bounded where the curves of simulated photos, blurred or shrunk step by step, fall under
8 dB against the true signals or are no longer read; the other limits are wide and only keep out hopeless pictures.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.paper.page import Measure, Page, Picture, Pixels

LIMITS: Mapping[str, float] = MappingProxyType(
    {"sharpness": 1.5, "glare": 8.0, "contrast": 20.0, "resolution": 2.5, "coverage": 70.0, "tilt": 50.0}
)
"""Lines per mm, % of the page, % of the paper's brightness, px per mm, % of the page, degrees."""

BoolArray = NDArray[np.bool_]

_TILE_MM = 20.0  # holds a QRS complex or a few letters, and light is even across it
_TILES = 16  # looked at, spread over the page; more change little
_CELL_MM = 5.0  # a large square of the grid
_EDGE_REACH_MM = 1.0  # an edge blurred over more than twice this is lost anyway
_STRONGEST = 0.02  # share of a tile's pixels taken as its edges: a curve 0.4 mm thick covers 2 to 4 % of a tile
_LEAST_STEP = 25.0  # grey levels between ink and paper; weaker steps are grid and noise
_INK_SHARE = 0.005  # of the page's pixels; curves and names are 1 to 4 %
_CALM_PX_PER_MM = 2.0  # enough to see whether there is a grid
_POINTS = 4  # per cell and direction, where the picture is looked at
_SATURATED = 250  # of 255, in every channel; JPEG leaves a few levels of ringing
_GRID_GONE = 0.3  # of the page's usual contrast between grid and paper
_FOCAL_LENGTH = 0.75  # of the picture's longer side: 26 to 28 mm on 36 mm, the main camera of most phones


def measure_quality(page: Page, picture: Picture) -> tuple[Measure, ...]:
    """Sharpness, glare, contrast, resolution, coverage and tilt of a page, in this order.

    Sharpness is the number of blurred edges that fit side by side into one millimetre: the height of the strongest
    edges over their steepness (Gaussian blur of s mm gives an edge 2.5 s wide, a thin line 1.65 s), across and down,
    whichever is worse, in the worse quarter of the page's tiles. Glare is the share of the page where the picture is
    white and the grid cannot be seen, contrast the darkness of the ink against the paper. Resolution is that of the
    picture, where the page is farthest from the camera. Tilt takes the camera for that of a phone, uncropped.

    Parameters
    ----------
    page : as it is cut to its traces, shading removed
    picture : what it was found in
    """
    grey = np.asarray(cv2.cvtColor(page.pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    return (
        _at_least("sharpness", _sharpness(grey, page), "lines/mm", "hold still, focus on the page or come closer"),
        _at_most("glare", _glare(grey, page, picture.pixels), "%", "turn the page or the lamp until the shine is gone"),
        _at_least("contrast", _contrast(grey), "%", "take more light, or have the page printed darker"),
        _at_least("resolution", _resolution(page), "px/mm", "come closer, so that the page fills the picture"),
        _at_least(
            "coverage", _coverage(page, picture.pixels), "%", "step back, so that the whole page is in the picture"
        ),
        _at_most("tilt", _tilt_deg(page, picture.pixels), "degrees", "hold the camera above the middle of the page"),
    )


def require_quality(measures: Sequence[Measure], *, name: str = "picture") -> None:
    """Refuse a picture beyond a limit.

    Raises
    ------
    InputError
        Names every figure beyond its limit and what helps, on one line.
    """
    failed = [str(measure) for measure in measures if not measure.good]
    if failed:
        raise InputError(f"{name}: {'; '.join(failed)}")


def _at_least(name: str, value: float, unit: str, remedy: str) -> Measure:
    return Measure(name, value, unit, LIMITS[name], True, remedy)


def _at_most(name: str, value: float, unit: str, remedy: str) -> Measure:
    return Measure(name, value, unit, LIMITS[name], False, remedy)


def _sharpness(grey: Pixels, page: Page) -> float:
    px_per_mm = min(page.px_per_mm_x, page.px_per_mm_y)
    tile, reach = max(8, round(_TILE_MM * px_per_mm)), max(1, round(_EDGE_REACH_MM * px_per_mm))
    rows, columns = (range(0, max(1, length - tile // 2), tile) for length in grey.shape)
    corners = [(top, left) for top in rows for left in columns]
    tiles = [grey[y : y + tile, x : x + tile] for y, x in corners[:: max(1, round(len(corners) / _TILES))]]
    across_mm = [_edge_px(tile, reach) / page.px_per_mm_x for tile in tiles]
    down_mm = [_edge_px(np.ascontiguousarray(tile.T), reach) / page.px_per_mm_y for tile in tiles]
    widths_mm = [np.percentile(widths, 75) for edges in (across_mm, down_mm) if (widths := [w for w in edges if w > 0])]
    return 1 / float(max(widths_mm)) if widths_mm else 0.0


def _edge_px(tile: Pixels, reach_px: int) -> float:
    """Median height of a tile's strongest edges over their steepness, px; 0 where there is no ink."""
    calm = cv2.blur(tile, (1, 3))  # noise is averaged along the edge, not across it
    slope = cv2.absdiff(calm[:, 1:], calm[:, :-1]).ravel()
    count = max(1, round(_STRONGEST * slope.size))
    strongest = np.argpartition(slope, -count)[-count:]
    kernel = np.ones((1, 2 * reach_px + 1), np.uint8)
    height = cv2.subtract(cv2.dilate(calm, kernel), cv2.erode(calm, kernel))[:, :-1].ravel()[strongest]
    steepness = np.maximum(slope[strongest], 1)
    return float(np.median(height / steepness)) if np.median(height) >= _LEAST_STEP else 0.0


def _contrast(grey: Pixels) -> float:
    counts = np.cumsum(cv2.calcHist([grey], [0], None, [256], [0, 256]))
    ink, paper = np.searchsorted(counts, np.array((_INK_SHARE, 0.5)) * counts[-1])
    return 100 * float(paper - ink) / max(1.0, float(paper))


def _glare(grey: Pixels, page: Page, picture: Pixels) -> float:
    """Share of the page's cells that are white in the picture and have no grid, %.

    None where most of the page is white: then it is a scan or a drawing, and white does not mean shine.
    """
    width, height = (round(side / px_per_mm * _CALM_PX_PER_MM) for side, px_per_mm in _sides(page))
    cell = round(_CELL_MM * _CALM_PX_PER_MM)
    if min(width, height) <= cell:
        return 0.0
    calm = _shrunk(grey, width, height)
    rows, columns = calm.shape[0] // cell, calm.shape[1] // cell
    calm = calm[: rows * cell, : columns * cell]
    cells = calm.reshape(rows, cell, columns, cell).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    texture = cells.std(axis=2)
    white = _white(page, picture, rows, columns)
    if page.corners_of == "picture" or white.mean() > 0.5:
        return 0.0
    return 100 * float(np.mean(white & (texture < _GRID_GONE * np.median(texture))))


def _shrunk(grey: Pixels, width: int, height: int) -> Pixels:
    """Averaged to a size; whole numbers of pixels, where the last ones fill less than half a pixel, in a moment."""
    down, across = (max(1, round(long / short)) for long, short in zip(grey.shape, (height, width), strict=True))
    if abs(height * down - grey.shape[0]) < down and abs(width * across - grey.shape[1]) < across:
        height, width = grey.shape[0] // down, grey.shape[1] // across
        grey = grey[: height * down, : width * across]
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _white(page: Page, picture: Pixels, rows: int, columns: int) -> BoolArray:
    """Which cells of the page are saturated in the picture: (rows, columns) bool, most of a few points in each."""
    x, y = ((np.arange(n * _POINTS) + 0.5) * _CELL_MM / _POINTS for n in (columns, rows))
    grid = np.stack(np.meshgrid(x * page.px_per_mm_x, y * page.px_per_mm_y), -1).reshape(-1, 2)
    at = np.rint(page.to_picture(grid.astype(np.float32))).astype(np.int64)
    at = np.clip(at, 0, (picture.shape[1] - 1, picture.shape[0] - 1))
    white = (picture[at[:, 1], at[:, 0]] >= _SATURATED).all(axis=1)
    return np.asarray(white.reshape(rows, _POINTS, columns, _POINTS).mean(axis=(1, 3)) > 0.5)


def _sides(page: Page) -> tuple[tuple[int, float], tuple[int, float]]:
    height, width = page.pixels.shape[:2]
    return (width, page.px_per_mm_x), (height, page.px_per_mm_y)


def _resolution(page: Page) -> float:
    """Pixels of the picture per mm of the page, the worse direction, in the worst twentieth of the page."""
    scales = [
        np.linalg.norm(np.diff(page.map_px, axis=axis), axis=2).ravel() * px_per_mm / page.map_step_px
        for axis, px_per_mm in ((1, page.px_per_mm_x), (0, page.px_per_mm_y))
    ]
    return min(float(np.percentile(scale, 5)) for scale in scales)


def _coverage(page: Page, picture: Pixels) -> float:
    """Share of the page that lies in the picture, %."""
    x, y = page.map_px[:, :, 0], page.map_px[:, :, 1]
    inside = (x >= -1) & (y >= -1) & (x <= picture.shape[1]) & (y <= picture.shape[0])
    return 100 * float(inside.mean())


def _tilt_deg(page: Page, picture: Pixels) -> float:
    """Angle between the camera's axis and the line at right angles to the page."""
    rows, columns = page.map_px.shape[:2]
    right = (columns - 1) * page.map_step_px / page.px_per_mm_x
    bottom = (rows - 1) * page.map_step_px / page.px_per_mm_y
    on_page = np.array([(0, 0), (right, 0), (right, bottom), (0, bottom)], np.float32)
    centre = np.array(picture.shape[1::-1]) / 2
    seen = page.map_px[[0, 0, -1, -1], [0, -1, -1, 0]] - centre
    view = cv2.getPerspectiveTransform(on_page, (seen / (_FOCAL_LENGTH * max(picture.shape[:2]))).astype(np.float32))
    axis = np.cross(view[:, 0], view[:, 1])
    return float(np.degrees(np.arccos(min(1.0, abs(axis[2]) / max(float(np.linalg.norm(axis)), 1e-12)))))
