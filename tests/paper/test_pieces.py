"""Pieces of ink and straight lines in it: as OpenCV's own functions have them, which look at every pixel."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ecgedge.paper.page import Pixels
from ecgedge.paper.pieces import find_pieces, level_lines, upright_lines

masks = st.tuples(st.integers(1, 12), st.integers(1, 40)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 1))
)


@given(masks)
def test_boxes_areas_and_centres_are_those_of_the_pieces(mask: Pixels) -> None:
    pieces = find_pieces(mask)
    _, labels, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    assert pieces.boxes_px() == [tuple(box) for box in stats[1:, :4].tolist()]
    np.testing.assert_array_equal(pieces.area_px, stats[1:, cv2.CC_STAT_AREA])
    np.testing.assert_allclose(pieces.centre_px, centres[1:, 0], atol=1e-4)
    chosen = np.arange(len(stats) - 1) % 2 == 0
    np.testing.assert_array_equal(pieces.of(chosen), labels % 2 == 1)


@given(masks, st.integers(1, 50))
def test_lines_are_what_an_opening_leaves(mask: Pixels, length: int) -> None:
    for lines, kernel in ((level_lines, (1, length)), (upright_lines, (length, 1))):
        opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones(kernel, np.uint8))
        np.testing.assert_array_equal(lines(mask, length), opened)


def test_a_mask_of_truth_values_that_is_a_part_of_another_is_read_as_it_looks() -> None:
    mask = np.zeros((30, 40), np.bool_)
    mask[3:9, 20:25] = True
    assert find_pieces(mask[2:, 10:]).boxes_px() == [(10, 1, 5, 6)]
