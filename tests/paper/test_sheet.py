"""The sheet's corners are found to a thousandth of its diagonal; an edge outside the picture is not made up."""

import numpy as np

from ecgedge.paper.bend import follow_lines
from ecgedge.paper.grid import find_grid
from ecgedge.paper.page import Pixels
from ecgedge.paper.sheet import Sheet, find_sheet
from tests.paper.grid_pictures import TILTED, photo


def sheet_in(pixels: Pixels) -> Sheet:
    grid = find_grid(pixels)
    assert grid is not None
    bent = follow_lines(grid)
    assert bent is not None
    return find_sheet(grid.reduced, bent, reduced_by=grid.reduced_by)


def test_corners() -> None:
    sheet = sheet_in(photo(TILTED)[0])
    assert all(sheet.seen)
    assert np.hypot(*(sheet.corners_px - TILTED).T).max() < 0.003 * np.hypot(*(TILTED[0] - TILTED[2]))


def test_light_on_half_the_page_changes_little() -> None:
    pixels = photo(TILTED)[0]
    light = np.where(np.arange(pixels.shape[1]) < 700, 0.6, 1.0)[None, :, None]
    sheet = sheet_in((pixels * light).astype(np.uint8))
    assert np.hypot(*(sheet.corners_px - TILTED).T).max() < 0.01 * np.hypot(*(TILTED[0] - TILTED[2]))


def test_edge_outside_the_picture_is_not_seen() -> None:
    sheet = sheet_in(np.ascontiguousarray(photo(TILTED)[0][:, :1300]))
    assert sheet.seen[0] and not sheet.seen[2]
