"""Camera copies: the same page in the same places, only worse."""

import numpy as np
import pytest

from ecgedge.paper.page import Page
from ecgedge.paper.simulated.scenes import MODERATE
from ecgedge_train.pages.camera_copies import camera_copy

PX_PER_MM = 2.0


@pytest.fixture(scope="module")
def page() -> Page:
    """A wave across a page of 150 x 80 mm, two marks beside it."""
    pixels = np.full((160, 300, 3), 250, np.uint8)
    columns = np.arange(20, 280)
    rows = np.round(80 + 25 * np.sin(columns / 12)).astype(int)
    for thick in range(-1, 2):
        pixels[rows + thick, columns] = 20
    pixels[20:28, 30:38] = pixels[130:138, 260:268] = 20
    lattice = np.zeros((2, 2, 2), np.float32)
    return Page(pixels, PX_PER_MM, PX_PER_MM, np.zeros((4, 2), np.float32), "picture", 0, lattice, 300.0)


def copied(page: Page, seed: int) -> Page:
    strength = MODERATE.scaled(0.5)
    return camera_copy(page, seed=seed, strength=strength, size_px=(800, 600))


def test_what_is_drawn_stays_in_its_place(page: Page) -> None:
    ink = page.pixels[..., 0] < 128
    for seed in (1, 2, 3):
        copy = copied(page, seed)
        assert copy.pixels.shape == page.pixels.shape
        dark = 255.0 - copy.pixels[..., 0]
        shifts = [(down, right) for down in range(-3, 4) for right in range(-3, 4)]
        best = max(shifts, key=lambda shift: dark[np.roll(ink, shift, axis=(0, 1))].mean())
        assert max(map(abs, best)) <= 1
        assert dark[ink].mean() > 4 * dark[~ink].mean()


def test_paper_is_even_again_and_the_picture_is_not_the_same(page: Page) -> None:
    copy = copied(page, 4)
    assert np.median(copy.pixels) > 235
    assert not np.array_equal(copy.pixels, page.pixels)


def test_the_seed_decides(page: Page) -> None:
    np.testing.assert_array_equal(copied(page, 5).pixels, copied(page, 5).pixels)
    assert not np.array_equal(copied(page, 5).pixels, copied(page, 6).pixels)
