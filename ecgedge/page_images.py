"""From a flat page to the image that an image model takes: ink high, paper 0.

Training, evaluation and device call this and nothing else. Knows nothing of models, labels or files.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ecgedge.errors import InputError
from ecgedge.images import Pixels, equalise, fit, grey, median
from ecgedge.lead_arrays import Inputs
from ecgedge.paper.ink import find_ink
from ecgedge.paper.page import Page

PAGE_INPUT = "page"


@dataclass(frozen=True, slots=True)
class PageImageSettings:
    """Size of the image, and what is done to the page on the way."""

    width_px: int
    height_px: int
    channels: Literal[1, 3] = 1
    """1 grey, or 3 red-green-blue, the order that published ImageNet weights expect."""
    fit: Literal["stretch", "pad"] = "stretch"
    """Fill the size, or keep the aspect with white around."""
    equalise_clip: float = 0.0
    """Limit of CLAHE; 0 leaves it out."""
    median_px: int = 0
    """Side of the median filter, odd; 0 leaves it out."""
    waveform_only: bool = False
    """Ink alone: no grid, no colour, no shade of paper. Names, separators and pulses remain."""
    aligned: bool = False
    """Whether the page's curves are brought to fixed places first (`ecgedge.aligned_page`), which needs them read."""

    def __post_init__(self) -> None:
        if not (8 <= self.width_px <= 4096 and 8 <= self.height_px <= 4096):
            raise InputError(
                f"an image of {self.width_px} x {self.height_px} px; sides of 8 to 4096; 384 x 224 is usual"
            )
        if self.channels not in (1, 3) or self.fit not in ("stretch", "pad"):
            raise InputError(f"channels {self.channels}, fit {self.fit!r}: 1 or 3 channels; stretch or pad")
        if not 0 <= self.equalise_clip <= 100 or not (self.median_px == 0 or self.median_px % 2 == 1):
            raise InputError(
                f"equalise_clip {self.equalise_clip:g}, median_px {self.median_px}: clip 0 to 100, size odd or 0"
            )


def page_image(page: Page, settings: PageImageSettings) -> Inputs:
    """Turn one page into a model's input.

    Grey or ink, CLAHE, median, size: the order of Rizvi 2025, whose crop is the page's own.

    Returns
    -------
    page : (1, height_px, width_px, channels) float32, 0 for white paper to 1 for black ink
    """
    image = _plain(page, settings)
    if settings.equalise_clip:
        image = equalise(image, clip=settings.equalise_clip)
    if settings.median_px:
        image = median(image, size_px=settings.median_px)
    image = fit(image, (settings.height_px, settings.width_px), how=settings.fit)
    planes = image[..., None] if image.ndim == 2 else image[..., ::-1]
    return {PAGE_INPUT: ((255 - planes[None]) / np.float32(255)).astype(np.float32)}


def _plain(page: Page, settings: PageImageSettings) -> Pixels:
    """Paper white, ink dark: (height, width) or (height, width, 3) uint8."""
    if settings.waveform_only:
        ink = find_ink(page)
        seen = np.where(ink.mask, 255 - ink.darkness, 255).astype(np.uint8)
        return seen if settings.channels == 1 else np.asarray(cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR), np.uint8)
    return grey(page.pixels) if settings.channels == 1 else page.pixels
