"""Ink of a page as upright runs: for each column the stretches of ink from top to bottom."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Runs:
    """Upright stretches of ink, sorted by column and within a column from the top."""

    column_px: IntArray
    """(n_runs,) int32, x of each run."""
    top_px: IntArray
    """(n_runs,) int32, first row of the run."""
    end_px: IntArray
    """(n_runs,) int32, row after the last one of the run."""
    first: IntArray
    """(width + 1,) int32: the runs of column x are first[x] to first[x + 1] - 1."""

    @property
    def centre_px(self) -> NDArray[np.float32]:
        """(n_runs,) float32, middle of each run, in pixel centres."""
        return np.asarray((self.top_px + self.end_px - 1) / 2, dtype=np.float32)

    @property
    def height_px(self) -> IntArray:
        """(n_runs,) int32, number of pixels of each run."""
        return self.end_px - self.top_px


def find_runs(mask: NDArray[np.bool_]) -> Runs:
    """Runs of a mask.

    Parameters
    ----------
    mask : (height, width) bool.
    """
    height, width = mask.shape
    padded = np.zeros((width, height + 2), dtype=np.int8)
    padded[:, 1:-1] = mask.T
    flat = padded.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    starts, ends = changes[::2], changes[1::2]
    column = starts // (height + 2)
    offset = column * (height + 2)
    first = np.searchsorted(column, np.arange(width + 1))
    return Runs(
        column.astype(np.int32),
        (starts - offset).astype(np.int32),
        (ends - offset).astype(np.int32),
        first.astype(np.int32),
    )
