"""Pictures that are there more than once: byte for byte, or the same page encoded, scaled or greyed anew.

First the SHA-256 of each file's bytes. Then, once per different file, a perceptual hash after the idea of pHash
(Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", thesis, Hagenberg): the page in
grey, shrunk to 256 x 192, and of its cosine transform one bit for the sign of each coefficient. Departure: not the 8 x
8 lowest coefficients but a block of 64 x 64 further out. ECG reports share a template, and the lowest coefficients
show little else: by them, different reports of ecg_images have the same hash. From 16 half periods a page width on it
is the beats that differ; below 80 the grid (112 on a page 280 mm wide) is not yet seen.

The threshold was set on 255 of the 491 reports of ecg_images, at about the geometric mean of how far a copy moves and
how near a stranger comes. Share of the bits that differ, the most of 130 pages: JPEG quality 20 .037, 10 .053; half
scale and JPEG 40 .054; a third and 60 .074; a quarter and 80 .105; double .019; grey and 40 .022; the green channel
alone .030; brightness .6 to 1 across the page .058; moved by 0.25 mm .087; turned by 0.2 degrees .083; 0.5 mm cut off
each side .110. Two different reports of the 255 differ by .217 at least (the same heart rate, by chance), by .35 in the
median; of the other 236, which had no part in the choice, by .189 at least.

Not found: a page that is cropped or moved by more than about 0.5 mm, turned, mirrored, photographed, or drawn anew with
another grid or gain; two recordings of one patient. Blank pages hash by their noise alone.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError

MOST_DIFFERENT = 0.125
"""Two pictures are one page where at most this share of their bits differs; see the module for how it was measured."""

HASH_BYTES = 512
_SHRUNK_PX = (256, 192)
_BAND_ACROSS = slice(16, 80)
_BAND_DOWN = slice(0, 64)
_BLOCK = 1024
_SCAN_OF_JPEG, _END_OF_JPEG = b"\xff\xda", b"\xff\xd9"  # neither occurs inside the coded pixels

Hash = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Copies:
    """Which of some pictures are the same: for each, the index of the first that it is a copy of (itself, if none)."""

    same_bytes: tuple[int, ...]
    """By the bytes of the files."""
    same_page: tuple[int, ...]
    """By the bytes or by what is seen, through any number of steps from copy to copy: the groups."""

    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the pictures of each page, pages in the order of their first picture."""
        members: dict[int, list[int]] = {}
        for index, first in enumerate(self.same_page):
            members.setdefault(first, []).append(index)
        return tuple(map(tuple, members.values()))


def find_copies(paths: Sequence[Path], *, advance: Callable[[], None] | None = None) -> Copies:
    """Group pictures that are the same page.

    Parameters
    ----------
    advance : called after each file

    Raises
    ------
    InputError
        A file is missing, empty, cut short or not a picture.
    """
    first_of_digest: dict[bytes, int] = {}
    same_bytes: list[int] = []
    hashes: list[Hash] = []
    for index, path in enumerate(paths):
        content = _read(path)
        first = first_of_digest.setdefault(hashlib.sha256(content).digest(), index)
        same_bytes.append(first)
        if first == index:
            hashes.append(page_hash(_grey(content, path)))
        if advance is not None:
            advance()
    firsts = np.array(list(first_of_digest.values()), dtype=np.int64)
    leader = dict(zip(firsts.tolist(), firsts[_join(hashes)].tolist(), strict=True))
    return Copies(same_bytes=tuple(same_bytes), same_page=tuple(leader[first] for first in same_bytes))


def page_hash(grey: NDArray[np.uint8]) -> Hash:
    """Perceptual hash of a page.

    Parameters
    ----------
    grey : (height, width) uint8, upright

    Returns
    -------
    (512,) uint8: 4096 bits; compare two with `differing_share`.
    """
    shrunk = cv2.resize(grey, _SHRUNK_PX, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.packbits(cv2.dct(shrunk)[_BAND_DOWN, _BAND_ACROSS] > 0)


def differing_share(hashes: Hash, others: Hash) -> NDArray[np.float32]:
    """Share of the bits by which hashes differ.

    Parameters
    ----------
    hashes, others : (n, 512) and (m, 512) uint8

    Returns
    -------
    (n, m) float32, 0 to 1; 0.5 is what unrelated noise gives.
    """
    agreement = _signs(hashes) @ _signs(others).T * np.float32(1 / (8 * HASH_BYTES))
    return (np.float32(1) - agreement) / np.float32(2)


def _signs(hashes: Hash) -> NDArray[np.float32]:
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def _join(hashes: Sequence[Hash]) -> NDArray[np.int64]:
    """Index of the first hash of each one's group, (n,) int64: union-find over all pairs that are close."""
    parent = np.arange(len(hashes))
    table = np.stack(hashes) if hashes else np.empty((0, HASH_BYTES), np.uint8)
    for start in range(0, len(table), _BLOCK):
        close = differing_share(table[start : start + _BLOCK], table) <= MOST_DIFFERENT
        rows, columns = np.nonzero(close)
        for one, other in zip((rows + start).tolist(), columns.tolist(), strict=True):
            _unite(parent, one, other)
    return np.array([_root(parent, index) for index in range(len(parent))], dtype=np.int64)


def _unite(parent: NDArray[np.int64], one: int, other: int) -> None:
    low, high = sorted((_root(parent, one), _root(parent, other)))
    parent[high] = low


def _root(parent: NDArray[np.int64], index: int) -> int:
    while (above := int(parent[index])) != index:
        parent[index] = parent[above]
        index = above
    return index


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; fetch or copy it again") from error


def _grey(content: bytes, path: Path) -> NDArray[np.uint8]:
    """Pixels in grey, EXIF rotation applied; of a large picture at half its size, which is decoded sooner."""
    if content.startswith(b"\xff\xd8") and content.find(_END_OF_JPEG, content.rfind(_SCAN_OF_JPEG)) < 0:
        raise InputError(f"{path}: a JPEG of {len(content)} bytes without its end, so cut short; copy it again")
    grey = _decode(content, cv2.IMREAD_REDUCED_GRAYSCALE_2)
    if grey is not None and min(grey.shape) < 2 * max(_SHRUNK_PX):
        grey = _decode(content, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise InputError(f"{path}: {len(content)} bytes that are not a picture (JPEG, PNG, TIFF...); copy it again")
    return grey


def _decode(content: bytes, flag: int) -> NDArray[np.uint8] | None:
    try:
        grey = cv2.imdecode(np.frombuffer(content, np.uint8), flag) if content else None
    except cv2.error:  # more pixels than OpenCV agrees to
        return None
    return None if grey is None else np.asarray(grey, np.uint8)
