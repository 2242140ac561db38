"""From a picture to a flat, upright page without header and footer.

The printed grid is looked for first: it alone gives millimetres, and it gives them wherever the sheet lies, however
it is folded, and whether or not its edges are in the picture.
"""

from dataclasses import replace

from ecgedge.errors import InputError
from ecgedge.paper.bend import follow_lines
from ecgedge.paper.crop import cut_to_traces
from ecgedge.paper.flatten import flatten, leave_flat
from ecgedge.paper.grid import find_grid
from ecgedge.paper.page import Page, Picture
from ecgedge.paper.page_quality import measure_quality
from ecgedge.paper.scans import is_clean
from ecgedge.paper.sheet import find_sheet

LEAST_MM = (100.0, 35.0)
"""Long and short side of the smallest grid taken for an ECG page: four seconds of one row. Chessboards, keyboards and
crosswords have fewer squares."""
REMEDY = "photograph one ECG page alone, from above, in focus, filling the picture"


def find_page(picture: Picture) -> Page:
    """Find an ECG page in a picture, flatten it and cut off header and footer.

    Parameters
    ----------
    picture : a photo or a scan; pixels (height, width, 3) uint8, blue-green-red.

    Returns
    -------
    The page, its quality measured but not judged (see `page_quality.require_quality`). A clean scan's pixels are those
    of the picture, unchanged.

    Raises
    ------
    InputError
        No page, no grid of millimetres on it, more than one page, a mirrored page, or no curves on it.
    """
    page = cut_to_traces(flat_page(picture))
    return replace(page, quality=measure_quality(page, picture))


def flat_page(picture: Picture) -> Page:
    """The same with header and footer, its quality not measured: not to be stored."""
    grid = find_grid(picture.pixels)
    if grid is None:
        raise InputError(f"{picture.name}: no ECG page found: no grid of 1-mm or 5-mm lines in it; {REMEDY}")
    _require_size(grid.size_mm(), picture.name)
    if is_clean(picture.pixels, grid):
        return leave_flat(picture, grid)
    bent = follow_lines(grid)
    if bent is None:
        raise InputError(f"{picture.name}: no ECG page found: its grid is too faint to follow; {REMEDY}")
    left, top, right, bottom = bent.printed_mm()
    _require_size((right - left, bottom - top), picture.name)
    return flatten(picture, grid, bent, find_sheet(grid.reduced, bent, reduced_by=grid.reduced_by))


def _require_size(size_mm: tuple[float, float], name: str) -> None:
    if max(size_mm) < LEAST_MM[0] or min(size_mm) < LEAST_MM[1]:
        found, needed = (f"{max(size):.0f} x {min(size):.0f} mm" for size in (size_mm, LEAST_MM))
        raise InputError(f"{name}: no ECG page found: a grid of only {found}, needs {needed}; {REMEDY}")
