"""Copies of a page are found whatever was done to the file, and different pages of one template are kept apart."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgedge.duplicates import HASH_BYTES, MOST_DIFFERENT, differing_share, find_copies, page_hash
from ecgedge.errors import InputError

Grey = NDArray[np.uint8]
SIZE_PX = (1106, 786)


def draw_page(seed: int) -> Grey:
    """A report of one template: frame, grid, letters and separators are alike, the beats of four rows are not."""
    rng = np.random.default_rng(seed)
    width, height = SIZE_PX
    page = np.full((height, width), 255, np.uint8)
    page[140::20, 35:1085] = page[140:760, 35:1085:20] = 215
    cv2.putText(page, "ECG REPORT  ID:", (400, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 0, 2)
    for x_px in (322, 568, 814):
        cv2.line(page, (x_px, 210), (x_px, 555), 0, 2)
    x_px = np.arange(75, 1060)
    beats_px = np.arange(90 + rng.uniform(0, 50), 1060, rng.uniform(45, 110))
    for row in range(4):
        since = (x_px[:, None] - beats_px) / np.array([[4.0]])
        wave = rng.uniform(25, 70) * np.exp(-(since**2)) + rng.uniform(5, 20) * np.exp(-(((since - 7) / 3) ** 2))
        points = np.stack([x_px, 230 + 150 * row - wave.sum(axis=1)], axis=1).round().astype(np.int32)
        cv2.polylines(page, [points], isClosed=False, color=0, thickness=2)
    return page


def encode(page: Grey, *, quality: int, scale: float = 1.0) -> bytes:
    small = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def decode(content: bytes) -> Grey:
    grey = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    return np.asarray(grey, np.uint8)


def share(one: Grey, other: Grey) -> float:
    return float(differing_share(page_hash(one)[None], page_hash(other)[None])[0, 0])


def moved(page: Grey, step_px: int) -> Grey:
    return np.roll(page, (step_px, step_px), axis=(0, 1))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), quality=st.integers(30, 95), scale=st.floats(0.4, 1.5))
def test_encoding_and_scaling_do_not_make_another_page(seed: int, quality: int, scale: float) -> None:
    page = draw_page(seed)
    assert share(page, decode(encode(page, quality=quality, scale=scale))) <= MOST_DIFFERENT


def test_pages_of_one_template_are_different_pages() -> None:
    hashes = np.stack([page_hash(draw_page(seed)) for seed in range(20)])
    apart = differing_share(hashes, hashes)
    assert apart[np.triu_indices(20, 1)].min() > MOST_DIFFERENT
    np.testing.assert_array_equal(np.diag(apart), 0)


def test_share_counts_bits() -> None:
    one = np.zeros((2, HASH_BYTES), np.uint8)
    one[1, 0] = 0b1011
    assert differing_share(one[:1], one).tolist() == [[0.0, 3 / (8 * HASH_BYTES)]]
    assert differing_share(one[:1], 255 - one[:1]).tolist() == [[1.0]]


def test_grey_brightness_and_contrast_do_not_matter() -> None:
    page = draw_page(1)
    assert share(page, (page * 0.6 + 40).astype(np.uint8)) < MOST_DIFFERENT / 4


def test_exact_copies_near_copies_and_strangers_are_told_apart(tmp_path: Path) -> None:
    first, other = draw_page(1), draw_page(2)
    contents = [
        encode(first, quality=90),
        encode(other, quality=90),
        encode(first, quality=90),
        encode(first, quality=60, scale=0.5),
        encode(first, quality=60, scale=0.5),
        bytes(cv2.imencode(".png", cv2.cvtColor(other, cv2.COLOR_GRAY2BGR))[1]),
        encode(first, quality=90, scale=2.0),  # large enough to be decoded at half its size
    ]
    paths = [tmp_path / f"{number}.picture" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    seen: list[int] = []
    copies = find_copies(paths, advance=lambda: seen.append(1))
    assert copies.same_bytes == (0, 1, 0, 3, 3, 5, 6)
    assert copies.same_page == (0, 1, 0, 0, 0, 1, 0)
    assert copies.groups() == ((0, 2, 3, 4, 6), (1, 5))
    assert len(seen) == len(paths)


def test_a_copy_of_a_copy_is_a_copy(tmp_path: Path) -> None:
    """Each page is a little further off; the last is far from the first, and in its group all the same."""
    page = draw_page(3)
    order = [5, 0, 3, 1, 4, 2]
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for path, step_px in zip(paths, order, strict=True):
        cv2.imwrite(str(path), moved(page, step_px))
    assert share(moved(page, 0), moved(page, 5)) > MOST_DIFFERENT
    assert find_copies(paths).same_page == (0,) * 6
    assert find_copies(paths[:2]).same_page == (0, 1)


def test_no_pictures_have_no_copies() -> None:
    assert find_copies([]).groups() == ()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "0 bytes that are not a picture"),
        (b"not a picture at all", "20 bytes that are not a picture"),
        (encode(draw_page(1), quality=50)[:20_000], "20000 bytes without its end, so cut short"),
    ],
    ids=["empty", "text", "cut"],
)
def test_what_is_not_a_whole_picture_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "HB(1).jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"HB\(1\)\.jpg: .*{complaint}.*; copy it again"):
        find_copies([path])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jpg: No such file"):
        find_copies([tmp_path / "gone.jpg"])
