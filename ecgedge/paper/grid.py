"""The printed grid of an ECG page: the one homography from picture to millimetres that it gives away.

Short windows of the picture are looked at through the Fourier transform. A plane grid seen by a camera has, in every
window, two frequencies, and how these change over the picture is fixed by six numbers (a homography but for its
origin). They are fitted from the clearest window outwards. No outline of a sheet is needed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.comb import best_pair, best_teeth, stacked, whitened
from ecgedge.paper.page import FloatArray, Pixels

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

WORK_PX = 1500
"""Long side that the picture is brought near to: a sheet that fills half of it still has its 5-mm lines 12 px apart."""
TILE_PX = 128
MOST_TILES = 220
"""Windows over the whole picture; more gain no accuracy and cost 0.1 ms each."""
PERIOD_PX = (3.2, 36.0)
"""Distances of lines looked for in a window: from nearly two pixels to a quarter of the window."""
INK_CONTRAST = 0.15
"""Darker than its surroundings by more than this share counts no more: curves and letters are no grid."""
PAPER_NOISE = 0.05
"""By how much paper seems darker than the brightest nearby."""
CLEAR = 8.0
"""Peak over the median of its surroundings, power. Noise exceeds it in about 1 of 250 places (exponential law)."""
STRAY_BINS = 0.7
"""How far from its predicted place a peak may lie, in bins of the transform of a window."""
USUAL_BINS = 0.15
"""How well a frequency is read from a window, in bins."""
STEPS = 4
ENOUGH = 0.2
"""Share of the picture that a grid on bright paper covers, from which no better one is looked for."""
LINE_CONTRAST, THICKEST = 0.03, 0.42
"""Pixels darker than their surroundings by this are lines; on checked cloth they are half of all."""
FEWEST_TILES = 6
LEAST_SHARE = 0.08
"""Share of the windows in which a grid must be seen; letters and bricks are as regular in a few."""
LIKE_LINES = 0.35
"""Likeness to a comb of lines that both directions of a grid must have; chance reaches it in none of N windows."""
SURE = 0.6
"""Likeness from which no better grid is looked for."""
FINE_CLEARER = 2.0
"""Power of 1-mm lines over that of 5-mm lines from which the 1-mm lines are followed; thin lines alone reach 1."""
MOST_SQUARES = 90
"""More lines than this across are 1-mm lines: 450 mm is beyond any ECG page, 90 mm is less than one."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A plane grid as seen in a picture."""

    to_mm: Floats
    """(3, 3) float64 homography from picture px to mm on the page; its origin is anywhere."""
    line_mm: float
    """Distance of the lines to follow: 5, or 1 where the 1-mm lines are the clearer ones."""
    seen_px: FloatArray
    """(n, 2) float32, picture px: centres of the windows in which the grid is seen."""
    window_px: float
    """Side of these windows, picture px."""
    share: float
    """Share of the picture's windows in which this grid is seen."""
    signal: FloatArray
    """(height, width) float32: `line_signal` of the reduced picture."""
    reduced: Pixels
    """(height, width, 3) uint8: the reduced picture."""
    reduced_by: int
    """Pixels of the picture along each side of a pixel of the reduced one."""

    def size_mm(self) -> tuple[float, float]:
        """Width and height of what is seen of it."""
        half = self.window_px / 2
        ends = np.concatenate([self.seen_px + np.array([x, y]) for x in (-half, half) for y in (-half, half)])
        width, height = np.ptp(cv2.perspectiveTransform(ends[None].astype(np.float64), self.to_mm)[0], axis=0)
        return float(width), float(height)


@dataclass(frozen=True, slots=True)
class _Spectra:
    """Power spectra of windows of a picture."""

    centres: Floats
    """(n, 2) float64, px of the reduced picture."""
    power: FloatArray
    """(n, TILE_PX, TILE_PX / 2 + 1) float32; each window's sums to 1."""
    paper: Floats
    """(n,) float64, 0 to 1: whether a window is bright, as paper is, and its dark lines are thin."""


@dataclass(frozen=True, slots=True)
class _Plane:
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


