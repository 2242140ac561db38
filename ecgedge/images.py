"""Pure functions on pictures: what a recipe does to a page before a model sees it.

Knows nothing of files, pages or models. `(height, width)` or `(height, width, 3)` uint8 in, a new array of uint8 out;
blue-green-red as OpenCV has it.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError

Pixels = NDArray[np.uint8]
Fit = Literal["pad", "stretch"]

_MOST_MEDIAN = 255  # OpenCV's limit for 8 bits
_MAX_SIDE_PX = 1 << 15  # OpenCV's resize and remap count in 16 bits


def grey(image: Pixels) -> Pixels:
    """Luma (ITU-R BT.601): (height, width, 3) or (height, width) -> (height, width) uint8."""
    _require_image(image)
    return image.copy() if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def crop(image: Pixels, box: tuple[float, float, float, float]) -> Pixels:
    """Cut out a part.

    Parameters
    ----------
    box : left, top, right, bottom as fractions of width and height, 0 to 1; at least one pixel remains
    """
    _require_image(image)
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise InputError(f"crop to {box}: left, top, right, bottom must rise from 0 to 1; e.g. (0, 0.1, 1, 0.9)")
    height, width = image.shape[:2]
    (first, last), (upper, lower) = _span(left, right, width), _span(top, bottom, height)
    return image[upper:lower, first:last].copy()


def equalise(image: Pixels, *, clip: float = 2.0, tiles: int = 8) -> Pixels:
    """Local contrast evened out (CLAHE; Zuiderveld, Graphics Gems IV, 1994, VIII.5), of the lightness alone.

    Parameters
    ----------
    clip : by how much a tile's histogram may rise above flat; 1 changes little
    tiles : tiles across and down
    """
    _require_image(image)
    if not (clip > 0 and np.isfinite(clip) and 1 <= tiles <= 64):
        raise InputError(
            f"CLAHE with clip {clip:g} and {tiles} tiles: clip above 0 and 1 to 64 tiles; 2 and 8 are usual"
        )
    clahe = cv2.createCLAHE(clipLimit=clip, tileGridSize=(tiles, tiles))
    if image.ndim == 2:
        return np.asarray(clahe.apply(image), np.uint8)
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    lab[:, :, 0] = clahe.apply(lab[:, :, 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), np.uint8)


def median(image: Pixels, *, size_px: int = 3) -> Pixels:
    """Median of a square around each pixel, channel by channel; edges are repeated. The size is odd, at most 255."""
    _require_image(image)
    if size_px % 2 == 0 or not 1 <= size_px <= _MOST_MEDIAN:
        raise InputError(f"median over {size_px} px: an odd size from 1 to {_MOST_MEDIAN} is needed; 3 is usual")
    return np.asarray(cv2.medianBlur(image, size_px), np.uint8)


def fit(image: Pixels, size_px: tuple[int, int], *, how: Fit = "pad", fill: int = 255) -> Pixels:
    """Bring an image to a size: area means where it shrinks, bilinear where it grows.

    Parameters
    ----------
    size_px : height and width of the result
    how : "pad" keeps the aspect and centres the image, with `fill` around it; "stretch" fills the whole size
    fill : 0 to 255, the grey of the padding; 255 is white paper
    """
    _require_image(image)
    if how not in ("pad", "stretch") or not 0 <= fill <= 255 or not all(1 <= side <= _MAX_SIDE_PX for side in size_px):
        raise InputError(
            f"fit to {size_px} by {how!r}, fill {fill}: sides of 1 to {_MAX_SIDE_PX} px, pad or stretch, 0 to 255"
        )
    height, width = image.shape[:2]
    scale = min(size_px[0] / height, size_px[1] / width)
    inner = size_px if how == "stretch" else (_side(height * scale, size_px[0]), _side(width * scale, size_px[1]))
    resized = _resize(image, inner)
    if inner == size_px:
        return resized
    top, left = (size_px[0] - inner[0]) // 2, (size_px[1] - inner[1]) // 2
    output = np.full((*size_px, *image.shape[2:]), fill, np.uint8)
    output[top : top + inner[0], left : left + inner[1]] = resized
    return output


def _resize(image: Pixels, size_px: tuple[int, int]) -> Pixels:
    if image.shape[:2] == size_px:
        return image.copy()
    shrinks = size_px[0] * size_px[1] < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size_px[1], size_px[0]), interpolation=method), np.uint8)


def _side(length_px: float, most_px: int) -> int:
    return min(max(round(length_px), 1), most_px)


def _span(start: float, end: float, length_px: int) -> tuple[int, int]:
    first = min(round(start * length_px), length_px - 1)
    return first, max(round(end * length_px), first + 1)


def _require_image(image: Pixels) -> None:
    right_shape = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not right_shape or image.size == 0:
        raise InputError(
            f"an image of {image.dtype} {image.shape}: (height, width) or (height, width, 3) uint8 is needed"
        )
