"""Pieces of ink that hang together, and straight lines in ink: what OpenCV tells of each pixel, told of ink alone.

Ink covers a few per cent of a page, so its pixels are taken out before anything is counted.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray, Pixels

Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of ink that hang together, corners included, and their boxes."""

    shape: tuple[int, int]
    """Height and width of the mask."""
    at: Ints
    """(n_pixels,) places of the ink in the flattened mask, increasing."""
    piece: Ints
    """(n_pixels,) the piece that each pixel belongs to, 0 to n_pieces - 1."""
    area_px: Ints
    """(n_pieces,) number of pixels."""
    left_px: Ints
    """(n_pieces,) first column, and likewise below."""
    top_px: Ints
    right_px: Ints
    """(n_pieces,) column after the last one, and likewise below."""
    bottom_px: Ints

    @property
    def width_px(self) -> Ints:
        """(n_pieces,) number of columns from the first to the last one."""
        return self.right_px - self.left_px

    @property
    def height_px(self) -> Ints:
        """(n_pieces,) number of rows from the first to the last one."""
        return self.bottom_px - self.top_px

    @property
    def centre_px(self) -> FloatArray:
        """(n_pieces,) float32, mean column."""
        columns = np.bincount(self.piece, weights=self.at % self.shape[1], minlength=len(self.area_px))
        return np.asarray(columns / self.area_px, dtype=np.float32)

    def boxes_px(self) -> list[tuple[int, int, int, int]]:
        """Left, top, width and height of each piece."""
        sides = np.stack([self.left_px, self.top_px, self.width_px, self.height_px], axis=1)
        return [(left, top, wide, tall) for left, top, wide, tall in sides.tolist()]

    def of(self, chosen: Bools) -> Bools:
        """(height, width) bool: the ink of the pieces chosen, (n_pieces,) bool."""
        mask = np.zeros(self.shape, dtype=np.bool_)
        mask.reshape(-1)[self.at[chosen[self.piece]]] = True
        return mask


def find_pieces(mask: Bools | Pixels) -> Pieces:
    """Pieces of a mask.

    Parameters
    ----------
    mask : (height, width) bool or uint8, where 1 is ink and 0 is none.
    """
    ink = np.ascontiguousarray(mask)
    count, labels = cv2.connectedComponents(ink.view(np.uint8), None, 8, cv2.CV_32S)
    at = np.flatnonzero(ink.view(np.bool_))
    piece = labels.reshape(-1)[at].astype(np.intp) - 1
    row, column = np.divmod(at, ink.shape[1])
    left, right = _range_of(column, piece, count - 1)
    top, bottom = _range_of(row, piece, count - 1)
    area = np.bincount(piece, minlength=count - 1)
    return Pieces((ink.shape[0], ink.shape[1]), at, piece, area, left, top, right, bottom)


def _range_of(values: Ints, piece: Ints, count: int) -> tuple[Ints, Ints]:
    """Least value of each piece, and the one after the greatest."""
    least, most = np.full(count, np.iinfo(np.intp).max), np.zeros(count, dtype=np.intp)
    np.minimum.at(least, piece, values)
    np.maximum.at(most, piece, values)
    return least, most + 1


def level_lines(mask: Pixels, length_px: int) -> Pixels:
    """Ink that runs straight along a row for at least a length: an opening.

    Parameters
    ----------
    mask : (height, width) uint8, 0 or 1.

    Returns
    -------
    (height, width) uint8, 0 or 1. As beyond the mask's edges nothing is known, half the length is enough there.
    """
    lines = np.zeros_like(mask)
    least = min(length_px // 2, mask.shape[1])
    rows = np.flatnonzero(cv2.reduce(mask, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0] >= least)
    if rows.size:
        lines[rows] = cv2.morphologyEx(mask[rows], cv2.MORPH_OPEN, np.ones((1, length_px), np.uint8))
    return lines


def upright_lines(mask: Pixels, length_px: int) -> Pixels:
    """The same along a column."""
    lines = level_lines(np.asarray(cv2.transpose(mask), dtype=np.uint8), length_px)
    return np.asarray(cv2.transpose(lines), dtype=np.uint8)
