"""A plane grid seen by a camera: six numbers that give the frequencies of its lines all over the picture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ecgedge.paper.spectra import STRAY_BINS, TILE_PX, Floats, Ints, Spectra, peaks

USUAL_BINS = 0.15
"""How well a frequency is read from a window, in bins."""
STEPS = 4


@dataclass(frozen=True, slots=True)
class Plane:
    """Six numbers a, b, d, e, g, h: u = (ax + by) / (1 + gx + hy), v = (dx + ey) / (1 + gx + hy)."""

    numbers: Floats
    origin: Floats

    def frequencies(self, points: Floats) -> tuple[Floats, Floats]:
        """Local frequencies of both families of lines: two arrays (n, 2), cycles per px."""
        (a, b, d, e, g, h), (x, y) = self.numbers, (points - self.origin).T
        w = 1 + g * x + h * y
        u, v = (a * x + b * y) / w, (d * x + e * y) / w
        return np.stack([a - u * g, b - u * h], 1) / w[:, None], np.stack([d - v * g, e - v * h], 1) / w[:, None]

    def homography(self) -> Floats:
        """From px of the reduced picture to numbers of lines."""
        a, b, d, e, g, h = self.numbers
        shift = np.array([[1, 0, -self.origin[0]], [0, 1, -self.origin[1]], [0, 0, 1.0]])
        return np.asarray(np.array([[a, b, 0], [d, e, 0], [g, h, 1]]) @ shift)


def fit_plane(
    spectra: Spectra,
    plane: Plane,
    near: Ints,
    perspective: bool,
    teeth: tuple[list[int], list[int]] = ([1], [1]),
) -> Plane | None:
    """The plane whose frequencies, times the teeth of each direction, are nearest to clear peaks."""
    points = spectra.centres[near]
    wanted = plane.frequencies(points)
    found = [
        (axis, tooth, *peaks(spectra, near, wanted[axis] * tooth, stray=2 * STRAY_BINS))
        for axis in (0, 1)
        for tooth in teeth[axis]
    ]
    if min(sum(int(clear.sum()) for axis, _, _, clear in found if axis == one) for one in (0, 1)) < 2:
        return None
    far = float(np.ptp(spectra.centres)) / 2
    unit = np.array([0.01] * 4 + [0.1 / far] * 2)[: 6 if perspective else 4]

    def misses(numbers: Floats) -> Floats:
        full = np.concatenate([numbers * unit, np.zeros(6 - len(unit))])
        now = Plane(full, plane.origin).frequencies(points)
        bins = [((now[axis] * tooth - peak)[clear] * TILE_PX).ravel() for axis, tooth, peak, clear in found]
        return np.concatenate([*bins, 0.05 * numbers[4:]])

    least = _least(misses, plane.numbers[: len(unit)] / unit) * unit
    return Plane(np.concatenate([least, np.zeros(6 - len(unit))]), plane.origin)


def _least(misses: Callable[[Floats], Floats], numbers: Floats) -> Floats:
    """Numbers with the least misses, by Gauss-Newton steps; a miss counts less the more it exceeds USUAL_BINS."""
    for _ in range(STEPS):
        now = misses(numbers)
        slopes = np.stack([(misses(numbers + step) - now) / 1e-4 for step in 1e-4 * np.eye(len(numbers))], 1)
        weight = (1 + (now / USUAL_BINS) ** 2) ** -0.5
        numbers = numbers - np.linalg.lstsq(slopes * weight[:, None] ** 0.5, now * weight**0.5, rcond=None)[0]
    return numbers
