"""When to take a picture by itself: a sharp page lies still in the preview, and it is not the one taken last.

Knows frames and time, not cameras. Movement is looked for in every frame (1 ms); a page only once a scene is still,
with the same grid finder that will judge the picture (30 to 150 ms).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ecgedge.pages import LEAST_MM
from ecgedge.paper.grid import Grid, find_grid
from ecgedge.paper.page import FloatArray, Pixels

FRAME_PX = 640
"""Longer side that a frame is brought down to."""
STILL_S = 1.0
"""How long nothing must move."""
WIDEST_EDGE_PX = 2.6
"""Widest edge of the ink on a page in focus, px of the reduced frame: sharp photos of printed pages have 1.0 to 1.3,
blurred by one pixel 2.2 to 2.8, by two pixels 3.5 to 5."""
SAME_POINTS = 40
"""Points of a page found again at matching places, from which it is the same page: the same one had 90 and more,
however it was turned, two pages at most 16."""

_THUMB_PX = 96
_CHANGE = 12  # grey levels; noise of the sensor stays below, averaged over a thumbnail's pixels
_MOVED = 0.01  # share of a thumbnail's pixels that change when a hand or a page moves
_DARK = 40  # grey level of the brightest twentieth, under which nobody can see a page
_STRONGEST, _REACH_PX, _LEAST_STEP = 0.02, 4, 25  # share of pixels, px, grey levels: see page_quality
_LOOK_AGAIN_S = (2.0, 30.0)  # first and longest time to the next look at a still scene: focus may come late
_POINTS = 800
_LIKENESS, _STRAY_PX = 0.8, 3.0  # of the best match to the second best; of matching places


@dataclass(frozen=True, slots=True)
class Marks:
    """Points by which a page is known again."""

    places_px: FloatArray
    """(n, 2) float32."""
    words: Pixels
    """(n, 32) uint8: what each looks like."""


class Seeing:
    """Says "now" once per page. Not thread-safe."""

    def __init__(self) -> None:
        self._anchor: Pixels | None = None
        self._since_s = self._look_s = 0.0
        self._again_s = _LOOK_AGAIN_S[0]
        self._taken: Marks | None = None

    def step(self, frame: Pixels, *, now_s: float) -> bool:
        """Whether a picture is to be taken now.

        Parameters
        ----------
        frame : (height, width, 3) uint8, blue-green-red, of any size; two to ten of them a second
        now_s : when it was taken, s, by any clock that goes evenly
        """
        thumb = thumbnail(frame)
        if self._anchor is None or moved(self._anchor, thumb):
            self._anchor, self._since_s = thumb, now_s
            self._look_s, self._again_s = now_s + STILL_S, _LOOK_AGAIN_S[0]
            return False
        if now_s < self._look_s:
            return False
        self._look_s, self._again_s = now_s + self._again_s, min(2 * self._again_s, _LOOK_AGAIN_S[1])
        return self._look(reduced(frame), dark=bool(np.percentile(thumb, 95) < _DARK))

    def taken(self, frame: Pixels) -> None:
        """A picture was taken for another reason: the page in this frame is not to be taken again."""
        self._taken = find_marks(reduced(frame))

    def _look(self, frame: Pixels, *, dark: bool) -> bool:
        grid = find_page_grid(frame)
        if grid is None:
            self._taken = self._taken if dark else None  # it has gone: laid again, it is taken again
            return False
        if edge_width_px(cut_to_grid(frame, grid)) > WIDEST_EDGE_PX:
            return False
        marks = find_marks(frame)
        if self._taken is not None and same_page(self._taken, marks):
            return False
        self._taken = marks
        return True


def reduced(frame: Pixels) -> Pixels:
    """The frame with a longer side of at most `FRAME_PX`."""
    part = FRAME_PX / max(frame.shape[:2])
    return frame if part >= 1 else np.asarray(cv2.resize(frame, None, fx=part, fy=part, interpolation=cv2.INTER_AREA))


def thumbnail(frame: Pixels) -> Pixels:
    """Grey, and so small that noise averages out: (height, `_THUMB_PX`) uint8."""
    height = max(1, round(frame.shape[0] * _THUMB_PX / frame.shape[1]))
    small = cv2.resize(frame, (_THUMB_PX, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def moved(before: Pixels, thumb: Pixels) -> bool:
    """Whether something moved between two thumbnails; light that changes everywhere alike is no movement."""
    if before.shape != thumb.shape:
        return True
    change = thumb.astype(np.float32) - before
    return bool(np.mean(np.abs(change - np.median(change)) > _CHANGE) > _MOVED)


def find_page_grid(frame: Pixels) -> Grid | None:
    """The grid of an ECG page, where one as large as a page lies in the frame."""
    grid = find_grid(frame)
    if grid is None or max(grid.size_mm()) < LEAST_MM[0] or min(grid.size_mm()) < LEAST_MM[1]:
        return None
    return grid


def cut_to_grid(frame: Pixels, grid: Grid) -> Pixels:
    """The upright box around what is seen of the grid, grey."""
    half = grid.window_px / 2
    left, top = np.maximum(grid.seen_px.min(axis=0) - half, 0).astype(int)
    right, bottom = (grid.seen_px.max(axis=0) + half).astype(int)
    return np.asarray(cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_BGR2GRAY), np.uint8)


def edge_width_px(grey: Pixels) -> float:
    """Height of the strongest edges over their steepness, across or down, whichever is worse; infinite without ink."""
    return max(_edge_px(grey), _edge_px(np.ascontiguousarray(grey.T)))


def _edge_px(grey: Pixels) -> float:
    calm = cv2.blur(grey, (1, 3))  # noise is averaged along the edge, not across it
    slope = cv2.absdiff(calm[:, 1:], calm[:, :-1]).ravel()
    count = max(1, round(_STRONGEST * slope.size))
    strongest = np.argpartition(slope, -count)[-count:]
    kernel = np.ones((1, 2 * _REACH_PX + 1), np.uint8)
    height = cv2.subtract(cv2.dilate(calm, kernel), cv2.erode(calm, kernel))[:, :-1].ravel()[strongest]
    if np.median(height) < _LEAST_STEP:
        return float("inf")
    return float(np.median(height / np.maximum(slope[strongest], 1)))


def find_marks(frame: Pixels) -> Marks:
    """Corners of the dark strokes in a frame; the printed grid, which is the same everywhere, is too pale to count."""
    blue, green, red = cv2.split(frame)
    darkest = cv2.min(cv2.min(blue, green), red)
    paper = cv2.blur(cv2.dilate(darkest, np.ones((9, 9), np.uint8)), (31, 31)).astype(np.float32) + 8
    ink = np.clip(1 - (darkest.astype(np.float32) + 8) / paper - 0.2, 0, 0.4)
    finder = cv2.ORB.create(_POINTS, scaleFactor=1.3, nlevels=3, fastThreshold=10)
    points, words = finder.detectAndCompute((ink * 600).astype(np.uint8), None)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return Marks(places, np.zeros((0, 32), np.uint8) if words is None else np.asarray(words, np.uint8))


def same_page(one: Marks, other: Marks) -> bool:
    """Whether two frames show the same page, wherever it lies in them."""
    if min(len(one.words), len(other.words)) < SAME_POINTS:
        return False
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(one.words, other.words, k=2)
    clear = [best for best, second in pairs if best.distance < _LIKENESS * second.distance]
    if len(clear) < SAME_POINTS:
        return False
    here = one.places_px[[match.queryIdx for match in clear]]
    there = other.places_px[[match.trainIdx for match in clear]]
    _, fits = cv2.estimateAffine2D(here, there, ransacReprojThreshold=_STRAY_PX)
    return fits is not None and int(np.count_nonzero(fits)) >= SAME_POINTS
