"""Simulated photos: the truth that comes with them is where things really are, whatever the strength."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.errors import InputError
from ecgedge.paper.page import FloatArray, Pixels
from ecgedge.paper.simulated.camera import Shot, photograph
from ecgedge.paper.simulated.scenes import MILD, MODERATE, STRENGTHS, Strength, draw_scene
from ecgedge.paper.simulated.tables import TABLES, draw_table

PX_PER_MM = 3.0
SIZE = (900, 675)
NONE = MODERATE.scaled(0.0)
DISC_MM = 1.6


def blank(width: int = 840, height: int = 630) -> Pixels:
    return np.full((height, width, 3), 250, np.uint8)


def dotted() -> tuple[Pixels, FloatArray]:
    """A page of discs, and their centres."""
    page = blank()
    right, down = np.meshgrid(np.arange(30, 830, 75), np.arange(30, 615, 70))
    centres = np.stack([right, down], -1).reshape(-1, 2)
    for centre in centres:
        cv2.circle(page, centre.tolist(), round(DISC_MM * PX_PER_MM), (20, 20, 20), -1, cv2.LINE_AA)
    return page, centres.astype(np.float32)


def shoot(pixels: Pixels, strength: Strength = MODERATE, *, seed: int = 1, turned_deg: int = 0) -> Shot:
    return photograph(pixels, px_per_mm=PX_PER_MM, seed=seed, strength=strength, size_px=SIZE, turned_deg=turned_deg)


def distances_to_discs(shot: Shot, centres: FloatArray) -> list[float]:
    """How far the dark spot around each said place is from it, px."""
    dark = 255.0 - cv2.cvtColor(shot.picture.pixels, cv2.COLOR_BGR2GRAY)
    reach = round(2.2 * DISC_MM * SIZE[0] / 280)
    along, found = np.arange(-reach, reach + 1), []
    for said in shot.to_photo(centres):
        x, y = np.rint(said).astype(int)
        spot = dark[y - reach : y + reach + 1, x - reach : x + reach + 1]
        ink = np.clip(spot - np.median(spot) - 30, 0, None)
        centre = np.array([ink.sum(axis=0) @ along, ink.sum(axis=1) @ along]) / ink.sum() + (x, y)
        found.append(float(np.linalg.norm(centre - said)))
    return found


@pytest.mark.parametrize(
    ("strength", "most_px"),
    [
        (MILD, 0.3),
        (replace(NONE, distortion=0.1, rotation_deg=15.0), 0.3),
        (replace(NONE, fold_share=1.0, fold_slope=0.3, tilt_deg=25.0), 1.0),
        (replace(NONE, wrinkle_share=1.0, wrinkle_slope=0.08, tilt_deg=25.0), 1.0),
    ],
    ids=["mild", "lens", "folds", "wrinkles"],
)
def test_printed_discs_are_where_the_truth_says(strength: Strength, most_px: float) -> None:
    page, centres = dotted()
    off = distances_to_discs(shoot(page, strength, seed=3), centres)
    assert len(off) == len(centres)
    assert max(off) < most_px


@pytest.mark.parametrize("turned_deg", [0, 90, 180, 270])
def test_turning_the_photo_as_it_says_makes_the_page_upright(turned_deg: int) -> None:
    shot = shoot(blank(), replace(MODERATE, rotation_deg=10.0), turned_deg=turned_deg)
    across = shot.corners_px[1] - shot.corners_px[0]
    angle = np.degrees(np.arctan2(across[1], across[0]))
    assert shot.turned_deg == turned_deg
    assert abs((angle + turned_deg + 180) % 360 - 180) < 30


@given(seed=st.integers(0, 10_000), name=st.sampled_from(sorted(STRENGTHS)), factor=st.floats(0, 2))
@settings(max_examples=12, deadline=None)
def test_corners_are_those_of_the_page_and_in_the_frame(seed: int, name: str, factor: float) -> None:
    page = blank(280, 210)
    shot = photograph(page, px_per_mm=1.0, seed=seed, strength=STRENGTHS[name].scaled(factor), size_px=(320, 240))
    outer = np.array([[0, 0], [280, 0], [280, 210], [0, 210]], np.float32) - np.float32(0.5)
    assert np.abs(shot.to_photo(outer) - shot.corners_px).max() < 0.5
    assert (shot.corners_px > -4).all() and (shot.corners_px < np.array([324, 244])).all()
    assert shot.picture.pixels.shape == (240, 320, 3)
    # clockwise from the top left: a page seen from its back would turn the other way
    assert cv2.contourArea(shot.corners_px, oriented=True) > 0


@given(seed=st.integers(0, 10_000))
@settings(max_examples=5, deadline=None)
def test_each_pixel_is_traced_back_to_the_point_that_it_shows(seed: int) -> None:
    strength = replace(MODERATE, fold_share=1.0, wrinkle_share=1.0)
    shot = photograph(blank(280, 210), px_per_mm=1.0, seed=seed, strength=strength, size_px=(480, 360))
    page = shot.view.page_map()
    down, right = np.nonzero((page > 0).all(axis=-1) & (page < (279, 209)).all(axis=-1))
    back = shot.to_photo(page[down, right])
    assert len(back) > 0.2 * 480 * 360
    assert np.percentile(np.linalg.norm(back - np.stack([right, down], -1), axis=1), 99.9) < 0.5


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    page = blank(280, 210)
    first, again, other = (
        photograph(page, px_per_mm=1.0, seed=seed, strength=STRENGTHS["strong"], size_px=(480, 360)).picture.pixels
        for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_page_that_was_given_stays_as_it_was() -> None:
    page, _ = dotted()
    before = page.copy()
    shoot(page, replace(MODERATE, handwriting_share=1.0, stain_share=1.0, wrinkle_share=1.0))
    assert np.array_equal(page, before)


def test_without_strength_paper_is_flat_even_and_seen_from_above() -> None:
    shot = shoot(blank(), NONE)
    left, top = shot.corners_px.min(axis=0) + 20
    right, bottom = shot.corners_px.max(axis=0) - 20
    paper = shot.picture.pixels[int(top) : int(bottom), int(left) : int(right)]
    assert np.ptp(shot.corners_px[:2, 1]) < 1
    assert paper.std() < 10
    assert paper.mean() > 220


def test_a_stronger_shadow_takes_more_light() -> None:
    lit, shadowed = (
        shoot(blank(), replace(NONE, shadow_share=1.0, shadow=depth)).picture.pixels for depth in (0.0, 0.8)
    )
    assert shadowed.mean() < 0.95 * lit.mean()


def test_folds_bend_the_edges_of_the_sheet_and_shade_it() -> None:
    along = np.linspace(0, 1, 200)[:, None]
    top, left = along * (839.0, 0.0), along * (0.0, 629.0)
    bends, shades = [], []
    for share in (0.0, 1.0):
        strength = replace(NONE, fold_share=share, fold_slope=0.4, tilt_deg=20.0)
        shot = shoot(blank(), strength, seed=1)
        bends.append(max(bend_px(shot.to_photo(edge.astype(np.float32))) for edge in (top, left)))
        x, y = shot.to_photo(np.array([[420, 315]], np.float32))[0].astype(int)
        shades.append(float(shot.picture.pixels[y - 190 : y + 190, x - 190 : x + 190].std()))
    assert bends[0] < 0.5 < 4 < bends[1]
    assert shades[1] > 2 * shades[0]


def bend_px(edge: FloatArray) -> float:
    """How far a line in the photo runs from straight."""
    ends = edge[-1] - edge[0]
    across = np.array([-ends[1], ends[0]]) / np.linalg.norm(ends)
    return float(np.ptp((edge - edge[0]) @ across))


def test_defocus_takes_away_what_is_sharp_and_jpeg_adds_what_is_not_there() -> None:
    page, _ = dotted()
    sharp, blurred, squeezed = (
        shoot(page, strength).picture.pixels.astype(np.float32)
        for strength in (NONE, replace(NONE, blur=4e-3), replace(NONE, jpeg_loss=90.0))
    )
    assert cv2.Laplacian(blurred, cv2.CV_32F).var() < 0.5 * cv2.Laplacian(sharp, cv2.CV_32F).var()
    assert np.abs(squeezed - sharp).max() > 25


@pytest.mark.parametrize("mark", ["stain_share", "handwriting_share"])
def test_stains_and_words_darken_parts_of_the_paper(mark: str) -> None:
    clean, marked = (shoot(blank(), replace(NONE, **{mark: share})).picture.pixels for share in (0.0, 1.0))
    darker = clean.astype(int).min(axis=2) - marked.min(axis=2)
    assert 0.0005 < (darker > 15).mean() < 0.5


def test_a_cut_page_leaves_the_frame_on_one_side() -> None:
    for seed in range(4):
        shot = photograph(blank(280, 210), px_per_mm=1.0, seed=seed, size_px=(480, 360), cut=0.2)
        low, high = shot.corners_px.min(axis=0), shot.corners_px.max(axis=0)
        beyond = np.maximum(np.maximum(-low, high - (480, 360)), 0) / (high - low)
        assert beyond.max() == pytest.approx(0.2, abs=0.03)


def test_a_screen_has_a_dark_frame_around_the_page_and_stripes_on_it() -> None:
    strength = replace(NONE, empty=0.6)
    paper = shoot(blank(), strength)
    screen = photograph(blank(), px_per_mm=PX_PER_MM, seed=1, strength=strength, size_px=SIZE, screen=True)
    assert np.abs(screen.corners_px - paper.corners_px).max() < 0.01
    frame_mm = -17.0  # left of the sheet, as the screen's frame is drawn
    x, y = screen.to_photo(np.array([[frame_mm * PX_PER_MM, 315]], np.float32))[0].astype(int)
    assert screen.picture.pixels[y, x].max() < 60
    x, y = screen.to_photo(np.array([[420, 315]], np.float32))[0].astype(int)
    part = np.s_[y - 80 : y + 80, x - 80 : x + 80]
    assert screen.picture.pixels[part].std() > 2 * paper.picture.pixels[part].std() + 1


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_tables_are_pictures_that_depend_on_the_seed(kind: str) -> None:
    first, again, other = (draw_table((321, 200), np.random.default_rng(seed), kind=kind) for seed in (1, 1, 2))
    assert first.shape == (200, 321, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@given(seed=st.integers(0, 1000), factor=st.floats(0, 3))
def test_what_is_drawn_keeps_within_the_strength(seed: int, factor: float) -> None:
    strength = MODERATE.scaled(factor)
    scene = draw_scene(strength, np.random.default_rng(seed))
    assert 0 <= scene.tilt_deg <= strength.tilt_deg <= 45
    assert abs(scene.rotation_deg) <= strength.rotation_deg
    assert scene.jpeg_quality >= 98 - strength.jpeg_loss - 1
    assert scene.folds == 0 or strength.fold_share > 0


def test_one_limit_changed_leaves_what_else_is_drawn() -> None:
    one, other = (
        draw_scene(strength, np.random.default_rng(9)) for strength in (MODERATE, replace(MODERATE, blur=9e-3))
    )
    assert replace(other, blur=one.blur) == one
    assert other.blur > one.blur


@pytest.mark.parametrize("name", [field.name for field in fields(Strength)])
def test_a_negative_limit_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(InputError, match=f"strength: {name} -1.0: needs"):
        replace(MODERATE, **{name: -1.0})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"px_per_mm": 0.0}, "a page of 0.0 px/mm"),
        ({"size_px": (40, 3000)}, "a photo of (40, 3000) px"),
        ({"turned_deg": 45}, "turned 45 degrees"),
        ({"cut": 0.7}, "cut 0.7"),
        ({"pixels": np.zeros((20, 20), np.uint8)}, "a page of uint8 (20, 20)"),
    ],
    ids=["scale", "size", "turn", "cut", "grey"],
)
def test_what_cannot_be_photographed_is_named(change: dict[str, object], words: str) -> None:
    arguments = {"pixels": blank(), "px_per_mm": PX_PER_MM, "seed": 1, **change}
    pixels = arguments.pop("pixels")
    with pytest.raises(InputError) as caught:
        photograph(pixels, **arguments)  # type: ignore[arg-type]
    assert words in str(caught.value)
