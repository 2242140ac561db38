"""Where the rows of curves lie on a page: the height at which most of each row's ink runs along."""

from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.ink import Ink
from ecgedge.paper.page import FloatArray
from ecgedge.paper.pieces import find_pieces, level_lines
from ecgedge.paper.runs import find_runs

ENOUGH_PX_PER_MM = 3.5
"""Rows are as well found at this resolution as at any higher one."""
THIN_MM = 1.6
"""A run of ink up to this height runs along; taller ones are strokes of a QRS complex, pulses or separators."""
WANDER_MM = 2.0
"""Standard deviation of the window in which a row's ink is gathered: baseline wander is rarely more."""
CLOSEST_MM = 8.0
"""Least distance of two rows: twelve rows on a sheet of letter or A4 paper are 13 mm apart or more."""
WEAKEST = 0.4
"""A row has at least this share of the median row's ink."""
RULE_LENGTH = 0.4
"""A straight level line longer than this share of the page is a printed rule; a curve has beats in between."""
SHORTEST_MM = 6.0
"""Pieces of a curve are at least this wide; letters and what is left of grid lines are less."""
UNEVEN = 0.12
"""A row lies at most this share of the rows' distance from where even spacing has it."""
MOST_PEAKS = 18
"""Twelve rows, and some lines of text."""
USUAL = (4, 6, 12)
"""Numbers of rows of the usual layouts."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of curves, from the top."""

    baselines_px: FloatArray
    """(n_rows,) float32, y at which most of each row's ink runs along."""
    left_px: float
    """Where the rows' curves begin; calibration pulses may stand to the left of it."""
    right_px: float
    """Where the rows' curves end."""
    confidence: float
    """0 to 1: all rows alike, evenly spaced, and of a usual number."""

    @property
    def spacing_px(self) -> float:
        """Median distance of neighbouring rows; of one row, twice its distance from the top."""
        gaps = np.diff(self.baselines_px)
        return float(np.median(gaps)) if gaps.size else 2.0 * float(self.baselines_px.sum())


def find_rows(ink: Ink, *, px_per_mm_x: float, px_per_mm_y: float) -> Rows:
    """Rows of curves of a page, header and footer allowed.

    Parameters
    ----------
    ink : ink of the whole page.

    Returns
    -------
    Rows; without any row, `baselines_px` is empty and the confidence 0.
    """
    shrunk = max(1, int(min(px_per_mm_x, px_per_mm_y) / ENOUGH_PX_PER_MM))
    mask = _shrink(ink.mask, shrunk)
    small = _rows(mask, px_per_mm_x=px_per_mm_x / shrunk, px_per_mm_y=px_per_mm_y / shrunk)
    middle = (shrunk - 1) / 2
    return Rows(
        np.asarray(small.baselines_px * shrunk + middle, dtype=np.float32),
        small.left_px * shrunk + middle,
        small.right_px * shrunk + middle,
        small.confidence,
    )


