"""Pages that lie on their side, upside down or mirrored are told; blank ones are left as they are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.paper.orientation import find_orientation
from ecgedge.paper.page import Pixels
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_ecg_images, like_photos
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from tests.paper.marked_pages import scan_page


def drawn(layout: str) -> Pixels:
    style = like_photos(2) if layout == "3x4+1-ticks" else like_ecg_images(2)
    return draw_page(simulate_twelve_leads(10.0, seed=2), layout=layout, seed=2, style=style, px_per_mm=4.0).pixels


PAGES = {layout: drawn(layout) for layout in ("3x4+1", "3x4+1-ticks")}


def laid(pixels: Pixels, turned_deg: int, mirrored: bool) -> Pixels:
    """A page as it must be turned clockwise by `turned_deg` to be upright, and perhaps mirrored then."""
    side = pixels[:, ::-1] if mirrored else pixels
    return np.ascontiguousarray(np.rot90(side, turned_deg // 90))


@settings(max_examples=12, deadline=None)
@given(layout=st.sampled_from(sorted(PAGES)), turned_deg=st.sampled_from((0, 90, 180, 270)), mirrored=st.booleans())
def test_any_orientation_of_a_drawn_page_is_told(layout: str, turned_deg: int, mirrored: bool) -> None:
    found = find_orientation(laid(PAGES[layout], turned_deg, mirrored), px_per_mm=4.0)

    assert (found.turned_deg, found.mirrored) == (turned_deg, mirrored)
    assert found.confidence > 0.8


@pytest.mark.parametrize("turned_deg", [0, 90, 180, 270])
def test_a_scan_is_put_upright(turned_deg: int) -> None:
    pixels, px_per_mm = scan_page("HB(10).jpg")

    found = find_orientation(laid(pixels, turned_deg, mirrored=False), px_per_mm=px_per_mm)

    assert (found.turned_deg, found.mirrored) == (turned_deg, False)


@pytest.mark.parametrize(("seed", "layout"), [(10013, "6x2"), (10023, "12x1")])
def test_pulses_by_chance_turn_no_page(seed: int, layout: str) -> None:
    """Upside down these pages show three or four tall boxes, fewer than their pulses and unevenly spaced."""
    page = draw_page(simulate_twelve_leads(seed=seed), layout=layout, seed=seed, px_per_mm=4.0).pixels

    found = find_orientation(laid(page, 180, mirrored=False), px_per_mm=4.0)

    assert (found.turned_deg, found.mirrored) == (180, False)


def test_pulses_at_the_end_of_the_rows_alone_make_no_page_mirrored() -> None:
    style = replace(like_ecg_images(2), pulse="end", left_mm=12.0)
    page = draw_page(simulate_twelve_leads(10.0, seed=2), layout="6x2", seed=2, style=style, px_per_mm=4.0)
    pixels = page.pixels.copy()
    for box in page.boxes:
        if box.kind == "name":
            left, top, right, bottom = (round(edge) for edge in box.box_px)
            pixels[top - 1 : bottom + 2, left - 1 : right + 2] = np.median(pixels.reshape(-1, 3), axis=0)

    for shown in (page.pixels, pixels):
        found = find_orientation(shown, px_per_mm=4.0)
        assert (found.turned_deg, found.mirrored) == (0, False)


def test_nothing_is_said_of_a_blank_page() -> None:
    found = find_orientation(np.full((600, 900, 3), 250, np.uint8), px_per_mm=4.0)

    assert (found.turned_deg, found.mirrored, found.confidence) == (0, False, 0.0)
