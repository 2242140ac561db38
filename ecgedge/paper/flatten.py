"""From a picture and what is known of its surface to a flat, upright, evenly lit page."""

from dataclasses import replace

import cv2
import numpy as np

from ecgedge.errors import InputError
from ecgedge.paper.bend import Bent
from ecgedge.paper.grid import Floats, Grid
from ecgedge.paper.orientation import find_orientation
from ecgedge.paper.page import FloatArray, Page, Picture, Pixels
from ecgedge.paper.scans import scale_of
from ecgedge.paper.shading import PAPER, remove_shading
from ecgedge.paper.sheet import Sheet
from ecgedge.paper.surface import STEP_PX, Window, draw, lattice_px, turned_back

MOST_PX_PER_MM = 8.0
"""200 dpi: finer shows no more of a curve 0.3 mm wide."""
LOOK_PX_PER_MM = 4.0
"""Scale at which it is seen which way is up."""
LEAST_SHEET_MM, LEAST_PX_PER_MM = 30.0, 0.5
"""A sheet smaller or coarser than this is none: its edges, or the surface, were misread."""
AROUND_MM = 6.0
"""Kept around the printed squares on sides where the sheet's edge is not seen."""


def leave_flat(picture: Picture, grid: Grid) -> Page:
    """A clean scan as a page: pixels untouched, but for turns by 90 degrees."""
    across, down = scale_of(grid)
    turned = _turn(picture.pixels, (across * down) ** 0.5, picture.name)
    pixels = _turned(picture.pixels, turned)
    height, width = pixels.shape[:2]
    map_px = turned_back(lattice_px(width, height, STEP_PX) + 0.5, width, height, turned) - 0.5
    rows, columns = picture.pixels.shape[:2]
    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], dtype=np.float32) - np.float32(0.5)
    if turned in (90, 270):
        across, down = down, across
    return Page(
        pixels=pixels,
        px_per_mm_x=across,
        px_per_mm_y=down,
        corners_px=np.roll(corners, turned // 90, axis=0),
        corners_of="picture",
        turned_deg=turned,
        map_px=map_px.astype(np.float32),
        map_step_px=float(STEP_PX),
        name=picture.name,
    )


def flatten(picture: Picture, grid: Grid, bent: Bent, sheet: Sheet) -> Page:
    """A photographed page drawn flat from the full-size pixels."""
    window = _upright(_window(bent, sheet, picture.name), grid, bent, sheet, picture.name)
    map_px = bent.surface.to_picture(window.lattice_mm(STEP_PX))
    flat = remove_shading(draw(picture.pixels, bent.surface, window), px_per_mm=window.px_per_mm)
    _whiten(flat, map_px, picture.pixels, _on_page(sheet.corners_mm, window))
    corners = sheet.corners_px.astype(np.float32)
    return Page(
        pixels=flat,
        px_per_mm_x=window.px_per_mm,
        px_per_mm_y=window.px_per_mm,
        corners_px=np.roll(corners, window.turned_deg // 90, axis=0),
        corners_of="sheet" if all(sheet.seen) else "grid",
        turned_deg=window.turned_deg,
        map_px=map_px,
        map_step_px=float(STEP_PX),
        name=picture.name,
    )


def _window(bent: Bent, sheet: Sheet, name: str) -> Window:
    """The rectangle around the sheet, or around the printed squares where an edge is not seen."""
    printed = np.add(bent.printed_mm(), (-AROUND_MM, -AROUND_MM, AROUND_MM, AROUND_MM))
    low, high = sheet.corners_mm.min(axis=0), sheet.corners_mm.max(axis=0)
    left, top, right, bottom = np.where(sheet.seen, [*low, *high], printed)
    _require_sheet(min(right - left, bottom - top), LEAST_SHEET_MM, "mm on its short side", name)
    rough = Window(float(left), float(top), int(right - left), int(bottom - top), 1.0)
    scale = min(MOST_PX_PER_MM, bent.surface.px_per_mm(rough))
    _require_sheet(scale, LEAST_PX_PER_MM, "px/mm", name)
    size = round((right - left) * scale), round((bottom - top) * scale)
    return Window(float(left), float(top), *size, scale)


def _require_sheet(found: float, least: float, unit: str, name: str) -> None:
    if not found >= least:
        raise InputError(
            f"{name}: no ECG page found: a sheet of {found:.3g} {unit}, needs {least:g}; photograph one page alone, "
            "flat and from above"
        )


def _upright(window: Window, grid: Grid, bent: Bent, sheet: Sheet, name: str) -> Window:
    """The same window, turned so that the page can be read."""
    shrink = min(1.0, LOOK_PX_PER_MM / window.px_per_mm)
    small = replace(
        window,
        width_px=round(window.width_px * shrink),
        height_px=round(window.height_px * shrink),
        px_per_mm=window.px_per_mm * shrink,
    )
    surface = bent.surface.of_reduced(grid.reduced_by)
    seen = remove_shading(draw(grid.reduced, surface, small), px_per_mm=small.px_per_mm)
    corners = _on_page(sheet.corners_mm, small)
    _whiten(seen, surface.to_picture(small.lattice_mm(STEP_PX)), grid.reduced, corners)
    turned = _turn(seen, small.px_per_mm, name)
    if turned in (90, 270):
        window = replace(window, width_px=window.height_px, height_px=window.width_px)
    return replace(window, turned_deg=turned)


def _turn(pixels: Pixels, px_per_mm: float, name: str) -> int:
    """By how much the page must be turned clockwise."""
    shrink = min(1.0, LOOK_PX_PER_MM / px_per_mm)
    if shrink < 1:
        pixels = np.asarray(
            cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), dtype=np.uint8
        )
    way = find_orientation(pixels, px_per_mm=px_per_mm * shrink)
    if way.mirrored:
        raise InputError(f"{name}: the page is mirrored; photograph it directly, not in a mirror or from behind")
    return way.turned_deg


def _turned(pixels: Pixels, turned_deg: int) -> Pixels:
    return pixels if turned_deg == 0 else np.ascontiguousarray(np.rot90(pixels, -turned_deg // 90))


def _on_page(points_mm: Floats, window: Window) -> Floats:
    """Points in mm (n, 2) as pixels of the window's drawing."""
    unturned = (points_mm - [window.left_mm, window.top_mm]) * window.px_per_mm
    width, height = window.width_px, window.height_px
    back = (360 - window.turned_deg) % 360
    if back in (90, 270):
        width, height = height, width
    return turned_back(unturned, width, height, back) - 0.5


def _whiten(flat: Pixels, map_px: FloatArray, picture: Pixels, corners: Floats) -> None:
    """Paint over what is no paper: beyond the sheet's edges and beyond the picture's."""
    outside = np.ones(flat.shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(outside, np.rint(corners).astype(np.int32), 0)
    height, width = picture.shape[:2]
    least, most = map_px.min(axis=(0, 1)), map_px.max(axis=(0, 1))
    if (least < 0).any() or most[0] > width - 1 or most[1] > height - 1:
        x, y = cv2.split(cv2.resize(map_px, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR))
        beyond = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
        outside |= _enlarged(beyond.astype(np.uint8), flat.shape[1], flat.shape[0])
    cv2.copyTo(np.full_like(flat, PAPER), outside, flat)


def _enlarged(mask: Pixels, width: int, height: int) -> Pixels:
    """A mask of four cells per step of the lattice, as large as the page."""
    cell = STEP_PX // 4
    # cv2.resize lays the lattice's first point at the middle of the first four cells.
    shift = np.array([[1 / cell, 0, 1.5], [0, 1 / cell, 1.5]])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    full = cv2.warpAffine(mask, shift, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(full, dtype=np.uint8)
