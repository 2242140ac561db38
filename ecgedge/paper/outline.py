"""The outline of a sheet as the picture itself shows it: what has the printed squares' colours, and the table's not.

It needs the grid only to say where paper surely is and which way is up, so it holds where millimetres have slipped.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.grid import Bools, Floats
from ecgedge.paper.page import Pixels
from ecgedge.paper.surface import Surface

LONGEST_PX = 800
"""Enough for a thousandth of the diagonal, and little work."""
STROKE_PX = 7
"""Wider than lines, and than most letters: about 2.5 mm."""
COLOURS = 32
"""Levels of brightness (steps of 8) and of two colours (steps of 2 around grey)."""
ROUNDS = 4
"""Paper and table are told apart, and learnt anew from what was told apart."""
RIM = 0.03
"""Share of the picture's longer side along its border."""
UNSEEN = np.float32(3e-5)
"""Colours rarer than this on paper and table are more likely the paper's: the rim shows the table, not the margin."""
LEAST_TABLE = 0.01
"""Share of the picture that must not be paper."""
BORDER_PX = 3
"""Points this near the picture's border are where the picture ends, not the sheet."""
ROUNDED_MM = 4.0
"""Corners are worn, and rounded by the closing over of strokes."""
LEAST_SPAN = 0.3
"""Share of an edge between its outermost points."""
STRAIGHT_MM = 2.5
"""Points within this of a parabola lie on an edge."""
LEAST_STRAIGHT = 0.75
"""Share of such points."""


def find_outline(
    reduced: Pixels, surface: Surface, printed_mm: tuple[float, float, float, float]
) -> list[Floats | None]:
    """Points on the left, top, right and bottom edge of the sheet.

    Parameters
    ----------
    reduced : (height, width, 3) uint8, blue-green-red.
    surface : from its px to mm.
    printed_mm : left, top, right and bottom of the printed squares.

    Returns
    -------
    For each side (n, 2) float64, mm on the plane; None where no straight edge is seen.
    """
    times = max(1.0, max(reduced.shape[:2]) / LONGEST_PX)
    smaller = cv2.resize(reduced, None, fx=1 / times, fy=1 / times, interpolation=cv2.INTER_LINEAR)
    small: Pixels = np.asarray(smaller, dtype=np.uint8)
    left, top, right, bottom = printed_mm
    quad = np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]])
    printed = np.rint((cv2.perspectiveTransform(quad, np.linalg.inv(surface.to_mm))[0] + 0.5) / times - 0.5)
    outline = _outline(_paper(small, printed))
    if outline is None:
        return [None] * 4
    height, width = small.shape[:2]
    inside = (outline > BORDER_PX) & (outline < [width - 1 - BORDER_PX, height - 1 - BORDER_PX])
    free: Bools = np.asarray(inside.all(axis=1), dtype=bool)
    on_plane = cv2.perspectiveTransform((outline[None] + 0.5) * times - 0.5, surface.to_mm)[0]
    half_px_mm = 0.5 * np.sqrt(
        cv2.contourArea(on_plane.astype(np.float32)) / max(cv2.contourArea(outline.astype(np.float32)), 1)
    )
    return _sides(on_plane, free, half_px_mm)


