"""The comb of 5-mm lines: which period a grid has along one axis, told from all its multiples at once.

One window shows too little of a faint grid to tell lines from chance, curves or letters. The mean over all windows,
each read along the direction that the plane predicts, shows every multiple of the lines and the gaps in between. Of
two thirds, or twice, of the true frequency, half the multiples are missing, or half of what there is stays unexplained.
"""

from functools import cache

import cv2
import numpy as np

from ecgedge.paper.page import FloatArray
from ecgedge.paper.spectra import Floats

BINS = np.arange(2.6, 61.0, 0.125)
"""Frequencies looked at, bins of a window: below, its own bell drowns lines; above, frequencies are mirrored."""
BASES = np.exp(np.arange(np.log(3.0), np.log(42.0), 0.004))
"""Frequencies of lines tried, bins; at 0.4 % the eighth multiple is still met."""
TOOTH_BINS = 2.0
"""Half the width of a window's peak (Hann)."""
SLOPE_BINS = 13.0
"""What changes more slowly than over this is no line."""
ASKEW = 0.2
"""By how much squares usually seem longer one way (natural logarithm): a tilt of 35 degrees."""
HIGHEST = 2.0
"""Power over its surroundings (natural logarithm) that is as sure as any higher: strong 1-mm lines leave 5-mm lines."""
BEST_TEETH = 3


def whitened(power: FloatArray) -> FloatArray:
    """Logarithm of power over that of its surroundings.

    Parameters
    ----------
    power : (n, size, size / 2 + 1) float32, of real windows: rows are frequencies 0 to size / 2, then negative ones.

    Returns
    -------
    The same shape, rows from -size / 2 to size / 2 - 1.
    """
    size = power.shape[1]
    # Beyond column 0 lies the other half of the plane, turned by 180 degrees.
    mirrored = np.roll(power[:, ::-1, 1:4], 1, axis=1)[:, :, ::-1]
    whole = np.roll(np.concatenate([mirrored, power], 2), size // 2, axis=1) + np.float32(1e-9)
    around = np.stack([cv2.blur(cv2.medianBlur(np.ascontiguousarray(one), 5), (5, 5)) for one in whole])
    return np.asarray(np.log(whole / around)[:, :, 3:], dtype=np.float32)


def stacked(white: FloatArray, wanted: Floats) -> Floats:
    """Mean of whitened windows along one axis of a grid.

    Parameters
    ----------
    white : (n, size, size / 2 + 1) float32, see `whitened`.
    wanted : (n, 2) float64, some frequency of that axis in each window, cycles per px.

    Returns
    -------
    (len(BINS),) float64, at multiples of the wanted frequency such that its median is at BINS.
    """
    size = white.shape[1]
    bins = wanted * np.where(wanted[:, :1] < 0, -1, 1) * size
    places = bins[:, None] * (BINS / np.median(np.hypot(*bins.T)))[None, :, None]
    column, row = np.rint(places[..., 0]).astype(int), np.rint(places[..., 1]).astype(int)
    shown = (column < size // 2) & (np.abs(row) < size // 2)
    values = white[np.arange(len(white))[:, None], np.where(shown, row, 0) + size // 2, np.where(shown, column, 0)]
    return np.asarray((values * shown).sum(axis=0) / np.maximum(shown.sum(axis=0), 1))


def likeness(stack: Floats) -> Floats:
    """How much a stack resembles the comb of each of BASES: correlation, (len(BASES),) float64."""
    level = np.clip(_level(stack[None])[0], -HIGHEST, HIGHEST)
    length = np.linalg.norm(level)
    return np.asarray(_combs() @ level / max(float(length), 1e-9))


def best_pair(stacks: tuple[Floats, Floats]) -> tuple[float, float, float]:
    """The bases (bins, across and down) of lines of equal distance on the page, and the lesser likeness."""
    across, down = (likeness(stack) for stack in stacks)
    # Paper is square: a tilt changes the ratio of its sides a little, never to 2 : 3.
    off = np.log(BASES)[:, None] - np.log(BASES)[None]
    total = (across[:, None] + down[None]) / 2 - 0.1 * (off / ASKEW) ** 2
    one, other = np.unravel_index(int(total.argmax()), total.shape)
    return float(BASES[one]), float(BASES[other]), float(min(across[one], down[other]))


def best_teeth(stack: Floats, base: float) -> list[int]:
    """The multiples of a base that are clearest, most of them."""
    multiples = np.arange(1, int(BINS[-1] / base) + 1)
    heights = np.interp(multiples * base, BINS, _level(stack[None])[0])
    return [int(multiple) for multiple in multiples[np.argsort(-heights)[:BEST_TEETH]]]


def _level(rows: Floats) -> Floats:
    """Without what changes slowly, and without a mean."""
    width = round(SLOPE_BINS / (BINS[1] - BINS[0])) // 2 * 2 + 1
    slow = cv2.blur(rows, (width, 1), borderType=cv2.BORDER_REFLECT)
    level = rows - slow
    return np.asarray(level - level.mean(axis=1, keepdims=True))


@cache
def _combs() -> Floats:
    """(len(BASES), len(BINS)): combs of unit length."""
    phase = BINS[None] / BASES[:, None]
    off = np.abs(phase - np.maximum(np.rint(phase), 1)) * BASES[:, None] / TOOTH_BINS
    combs = _level(np.cos(np.minimum(off, 1) * np.pi / 2) ** 2)
    return np.asarray(combs / np.linalg.norm(combs, axis=1, keepdims=True))