def find_grid(pixels: Pixels) -> Grid | None:
    """Find the grid of an ECG page.

    Parameters
    ----------
    pixels : (height, width, 3) uint8

    Returns
    -------
    The grid that covers most of the picture, or None. The first axis is the one nearer to the picture's rows, so the
    page is upright to within 45 degrees or turned by a multiple of 90.
    """
    times = max(1, round(max(pixels.shape) / WORK_PX))
    for reduced_by in dict.fromkeys((times, max(1, times // 2), times * 2)):
        found = _find_at(pixels, reduced_by)
        if found is not None:
            return found
    return None


def reduce(pixels: Pixels, times: int) -> Pixels:
    """The picture with `times` x `times` pixels averaged into one; what is left over at the far edges is lost."""
    if times == 1:
        return pixels
    even = times if times % 2 == 0 else 2 * times
    width, height = pixels.shape[1] // even * even, pixels.shape[0] // even * even
    # OpenCV averages two by two pixels ten times as fast as three by three.
    halved = cv2.resize(pixels[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    rest = cv2.INTER_LINEAR if times < 4 else cv2.INTER_AREA
    return np.asarray(cv2.resize(halved, (width // times, height // times), interpolation=rest), dtype=np.uint8)


def line_signal(pixels: Pixels) -> FloatArray:
    """How much darker than its surroundings each pixel is, as a share of them, whatever the colour of the ink.

    Parameters
    ----------
    pixels : (height, width, 3) uint8

    Returns
    -------
    (height, width) float32, -INK_CONTRAST to INK_CONTRAST, near 0 on average.
    """
    darkest = _darkest(pixels)
    return np.asarray(np.clip(_darker(darkest, darkest), -INK_CONTRAST, INK_CONTRAST), dtype=np.float32)


def ink_signal(pixels: Pixels) -> FloatArray:
    """How much darker than the paper around it each pixel is: as `line_signal`, but 0 to 1, and 0 on paper."""
    darkest = _darkest(pixels)
    paper = np.asarray(cv2.dilate(darkest, np.ones((9, 9), dtype=np.uint8)), dtype=np.uint8)
    return np.asarray(np.maximum(_darker(darkest, paper) - PAPER_NOISE, 0), dtype=np.float32)


def _darkest(pixels: Pixels) -> Pixels:
    blue, green, red = cv2.split(pixels)
    return np.asarray(cv2.min(cv2.min(blue, green), red), dtype=np.uint8)


def _darker(pixels: Pixels, surroundings: Pixels) -> FloatArray:
    around = cv2.blur(surroundings, (31, 31)).astype(np.float32) + 8
    return np.asarray(1 - (pixels.astype(np.float32) + 8) / around, dtype=np.float32)


def _find_at(pixels: Pixels, reduced_by: int) -> Grid | None:
    if min(pixels.shape[:2]) < (TILE_PX + 1) * reduced_by:
        return None
    work = reduce(pixels, reduced_by)
    signal = line_signal(work)
    spectra = _spectra(signal, work)
    best: _Grown | None = None
    for seed in _seeds(spectra):
        grown = _grow(spectra, seed)
        if grown is not None and (best is None or grown.worth > best.worth):
            best = grown
        if best is not None and best.sure:
            break
    return None if best is None else _grid(spectra, best.plane, best.seen, signal, work, reduced_by)


@dataclass(frozen=True, slots=True)
class _Grown:
    """A plane of 5-mm lines, or of 1-mm lines alone, that fits the windows in which they are seen."""

    plane: _Plane
    seen: Bools
    likeness: float
    """To a comb of lines, see `comb.likeness`."""
    paper: float
    """Share of all windows that show lines on paper: bright, with thin dark lines."""

    @property
    def worth(self) -> float:
        return self.likeness * self.paper

    @property
    def sure(self) -> bool:
        return self.likeness > SURE and self.paper > ENOUGH


def _spectra(signal: FloatArray, pixels: Pixels) -> _Spectra:
    height, width = signal.shape
    step = max(TILE_PX // 2, round((height * width / MOST_TILES) ** 0.5))
    rows, columns = (np.arange(0, side - TILE_PX + 1, step) for side in (height, width))
    windows = np.lib.stride_tricks.sliding_window_view(signal, (TILE_PX, TILE_PX))[::step, ::step]
    bell = np.hanning(TILE_PX + 2)[1:-1].astype(np.float32)
    tiles = windows.reshape(-1, TILE_PX, TILE_PX) * np.outer(bell, bell)
    power = _powers(tiles)
    power[:, :2, :2] = power[:, -1:, :2] = 0
    power /= power.sum((1, 2), keepdims=True) + np.float32(1e-6)
    down, right = np.meshgrid(rows + (TILE_PX - 1) / 2, columns + (TILE_PX - 1) / 2, indexing="ij")
    lines = cv2.integral((signal > LINE_CONTRAST).view(np.uint8))
    upper, lower = lines[rows], lines[rows + TILE_PX]
    dark = np.ravel((lower - upper)[:, columns + TILE_PX] - (lower - upper)[:, columns]) / TILE_PX**2
    middles = tuple(np.rint([down.ravel(), right.ravel()]).astype(int))
    light = cv2.blur(pixels, (TILE_PX, TILE_PX))[middles].min(axis=1).astype(np.float64)
    paper = np.clip((THICKEST - dark) / 0.1, 0, 1) * light / max(float(light.max()), 1.0)
    return _Spectra(np.stack([right.ravel(), down.ravel()], 1), power, paper)


def _powers(tiles: FloatArray) -> FloatArray:
    """(n, TILE_PX, TILE_PX / 2 + 1): OpenCV's transform of real numbers is three times as fast as NumPy's.

    It gives real and imaginary parts beside each other, and in the first and last column below each other.
    """
    half = TILE_PX // 2
    packed = np.empty_like(tiles)
    for tile, spectrum in zip(tiles, packed, strict=True):
        cv2.dft(tile, spectrum)
    packed *= packed
    power = np.empty((*tiles.shape[:2], half + 1), dtype=np.float32)
    np.add(packed[..., 1:-1:2], packed[..., 2:-1:2], out=power[..., 1:half])
    for column in (0, -1):
        ends = packed[..., column]
        power[:, 0, column], power[:, half, column] = ends[:, 0], ends[:, -1]
        power[:, 1:half, column] = ends[:, 1:-1:2] + ends[:, 2:-1:2]
        power[:, :half:-1, column] = power[:, 1:half, column]
    return power


def _seeds(spectra: _Spectra) -> Iterator[_Plane]:
    """Flat grids through the two strongest crossing frequencies of the clearest windows, six of them."""
    down, right = np.fft.fftfreq(TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX)[None]
    radius = np.hypot(right, down)
    wanted = (radius > 1 / PERIOD_PX[1]) & (radius < 1 / PERIOD_PX[0])
    vectors = np.stack(np.broadcast_arrays(right, down), -1)[wanted]
    power = spectra.power[:, wanted]
    directions = vectors / np.hypot(*vectors.T)[:, None]
    first = power.argmax(1)
    crossing = np.abs(directions @ directions[first].T).T < 0.5
    second = (power * crossing).argmax(1)
    every = np.arange(len(power))
    strength = power[every, first] * power[every, second] * spectra.paper**2
    for tile in np.argsort(-strength)[:24:4]:
        u, v = _axes(vectors[first[tile]], vectors[second[tile]])
        yield _Plane(np.array([*u, *v, 0, 0]), spectra.centres[tile])


def _axes(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """The frequency nearer to the horizontal first, both pointing right or down."""
    flatter = abs(one[0]) * np.hypot(*other) >= abs(other[0]) * np.hypot(*one)
    u, v = (one, other) if flatter else (other, one)
    return (u if u[0] >= 0 else -u), (v if v[1] >= 0 else -v)


def _grow(spectra: _Spectra, plane: _Plane) -> _Grown | None:
    """Fit the plane to the windows around its origin, then to more and more of them."""
    distance = np.hypot(*(spectra.centres - plane.origin).T) / TILE_PX
    for reach, perspective in ((1.5, False), (3, True), (6, True), (np.inf, True), (np.inf, True)):
        near = np.flatnonzero(distance <= reach)
        fitted = _fit(spectra, plane, near, perspective)
        if fitted is None:
            return None
        plane = fitted
    seen = _seen(spectra, plane, ([1], [1]))
    if seen.sum() < max(FEWEST_TILES, LEAST_SHARE * len(seen)):
        return None
    return _settle(spectra, plane, seen)


def _settle(spectra: _Spectra, plane: _Plane, seen: Bools) -> _Grown | None:
    """The same plane, with the distance of lines that all their multiples tell, and fitted to the clearest of these."""
    for _ in range(2):
        tiles = np.flatnonzero(seen)
        wanted = plane.frequencies(spectra.centres[tiles])
        white = whitened(spectra.power[tiles])
        stacks = stacked(white, wanted[0]), stacked(white, wanted[1])
        across, down, like = best_pair(stacks)
        if like < LIKE_LINES:
            return None
        teeth = best_teeth(stacks[0], across), best_teeth(stacks[1], down)
        usual = [float(np.median(np.hypot(*one.T))) * TILE_PX for one in wanted]
        scale = np.repeat([across / usual[0], down / usual[1], 1.0], 2)
        fitted = _fit(spectra, _Plane(plane.numbers * scale, plane.origin), np.arange(len(seen)), True, teeth)
        if fitted is None:
            return None
        plane, seen = fitted, _seen(spectra, fitted, teeth)
        if seen.sum() < max(FEWEST_TILES, LEAST_SHARE * len(seen)):
            return None
    return _Grown(plane, seen, like, float(np.where(seen, spectra.paper, 0).mean()))


def _seen(spectra: _Spectra, plane: _Plane, teeth: tuple[list[int], list[int]]) -> Bools:
    """(n,) bool: windows in which lines of both directions show, by any of some multiples of each."""
    every = np.arange(len(spectra.centres))
    clear = [
        np.any([_peaks(spectra, every, wanted * tooth)[1] for tooth in some], axis=0)
        for wanted, some in zip(plane.frequencies(spectra.centres), teeth, strict=True)
    ]
    return np.asarray(clear[0] & clear[1])


def _fit(
    spectra: _Spectra,
    plane: _Plane,
    near: Ints,
    perspective: bool,
    teeth: tuple[list[int], list[int]] = ([1], [1]),
) -> _Plane | None:
    """The plane whose frequencies, times the teeth of each direction, are nearest to clear peaks."""
    points = spectra.centres[near]
    wanted = plane.frequencies(points)
    found = [
        (axis, tooth, *_peaks(spectra, near, wanted[axis] * tooth, stray=2 * STRAY_BINS))
        for axis in (0, 1)
        for tooth in teeth[axis]
    ]
    if min(sum(int(clear.sum()) for axis, _, _, clear in found if axis == one) for one in (0, 1)) < 2:
        return None
    far = float(np.ptp(spectra.centres)) / 2
    unit = np.array([0.01] * 4 + [0.1 / far] * 2)[: 6 if perspective else 4]

    def misses(numbers: Floats) -> Floats:
        full = np.concatenate([numbers * unit, np.zeros(6 - len(unit))])
        now = _Plane(full, plane.origin).frequencies(points)
        bins = [((now[axis] * tooth - peak)[clear] * TILE_PX).ravel() for axis, tooth, peak, clear in found]
        return np.concatenate([*bins, 0.05 * numbers[4:]])

    least = _least(misses, plane.numbers[: len(unit)] / unit) * unit
    return _Plane(np.concatenate([least, np.zeros(6 - len(unit))]), plane.origin)


def _least(misses: Callable[[Floats], Floats], numbers: Floats) -> Floats:
    """Numbers with the least misses, by Gauss-Newton steps; a miss counts less the more it exceeds USUAL_BINS."""
    for _ in range(STEPS):
        now = misses(numbers)
        slopes = np.stack([(misses(numbers + step) - now) / 1e-4 for step in 1e-4 * np.eye(len(numbers))], 1)
        weight = (1 + (now / USUAL_BINS) ** 2) ** -0.5
        numbers = numbers - np.linalg.lstsq(slopes * weight[:, None] ** 0.5, now * weight**0.5, rcond=None)[0]
    return numbers


def _peaks(spectra: _Spectra, tiles: Ints, wanted: Floats, stray: float = STRAY_BINS) -> tuple[Floats, Bools]:
    """The peak next to each wanted frequency: its frequency (n, 2), and whether it is clear."""
    sign = np.where(wanted[:, :1] < 0, -1, 1)
    middle = np.rint(wanted * sign * TILE_PX).astype(int)
    offsets = np.arange(-2, 3)
    columns = middle[:, 0, None, None] + offsets[None, None, :]
    rows = np.where(columns < 0, -1, 1) * (middle[:, 1, None, None] + offsets[None, :, None])
    columns = np.minimum(np.abs(columns), TILE_PX // 2)
    patch = spectra.power[tiles[:, None, None], rows % TILE_PX, columns]
    inner = patch[:, 1:4, 1:4].reshape(-1, 9)
    row, column = np.divmod(inner.argmax(1), 3)
    every, logs = np.arange(len(tiles)), np.log(patch + 1e-12)
    right = _summit(*(logs[every, row + 1, column + k] for k in range(3)))
    below = _summit(*(logs[every, row + k, column + 1] for k in range(3)))
    found = sign * (middle + np.stack([column - 1 + right, row - 1 + below], 1)) / TILE_PX
    rim = np.ones((5, 5), dtype=bool)
    rim[1:4, 1:4] = False
    clear = inner.max(1) > CLEAR * (np.median(patch[:, rim], axis=1) + 1e-9)
    inside = np.abs(wanted).max(1) < 0.48
    return found, clear & inside & (np.hypot(*(found - wanted).T) * TILE_PX < stray)


def _summit(left: FloatArray, middle: FloatArray, right: FloatArray) -> Floats:
    """Where a parabola through three values has its top, -0.5 to 0.5."""
    bend = np.minimum(left - 2 * middle + right, -1e-6)
    return np.asarray(np.clip(0.5 * (left - right) / bend, -0.5, 0.5), dtype=np.float64)


def _grid(spectra: _Spectra, plane: _Plane, seen: Bools, signal: FloatArray, work: Pixels, reduced_by: int) -> Grid:
    tiles = np.flatnonzero(seen)
    points = spectra.centres[tiles]
    to_lines = plane.homography()
    lines = cv2.perspectiveTransform(points[None], to_lines)[0]
    square_mm = 1.0 if float(np.ptp(lines, axis=0).max()) > MOST_SQUARES else 5.0
    line_mm = 1.0 if square_mm == 1 or _fine_lines_clearer(spectra, tiles, to_lines) else 5.0
    shrink = np.array([[1, 0, (1 - reduced_by) / 2], [0, 1, (1 - reduced_by) / 2], [0, 0, reduced_by]]) / reduced_by
    to_mm = np.diag([square_mm, square_mm, 1]) @ to_lines @ shrink
    seen_px = ((points + 0.5) * reduced_by - 0.5).astype(np.float32)
    return Grid(to_mm, line_mm, seen_px, float(TILE_PX * reduced_by), float(seen.mean()), signal, work, reduced_by)


def _fine_lines_clearer(spectra: _Spectra, tiles: Ints, to_lines: Floats) -> bool:
    """Whether 1-mm lines are stronger than 5-mm lines, beyond what multiples of these can be."""
    points = spectra.centres[tiles]
    beside = [np.add(points, shift) for shift in ((0, 0), (1, 0), (0, 1))]
    steps = cv2.perspectiveTransform(np.concatenate(beside)[None], to_lines)[0]
    here, right, below = np.split(steps, 3)
    ratios = []
    for axis in (0, 1):
        wanted = np.stack([(right - here)[:, axis], (below - here)[:, axis]], 1)
        coarse, fine = (np.median(_power(spectra, tiles, wanted * times)) for times in (1, 5))
        ratios.append(fine > FINE_CLEARER * coarse)
    return all(ratios)


def _power(spectra: _Spectra, tiles: Ints, wanted: Floats) -> FloatArray:
    """Power at a frequency; none beyond what the window can show."""
    turned = wanted * np.where(wanted[:, :1] < 0, -1, 1) * TILE_PX
    column, row = np.rint(turned).astype(int).T
    shown = (column <= TILE_PX // 2) & (np.abs(row) <= TILE_PX // 2)
    return np.where(shown, spectra.power[tiles, row % TILE_PX, np.minimum(column, TILE_PX // 2)], 0)