def _paper(small: Pixels, printed: Floats) -> Bools:
    """What has the colours of a quadrilateral (4, 2) and hangs together with it."""
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((STROKE_PX, STROKE_PX), dtype=np.uint8))
    tones = cv2.cvtColor(closed, cv2.COLOR_BGR2LAB).astype(np.int32)
    red, blue = (np.clip((tones[..., axis] - 128 + COLOURS) // 2, 0, COLOURS - 1) for axis in (1, 2))
    index = np.asarray((tones[..., 0] // 8 * COLOURS + red) * COLOURS + blue, dtype=np.int32)
    sure = np.zeros(small.shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(sure, printed.astype(np.int32), 1)
    paper = sure.astype(bool)
    half = (slice(None, None, 2), slice(None, None, 2))
    likeness = _learnt(index[half], np.ascontiguousarray(sure[half]))
    return paper if likeness is None else _in_one_piece(cv2.blur(likeness[index], (3, 3)) > 0.5, sure)


def _learnt(index: NDArray[np.int32], sure: Pixels) -> Floats | None:
    """How like paper each colour is, first by what is surely paper, then by what was told; None without a table."""
    paper, likeness = sure.astype(bool), None
    table = _rim(paper)
    for _ in range(ROUNDS):
        if min(paper.mean(), table.mean()) < LEAST_TABLE:
            break
        likeness = _likeness(index, paper, table)
        before, paper = paper, _in_one_piece(cv2.blur(likeness[index], (3, 3)) > 0.5, sure, STROKE_PX // 2)
        if np.array_equal(before, paper):
            break
        table = ~paper
    return likeness


def _rim(paper: Bools) -> Bools:
    """What lies along the picture's border: table, for a margin may have other colours than the printed squares."""
    wide = round(RIM * max(paper.shape))
    rim = np.ones(paper.shape, dtype=bool)
    rim[wide:-wide, wide:-wide] = False
    return np.asarray(rim & ~paper)


def _likeness(index: NDArray[np.int32], paper: Bools, table: Bools) -> Floats:
    """Of each colour: how likely it is paper's rather than the table's, 0 to 1, float32."""
    of_paper, of_table = (_density(index[one]) for one in (paper, table))
    return (of_paper + 2 * UNSEEN) / (of_paper + of_table + 3 * UNSEEN)


def _density(index: NDArray[np.int32]) -> Floats:
    count = np.bincount(index, minlength=COLOURS**3).astype(np.float32) / max(index.size, 1)
    cube = cv2.GaussianBlur(count.reshape(COLOURS, -1), (1, 3), 0, borderType=cv2.BORDER_REPLICATE)
    cube = cv2.GaussianBlur(cube.reshape(COLOURS, COLOURS, COLOURS), (3, 3), 0, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cube.reshape(-1))


def _in_one_piece(like: Bools, sure: Pixels, thread_px: int = STROKE_PX) -> Bools:
    """The piece that covers most of what is surely paper, its holes filled, what hangs on it by a thread cut off."""
    thread = np.ones((thread_px, thread_px), dtype=np.uint8)
    joined = cv2.morphologyEx(like.view(np.uint8), cv2.MORPH_OPEN, thread)
    _, labels = cv2.connectedComponents(joined, connectivity=4)
    sizes = np.bincount(labels[sure > 0], minlength=2)
    sizes[0] = 0
    piece = (labels == sizes.argmax()).astype(np.uint8)
    outlines, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(piece, outlines, -1, 1, cv2.FILLED)
    return np.asarray(piece > 0) if sizes.max() else sure > 0


def _outline(paper: Bools) -> Floats | None:
    """The outermost pixels of paper in order, (n, 2) float64."""
    outlines, _ = cv2.findContours(paper.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(outlines, key=len, default=None)
    return None if longest is None or len(longest) < 100 else longest[:, 0].astype(np.float64)


def _sides(outline: Floats, free: Bools, half_px_mm: float) -> list[Floats | None]:
    """An outline (n, 2), mm, cut at its four corners."""
    size = np.ptp(outline, axis=0)
    along = (outline - outline.min(axis=0)) / size
    falling, rising = along.sum(axis=1), along[:, 0] - along[:, 1]
    corners = [int(falling.argmin()), int(rising.argmax()), int(falling.argmax()), int(rising.argmin())]
    outward = np.array([[-1, 0], [0, -1], [1, 0], [0, 1]]) * half_px_mm
    ends = [(corners[3], corners[0]), (corners[0], corners[1]), (corners[1], corners[2]), (corners[2], corners[3])]
    forward = (corners[1] - corners[0]) % len(outline) < (corners[3] - corners[0]) % len(outline)
    sides = []
    for side, (start, stop) in enumerate(ends):
        first, last = (start, stop) if forward else (stop, start)
        chosen = np.arange(first, first + (last - first) % len(outline)) % len(outline)
        points = outline[chosen]
        apart = [np.hypot(*(points - outline[end]).T) > ROUNDED_MM for end in (start, stop)]
        points = points[free[chosen] & apart[0] & apart[1]] + outward[side]
        sides.append(points if _is_edge(points, side, float(size[1 - side % 2])) else None)
    return sides


def _is_edge(points: Floats, side: int, long_mm: float) -> bool:
    off, along = points.T if side % 2 == 0 else points[:, ::-1].T
    if len(off) < 10 or np.ptp(along) < LEAST_SPAN * long_mm:
        return False
    weight = np.ones(len(off))
    for _ in range(4):
        curve = np.polynomial.Polynomial.fit(along, off, 2, w=weight)
        weight = 1 / (1 + ((off - curve(along)) / 1.0) ** 2)
    return bool(np.mean(np.abs(off - curve(along)) < STRAIGHT_MM) > LEAST_STRAIGHT)
