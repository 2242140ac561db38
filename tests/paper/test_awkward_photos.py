"""Photos that people take all the same: each is answered rightly or refused by name, and never guessed at."""

from functools import cache

import cv2
import numpy as np
import pytest

from ecgedge.digitise import Digitised, digitise, recording_of
from ecgedge.errors import InputError
from ecgedge.pages import find_page
from ecgedge.paper.agreement import agreement
from ecgedge.paper.page import Picture, Pixels
from ecgedge.paper.second_page import require_one_page
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.drawing import DrawnPage, draw_page
from ecgedge.paper.simulated.page_style import like_photos
from ecgedge.paper.simulated.scenes import STRENGTHS
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads

PX_PER_MM = 5.0
LEAST_CORRELATION = 0.8  # of a lead that is answered


@cache
def drawn(seed: int = 0) -> DrawnPage:
    signal = simulate_twelve_leads(seed=seed)
    return draw_page(signal, layout="3x4+1-ticks", seed=seed, style=like_photos(seed), px_per_mm=PX_PER_MM)


@cache
def photo(seed: int = 0, turned_deg: int = 0, cut: float = 0.0, screen: bool = False) -> Pixels:
    shot = photograph(
        drawn(seed).pixels,
        px_per_mm=PX_PER_MM,
        seed=seed,
        strength=STRENGTHS["mild"],
        size_px=(1600, 1200) if turned_deg % 180 == 0 else (1200, 1600),
        turned_deg=turned_deg,
        cut=cut,
        screen=screen,
    )
    return shot.picture.pixels


def require_right(found: Digitised) -> None:
    """Every lead that was answered is that lead of the page."""
    answered = [lead for lead in agreement(recording_of(found.traces), drawn().truth) if lead.coverage > 0]
    wrong = {lead.lead: lead.correlation for lead in answered if not lead.correlation > LEAST_CORRELATION}
    assert answered
    assert not wrong


def require_right_or_refused(pixels: Pixels) -> None:
    try:
        found = digitise(Picture(pixels, "ward.jpg"))
    except InputError as error:
        assert str(error).startswith("ward.jpg: ")
        assert "\n" not in str(error)
    else:
        require_right(found)


@pytest.mark.parametrize("turned_deg", [90, 180])
def test_a_turned_page_is_turned_back(turned_deg: int) -> None:
    found = digitise(Picture(photo(turned_deg=turned_deg)))
    assert found.page.turned_deg == turned_deg
    require_right(found)


@pytest.mark.parametrize("axis", [0, 1], ids=["upside down", "upright"])
def test_a_mirrored_page_is_refused(axis: int) -> None:
    with pytest.raises(InputError, match=r"^ward\.jpg: the page is mirrored; "):
        digitise(Picture(np.ascontiguousarray(np.flip(photo(), axis)), "ward.jpg"))


@pytest.mark.parametrize(("side", "part"), [("left", 0.2), ("top", 0.45), ("right", 0.3), ("bottom", 0.2)])
def test_a_page_cut_by_the_frame(side: str, part: float) -> None:
    whole = photo()
    x, y = (round(part * length) for length in whole.shape[1::-1])
    parts = {"left": whole[:, x:], "top": whole[y:], "right": whole[:, :-x], "bottom": whole[:-y]}
    require_right_or_refused(np.ascontiguousarray(parts[side]))


@pytest.mark.parametrize("axis", [0, 1], ids=["one above the other", "side by side"])
def test_a_second_page_in_the_picture_is_refused(axis: int) -> None:
    picture = Picture(np.concatenate([photo(0), photo(1)], axis=axis), "ward.jpg")
    with pytest.raises(InputError, match=r"^ward\.jpg: a second page beside the first; photograph one"):
        require_one_page(picture, find_page(picture))


def on_a_table(seed: int, table: Pixels, *, left: int, top: int, width: int) -> None:
    """Lay a page flat on a table."""
    page = drawn(seed).pixels
    height = round(width * page.shape[0] / page.shape[1])
    small = cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA)
    table[top : top + height, left : left + width] = cv2.convertScaleAbs(small, alpha=0.85)


def test_two_pages_on_one_table_are_refused_though_one_grid_seems_to_cover_both() -> None:
    table = np.full((2200, 1700, 3), (70, 90, 120), np.uint8)
    table += np.random.default_rng(0).integers(0, 12, table.shape, dtype=np.uint8)
    on_a_table(0, table, left=190, top=20, width=1350)
    assert digitise(Picture(table.copy())).traces.layout == "3x4+1-ticks"
    on_a_table(1, table, left=205, top=1090, width=1350)
    with pytest.raises(InputError, match=r"^ward\.jpg: a second page beside the first; photograph one"):
        digitise(Picture(table, "ward.jpg"))


def test_a_page_alone_on_a_large_table_is_not_two() -> None:
    whole = photo()
    wide = Picture(np.concatenate([np.full_like(whole, 90), whole], axis=1))
    require_one_page(wide, find_page(wide))


def test_a_page_on_a_screen() -> None:
    require_right_or_refused(photo(screen=True))