def _shrink(mask: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """Each pixel of the result has ink where a square of `factor` by `factor` pixels has any."""
    if factor == 1:
        return mask
    height, width = (size // factor * factor for size in mask.shape)
    kept = mask[:height, :width].astype(np.uint8)
    spread = cv2.dilate(kept, np.ones((factor, factor), np.uint8), anchor=(0, 0))
    return np.asarray(spread[::factor, ::factor] > 0, dtype=np.bool_)


def _rows(mask: NDArray[np.bool_], *, px_per_mm_x: float, px_per_mm_y: float) -> Rows:
    """Rows in pixels of the mask given."""
    height, width = mask.shape
    runs = find_runs(_curves(mask, px_per_mm_x))
    along = runs.height_px <= THIN_MM * px_per_mm_y
    column, centre = runs.column_px[along], runs.centre_px[along]
    density = np.bincount(centre.astype(int), minlength=height).astype(np.float32)
    peaks = _even(*_peaks(density, px_per_mm_y))
    if not len(peaks):
        return Rows(np.zeros(0, np.float32), 0.0, float(width - 1), 0.0)
    baselines = np.array([_fine(density, peak, px_per_mm_y) for peak in peaks], dtype=np.float32)
    left, right = _span(column, centre, baselines, width, px_per_mm_x, px_per_mm_y)
    smooth = _smooth(density, WANDER_MM * px_per_mm_y)
    return Rows(baselines, left, right, _confidence(baselines, smooth[np.asarray(peaks)]))


def _curves(mask: NDArray[np.bool_], px_per_mm_x: float) -> NDArray[np.bool_]:
    """The mask less long straight lines, such as the rule below a header, and less letters and remains of the grid."""
    thick = cv2.dilate(mask.astype(np.uint8), np.ones((3, 1), np.uint8))
    length = int(RULE_LENGTH * mask.shape[1])
    pieces = find_pieces(mask & (level_lines(np.asarray(thick, dtype=np.uint8), length) == 0))
    return pieces.of(pieces.width_px >= SHORTEST_MM * px_per_mm_x)


def _smooth(density: FloatArray, sigma_px: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(density[:, None], (1, 0), 0.1, sigmaY=sigma_px), dtype=np.float32)[:, 0]


def _peaks(density: FloatArray, px_per_mm_y: float) -> tuple[list[int], FloatArray]:
    """Heights of much ink, strongest first and none close to a stronger one; and how much each has."""
    smooth = _smooth(density, WANDER_MM * px_per_mm_y)
    left = smooth.copy()
    reach = int(CLOSEST_MM * px_per_mm_y)
    found: list[int] = []
    while len(found) < MOST_PEAKS and left.max() > 0.15 * smooth.max() > 0:
        peak = int(left.argmax())
        if smooth[peak] >= smooth[max(0, peak - 1) : peak + 2].max():
            found.append(peak)
        left[max(0, peak - reach) : peak + reach + 1] = 0
    return found, smooth


def _even(found: list[int], smooth: FloatArray) -> list[int]:
    """The evenly spaced set of a usual number of peaks that holds most ink; without any, the strong peaks."""
    peaks = sorted(found)
    best, most = [p for p in peaks if smooth[p] >= WEAKEST * smooth[found[0]]] if found else [], 0.0
    for first, last in combinations(peaks, 2):
        for count in USUAL:
            chosen = _comb(np.asarray(peaks), np.linspace(first, last, count))
            strength = smooth[chosen]
            if len(set(chosen)) == count and strength.min() >= WEAKEST * np.median(strength) and strength.sum() > most:
                best, most = [int(p) for p in chosen], float(strength.sum())
    return best


def _comb(peaks: NDArray[np.int_], places: NDArray[np.float64]) -> NDArray[np.int_]:
    """The peak nearest to each place, or the first one again where none is near."""
    nearest = np.abs(peaks[None] - places[:, None]).argmin(axis=1)
    near = np.abs(peaks[nearest] - places) <= UNEVEN * (places[1] - places[0])
    return np.asarray(peaks[np.where(near, nearest, nearest[0])], dtype=np.int_)


def _fine(density: FloatArray, peak: int, px_per_mm_y: float) -> float:
    """The peak again, in a narrower window."""
    reach = int(2 * WANDER_MM * px_per_mm_y)
    first = max(0, peak - reach)
    near = _smooth(density[first : peak + reach + 1], 0.25 * WANDER_MM * px_per_mm_y)
    return float(first + near.argmax())


def _span(
    column: NDArray[np.int32],
    centre: FloatArray,
    baselines: FloatArray,
    width: int,
    px_per_mm_x: float,
    px_per_mm_y: float,
) -> tuple[float, float]:
    """First and last column of the longest stretch in which half of the rows have ink, gaps of 5 mm allowed."""
    count = np.zeros(width)
    for baseline in baselines:
        near = np.abs(centre - baseline) < 2 * WANDER_MM * px_per_mm_y
        count += np.bincount(column[near], minlength=width) > 0
    covered = (count >= max(1.0, len(baselines) / 2)).astype(np.uint8)[None]
    closed = cv2.morphologyEx(covered, cv2.MORPH_CLOSE, np.ones((1, 2 * round(2.5 * px_per_mm_x) + 1), np.uint8))[0]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], closed, [0]]).astype(np.int8)))
    if not edges.size:
        return 0.0, float(width - 1)
    longest = int(np.argmax(edges[1::2] - edges[::2]))
    return float(edges[2 * longest]), float(edges[2 * longest + 1] - 1)


def _confidence(baselines: FloatArray, strength: FloatArray) -> float:
    if len(baselines) < 2:
        return 0.1
    gaps = np.diff(baselines)
    even = float(np.exp(-4.0 * gaps.std() / gaps.mean()))
    alike = min(1.0, float(strength.min() / np.median(strength)) / (2 * WEAKEST))
    return even * alike * (1.0 if len(baselines) in USUAL else 0.3)
