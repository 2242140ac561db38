"""A page becomes an image: ink high, paper 0, of the size that was asked for."""

import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.page_images import PageImageSettings, page_image
from ecgedge.paper.page import Page, Pixels


def page_of(pixels: Pixels) -> Page:
    return Page(pixels, 4.0, 4.0, np.zeros((4, 2), np.float32), "picture", 0, np.zeros((2, 2, 2), np.float32), 16.0)


def ruled(height: int = 120, width: int = 240) -> Pixels:
    """White, pale red lines every 20 px, a black bar in the left half."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[:, ::20] = pixels[::20] = (190, 190, 250)
    pixels[50:56, 20:100] = 0
    return pixels


def test_ink_is_high_and_lies_where_it_was() -> None:
    found = page_image(page_of(ruled()), PageImageSettings(60, 30))["page"]
    assert (found.shape, found.dtype) == ((1, 30, 60, 1), np.float32)
    assert found.min() >= 0 and found.max() <= 1
    row, columns = 50 * 30 // 120, np.arange(60)
    assert found[0, row + 1, 10:22, 0].min() > 0.6
    assert found[0, row + 1, columns > 28, 0].max() < 0.3


def test_white_paper_is_zero_and_black_ink_one() -> None:
    for value, ink in ((255, 0.0), (0, 1.0)):
        found = page_image(page_of(np.full((40, 40, 3), value, np.uint8)), PageImageSettings(16, 16))["page"]
        assert (found == ink).all()


def test_three_channels_are_red_green_blue() -> None:
    red_paper = np.zeros((40, 40, 3), np.uint8)
    red_paper[..., 2] = 255
    found = page_image(page_of(red_paper), PageImageSettings(16, 16, channels=3))["page"]
    assert found[0, 8, 8].tolist() == [0.0, 1.0, 1.0]


def test_padding_is_paper_and_keeps_the_aspect() -> None:
    black = page_of(np.zeros((20, 80, 3), np.uint8))
    found = page_image(black, PageImageSettings(64, 64, fit="pad"))["page"][0, :, :, 0]
    assert found[24:40].min() == 1 and found[:24].max() == found[40:].max() == 0
    assert page_image(black, PageImageSettings(64, 64))["page"].min() == 1


def test_the_waveform_alone_has_no_grid() -> None:
    settings = PageImageSettings(240, 120, waveform_only=True)
    found = page_image(page_of(ruled()), settings)["page"][0, :, :, 0]
    assert found[52:54, 30:90].min() > 0.5
    assert found[:40].max() == found[70:].max() == 0


def test_equalising_and_median_change_the_image() -> None:
    page = page_of(ruled())
    plain = page_image(page, PageImageSettings(240, 120))["page"]
    assert not np.array_equal(plain, page_image(page, PageImageSettings(240, 120, equalise_clip=4.0))["page"])
    calm = page_image(page, PageImageSettings(240, 120, median_px=5))["page"]
    assert calm[0, 10, 5:, 0].max() == 0  # lines of one pixel are gone, the bar stays
    assert calm[0, 52, 60, 0] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width_px": 4}, "4 x 64 px; sides of 8"),
        ({"channels": 2}, "channels 2"),
        ({"fit": "crop"}, "fit 'crop'"),
        ({"median_px": 4}, "median_px 4"),
        ({"equalise_clip": -1.0}, "equalise_clip -1"),
    ],
)
def test_settings_without_sense_are_named(change: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        PageImageSettings(**{"width_px": 64, "height_px": 64, **change})  # type: ignore[arg-type]
