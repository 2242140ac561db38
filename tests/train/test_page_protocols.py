"""Protocols: what each parts and what it never parts; the guard fails when a group is split on purpose."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgedge.errors import DataError, InputError
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.page_split import PageSplit, split_pages
from ecgedge_train.pages.evaluate import require_unseen
from ecgedge_train.pages.inner import held_back, without
from ecgedge_train.pages.protocols import PROTOCOLS, deal, require_no_leak
from ecgedge_train.pages.recipe import Calibration
from tests.train.page_pools import images, pool


def test_a_group_that_is_split_on_purpose_is_refused() -> None:
    files = images(40, copies=2)
    split = split_pages(files, k=5, seed=0)
    require_no_leak(split, files)
    moved = list(split.fold_of)
    moved[7] = (moved[6] + 1) % 5
    with pytest.raises(
        DataError, match=rf"leak: group 6\.png is in fold {moved[6]} .* and in fold {moved[7]} \(7\.png"
    ):
        require_no_leak(PageSplit(split.names, tuple(moved), 5), files)


def test_a_page_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match=r"99\.png: in the split but not in the data set"):
        require_no_leak(PageSplit(("99.png",), (0,), 2), images(4))


def test_what_each_protocol_sees() -> None:
    files = images(80, copies=2)
    numbered = tuple(replace(image, number=f"{k // 8}") for k, image in enumerate(files))
    found = {name: deal(numbered, name, seed=0, folds=4) for name in PROTOCOLS}
    assert {name: len(dealt.images) for name, dealt in found.items()} == {
        "by-number": 40,
        "leak-free": 40,
        "as-published": 80,
    }
    assert found["by-number"].pages == tuple(f"{k // 8}" for k in range(0, 80, 2))
    assert found["as-published"].pages == tuple(image.group for image in files)
    assert _parts(found["as-published"].split, files, "group")
    assert not _parts(found["leak-free"].split, numbered, "group")
    assert _parts(found["leak-free"].split, numbered, "number")
    assert not _parts(found["by-number"].split, numbered, "number")


def _parts(split: PageSplit, files: tuple[ReportImage, ...], kind: str) -> bool:
    key = {image.name: getattr(image, kind) for image in files}
    folds = {(key[name], fold) for name, fold in zip(split.names, split.fold_of, strict=True)}
    return max(Counter(group for group, _ in folds).values()) > 1


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(InputError, match="choose one of by-number, leak-free, as-published"):
        deal(images(20), "random", seed=0)  # type: ignore[arg-type]


def test_what_was_trained_on_is_not_measured_on() -> None:
    files = images(8, copies=2)
    require_unseen(files[2:4], {"0.png", "1.png"}, "leak-free", files)
    with pytest.raises(DataError, match=r"leak: 1\.png was trained on as 0\.png"):
        require_unseen(files[1:2], {"0.png"}, "leak-free", files)
    require_unseen(files[1:2], {"0.png"}, "as-published", files)
    numbered = [replace(image, number="1") for image in files]
    require_unseen(numbered[2:4], {"0.png"}, "leak-free", numbered)
    with pytest.raises(DataError, match="leak"):
        require_unseen(numbered[2:4], {"0.png"}, "by-number", numbered)


@pytest.mark.parametrize(("folds", "share", "parts"), [(4, 0.15, 4), (0, 0.25, 1), (0, 0.0, 0)])
def test_inner_parts_hold_each_page_once_and_never_part_a_group(folds: int, share: float, parts: int) -> None:
    pages = replace(pool(80), groups=tuple(f"{k - k % 2}" for k in range(80)))
    rows = pages.readable(np.arange(60))
    found = held_back(pages, rows, Calibration(inner_folds=folds, inner_share=share), seed=1)
    assert len(found) == parts
    together = np.concatenate([*found, np.zeros(0, np.int64)])
    assert len(set(together.tolist())) == len(together)
    if folds:
        assert sorted(together.tolist()) == rows.tolist()
    for part in found:
        rest = without(rows, part)
        assert not {pages.groups[row] for row in part} & {pages.groups[row] for row in rest}
        assert {int(label) for label in pages.classes[part]} == {0, 1, 2, 3}


def test_the_real_pages_are_dealt_without_a_leak() -> None:
    from ecgedge.catalogue import locate

    try:
        locate("ecg_images")
    except DataError as error:
        pytest.skip(str(error))
    from ecgedge_train.datasets import PAGE_DATASETS

    files = PAGE_DATASETS["ecg_images"]()
    dealt = deal(files, "by-number", seed=0)
    assert len(dealt.images) == 491 and not _parts(dealt.split, tuple(files), "number")
    assert len(deal(files, "as-published", seed=0).images) == 928
    assert all(Path(image.path).is_file() for image in dealt.images[:3])
