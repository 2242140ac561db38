"""What a recipe does to an image: shapes, types, and what must not change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.errors import InputError
from ecgedge.images import Pixels, crop, equalise, fit, grey, median

SIDES = st.integers(1, 60)
FRACTIONS = st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda pair: pair[0] != pair[1]).map(sorted)


@st.composite
def images(draw: st.DrawFn) -> Pixels:
    shape = (draw(SIDES), draw(SIDES), *draw(st.sampled_from([(), (3,)])))
    return np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape, np.uint8)


@settings(max_examples=40, deadline=None)
@given(images())
def test_the_image_given_is_never_changed_nor_given_back(image: Pixels) -> None:
    before = image.copy()
    shape = image.shape[:2]
    outputs = [grey(image), crop(image, (0, 0, 1, 1)), equalise(image), median(image), fit(image, shape)]
    for output in outputs:
        assert output.dtype == np.uint8
        assert output.shape[:2] == shape
        output[:] = 0
    np.testing.assert_array_equal(image, before)


@settings(max_examples=40, deadline=None)
@given(images(), SIDES, SIDES, st.integers(0, 255))
def test_fit_gives_the_size_and_pads_evenly(image: Pixels, height: int, width: int, fill: int) -> None:
    for how in ("pad", "stretch"):
        assert fit(image, (height, width), how=how, fill=fill).shape == (height, width, *image.shape[2:])
    scale = min(height / image.shape[0], width / image.shape[1])
    inner = tuple(max(1, round(side * scale)) for side in image.shape[:2])
    padded = fit(np.full_like(image, 0), (height, width), fill=255)
    rows, columns = (np.flatnonzero((padded.reshape(height, width, -1) == 0).any(axis=(2, 1 - k))) for k in (0, 1))
    assert (len(rows), len(columns)) == inner
    assert abs(rows[0] - (height - 1 - rows[-1])) <= 1
    assert abs(columns[0] - (width - 1 - columns[-1])) <= 1


@settings(max_examples=60, deadline=None)
@given(images(), FRACTIONS, FRACTIONS)
def test_a_crop_is_a_part_of_the_image(image: Pixels, across: list[float], down: list[float]) -> None:
    part = crop(image, (across[0], down[0], across[1], down[1]))
    top = min(round(down[0] * image.shape[0]), image.shape[0] - 1)
    left = min(round(across[0] * image.shape[1]), image.shape[1] - 1)
    assert part.size > 0
    np.testing.assert_array_equal(part, image[top : top + part.shape[0], left : left + part.shape[1]])
    assert part.shape[0] == pytest.approx((down[1] - down[0]) * image.shape[0], abs=1)


def test_grey_weighs_the_colours_as_bt601() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 90, 90]]], np.uint8)
    np.testing.assert_array_equal(grey(colours), [[29, 150, 76, 90]])
    np.testing.assert_array_equal(grey(grey(colours)), grey(colours))


def test_a_speck_goes_and_an_edge_stays() -> None:
    image = np.repeat(np.array([[200] * 10 + [30] * 10], np.uint8), 20, axis=0)
    speck = image.copy()
    speck[5, 5] = 0
    np.testing.assert_array_equal(median(speck), image)


def test_contrast_evens_out_and_grey_stays_grey() -> None:
    ramp = np.repeat(np.linspace(100, 140, 256).astype(np.uint8)[None], 64, axis=0)
    assert np.ptp(equalise(ramp, clip=8)) > 1.5 * np.ptp(ramp)
    colour = equalise(np.repeat(ramp[:, :, None], 3, axis=2), clip=8)
    assert np.abs(np.diff(colour.astype(int), axis=2)).max() <= 1


@pytest.mark.parametrize(
    "call",
    [
        lambda image: grey(image.astype(np.float32)),
        lambda image: grey(image[:, :, :2]),
        lambda image: grey(image[:0]),
        lambda image: crop(image, (0.5, 0, 0.5, 1)),
        lambda image: crop(image, (0, 0, float("nan"), 1)),
        lambda image: crop(image, (-0.1, 0, 1, 1)),
        lambda image: equalise(image, clip=0),
        lambda image: equalise(image, clip=float("nan")),
        lambda image: equalise(image, tiles=0),
        lambda image: median(image, size_px=4),
        lambda image: median(image, size_px=257),
        lambda image: fit(image, (0, 10)),
        lambda image: fit(image, (10, 10), fill=256),
        lambda image: fit(image, (10, 10), how="crop"),
    ],
)
def test_what_cannot_be_done_is_named(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"[;:] "):
        call(np.zeros((20, 30, 3), np.uint8))
