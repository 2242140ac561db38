"""Augmentation of page images: off means untouched, on means another page with the same curves, from its seed alone."""

import numpy as np
import pytest

from ecgedge.errors import SettingsError
from ecgedge_train.pages.augment_images import ImageAugmentation, augment_images

OFF = ImageAugmentation(**dict.fromkeys(ImageAugmentation.__slots__, 0.0))
HEIGHT_PX, WIDTH_PX = 64, 96


def only(**strength: float) -> ImageAugmentation:
    return ImageAugmentation(**(dict.fromkeys(ImageAugmentation.__slots__, 0.0) | strength))


def pages(n: int = 8) -> dict[str, np.ndarray]:
    """A level line and an upright stroke on each."""
    page = np.zeros((n, HEIGHT_PX, WIDTH_PX, 1), np.float32)
    page[:, 30:33, 10:86] = 1
    page[:, 12:33, 46:49] = 1
    return {"page": page}


def augmented(settings: ImageAugmentation, seed: int = 0) -> np.ndarray:
    return augment_images(pages(), np.random.default_rng(seed), settings)["page"]


def test_all_off_changes_nothing():
    np.testing.assert_allclose(augmented(OFF), pages()["page"], atol=2e-3)


def test_the_seed_decides_and_the_input_stays_as_it_was():
    given = pages()
    one = augment_images(given, np.random.default_rng(3), ImageAugmentation())["page"]
    np.testing.assert_array_equal(given["page"], pages()["page"])
    np.testing.assert_array_equal(one, augmented(ImageAugmentation(), seed=3))
    assert not np.array_equal(one, augmented(ImageAugmentation(), seed=4))
    assert one.dtype == np.float32 and one.shape == given["page"].shape
    assert one.min() >= 0 and one.max() <= 1


def test_every_page_of_a_batch_is_changed_in_its_own_way():
    changed = augmented(ImageAugmentation())
    assert len({page.tobytes() for page in changed}) == len(changed)


def test_a_shift_stays_within_its_bound():
    at = [np.argwhere(page[..., 0] > 0.5)[:, 1].mean() for page in augmented(only(shift=0.05))]
    moved = np.abs(np.array(at) - np.argwhere(pages(1)["page"][0, ..., 0] > 0.5)[:, 1].mean())
    assert 1 < moved.max() <= 0.05 * WIDTH_PX + 1


def test_rows_move_in_time_against_each_other():
    page = {"page": np.zeros((8, HEIGHT_PX, WIDTH_PX, 1), np.float32)}
    page["page"][:, :, 47:49] = 1
    changed = augment_images(page, np.random.default_rng(0), only(row_shift=0.1))["page"][..., 0]
    at = (changed * np.arange(WIDTH_PX)).sum(axis=2) / changed.sum(axis=2)
    assert np.ptp(at, axis=1).min() > 1


def test_a_wandering_baseline_bends_the_line_and_keeps_its_ink():
    changed = augmented(only(wander=0.05))[:, :, 12:40, 0]
    at = (changed * np.arange(HEIGHT_PX)[:, np.newaxis]).sum(axis=1) / changed.sum(axis=1)
    assert np.ptp(at, axis=1).max() > 1
    np.testing.assert_allclose(changed.sum(axis=1), 3, atol=0.3)


def test_erasing_wipes_a_box_and_stroke_changes_the_ink():
    wiped = augmented(only(erasing=1.0, erased=0.6))
    assert (wiped <= pages()["page"] + 1e-3).all() and wiped.sum() < pages()["page"].sum()
    ink = augmented(only(stroke=1.0)).sum(axis=(1, 2, 3)) / pages(1)["page"].sum()
    assert ink.min() < 0.99 and ink.max() > 1.01


def test_an_impossible_strength_is_refused():
    with pytest.raises(SettingsError, match=r"augment\.shift is 2; it must lie between 0 and 1"):
        ImageAugmentation(shift=2.0)
