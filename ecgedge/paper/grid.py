"""The printed grid of an ECG page: the one homography from picture to millimetres that it gives away.

Short windows of the picture are looked at through the Fourier transform. A plane grid seen by a camera has, in every
window, two frequencies, and how these change over the picture is fixed by six numbers (a homography but for its
origin). They are fitted from the clearest window outwards. No outline of a sheet is needed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ecgedge.paper.comb import best_pair, best_teeth, stacked, whitened
from ecgedge.paper.page import FloatArray, Pixels
from ecgedge.paper.plane import Plane, fit_plane
from ecgedge.paper.spectra import TILE_PX, Bools, Floats, Ints, Spectra, peaks, power_at, spectra_of

__all__ = ["Bools", "Floats", "Grid", "darkness", "faint_signal", "find_grid", "line_signal", "reduce"]

WORK_PX = 1500
"""Long side that the picture is brought near to: a sheet that fills half of it still has its 5-mm lines 12 px apart."""
PERIOD_PX = (3.2, 36.0)
"""Distances of lines looked for in a window: from nearly two pixels to a quarter of the window."""
INK_CONTRAST = 0.15
"""Darker than its surroundings by more than this share counts no more: curves and letters are no grid."""
FAINT = 20
"""Darkness, of 255, of the faintest grids' dots and lines, blurred."""
ENOUGH = 0.2
"""Share of the picture that a grid on bright paper covers, from which no better one is looked for."""
FEWEST_TILES = 6
LEAST_SHARE = 0.08
"""Share of the windows in which a grid must be seen; letters and bricks are as regular in a few."""
LIKE_LINES = 0.35
"""Likeness to a comb of lines that both directions of a grid must have. Noise stays below."""
SURE = 0.6
"""Likeness from which no better grid is looked for."""
FINE_CLEARER = 8.0
"""Power of 1-mm lines over that of 5-mm lines from which the 1-mm lines are followed; thin lines alone reach
1, and 1-mm lines are mistaken for each other where paper is wrinkled."""
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


def darkness(pixels: Pixels) -> Pixels:
    """How much darker than the brightest around it each pixel is, whatever the colour of the ink.

    Unlike `line_signal` it leaves paper beside curves as it is, and paper's grain makes it grey.

    Parameters
    ----------
    pixels : (height, width, 3) uint8

    Returns
    -------
    (height, width) uint8, as a share of 255.
    """
    darkest = _darkest(pixels)
    paper = np.asarray(cv2.dilate(darkest, np.ones((9, 9), dtype=np.uint8)), dtype=np.uint8)
    return np.asarray(cv2.convertScaleAbs(np.maximum(_darker(darkest, paper), 0), alpha=255.0), dtype=np.uint8)


def faint_signal(pixels: Pixels) -> FloatArray:
    """As `line_signal`, but from `darkness`, and of the darkness of faint lines at most: curves have little more."""
    faint = np.minimum(darkness(pixels), np.uint8(FAINT)).astype(np.float32)
    return np.asarray((faint - cv2.blur(faint, (31, 31))) / np.float32(255), dtype=np.float32)


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
    best = _best(spectra_of(signal, work), _strongest)
    if best is None:
        best = _best(spectra_of(signal, work, looked_at=faint_signal(work)), _clearest)
    return None if best is None else _grid(best, signal, work, reduced_by)


def _best(spectra: Spectra, weigh: Callable[[Spectra], FloatArray]) -> "_Grown | None":
    """The first plane that is beyond doubt, or the one that is worth most, begun at what weighs most."""
    best: _Grown | None = None
    for seed in _seeds(spectra, weigh(spectra)):
        grown = _grow(spectra, seed)
        if grown is not None and (best is None or grown.worth > best.worth):
            best = grown
        if best is not None and best.sure:
            break
    return best


@dataclass(frozen=True, slots=True)
class _Grown:
    """A plane of 5-mm lines, or of 1-mm lines alone, that fits the windows in which they are seen."""

    spectra: Spectra
    plane: Plane
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


def _strongest(spectra: Spectra) -> FloatArray:
    """Frequencies by their power: those of lines that are darker than the curves' own rhythm."""
    return spectra.power


def _clearest(spectra: Spectra) -> FloatArray:
    """Frequencies by how far they stand out from those around: a multiple of faint lines', where curves have none."""
    return np.fft.ifftshift(np.exp(whitened(spectra.power)), axes=1)


