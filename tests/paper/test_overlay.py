"""The check picture: curves in their colours where they were read, names, words, the notice."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.paper.contact_sheet import SheetRow, draw_contact_sheet, thumbnail
from ecgedge.paper.layouts import LEADS, Layout, layouts
from ecgedge.paper.overlay import PALETTE, WIDTH_PX, colour_of, draw_on_photo, draw_overlay
from ecgedge.paper.page import LeadTrace, Measure, Page, Picture, Pixels, Traces

HEIGHT, WIDTH, STEP = 400, 776, 50.0


def page_of(*quality: Measure) -> Page:
    """A white page that lies in its picture at half the size, 30 px to the right and 20 px down."""
    columns, rows = np.meshgrid(np.arange(0, WIDTH + STEP, STEP), np.arange(0, HEIGHT + STEP, STEP))
    map_px = np.stack([30 + columns / 2, 20 + rows / 2], axis=-1).astype(np.float32)
    corners = np.array([[30, 20], [418, 20], [418, 220], [30, 220]], np.float32)
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    return Page(white, 4.0, 4.0, corners, "grid", 0, map_px, STEP, quality, "white")


def flat_trace(lead: str, y_px: float, *, strip: bool = False) -> LeadTrace:
    x_px = np.arange(100, 500, dtype=np.float32)
    return LeadTrace(lead, 0, strip, 0.0, x_px, np.full(400, y_px, np.float32), y_px + 60, 0.87)


def traces_of(*leads: LeadTrace) -> Traces:
    return Traces(leads, "3x4+1", 0.9, 4.0, 4.0, 25.0, 10.0, "pulse", "white")


def where(pixels: Pixels, colour: tuple[int, int, int]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the pixels of a colour."""
    y, x = np.nonzero((pixels == np.array(colour, np.uint8)).all(axis=2))
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def heading_px(pixels: Pixels) -> int:
    return pixels.shape[0] - round(HEIGHT * (WIDTH_PX - 48) / WIDTH) - 30 - 12


def test_the_curve_is_drawn_where_it_was_read() -> None:
    pixels = draw_overlay(page_of(), traces_of(flat_trace("V1", 200.0)))
    top = heading_px(pixels)
    left, _, right, _ = where(pixels, colour_of("V1"))
    assert pixels.shape[1] == WIDTH_PX and pixels.dtype == np.uint8
    assert left == pytest.approx(24 + 200, abs=4) and right == pytest.approx(24 + 2 * 500, abs=6)
    zero_line = pixels[top + 2 * 260 - 3 : top + 2 * 260 + 4, 224:1020].min(axis=(0, 2)) < 200
    assert 0.3 < zero_line.mean() < 0.9  # dashes
    assert (pixels[top + 2 * 200, 600] == colour_of("V1")).all()


def test_a_gap_is_not_bridged() -> None:
    trace = flat_trace("V1", 200.0)
    y_px = trace.y_px.copy()
    y_px[150:250] = np.nan
    pixels = draw_overlay(page_of(), traces_of(replace(trace, y_px=y_px)))
    row = pixels[heading_px(pixels) + 400]
    coloured = (row == np.array(colour_of("V1"), np.uint8)).all(axis=1)
    assert not coloured[24 + 2 * 252 : 24 + 2 * 348].any()
    assert coloured[24 + 2 * 210 : 24 + 2 * 245].all() and coloured[24 + 2 * 352 : 24 + 2 * 495].all()


def test_on_the_photo_the_curve_follows_the_page() -> None:
    photo = Picture(np.full((300, 500, 3), 90, np.uint8), "photo")
    pixels = draw_on_photo(photo, page_of(), traces_of(flat_trace("V1", 200.0)))
    top, scale = pixels.shape[0] - round(300 * WIDTH_PX / 500) - 30 - 12, WIDTH_PX / 500
    x, y = 30 + 300 / 2, 20 + 200 / 2
    assert (pixels[round(top + y * scale), round(x * scale)] == colour_of("V1")).all()


def test_a_bad_measure_is_said_with_its_remedy() -> None:
    good = Measure("contrast", 0.6, "", 0.3, True, "light the page evenly")
    bad = Measure("sharpness", 12.0, "", 40.0, True, "hold still or come closer")
    traces = traces_of(flat_trace("II", 200.0))
    plain, both = (draw_overlay(page_of(*measures), traces) for measures in ((good,), (good, bad)))
    assert both.shape[0] > plain.shape[0]
    cross = (both[-120:] == np.array(PALETTE[1], np.uint8)).all(axis=2).sum()
    assert cross > 20 and not (plain[-80:] == np.array(PALETTE[1], np.uint8)).all(axis=2).any()


@pytest.mark.parametrize("layout", list(layouts().values()), ids=lambda layout: layout.name)
def test_neighbours_have_different_colours(layout: Layout) -> None:
    rows = layout.rows
    for row, following in pairwise(rows):
        for lead, below in zip(row, following, strict=False):
            assert colour_of(lead) != colour_of(below)
    for row in rows:
        assert all(colour_of(one) != colour_of(two) for one, two in pairwise(row))


def test_colours_stay_apart_without_red_or_without_green() -> None:
    """As seen with protanopia and deuteranopia: Vienot, Brettel & Mollon 1999,
    10.1002/(SICI)1520-6378(199908)24:4<243::AID-COL5>3.0.CO;2-3."""
    rgb = (np.array(PALETTE, float)[:, ::-1] / 255) ** 2.2
    for matrix in (
        [[0.112, 0.888, 0], [0.112, 0.888, 0], [0.004, -0.004, 1]],
        [[0.292, 0.708, 0], [0.292, 0.708, 0], [-0.022, 0.022, 1]],
    ):
        seen = np.clip(rgb @ np.array(matrix).T, 0, 1) ** (1 / 2.2) * 255
        lab = cv2.cvtColor(seen[np.newaxis].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0]
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)[np.triu_indices(len(lab), 1)]
        assert apart.min() > 9


@pytest.mark.parametrize(
    "trace",
    [
        LeadTrace("I", 0, False, 0.0, np.zeros(0, np.float32), np.zeros(0, np.float32), 10.0, 0.0),
        LeadTrace("I", 0, False, 0.0, np.arange(5, dtype=np.float32), np.full(5, np.nan, np.float32), 10.0, 0.0),
        LeadTrace("*", 0, True, 0.0, np.arange(5, dtype=np.float32), np.full(5, -90, np.float32), 9999.0, 1.0),
    ],
    ids=["no columns", "no ink", "off the page"],
)
def test_odd_curves_are_drawn_without_trouble(trace: LeadTrace) -> None:
    page = replace(page_of(), name="gr\u00fc\u00dfe.jpg")
    assert draw_overlay(page, traces_of(trace)).shape[1] == WIDTH_PX


def test_contact_sheet_keeps_proportions_and_refuses_nothing_to_show() -> None:
    tall = np.zeros((800, 200, 3), np.uint8)
    small = thumbnail(tall)
    dark = np.nonzero((small == 0).all(axis=2))
    assert np.ptp(dark[0]) / np.ptp(dark[1]) == pytest.approx(4, rel=0.05)
    sheet = draw_contact_sheet("scans", [SheetRow("one: refused", (tall, None, None)), SheetRow("two", (tall,) * 3)])
    assert sheet.shape[1] == 1600 and sheet.shape[0] > 800
    with pytest.raises(InputError, match="0 pages"):
        draw_contact_sheet("none", [])


def test_every_lead_has_a_colour() -> None:
    assert {colour_of(lead) for lead in LEADS} == set(PALETTE)
