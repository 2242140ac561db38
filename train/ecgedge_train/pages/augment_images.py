"""Page images changed as another print, scan or heart would change them: one smooth warp, then ink and light.

The warp is drawn on a coarse lattice for the whole batch at once and applied by one remapping a picture (about 2 ms at
256 x 544 px), so it is done anew in every epoch, on the training side only.

Departure from SYSTEMS.md 2 and 4: plain OpenCV instead of a library. Shifting rows against each other in time, thinning
and thickening strokes and a wandering baseline are what a page of curves needs, and no library has them; the rest is a
few lines each.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import SettingsError

FloatArray = NDArray[np.float32]
Inputs = dict[str, FloatArray]

_KNOTS = (9, 17)
"""Lattice of the warp, down and across: two points to a row of curves, four to a column of leads."""
_ROWS = 4
"""Rows of curves that move against each other."""
_WANDERS = 6
"""Points along a row where the baseline is drawn up or down."""
_TILE_PX = 64
"""Margin within which the noise tile is laid."""


@dataclass(frozen=True, slots=True)
class ImageAugmentation:
    """How strongly pages are changed; every 0 turns its change off."""

    shift: float = 0.03
    """Most that a page moves, as a share of its width and height."""
    scale: float = 0.08
    """Most by which width and height grow or shrink, apart from each other: heart rate and gain."""
    rotation_deg: float = 1.0
    perspective: float = 0.01
    """Most that a corner moves against the others, as a share of width and height."""
    row_shift: float = 0.02
    """Most that rows move in time against each other, as a share of the width."""
    wander: float = 0.01
    """Most that the baseline wanders, as a share of the height."""
    stroke: float = 0.3
    """Share of pages whose strokes are made thinner or thicker."""
    blur_px: float = 0.7
    """Largest standard deviation of the blur."""
    brightness: float = 0.1
    contrast: float = 0.2
    noise: float = 0.05
    """Largest standard deviation of the noise, of 1."""
    erasing: float = 0.3
    """Share of pages out of which a box is wiped."""
    erased: float = 0.25
    """Longest side of the box, as a share of width and height."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            most = 45.0 if name == "rotation_deg" else 10.0 if name == "blur_px" else 1.0
            if not 0 <= value <= most:
                raise SettingsError(f"augment.{name} is {value:g}; it must lie between 0 and {most:g}; 0 turns it off")


def augment_images(inputs: Inputs, rng: np.random.Generator, settings: ImageAugmentation) -> Inputs:
    """Change a batch of pages, each in its own way.

    Parameters
    ----------
    inputs : {"page": (n, height_px, width_px, channels) float32, 0 for paper to 1 for ink}; not changed
    rng : everything is drawn from it

    Returns
    -------
    The same shapes; values 0 to 1.
    """
    pages = inputs["page"]
    lattices = _lattices(len(pages), (pages.shape[1], pages.shape[2]), rng, settings)
    changed = np.empty_like(pages)
    for page, lattice, target in zip(pages, lattices, changed, strict=True):
        target[:] = _inked(_warped(page, lattice), rng, settings).reshape(page.shape)
    _relight(changed, rng, settings)
    _erase(changed, rng, settings)
    return inputs | {"page": changed}


def _lattices(n: int, size_px: tuple[int, int], rng: np.random.Generator, settings: ImageAugmentation) -> FloatArray:
    """Where the points of the lattice are taken from: (n, 2, rows, columns), x and y in px."""
    height, width = size_px
    v, u = np.meshgrid(np.linspace(-1, 1, _KNOTS[0]), np.linspace(-1, 1, _KNOTS[1]), indexing="ij")

    def drawn(most: float, *shape: int) -> NDArray[np.float64]:
        return rng.uniform(-most, most, (n, *(shape or (1, 1))))

    angle = drawn(np.deg2rad(settings.rotation_deg))
    half = np.array([width / 2, height / 2])
    x = u * (1 + drawn(settings.scale)) + angle * v * half[1] / half[0] + 2 * drawn(settings.shift)
    y = v * (1 + drawn(settings.scale)) - angle * u * half[0] / half[1] + 2 * drawn(settings.shift)
    x += 2 * drawn(settings.perspective) * u * v + 2 * _ramps(_KNOTS[0], _ROWS) @ drawn(settings.row_shift, _ROWS, 1)
    y += 2 * drawn(settings.perspective) * u * v
    y += 2 * drawn(settings.wander, 1, _WANDERS) @ _ramps(_KNOTS[1], _WANDERS).T
    return np.stack([(x + 1) * (half[0] - 0.5), (y + 1) * (half[1] - 0.5)], axis=1).astype(np.float32)


def _ramps(n: int, knots: int) -> NDArray[np.float64]:
    """Shares of each of the knots, equally far apart from first to last, in each of n points: (n, knots)."""
    at = np.linspace(0, knots - 1, n)
    return np.asarray(np.maximum(0, 1 - np.abs(at[:, None] - np.arange(knots))))


def _warped(page: FloatArray, lattice: FloatArray) -> FloatArray:
    down, across = (_ramps(n, knots).astype(np.float32) for n, knots in zip(page.shape, _KNOTS, strict=False))
    x, y = down @ lattice @ across.T
    return np.asarray(cv2.remap(page, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32)


def _inked(page: FloatArray, rng: np.random.Generator, settings: ImageAugmentation) -> FloatArray:
    """Strokes thinner or thicker by a pixel at the most, then blurred."""
    if rng.random() < settings.stroke:
        kernel = np.ones((1, 2) if rng.random() < 0.5 else (2, 1), np.uint8)
        other = cv2.dilate(page, kernel) if rng.random() < 0.5 else cv2.erode(page, kernel)
        share = rng.uniform(0, 1)
        page = np.asarray(cv2.addWeighted(page, 1 - share, other, share, 0), np.float32)
    sigma_px = rng.uniform(0, settings.blur_px)
    if sigma_px > 0.3:  # below that a blur changes nothing
        page = np.asarray(cv2.GaussianBlur(page, (0, 0), sigma_px), np.float32)
    return page


def _relight(pages: FloatArray, rng: np.random.Generator, settings: ImageAugmentation) -> None:
    """Contrast, brightness and noise, in place."""
    n, height, width, channels = pages.shape
    pages *= rng.uniform(1 - settings.contrast, 1 + settings.contrast, (n, 1, 1, 1)).astype(np.float32)
    pages += rng.uniform(-settings.brightness, settings.brightness, (n, 1, 1, 1)).astype(np.float32)
    if settings.noise > 0:
        tile = rng.standard_normal((height + _TILE_PX, width + _TILE_PX, channels), np.float32)
        for page, sigma in zip(pages, rng.uniform(0, settings.noise, (n,)), strict=True):
            top, left = rng.integers(0, _TILE_PX, 2)
            page += np.float32(sigma) * tile[top : top + height, left : left + width]
    np.clip(pages, 0, 1, out=pages)


def _erase(pages: FloatArray, rng: np.random.Generator, settings: ImageAugmentation) -> None:
    """Boxes wiped to paper, in place (random erasing; Zhong et al., 2020, 10.1609/aaai.v34i07.7000)."""
    size = np.array(pages.shape[1:3])
    for index in np.flatnonzero(rng.random(len(pages)) < settings.erasing):
        sides = np.maximum(1, size * rng.uniform(0.02, max(0.02, settings.erased), 2)).astype(int)
        top, left = rng.integers(0, size - sides + 1)
        pages[index, top : top + sides[0], left : left + sides[1]] = 0
