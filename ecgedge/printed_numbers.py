"""Which report pages of ecg_images carry the same printed number: pages that may be of one person or one session.

The number is not read, only compared: pages of one number go to one side of a split, and nobody needs to know it. The
printer sets it in one place, in one face, so that two prints of one number are the same pixels but for the encoding.
Measured over all pairs of the 491 pages at half size: 488 pairs differ by less than 1 grey level (rms), all others by
19 or more. Whether one number is one person is not known: 62 of the 311 numbers stand on pages of several classes.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError

Grey = NDArray[np.uint8]

_BOX = (0.0597, 0.0407, 0.1031, 0.0611)
"""Left, top, right, bottom of the six digits, as shares of the page's width and height."""
_SIZE_PX = (48, 16)
_MOST_DIFFERENT = 8.0
"""Grey levels, rms; the geometric mean of 1 and 19 is 4, and the originals are twice as sharp."""
_LARGE_PX = 1600
"""Pages wider than this are decoded at half their size, which is sooner done."""
_LEAST_INK = 8.0
"""Standard deviation of the grey levels below which there is no number at all."""


def read_grey(path: Path) -> Grey:
    """A page in grey, (height, width) uint8; of a large one every second pixel.

    Raises
    ------
    InputError
        The file is missing or no picture.
    """
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; fetch or copy it again") from error
    grey = cv2.imdecode(content, cv2.IMREAD_REDUCED_GRAYSCALE_2) if len(content) else None
    if grey is not None and 2 * grey.shape[1] <= _LARGE_PX:
        grey = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise InputError(f"{path}: {len(content)} bytes that are not a picture (JPEG, PNG, TIFF...); copy it again")
    return np.asarray(grey, np.uint8)


def same_number(pages: Sequence[Grey]) -> tuple[int, ...]:
    """For each page the index of the first that has the same printed number (its own, if none, or if it has none).

    Parameters
    ----------
    pages : (height, width) uint8 each, upright and whole, any size
    """
    if not pages:
        return ()
    prints = np.stack([_print_of(page) for page in pages])
    first = list(range(len(pages)))
    for index in range(1, len(pages)):
        if prints[index].std() >= _LEAST_INK:
            close = np.flatnonzero(_difference(prints[index], prints[:index]) <= _MOST_DIFFERENT)
            first[index] = first[int(close[0])] if len(close) else index
    return tuple(first)


def _print_of(page: Grey) -> NDArray[np.float32]:
    """The number's place, (16, 48) float32 grey levels."""
    height, width = page.shape
    left, top, right, bottom = (round(share * size) for share, size in zip(_BOX, (width, height) * 2, strict=True))
    part = page[top : max(top + 1, bottom), left : max(left + 1, right)]
    return cv2.resize(part, _SIZE_PX, interpolation=cv2.INTER_AREA).astype(np.float32)


def _difference(one: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Root mean square difference from each of the others, (n,) float32, grey levels."""
    apart = others - one
    return np.asarray(np.sqrt(np.einsum("nij,nij->n", apart, apart) / one.size), np.float32)