def _seeds(spectra: Spectra, weight: FloatArray) -> Iterator[Plane]:
    """Flat grids through the two weightiest crossing frequencies of the clearest windows, six of them."""
    down, right = np.fft.fftfreq(TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX)[None]
    radius = np.hypot(right, down)
    wanted = (radius > 1 / PERIOD_PX[1]) & (radius < 1 / PERIOD_PX[0])
    vectors = np.stack(np.broadcast_arrays(right, down), -1)[wanted]
    power = weight[:, wanted]
    directions = vectors / np.hypot(*vectors.T)[:, None]
    first = power.argmax(1)
    crossing = np.abs(directions @ directions[first].T).T < 0.5
    second = (power * crossing).argmax(1)
    every = np.arange(len(power))
    strength = power[every, first] * power[every, second] * spectra.paper**2
    for tile in np.argsort(-strength)[:24:4]:
        u, v = _axes(vectors[first[tile]], vectors[second[tile]])
        yield Plane(np.array([*u, *v, 0, 0]), spectra.centres[tile])


def _axes(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """The frequency nearer to the horizontal first, both pointing right or down."""
    flatter = abs(one[0]) * np.hypot(*other) >= abs(other[0]) * np.hypot(*one)
    u, v = (one, other) if flatter else (other, one)
    return (u if u[0] >= 0 else -u), (v if v[1] >= 0 else -v)


def _grow(spectra: Spectra, plane: Plane) -> _Grown | None:
    """Fit the plane to the windows around its origin, then to more and more of them."""
    distance = np.hypot(*(spectra.centres - plane.origin).T) / TILE_PX
    for reach, perspective in ((1.5, False), (3, True), (6, True), (np.inf, True), (np.inf, True)):
        near = np.flatnonzero(distance <= reach)
        fitted = fit_plane(spectra, plane, near, perspective)
        if fitted is None:
            return None
        plane = fitted
    seen = _seen(spectra, plane, ([1], [1]))
    if seen.sum() < max(FEWEST_TILES, LEAST_SHARE * len(seen)):
        return None
    return _settle(spectra, plane, seen)


def _settle(spectra: Spectra, plane: Plane, seen: Bools) -> _Grown | None:
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
        fitted = fit_plane(spectra, Plane(plane.numbers * scale, plane.origin), np.arange(len(seen)), True, teeth)
        if fitted is None:
            return None
        plane, seen = fitted, _seen(spectra, fitted, teeth)
        if seen.sum() < max(FEWEST_TILES, LEAST_SHARE * len(seen)):
            return None
    return _Grown(spectra, plane, seen, like, float(np.where(seen, spectra.paper, 0).mean()))


def _seen(spectra: Spectra, plane: Plane, teeth: tuple[list[int], list[int]]) -> Bools:
    """(n,) bool: windows in which lines of both directions show, by any of some multiples of each."""
    every = np.arange(len(spectra.centres))
    clear = [
        np.any([peaks(spectra, every, wanted * tooth)[1] for tooth in some], axis=0)
        for wanted, some in zip(plane.frequencies(spectra.centres), teeth, strict=True)
    ]
    return np.asarray(clear[0] & clear[1])


def _grid(best: _Grown, signal: FloatArray, work: Pixels, reduced_by: int) -> Grid:
    spectra, seen = best.spectra, best.seen
    tiles = np.flatnonzero(seen)
    points = spectra.centres[tiles]
    to_lines = best.plane.homography()
    lines = cv2.perspectiveTransform(points[None], to_lines)[0]
    square_mm = 1.0 if float(np.ptp(lines, axis=0).max()) > MOST_SQUARES else 5.0
    line_mm = 1.0 if square_mm == 1 or _fine_lines_clearer(spectra, tiles, to_lines) else 5.0
    shrink = np.array([[1, 0, (1 - reduced_by) / 2], [0, 1, (1 - reduced_by) / 2], [0, 0, reduced_by]]) / reduced_by
    to_mm = np.diag([square_mm, square_mm, 1]) @ to_lines @ shrink
    seen_px = ((points + 0.5) * reduced_by - 0.5).astype(np.float32)
    return Grid(to_mm, line_mm, seen_px, float(TILE_PX * reduced_by), float(seen.mean()), signal, work, reduced_by)


def _fine_lines_clearer(spectra: Spectra, tiles: Ints, to_lines: Floats) -> bool:
    """Whether 1-mm lines are stronger than 5-mm lines, beyond what multiples of these can be."""
    points = spectra.centres[tiles]
    beside = [np.add(points, shift) for shift in ((0, 0), (1, 0), (0, 1))]
    steps = cv2.perspectiveTransform(np.concatenate(beside)[None], to_lines)[0]
    here, right, below = np.split(steps, 3)
    ratios = []
    for axis in (0, 1):
        wanted = np.stack([(right - here)[:, axis], (below - here)[:, axis]], 1)
        coarse, fine = (np.median(power_at(spectra, tiles, wanted * times)) for times in (1, 5))
        ratios.append(fine > FINE_CLEARER * coarse)
    return all(ratios)
