"""Pages and their marks for tests: ink made by hand, drawn pages, and scans where the shared data is at hand."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgedge.catalogue import locate
from ecgedge.errors import DataError
from ecgedge.paper.ink import Ink, find_ink
from ecgedge.paper.page import Page, Pixels
from ecgedge.paper.pulses import Pulse, find_pulses
from ecgedge.paper.rows import Rows, find_rows
from ecgedge.paper.separators import Separator, find_separators

SCAN_PX_PER_MM = 3.97


@dataclass(frozen=True)
class Marks:
    """What is found on a page before its names are read."""

    ink: Ink
    rows: Rows
    pulses: tuple[Pulse, ...]
    separators: tuple[Separator, ...]
    px_per_mm: float


def ink_of(grey: Pixels) -> Ink:
    """Ink from darkness alone: 0 for paper, 255 for ink."""
    return Ink(np.asarray(grey > 127), grey)


def page_of(pixels: Pixels, px_per_mm: float) -> Page:
    """Pixels as a flat page of their own."""
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    lattice = corners[[0, 1, 3, 2]].reshape(2, 2, 2)
    return Page(pixels, px_per_mm, px_per_mm, corners, "picture", 0, lattice, float(max(width, height)))


def page_marks(pixels: Pixels, px_per_mm: float) -> Marks:
    """Ink, rows, pulses and separators of a flat page."""
    ink = find_ink(page_of(pixels, px_per_mm))
    rows = find_rows(ink, px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)
    pulses = find_pulses(ink, rows, px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)
    separators = find_separators(ink, rows, pulses, px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)
    return Marks(ink, rows, pulses, separators, px_per_mm)


def scan_page(name: str) -> tuple[Pixels, float]:
    """A scan of ecg_images, and its px/mm; the test is skipped where the data is not at hand."""
    try:
        path: Path = locate("ecg_images") / "unique" / name
    except DataError as error:
        pytest.skip(f"needs the shared data: {error}")
    pixels = cv2.imread(str(path))
    if pixels is None:
        pytest.skip(f"needs {path}")
    return np.asarray(pixels, dtype=np.uint8), SCAN_PX_PER_MM
