"""One picture that shows many pages: the photo, the flat page, and the curves over it, a row per page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ecgedge import NOTICE
from ecgedge.errors import InputError
from ecgedge.paper.page import Pixels

_CELL_PX = (520, 390)  # width and height: three stand side by side in 1600 px
_GAP_PX = 10
_TEXT_PX = 28
_HEADINGS = ("picture", "flat page", "curves over the page")
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (60, 52, 46)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One page of a contact sheet."""

    words: str
    """What is said above it: its name and what came of it."""
    pictures: tuple[Pixels | None, ...]
    """Photo, flat page and curves, each (height, width, 3) uint8, blue-green-red; None where there is none."""


def draw_contact_sheet(title: str, rows: Sequence[SheetRow]) -> Pixels:
    """Draw a contact sheet.

    Returns
    -------
    (height, width, 3) uint8, blue-green-red, 1600 px wide

    Raises
    ------
    InputError
        No rows.
    """
    if not rows:
        raise InputError(f"contact sheet {title!r} of 0 pages; 1 is needed; give it pictures")
    columns = max(len(_HEADINGS), *(len(row.pictures) for row in rows))
    width = columns * (_CELL_PX[0] + _GAP_PX) + _GAP_PX
    heading = _band([title], width, scale=0.8)
    names = _band(_HEADINGS, width, scale=0.55)
    bands = [band for row in rows for band in (_band([row.words], width, scale=0.5), _cells(row.pictures, width))]
    foot = _band([NOTICE], width, scale=0.5)
    return np.vstack([heading, names, *bands, foot]).astype(np.uint8)


def thumbnail(pixels: Pixels, *, width_px: int = _CELL_PX[0], height_px: int = _CELL_PX[1]) -> Pixels:
    """The whole picture, made to fit, on white: (height_px, width_px, 3) uint8."""
    height, width = pixels.shape[:2]
    scale = min(width_px / width, height_px / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    cell = np.full((height_px, width_px, 3), 255, np.uint8)
    left, top = (width_px - size[0]) // 2, (height_px - size[1]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
    return cell


def _cells(pictures: Iterable[Pixels | None], width: int) -> Pixels:
    band = np.full((_CELL_PX[1] + _GAP_PX, width, 3), 235, np.uint8)
    for column, pixels in enumerate(pictures):
        if pixels is not None:
            left = _GAP_PX + column * (_CELL_PX[0] + _GAP_PX)
            band[: _CELL_PX[1], left : left + _CELL_PX[0]] = thumbnail(pixels)
    return band


def _band(words: Sequence[str], width: int, *, scale: float) -> Pixels:
    band = np.full((round(_TEXT_PX * (0.5 + scale)), width, 3), 255, np.uint8)
    for column, word in enumerate(words):
        room = (width if len(words) == 1 else _CELL_PX[0]) - 2 * _GAP_PX
        text = word.encode("ascii", "replace").decode()
        (length, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
        fitting = scale * min(1.0, room / max(1, length))
        base = (_GAP_PX + column * (_CELL_PX[0] + _GAP_PX), band.shape[0] - 9)
        cv2.putText(band, text, base, _FONT, fitting, _INK, 1, cv2.LINE_AA)
    return band
