"""Each figure measures what it says, in millimetres, shares and degrees, whatever the resolution."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.errors import InputError
from ecgedge.pages import find_page
from ecgedge.paper.page import Measure, Page, Picture, Pixels
from ecgedge.paper.page_quality import LIMITS, measure_quality, require_quality
from ecgedge.paper.pictures import read_picture
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_photos
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads

DATA = Path(os.environ.get("ECGEDGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
STEP_PX = 64
FOCAL_LENGTH = 0.75  # of the longer side, as a phone's main camera


@cache
def sheet(px_per_mm: float = 5.0) -> Pixels:
    """A drawn page as a photo has it: paper grey, so that white means shine."""
    signal = simulate_twelve_leads(seed=4)
    page = draw_page(signal, layout="3x4+1-ticks", seed=4, style=like_photos(4), px_per_mm=px_per_mm)
    return np.asarray(cv2.convertScaleAbs(page.pixels, alpha=0.85), np.uint8)


def page_of(pixels: Pixels, *, px_per_mm: float = 5.0) -> tuple[Page, Picture]:
    """A picture that shows a page flat and whole, pixel by pixel."""
    height, width = pixels.shape[:2]
    columns, rows = (np.arange(-(-length // STEP_PX) + 1, dtype=np.float32) * STEP_PX for length in (width, height))
    lattice = np.stack(np.meshgrid(columns * (width / columns[-1]), rows * (height / rows[-1])), -1)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    page = Page(pixels, px_per_mm, px_per_mm, corners, "sheet", 0, lattice.astype(np.float32), float(STEP_PX))
    return page, Picture(pixels)


def figures(page: Page, picture: Picture) -> dict[str, float]:
    return {measure.name: measure.value for measure in measure_quality(page, picture)}


def blurred(pixels: Pixels, sigma_mm: float, *, px_per_mm: float = 5.0, down: bool = True) -> Pixels:
    sigma_px = max(sigma_mm * px_per_mm, 1e-3)
    kernel = 2 * int(4 * sigma_px + 1) + 1
    size = (kernel, kernel) if down else (kernel, 1)
    return np.asarray(cv2.GaussianBlur(pixels, size, sigma_px, sigmaY=sigma_px if down else 1e-3), np.uint8)


def test_a_good_page_keeps_every_limit() -> None:
    page, picture = page_of(sheet())
    measures = measure_quality(page, picture)
    assert [measure.name for measure in measures] == list(LIMITS)
    require_quality(measures)


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 0.8), st.floats(0.05, 0.4), st.booleans())
def test_more_blur_is_less_sharp(sigma_mm: float, more_mm: float, down: bool) -> None:
    """Also when the camera moved in one direction only."""
    sharper, softer = (
        figures(*page_of(blurred(sheet(), sigma, down=down)))["sharpness"] for sigma in (sigma_mm, sigma_mm + more_mm)
    )
    assert softer <= sharper * 1.02


@pytest.mark.parametrize("px_per_mm", [4.0, 8.0])
@pytest.mark.parametrize("sigma_mm", [0.25, 0.4])
def test_sharpness_is_in_millimetres(px_per_mm: float, sigma_mm: float) -> None:
    pixels = blurred(sheet(px_per_mm), sigma_mm, px_per_mm=px_per_mm)
    sharpness = figures(*page_of(pixels, px_per_mm=px_per_mm))["sharpness"]
    assert 1 / (2.8 * sigma_mm) < sharpness < 1 / (1.6 * sigma_mm)


def test_an_empty_page_is_not_sharp() -> None:
    assert figures(*page_of(np.full((500, 900, 3), 200, np.uint8)))["sharpness"] == 0


@settings(max_examples=15, deadline=None)
@given(st.floats(0.02, 0.4), st.floats(0, 1))
def test_glare_is_its_share_of_the_page(share: float, place: float) -> None:
    shiny = sheet().copy()
    width = round(share * shiny.shape[1])
    left = round(place * (shiny.shape[1] - width))
    shiny[:, left : left + width] = 255
    assert figures(*page_of(shiny))["glare"] == pytest.approx(100 * share, abs=5)


def test_white_paper_with_its_grid_is_no_glare() -> None:
    bright = np.asarray(cv2.convertScaleAbs(sheet(), alpha=1.2), np.uint8)
    assert figures(*page_of(bright))["glare"] == 0
    page, picture = page_of(sheet())
    assert figures(page, picture)["glare"] == 0


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 0.9))
def test_paler_ink_is_less_contrast(part: float) -> None:
    paler = np.asarray(cv2.addWeighted(sheet(), part, np.full_like(sheet(), 217), 1 - part, 0), np.uint8)
    full = figures(*page_of(sheet()))["contrast"]
    assert figures(*page_of(paler))["contrast"] == pytest.approx(part * full, abs=6)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.2, 3), st.floats(0, 0.9))
def test_resolution_and_coverage_are_those_of_the_picture(scale: float, outside: float) -> None:
    page, picture = page_of(sheet())
    width = page.pixels.shape[1]
    shift = np.array((outside * width, 0), np.float32)
    moved = replace(page, map_px=(page.map_px - shift).astype(np.float32))
    assert figures(moved, picture)["coverage"] == pytest.approx(100 * (1 - outside), abs=6)
    scaled = replace(page, map_px=(page.map_px * scale).astype(np.float32))
    assert figures(scaled, picture)["resolution"] == pytest.approx(5 * scale, rel=0.1)


@pytest.mark.parametrize("about", ["x", "y"])
@pytest.mark.parametrize("tilt_deg", [0.0, 20.0, 45.0])
def test_tilt_is_the_angle_of_the_camera(tilt_deg: float, about: str) -> None:
    page, picture = page_of(sheet())
    height, width = page.pixels.shape[:2]
    angle = np.radians(tilt_deg)
    centred = (page.map_px - np.array((width, height)) / 2) / width
    x, y = centred[:, :, 0], centred[:, :, 1]
    tilted = x if about == "y" else y
    depth = 2 + tilted * np.sin(angle)
    seen = np.stack([x * (np.cos(angle) if about == "y" else 1), y * (np.cos(angle) if about == "x" else 1)], -1)
    at = seen / depth[:, :, None] * FOCAL_LENGTH * width + np.array((width, height)) / 2
    tilt = figures(replace(page, map_px=at.astype(np.float32)), picture)["tilt"]
    assert tilt == pytest.approx(tilt_deg, abs=0.5)


def test_a_refusal_names_all_that_failed_on_one_line() -> None:
    good = Measure("contrast", 60.0, "%", 20.0, True, "take more light")
    soft = Measure("sharpness", 0.8, "lines/mm", 1.5, True, "hold still")
    steep = Measure("tilt", 61.0, "degrees", 50.0, False, "hold the camera above the page")
    require_quality([good])
    with pytest.raises(InputError) as refused:
        require_quality([soft, good, steep], name="a.jpg")
    assert str(refused.value) == (
        "a.jpg: sharpness 0.8 lines/mm, needs 1.5: hold still; "
        "tilt 61 degrees, at most 50: hold the camera above the page"
    )


@pytest.mark.parametrize("file", ["ecg_images/unique/HB(100).jpg", "photos/02694_hr-0.jpg"])
def test_real_pages_keep_every_limit(file: str) -> None:
    path = DATA / file
    if not path.exists():
        pytest.skip(f"{file} is not here; set ECGEDGE_DATA")
    require_quality(find_page(read_picture(path)).quality)
