"""The pages that a model is trained and measured on, read once and held in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.lead_arrays import Inputs

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Rows = Sequence[int] | IntArray

_WHITE = np.float32(255)


@dataclass(frozen=True)
class PagePool:
    """Pages of a data set, in its order; files with the same picture share its inputs."""

    pictures: dict[str, NDArray[np.generic]]
    """Name of an input -> (n_pictures, ...): float32, or uint8 for images, where a step is 1 / 255."""
    picture: IntArray
    """(n,) int64, row of each page in `pictures`; -1 where the page was refused."""
    classes: IntArray
    """(n,) int64, index into `labels.REPORT.names`."""
    groups: tuple[str, ...]
    """Pages of one group are never parted."""
    names: tuple[str, ...]
    reasons: tuple[str, ...]
    """Why a page was refused; empty where it was read."""

    @property
    def read(self) -> BoolArray:
        """(n,) bool, which pages were read."""
        return self.picture >= 0

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input without the leading axis."""
        return {name: values.shape[1:] for name, values in self.pictures.items()}

    def readable(self, rows: Rows) -> IntArray:
        """Those of the rows whose pages were read, in their order."""
        chosen = np.asarray(rows, dtype=np.int64)
        return chosen[self.read[chosen]]

    def take(self, rows: Rows) -> Inputs:
        """Inputs of some pages, float32, leading axis as the rows.

        Raises
        ------
        InputError
            A page among them was refused.
        """
        at = self.picture[np.asarray(rows, dtype=np.int64)]
        if (at < 0).any():
            name = self.names[int(np.asarray(rows)[np.argmax(at < 0)])]
            raise InputError(f"{name}: this page was refused and has no inputs; leave it out with PagePool.readable")
        return {name: _unpacked(values[at]) for name, values in self.pictures.items()}


def packed(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values k / 255, as images have them, in a fourth of the memory."""
    return np.asarray(np.rint(values * _WHITE), np.uint8)


def _unpacked(values: NDArray[np.generic]) -> NDArray[np.float32]:
    real = values.astype(np.float32)
    return real / _WHITE if values.dtype == np.uint8 else real
