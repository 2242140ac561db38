"""No split separates a page from its copies, whatever classes, groups, folds and seed are; classes stay in share."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ecgedge.catalogue import locate
from ecgedge.errors import DataError, InputError
from ecgedge_train.datasets import PAGE_DATASETS
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.page_split import PageSplit, as_published, by_number, leak_free, split_pages


def image(number: int, label: str, group: int) -> ReportImage:
    name = f"{number}.jpg"
    return ReportImage(name=name, path=Path(name), label=label, group=f"{group}.jpg", number=f"{group // 3}.jpg")


def images_of(files: list[tuple[str, int]]) -> list[ReportImage]:
    return [image(number, label, group) for number, (label, group) in enumerate(files)]


ANY_IMAGES = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 30)), min_size=2, max_size=80).map(images_of)
"""Any classes and groups: a group may lie in several classes."""


def clean_images(fewest: int) -> st.SearchStrategy[list[ReportImage]]:
    """Pictures of at least so many pages; every group lies in one class."""
    return st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 9)), min_size=fewest, max_size=40).map(
        lambda pages: images_of([(label, group) for group, (label, size) in enumerate(pages) for _ in range(size)])
    )


CLEAN_IMAGES = clean_images(2)
NUMBERED_IMAGES = clean_images(24)
"""Three pages to a printed number: numbers for eight folds."""

FOLDS = st.integers(2, 8)
SEEDS = st.integers(-(2**63), 2**63)


def dealt(images: list[ReportImage], k: int, seed: int) -> PageSplit:
    assume(len({picture.group for picture in images}) >= k)
    return split_pages(images, k=k, seed=seed)


@given(images=ANY_IMAGES, k=FOLDS, seed=SEEDS)
def test_no_split_separates_a_group(images: list[ReportImage], k: int, seed: int) -> None:
    split = dealt(images, k, seed)
    for fold in range(k):
        tested = {images[index].group for index in split.held_out(fold)}
        trained = {images[index].group for index in split.trained_on(fold)}
        assert tested
        assert not tested & trained


@given(images=ANY_IMAGES, k=FOLDS, seed=SEEDS)
def test_every_image_is_held_out_once(images: list[ReportImage], k: int, seed: int) -> None:
    split = dealt(images, k, seed)
    assert sorted(index for fold in range(k) for index in split.held_out(fold)) == list(range(len(images)))
    for fold in range(k):
        assert sorted(split.held_out(fold) + split.trained_on(fold)) == list(range(len(images)))


@given(images=CLEAN_IMAGES, k=FOLDS, seed=SEEDS)
def test_each_fold_has_its_share_of_each_class(images: list[ReportImage], k: int, seed: int) -> None:
    split = dealt(images, k, seed)
    for label, files in Counter(picture.label for picture in images).items():
        largest = max(Counter(picture.group for picture in images if picture.label == label).values())
        for fold in range(k):
            own = sum(images[index].label == label for index in split.held_out(fold))
            assert abs(own - files / k) <= largest


@given(seed=SEEDS)
def test_large_groups_are_dealt_first(seed: int) -> None:
    """Four files of one page, and four pages more: two folds of four files each, whatever the seed."""
    split = split_pages(images_of([("a", max(0, number - 3)) for number in range(8)]), k=2, seed=seed)
    assert Counter(split.fold_of) == {0: 4, 1: 4}


@given(images=ANY_IMAGES, k=FOLDS, seed=SEEDS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_pictures_is_no_part_of_the_split(
    images: list[ReportImage], k: int, seed: int, order: Random
) -> None:
    split = dealt(images, k, seed)
    shuffled = list(images)
    order.shuffle(shuffled)
    again = split_pages(shuffled, k=k, seed=seed)
    assert again.split_hash() == split.split_hash()
    assert dict(zip(again.names, again.fold_of, strict=True)) == dict(zip(split.names, split.fold_of, strict=True))


@given(images=CLEAN_IMAGES)
def test_the_leak_free_view_has_each_page_once(images: list[ReportImage]) -> None:
    view = leak_free(images)
    assert sorted(picture.group for picture in view) == sorted({picture.group for picture in images})
    assert set(view) <= set(images)


def test_the_hash_is_pinned_and_sees_seed_and_folds() -> None:
    images = images_of([("ab"[number % 2], number // 3) for number in range(60)])
    split = split_pages(images, k=5, seed=0)
    assert split.split_hash() == "0a531073271147addf00d26e95073198e14a01afca28e2077daebc6495096c68"
    others = {split_pages(images, k=k, seed=seed).split_hash() for k, seed in [(5, 1), (4, 0), (5, 2)]}
    assert len(others | {split.split_hash()}) == 4


def test_as_published_copies_part() -> None:
    """The protocol of the papers leaks; if it did not here, the comparison would be none."""
    images = images_of([("a", number // 8) for number in range(240)])
    view = as_published(images)
    assert len(view) == len(images)
    split = split_pages(view, k=5, seed=0)
    tested = {images[index].group for index in split.held_out(0)}
    assert tested & {images[index].group for index in split.trained_on(0)}


def test_a_page_in_two_classes_has_no_leak_free_label() -> None:
    with pytest.raises(DataError, match=r"one page in two classes: 0.jpg is a, its copy 1.jpg is b"):
        leak_free([image(0, "a", 0), image(1, "b", 0)])


@pytest.mark.parametrize(
    ("images", "k", "complaint"),
    [
        (images_of([("a", 0), ("b", 1)]), 1, "k = 1 folds; at least 2"),
        (images_of([("a", 0), ("a", 0), ("b", 1)]), 3, "2 different pages for k = 3 folds; choose k of at most 2"),
        ([], 2, "0 different pages"),
        ([image(0, "a", 0), replace(image(0, "a", 0), group="1.jpg")], 2, "'0.jpg' occurs twice"),
    ],
)
def test_what_cannot_be_dealt_is_refused(images: list[ReportImage], k: int, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        split_pages(images, k=k, seed=0)


@pytest.mark.parametrize("fold", [-1, 2])
def test_a_fold_that_is_not_there_is_refused(fold: int) -> None:
    split = split_pages(images_of([("a", 0), ("b", 1)]), k=2, seed=0)
    for side in (split.held_out, split.trained_on):
        with pytest.raises(InputError, match=f"fold {fold} of 2; choose 0 to 1"):
            side(fold)


def test_the_real_pages_are_dealt_whole_and_in_share() -> None:
    try:
        locate("ecg_images")
    except DataError as error:
        pytest.skip(str(error))
    images = PAGE_DATASETS["ecg_images"]()
    pages = leak_free(images)
    assert Counter(page.label for page in pages) == {"normal": 142, "mi": 30, "abnormal": 233, "history_mi": 86}
    split = split_pages(pages, k=5, seed=0)
    for fold in range(5):
        held_out = Counter(pages[index].label for index in split.held_out(fold))
        assert held_out["mi"] == 6
        assert abs(held_out["abnormal"] - 233 / 5) <= 1
    files = split_pages(images, k=5, seed=0)
    fold_of_group = set(zip((picture.group for picture in images), files.fold_of, strict=True))
    assert len(fold_of_group) == 491
    assert max(Counter(files.fold_of).values()) - min(Counter(files.fold_of).values()) <= 8


@given(images=NUMBERED_IMAGES, k=FOLDS, seed=SEEDS)
def test_pages_of_one_number_stay_together(images: list[ReportImage], k: int, seed: int) -> None:
    pages = by_number(images)
    split = dealt(list(pages), k, seed)
    fold_of = dict(zip([page.number for page in pages], split.fold_of, strict=True))
    assert [fold_of[page.number] for page in pages] == list(split.fold_of)
    assert len(pages) == len({picture.group for picture in images})
