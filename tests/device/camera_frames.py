"""What a camera above a table sees, for tests: simulated pages, photographed; hands; the empty table."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import Pixels
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import random_style
from ecgedge.paper.simulated.scenes import MILD
from ecgedge.paper.simulated.tables import draw_table
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads

SIZE = (640, 480)
STILL = (1280, 960)
VIEW = replace(MILD, empty=0.1)


@cache
def page_photo(patient: int, *, view: int = 3) -> Pixels:
    """A photo of `STILL` px of a patient's page; all pages come from one device, so that their print is alike."""
    page = draw_page(
        simulate_twelve_leads(seed=patient), layout="3x4+1", seed=patient, style=random_style(5), px_per_mm=4.0
    )
    return photograph(page.pixels, px_per_mm=4.0, seed=view, strength=VIEW, size_px=STILL).picture.pixels


def page_frame(patient: int, *, view: int = 3) -> Pixels:
    """The same as a preview frame."""
    return np.asarray(cv2.resize(page_photo(patient, view=view), SIZE, interpolation=cv2.INTER_AREA), np.uint8)


@cache
def table_frame(size: tuple[int, int] = SIZE) -> Pixels:
    """The table without a page."""
    return draw_table(size, np.random.default_rng(7), kind="wood")


def with_hand(frame: Pixels, reach: float) -> Pixels:
    """A hand that has come in from below, 0 to 1."""
    height, width = frame.shape[:2]
    centre = (round(width * (0.5 + 0.1 * reach)), round(height * (1.2 - 0.7 * reach)))
    size = (round(width * 0.15), round(height * 0.3))
    return np.asarray(cv2.ellipse(frame.copy(), centre, size, 15, 0, 360, (140, 170, 220), -1), np.uint8)


def noisy(frame: Pixels, seed: int, *, light: float = 1.0) -> Pixels:
    """As a sensor gives it: noise of 3 grey levels, and light that changes a little."""
    lit = cv2.convertScaleAbs(frame, alpha=light)
    return np.asarray(cv2.add(lit, _noise(seed % 5, frame.shape), dtype=cv2.CV_8U), np.uint8)


@cache
def _noise(seed: int, shape: tuple[int, ...]) -> NDArray[np.int16]:
    return np.rint(np.random.default_rng(seed).normal(0, 3, shape)).astype(np.int16)


def turned(frame: Pixels, *, degrees: float, shift_px: float) -> Pixels:
    """The same scene with all in it moved."""
    height, width = frame.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += shift_px
    return np.asarray(cv2.warpAffine(frame, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)
