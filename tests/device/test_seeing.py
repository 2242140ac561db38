"""Seeing: one picture per page, when it lies still and sharp; none of a table, a hand, a blur, the same page again."""

import cv2
import numpy as np
import pytest

from ecgedge.catalogue import data_roots
from ecgedge.paper.page import Pixels
from ecgedge_device.sources.seeing import (
    WIDEST_EDGE_PX,
    Seeing,
    edge_width_px,
    find_marks,
    find_page_grid,
    moved,
    reduced,
    same_page,
    thumbnail,
)
from tests.device.camera_frames import SIZE, noisy, page_frame, page_photo, table_frame, turned, with_hand

RATE_HZ = 4


class Watched:
    """A preview of four frames a second with noise and lamps that flicker a little."""

    def __init__(self) -> None:
        self.seeing, self.count = Seeing(), 0

    def show(self, frame: Pixels, seconds: float) -> int:
        """How often a scene is to be taken while it lies still."""
        taken = 0
        for _ in range(round(seconds * RATE_HZ)):
            self.count += 1
            light = 1 + 0.02 * np.sin(self.count)
            taken += self.seeing.step(noisy(frame, self.count, light=light), now_s=self.count / RATE_HZ)
        return taken

    def move_hand(self, frame: Pixels) -> int:
        """The same while a hand comes in over it and goes."""
        return sum(self.show(with_hand(frame, reach), 1 / RATE_HZ) for reach in (0.2, 0.5, 0.8, 1.0, 0.6, 0.3))


def test_a_page_is_taken_once_and_the_next_one_once() -> None:
    camera = Watched()
    assert camera.show(table_frame(), 5) == 0
    assert camera.move_hand(table_frame()) == 0
    assert camera.show(page_frame(1), 3) == 1
    assert camera.show(page_frame(1), 20) == 0
    assert camera.move_hand(page_frame(1)) == 0
    assert camera.show(page_frame(2, view=4), 3) == 1, "another page was laid on top"
    assert camera.show(page_frame(2, view=4), 20) == 0


def test_a_page_that_was_pushed_or_shaded_is_not_taken_again() -> None:
    camera = Watched()
    assert camera.show(page_frame(1), 3) == 1
    for degrees, shift_px in ((0, 5), (3, 10), (-8, 20)):
        assert camera.move_hand(page_frame(1)) == 0
        assert camera.show(turned(page_frame(1), degrees=degrees, shift_px=shift_px), 5) == 0
    assert camera.show(page_frame(1) // 2, 5) == 0, "half the light"
    assert camera.show(page_frame(1) // 12, 5) == 0, "lamp off"
    assert camera.show(page_frame(1), 5) == 0, "lamp on"


def test_a_page_laid_again_after_the_table_was_empty_is_taken_again() -> None:
    camera = Watched()
    assert camera.show(page_frame(1), 3) == 1
    assert camera.show(table_frame(), 3) == 0
    assert camera.show(page_frame(1), 3) == 1


def test_a_page_at_the_very_same_place_is_another_page() -> None:
    camera = Watched()
    assert camera.show(page_frame(1), 3) == 1
    assert camera.move_hand(page_frame(1)) == 0
    assert camera.show(page_frame(2), 3) == 1


@pytest.mark.parametrize("blur", ["defocus", "shake"])
def test_a_blurred_page_is_not_taken_until_it_is_sharp(blur: str) -> None:
    camera = Watched()
    frame = page_frame(1)
    soft = cv2.GaussianBlur(frame, (0, 0), 2.0) if blur == "defocus" else cv2.blur(frame, (9, 1))
    assert camera.show(np.asarray(soft, np.uint8), 15) == 0
    assert camera.show(frame, 3) == 1


def test_a_page_that_keeps_moving_is_not_taken() -> None:
    camera = Watched()
    for step in range(40):
        moving = turned(page_frame(1), degrees=step % 7, shift_px=8 * (step % 5))
        assert camera.show(moving, 0.5) == 0


def test_a_picture_taken_by_hand_is_not_taken_again() -> None:
    camera = Watched()
    camera.seeing.taken(page_photo(1))
    assert camera.show(page_frame(1), 5) == 0
    assert camera.show(page_frame(2), 5) == 1


def test_a_white_sheet_and_a_chessboard_are_no_pages() -> None:
    camera = Watched()
    sheet, board = table_frame().copy(), table_frame().copy()
    cv2.rectangle(sheet, (100, 80), (540, 400), (245, 245, 245), -1)
    for row in range(8):
        for column in range(row % 2, 8, 2):
            cv2.rectangle(board, (140 + 45 * column, 60 + 45 * row), (184 + 45 * column, 104 + 45 * row), (9, 9, 9), -1)
    assert camera.show(sheet, 5) == 0
    assert camera.show(board, 5) == 0


@pytest.mark.parametrize("size", [(320, 240), (1280, 960), (480, 640)])
def test_frames_of_any_size_are_seen(size: tuple[int, int]) -> None:
    camera = Watched()
    frame = page_photo(1) if size[0] > size[1] else np.ascontiguousarray(np.rot90(page_photo(1)))
    assert camera.show(np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8), 3) == 1


def test_movement_is_change_in_one_place() -> None:
    still = thumbnail(noisy(table_frame(), 1))
    assert not moved(still, thumbnail(noisy(table_frame(), 2)))
    assert not moved(still, thumbnail(noisy(table_frame(), 3, light=0.8)))
    assert moved(still, thumbnail(noisy(with_hand(table_frame(), 0.4), 4)))
    assert moved(still, still[:, :-1])


@pytest.mark.parametrize("index", range(0, 14, 2))
def test_real_photos_are_seen_told_apart_and_refused_when_blurred(index: int) -> None:
    files = [file for root in data_roots() for file in sorted((root / "photos").glob("*.jpg"))]
    if not files:
        pytest.skip(f"needs the shared data: no photos in {', '.join(map(str, data_roots()))}")
    photo, other = (cv2.imread(str(files[number % len(files)])) for number in (index, index + 1))
    assert photo is not None
    assert other is not None
    frame = reduced(np.asarray(photo, np.uint8))
    assert max(frame.shape) == SIZE[0]
    assert find_page_grid(frame) is not None
    assert Watched().show(frame, 3) == 1
    assert Watched().show(np.asarray(cv2.GaussianBlur(frame, (0, 0), 2.0), np.uint8), 3) == 0
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
    assert 1.0 <= edge_width_px(grey) < WIDEST_EDGE_PX
    marks = find_marks(frame)
    assert same_page(marks, find_marks(noisy(turned(frame, degrees=5, shift_px=12), 1, light=0.8)))
    assert not same_page(marks, find_marks(reduced(np.asarray(other, np.uint8))))
