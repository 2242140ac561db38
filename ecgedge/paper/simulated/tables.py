"""What lies behind a sheet in a photo: wood, dark cloth, a plain or chequered table."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray, Pixels

_DRAWN_PX = 1000  # longer side at which a table is drawn; it is out of focus anyway
Draw = Callable[[tuple[int, int], np.random.Generator], NDArray[np.float64]]


def draw_table(size_px: tuple[int, int], rng: np.random.Generator, *, kind: str | None = None) -> Pixels:
    """Draw a table of a width and height, px, of a kind in `TABLES`; without one, any: (height, width, 3) uint8."""
    drawn = str(rng.choice(tuple(TABLES), p=_SHARES))
    part = min(1.0, _DRAWN_PX / max(size_px))
    small = (max(2, round(size_px[0] * part)), max(2, round(size_px[1] * part)))
    table = np.clip(TABLES[kind or drawn](small, rng), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(table, size_px, interpolation=cv2.INTER_LINEAR), np.uint8)


def _wood(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Grain: noise drawn out along the board, rings bent by slower noise."""
    side = int(np.hypot(*size)) + 2
    bend = _noise((side, side), (side / 3, 8.0), rng) * rng.uniform(2, 8)
    years = np.cumsum(rng.gamma(2.0, 1.0, side)) / 2  # no two rings are equally wide
    rings = np.sin((years[:, None] + 6 * bend) * rng.uniform(0.05, 0.25))
    fine = _noise((side, side), (60.0, 1.0), rng)
    grain = 0.05 * rings + 0.06 * fine + 0.04 * bend / 5
    return _turned(_BROWNS[int(rng.integers(len(_BROWNS)))] * (1 + grain[:, :, None]), size, rng)


def _cloth(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    colour = rng.uniform(20, 80) * (1 + rng.uniform(-0.3, 0.3, 3))
    waves = 1 + 0.15 * _noise((size[1], size[0]), (60.0, 40.0), rng)
    return colour * (waves * (1 + 0.15 * rng.standard_normal((size[1], size[0]))))[:, :, None]


def _plain(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    colour = rng.uniform(40, 170) * (1 + rng.uniform(-0.15, 0.15, 3))
    return colour * (1 + 0.02 * rng.standard_normal((size[1], size[0])))[:, :, None]


def _checks(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """A tablecloth: two sets of stripes over each other."""
    side = int(np.hypot(*size)) + 2
    across = (np.arange(side) // rng.uniform(20, 60)) % 2
    depth = (across[:, None] + across[None]) / 2
    colours = rng.uniform(40, 170) * rng.uniform(0.7, 1.3, 3), rng.uniform(150, 210) * rng.uniform(0.9, 1.1, 3)
    return _turned(colours[0] + depth[:, :, None] * (colours[1] - colours[0]), size, rng)


def _turned(table: NDArray[np.float64], size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Cut a size out of the middle of a square, at any angle."""
    middle = (table.shape[0] - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), float(rng.uniform(0, 360)), 1.0)
    turn[:, 2] += np.array(size) / 2 - middle
    return np.asarray(cv2.warpAffine(table, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def _noise(shape: tuple[int, int], scale_px: tuple[float, float], rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of unit deviation, smooth over a width and a height."""
    small = (max(4, round(shape[1] / scale_px[0] * 2)), max(4, round(shape[0] / scale_px[1] * 2)))
    coarse = rng.standard_normal((small[1], small[0])).astype(np.float32)
    smooth: FloatArray = np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
    return np.asarray(smooth / max(float(smooth.std()), 1e-6), np.float64)


_SHARES = (0.55, 0.2, 0.15, 0.1)  # most tables are of wood
_BROWNS = (
    np.array([75.0, 112.0, 158.0]),
    np.array([62.0, 96.0, 140.0]),
    np.array([100.0, 138.0, 176.0]),
    np.array([40.0, 40.0, 44.0]),  # stained black
    np.array([120.0, 140.0, 150.0]),
)
TABLES: Mapping[str, Draw] = MappingProxyType({"wood": _wood, "cloth": _cloth, "plain": _plain, "checks": _checks})
