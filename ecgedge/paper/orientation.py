"""Which way up a flat page is: by its calibration pulses, which are open at the bottom, or else by its lead names."""

from dataclasses import dataclass

import numpy as np

from ecgedge.paper.ink import Ink, find_ink
from ecgedge.paper.layout_match import confidence, weigh_all
from ecgedge.paper.levels import EVEN
from ecgedge.paper.page import Page, Pixels
from ecgedge.paper.pulses import Pulse, find_boxes, find_pulses
from ecgedge.paper.rows import USUAL, find_rows
from ecgedge.paper.separators import find_separators

TURNS_DEG = (0, 180, 90, 270)
"""Clockwise turns tried, the likelier ones first."""
TALL_MM = 8.0
"""A pulse this high at each row is believed at once; lower ones may be cells of a grid of 5 mm or letters."""
FEWEST_PULSES, AHEAD = 2, 1.5
"""Otherwise the pulses of one turn must be this many, and this many times as high in all as those of any other turn:
pages that are not upright show up to four, by chance."""
SURE = 0.5
"""Confidence of the lead names from which they decide."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How to make a page upright."""

    turned_deg: int
    """By how much the page must be turned clockwise: 0, 90, 180 or 270."""
    mirrored: bool
    """Whether it is then still left for right."""
    confidence: float
    """0 to 1; 0 where nothing tells, and the page is left as it is."""


def find_orientation(pixels: Pixels, *, px_per_mm: float) -> Orientation:
    """Which way up a page is.

    Pulses decide where there are enough of them. They stand at the start of their rows on most prints; where they are
    seen at the end and the lead names can be read in the mirror only, the page is mirrored. Without pulses the names
    decide.

    Parameters
    ----------
    pixels : (height, width, 3) uint8, flat page, its grid parallel to its edges; 4 px/mm are enough.

    Returns
    -------
    Orientation.
    """
    ink = find_ink(_page(pixels, px_per_mm))
    found: list[tuple[float, int, tuple[Pulse, ...]]] = []
    for turn in TURNS_DEG:
        boxes = find_boxes(_turned(ink, turn), px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)
        if _beyond_doubt(boxes):
            return _by_pulses(ink, turn, boxes, px_per_mm)
        found.append((sum(box.height_mm for box in boxes), turn, boxes))
    second, first = sorted(found, key=lambda entry: entry[0])[-2:]
    if len(first[2]) >= FEWEST_PULSES and first[0] >= max(2 * TALL_MM, AHEAD * second[0]):
        return _by_pulses(ink, *first[1:], px_per_mm)
    return _by_names(ink, px_per_mm)


def _beyond_doubt(boxes: tuple[Pulse, ...]) -> bool:
    """Whether there is a tall pulse at the beginning of each row of a usual page."""
    gaps = np.diff([box.foot_px for box in boxes])
    even = len(boxes) in USUAL and float(gaps.std()) <= EVEN * float(gaps.mean())
    return even and min(box.height_mm for box in boxes) >= TALL_MM


def _by_pulses(ink: Ink, turn_deg: int, boxes: tuple[Pulse, ...], px_per_mm: float) -> Orientation:
    """The turn in which pulses stand upright; where they stand at the end of the rows, perhaps mirrored."""
    turned = _turned(ink, turn_deg)
    at_end = np.median([box.left_px for box in boxes]) > turned.mask.shape[1] / 2
    mirrored = bool(at_end) and _reads_mirrored(turned, px_per_mm)
    return Orientation(turn_deg, mirrored, 1.0 - 0.5 ** len(boxes))


def _reads_mirrored(ink: Ink, px_per_mm: float) -> bool:
    """Whether lead names can be read in the mirror, and not as they are; where neither can, nothing tells."""
    sure = _names(_mirrored(ink), px_per_mm)
    return sure > SURE and sure > _names(ink, px_per_mm)


def _by_names(ink: Ink, px_per_mm: float) -> Orientation:
    """The turn in which lead names can be read, if there is one."""
    best = Orientation(0, False, 0.0)
    for turn in TURNS_DEG:
        turned = _turned(ink, turn)
        for mirrored, side in ((False, turned), (True, _mirrored(turned))):
            sure = _names(side, px_per_mm)
            if sure > max(SURE, best.confidence):
                best = Orientation(turn, mirrored, sure)
    return best


def _names(ink: Ink, px_per_mm: float) -> float:
    """Confidence that the names of some layout are written on the page, as it is."""
    rows = find_rows(ink, px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)
    pulses = find_pulses(ink, rows, px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)
    separators = find_separators(ink, rows, pulses, px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)
    found = weigh_all(ink, rows, pulses, separators, px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)
    return confidence(found[0]) if found else 0.0


def _turned(ink: Ink, turn_deg: int) -> Ink:
    quarters = -turn_deg // 90
    return Ink(
        np.ascontiguousarray(np.rot90(ink.mask, quarters)), np.ascontiguousarray(np.rot90(ink.darkness, quarters))
    )


def _mirrored(ink: Ink) -> Ink:
    return Ink(np.ascontiguousarray(ink.mask[:, ::-1]), np.ascontiguousarray(ink.darkness[:, ::-1]))


def _page(pixels: Pixels, px_per_mm: float) -> Page:
    """Pixels as a page of their own, along whose border the table may show."""
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    lattice = corners[[0, 1, 3, 2]].reshape(2, 2, 2)
    return Page(pixels, px_per_mm, px_per_mm, corners, "sheet", 0, lattice, float(max(width, height)))
