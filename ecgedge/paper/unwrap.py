"""Shifts of a printed grid's lines from their waves, which give them to within whole lines only.

Weighted least squares by conjugate gradients, prepared by cosines, as Ghiglia and Romero 1994 unwrap phases
(10.1364/JOSAA.11.000107). Departures: steps are averaged over neighbours first, and a plane is preferred.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.grid import Floats
from ecgedge.paper.page import FloatArray
from ecgedge.paper.squares import Complexes, blurred, in_lines

STEP_SPREAD = 2.0
"""Squares over which steps from square to square are averaged (Gaussian): beyond a fold they are alike over many."""
SURE_POWER, LEAST_SURE = 4, 1e-3
"""Power of their agreement by which steps are weighed, and the least weight, so that all squares hang together."""
NOISE_AGREES = 0.3
"""Agreement of steps below which they are noise, and count as none."""
SPREADS = (6.0, 4.0, 2.5)
"""Over how many squares what is left is averaged, again and again; that of the whole page first."""
AGREE = 0.3
"""Agreement of squares below which their mean says nothing."""
FOLDED = 0.83
"""Of what squares of a plane leave over, this share or less makes a fold; following noise leaves more over."""
ROUNDS = 30


def unwrapped(waves: tuple[Complexes, Complexes]) -> FloatArray:
    """Shifts, in lines, that make neighbouring squares agree.

    The page is taken for nearly a plane, unless far more squares agree where it is folded: then the steps from each
    square to the next, averaged over many, are added up in the sense of least squares. From both on, what is left of
    the waves is averaged over fewer and fewer squares.

    Parameters
    ----------
    waves : (rows, columns) each, see `squares.Look`.

    Returns
    -------
    (rows, columns, 2) float32; 0 is where most squares have it, to within a whole line.
    """
    plane = [_followed(wave, np.zeros(wave.shape)) for wave in waves]
    folded = [_followed(wave, _added_up(*_steps(wave, axis=1), *_steps(wave, axis=0))) for wave in waves]
    is_folded = _missed(waves, folded) < FOLDED * _missed(waves, plane)
    return np.stack(folded if is_folded else plane, -1)


def _missed(waves: tuple[Complexes, Complexes], shifts: list[FloatArray]) -> float:
    """How much of the waves lies off the shifts, as a share."""
    sizes = (float(np.abs(wave).sum()) for wave in waves)
    agreeing = (float(_unshifted(wave, shift).real.sum()) for wave, shift in zip(waves, shifts, strict=True))
    return sum(1 - agree / max(size, 1e-9) for agree, size in zip(agreeing, sizes, strict=True))


def _followed(wave: Complexes, shift: Floats) -> FloatArray:
    """Shifts nearer to the waves than those given."""
    shift = shift + in_lines(np.asarray(_unshifted(wave, shift).sum(), dtype=np.complex64))
    for spread in SPREADS:
        left = _unshifted(wave, shift)
        mean = blurred(left, spread)
        clear = np.abs(mean)
        agreeing = clear > AGREE * _blur(np.abs(left), spread)
        shift = shift + continued(in_lines(mean)[..., None], clear * agreeing, spread)[..., 0]
    return np.asarray(shift, dtype=np.float32)


def _unshifted(wave: Complexes, shift: Floats | FloatArray) -> Complexes:
    """The waves as they would be with each line moved back by its shift."""
    return np.asarray(wave * np.exp(2j * np.pi * shift), dtype=np.complex64)


def continued(shift: FloatArray, weight: FloatArray, spread: float) -> FloatArray:
    """Shifts (rows, columns, n) smoothed by weight, and continued ever more coarsely where there is none."""
    usual = max(float(np.median(weight[weight > 0])), 1e-9) if (weight > 0).any() else 1.0
    share = (weight / usual).astype(np.float32)
    field = np.zeros_like(shift)
    for wide in (*(coarse for coarse in (16.0, 6.0, 2.5) if coarse > spread), spread):
        amount = _blur(share, wide)[..., None]
        total = _blur(shift * share[..., None], wide).reshape(shift.shape)
        field = (total + np.float32(0.02) * field) / (amount + np.float32(0.02))
    return field


def _blur(values: FloatArray, spread: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), spread, borderType=cv2.BORDER_CONSTANT), dtype=np.float32)


def _steps(wave: Complexes, axis: int) -> tuple[Floats, Floats]:
    """From each square to the next along an axis: lines, and how sure that is; one less than squares."""
    first, second = (np.take(wave, part, axis) for part in (range(wave.shape[axis] - 1), range(1, wave.shape[axis])))
    turns = np.asarray(second * np.conj(first), dtype=np.complex64)
    mean, size = blurred(turns, STEP_SPREAD), _blur(np.abs(turns), STEP_SPREAD)
    agree = np.abs(mean) / (size + 1e-6)
    lines = in_lines(mean) * np.minimum(agree / NOISE_AGREES, 1)
    return lines.astype(np.float64), (agree**SURE_POWER * np.minimum(size, 1) + LEAST_SURE).astype(np.float64)


def _added_up(across: Floats, across_sure: Floats, down: Floats, down_sure: Floats) -> Floats:
    """The field (rows, columns) whose steps are nearest to those given, by conjugate gradients.

    Each round is prepared by the solution for even weights, a product with cosines.
    """
    rows, columns = len(across), down.shape[1]
    waves, lengths = zip(*(_cosines(n) for n in (rows, columns)), strict=True)
    even = (lengths[0][:, None] + lengths[1][None]) * (across_sure.mean() + down_sure.mean()) / 2
    even[0, 0] = np.inf
    field, rest = np.zeros((rows, columns)), _gathered(across_sure * across, down_sure * down)
    way, before = np.zeros_like(field), np.inf
    for _ in range(ROUNDS):
        prepared = waves[0].T @ (waves[0] @ rest @ waves[1].T / even) @ waves[1]
        now = float((rest * prepared).sum())
        way = prepared + now / before * way
        pushed = _gathered(across_sure * np.diff(way, axis=1), down_sure * np.diff(way, axis=0))
        length = now / max(float((way * pushed).sum()), 1e-12)
        field, rest, before = field + length * way, rest - length * pushed, max(now, 1e-12)
    return field


def _gathered(across: Floats, down: Floats) -> Floats:
    """What steps bring each square: those that end there less those that begin there."""
    nothing = ((0, 0), (1, 1)), ((1, 1), (0, 0))
    return np.asarray(-np.diff(np.pad(across, nothing[0]), axis=1) - np.diff(np.pad(down, nothing[1]), axis=0))


def _cosines(n: int) -> tuple[NDArray[np.float64], Floats]:
    """The n cosines (n, n) of n places, of unit length, and the squared size of their steps."""
    k = np.arange(n)
    waves = np.cos(np.pi * k[:, None] * (k[None] + 0.5) / n) * np.sqrt(2 / n)
    waves[0] /= np.sqrt(2)
    return waves, 2 - 2 * np.cos(np.pi * k / n)
