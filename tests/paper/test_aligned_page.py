"""Alignment of a page by its curves: leads and zero lines at fixed places whatever the margins, lean and bend."""

from dataclasses import replace

import numpy as np
import pytest

from ecgedge.aligned_page import MARGIN, align_page, row_places
from ecgedge.errors import InputError
from ecgedge.paper.page import LeadTrace, Page, Traces

ROWS, COLUMNS = 4, 4
LEAD_PX, DISTANCE_PX = 120, 60
BLACK = 60
"""Grey level below which a pixel is a mark."""


def drawn(left_px: np.ndarray, level_px: np.ndarray, *, strip: bool = True) -> tuple[Page, Traces]:
    """A page whose row r begins at `left_px[r]` and lies at `level_px[r]`, with a mark at the begin of every lead."""
    pixels = np.full((420, 700, 3), 255, np.uint8)
    leads = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            x, y = int(left_px[row]) + column * LEAD_PX, int(level_px[row])
            pixels[y - 2 : y + 3, x + 10 : x + 15] = 0
            leads.append(lead(row, x, LEAD_PX, y, strip=False))
    if strip:  # the last row is one long lead
        leads = [*leads[:-COLUMNS], lead(ROWS - 1, int(left_px[-1]), COLUMNS * LEAD_PX, int(level_px[-1]), strip=True)]
    lattice = np.stack(np.meshgrid(np.arange(8) * 100.0, np.arange(6) * 100.0), axis=-1).astype(np.float32)
    page = Page(pixels, 4.0, 4.0, np.zeros((4, 2), np.float32), "picture", 0, lattice, 100.0)
    return page, Traces(tuple(leads), "3x4+1", 1.0, 4.0, 4.0, 25.0, 10.0, "pulse")


def lead(row: int, x_px: int, length_px: int, y_px: int, *, strip: bool) -> LeadTrace:
    columns = np.arange(x_px, x_px + length_px, dtype=np.float32)
    return LeadTrace("II", row, strip, 0.0, columns, np.full(length_px, y_px, np.float32), float(y_px), 1.0)


def marks(page: Page) -> np.ndarray:
    """Where the marks lie, as shares of height and width: (rows, columns, 2) y and x."""
    dark = page.pixels[..., 0] < BLACK
    height, width = dark.shape
    first, distance = row_places(ROWS)
    found = np.zeros((ROWS, COLUMNS, 2))
    for row in range(ROWS):
        middle = round((first + row * distance) * height)
        for column in range(COLUMNS):
            box = np.argwhere(
                dark[middle - 8 : middle + 9, column * width // COLUMNS : (column + 1) * width // COLUMNS]
            )
            found[row, column] = box.mean(axis=0) + np.array([middle - 8 + 0.5, column * width // COLUMNS + 0.5])
    return found / (height, width)


LEVEL = np.full(ROWS, 60) + DISTANCE_PX * np.arange(ROWS)
LEFT = np.full(ROWS, 50)
LEAN, UNEVEN = np.array([0, 8, 20, 40]), np.array([0, 6, -5, 10])


@pytest.mark.parametrize(
    ("left", "level"),
    [(LEFT, LEVEL), (LEFT + 90, LEVEL + 70), (LEFT + LEAN, LEVEL), (LEFT, LEVEL + UNEVEN)],
    ids=["a scan", "other margins", "leaning rows", "uneven rows"],
)
def test_leads_come_to_the_same_places(left, level):
    aligned = align_page(*drawn(left, level))
    first, distance = row_places(ROWS)
    wanted = np.zeros((ROWS, COLUMNS, 2))
    wanted[..., 0] = (first + distance * np.arange(ROWS))[:, None]
    wanted[..., 1] = (np.arange(COLUMNS) + 12.5 / LEAD_PX) / COLUMNS
    np.testing.assert_allclose(marks(aligned), wanted, atol=0.004)


@pytest.mark.parametrize("missing", [0, 1, ROWS - 1])
def test_a_row_that_was_not_read_takes_its_place(missing):
    """Rhythm strips whose lead is not sure are left out, on photos often."""
    page, traces = drawn(LEFT + 30, LEVEL + 40)
    without = replace(traces, leads=tuple(lead for lead in traces.leads if lead.row != missing))
    np.testing.assert_array_equal(align_page(page, without).pixels, align_page(page, traces).pixels)


def test_millimetres_stay_as_long_as_they_were():
    aligned = align_page(*drawn(LEFT, LEVEL))
    assert aligned.pixels.shape == (round((ROWS - 1 + 2 * MARGIN) * DISTANCE_PX), COLUMNS * LEAD_PX, 3)
    assert (aligned.px_per_mm_x, aligned.px_per_mm_y) == (4.0, 4.0)


def test_points_are_found_again_in_the_picture():
    page, traces = drawn(LEFT + 90, LEVEL + UNEVEN)
    aligned = align_page(page, traces)
    at = marks(aligned)[1, 2][::-1] * aligned.pixels.shape[1::-1]
    expected = (LEFT[1] + 90 + 2 * LEAD_PX + 12.5, LEVEL[1] + 6 + 0.5)  # the page is its own picture here
    np.testing.assert_allclose(aligned.to_picture(at[None].astype(np.float32))[0], expected, atol=2.0)


def test_paper_beyond_the_page_is_white():
    page, traces = drawn(LEFT, LEVEL - 50)
    assert (align_page(page, traces).pixels[0] == 255).all()


def test_a_page_without_order_is_refused():
    page, traces = drawn(LEFT, LEVEL)
    with pytest.raises(InputError, match="1 rows of curves"):
        align_page(page, replace(traces, leads=traces.leads[:4]))
    page, traces = drawn(LEFT, LEVEL[::-1])
    with pytest.raises(InputError, match="in no order"):
        align_page(page, traces)
