"""Printed numbers are compared, not read: the same pixels but for the encoding, in one place of the page."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ecgedge.errors import DataError, InputError
from ecgedge.printed_numbers import read_grey, same_number
from ecgedge.report_images import report_files


def page(number: str, *, scale: int = 1) -> NDArray[np.uint8]:
    """A page of ecg_images' size with a number where its printer sets it."""
    grey = np.full((786 * scale, 1106 * scale), 255, np.uint8)
    at, size = (66 * scale, 46 * scale), 0.42 * scale
    cv2.putText(grey, number, at, cv2.FONT_HERSHEY_SIMPLEX, size, 0, scale, cv2.LINE_AA)
    return grey


def test_pages_of_one_number_are_found() -> None:
    pages = [page("168594"), page("168607"), page("168594"), page("177077"), page("168607")]
    assert same_number(pages) == (0, 1, 0, 3, 1)


def test_another_encoding_is_the_same_number() -> None:
    _, jpeg = cv2.imencode(".jpg", page("168594"), [cv2.IMWRITE_JPEG_QUALITY, 85])
    pages = [page("168594"), cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), page("168598")]
    assert same_number(pages) == (0, 0, 2)


def test_pages_without_a_number_are_each_alone() -> None:
    assert same_number([page(""), page(""), page("")]) == (0, 1, 2)
    assert same_number([]) == ()


def test_a_large_page_is_read_at_half_its_size(tmp_path: Path) -> None:
    for name, scale in (("small.png", 1), ("large.png", 2)):
        cv2.imwrite(str(tmp_path / name), page("168594", scale=scale))
        assert read_grey(tmp_path / name).shape == (786, 1106)


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_what_is_no_picture_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_bytes(content)
    with pytest.raises(InputError, match=r"page\.jpg: \d+ bytes that are not a picture"):
        read_grey(tmp_path / "page.jpg")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jpg: No such file"):
        read_grey(tmp_path / "none.jpg")


def test_ecg_images_has_311_numbers_on_491_pages() -> None:
    try:
        files = report_files()
    except DataError as error:
        pytest.skip(f"ecg_images is not on this machine: {error}")
    paths = sorted({file.path for file in files})
    if len(paths) > 491:
        pytest.skip("the published tree is on this machine; the reduced copy is what this counts")
    first = same_number([read_grey(path) for path in paths])
    assert (len(first), len(set(first))) == (491, 311)
