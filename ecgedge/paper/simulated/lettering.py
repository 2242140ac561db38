"""Lead names written with strokes: letters of our own, so that a page looks the same with every OpenCV.

OpenCV's own letters are Hershey's strokes before 5.0 and one sans-serif type face from 5.0 on; real pages have more.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Strokes = tuple[tuple[tuple[float, float], ...], ...]

# Strokes in units of the capitals' height, y upwards from the baseline. Those of `_ROUND` are smoothed.
_LETTERS: dict[str, Strokes] = {
    "I": (((0.0, 0.0), (0.0, 1.0)),),
    "V": (((0.0, 1.0), (0.36, 0.0), (0.72, 1.0)),),
    "L": (((0.0, 1.0), (0.0, 0.0), (0.52, 0.0)),),
    "F": (((0.54, 1.0), (0.0, 1.0), (0.0, 0.0)), ((0.0, 0.52), (0.44, 0.52))),
    "1": (((0.08, 0.78), (0.3, 1.0), (0.3, 0.0)),),
    "4": (((0.46, 0.0), (0.46, 1.0), (0.0, 0.28), (0.64, 0.28)),),
}
_ROUND: dict[str, Strokes] = {
    "R": (
        ((0.0, 0.0), (0.0, 0.0), (0.0, 1.0), (0.0, 1.0), (0.45, 1.03), (0.64, 0.76), (0.45, 0.47), (0.0, 0.5)),
        ((0.32, 0.5), (0.66, 0.0)),
    ),
    "a": (
        ((0.05, 0.58), (0.2, 0.74), (0.47, 0.7), (0.48, 0.4), (0.48, 0.0)),
        ((0.48, 0.4), (0.1, 0.46), (-0.02, 0.18), (0.14, -0.04), (0.38, 0.0), (0.48, 0.2)),
    ),
    "2": (((0.02, 0.72), (0.05, 1.0), (0.35, 1.06), (0.62, 0.9), (0.52, 0.5), (0.0, 0.0), (0.0, 0.0), (0.6, 0.0)),),
    "3": (
        ((0.03, 0.8), (0.08, 1.02), (0.45, 1.04), (0.6, 0.72), (0.42, 0.53), (0.2, 0.53)),
        ((0.2, 0.53), (0.5, 0.54), (0.66, 0.26), (0.46, -0.05), (0.06, -0.02), (0.0, 0.22)),
    ),
    "5": (
        ((0.54, 1.0), (0.1, 1.0), (0.05, 0.52)),
        ((0.05, 0.52), (0.2, 0.7), (0.56, 0.66), (0.64, 0.3), (0.48, -0.05), (0.1, -0.04), (0.0, 0.2)),
    ),
    "6": (
        (
            (0.54, 0.84),
            (0.42, 1.05),
            (0.1, 1.0),
            (-0.02, 0.45),
            (0.04, -0.02),
            (0.42, -0.08),
            (0.64, 0.26),
            (0.5, 0.64),
            (0.12, 0.66),
            (0.02, 0.34),
        ),
    ),
}
_WIDTHS = {"I": 0.0, "V": 0.72, "L": 0.52, "F": 0.54, "R": 0.66, "a": 0.48, "1": 0.5, "4": 0.64}
_USUAL_WIDTH = 0.6
_GAP = 0.2  # between letters, and the pen's width more
_SERIF = 0.13  # half its length
# Where serifs stand: at the ends of stems.
_SERIFS: dict[str, tuple[tuple[float, float], ...]] = {
    "I": ((0.0, 0.0), (0.0, 1.0)),
    "V": ((0.0, 1.0), (0.72, 1.0)),
    "L": ((0.0, 0.0), (0.0, 1.0)),
    "F": ((0.0, 0.0),),
    "R": ((0.0, 0.0), (0.66, 0.0)),
    "1": ((0.3, 0.0),),
    "4": ((0.46, 0.0),),
    "a": ((0.52, 0.0),),
}
LETTERS = "".join(sorted(_LETTERS | _ROUND))
"""What can be written: the letters of the twelve leads' names."""


def strokes_of(
    text: str, *, height: float, pen: float, serif: bool = False, slant: float = 0.0
) -> tuple[list[Array], float]:
    """The strokes of a lead name.

    Parameters
    ----------
    text : made of `LETTERS`
    height : of a capital
    pen : width of the strokes
    slant : how far a capital leans to the right, as a part of its height

    Returns
    -------
    strokes, each (n, 2) float64, x to the right and y down from the left end of the baseline, in the unit of `height`;
    and the width of the whole in that unit
    """
    strokes: list[Array] = []
    at, gap = 0.0, _GAP + pen / height
    for letter in text:
        edge = _SERIF if serif and letter in "I1" else 0.0
        for stroke in _letter(letter, serif=serif):
            x, y = stroke.T
            strokes.append(height * np.column_stack((at + edge + x + slant * y, -y)))
        at += _WIDTHS.get(letter, _USUAL_WIDTH) + 2 * edge + gap
    return strokes, (at - gap) * height


def _letter(letter: str, *, serif: bool) -> Iterator[Array]:
    for stroke in _LETTERS.get(letter, ()):
        yield np.array(stroke)
    for stroke in _ROUND.get(letter, ()):
        yield _smoothed(np.array(stroke))
    if serif:
        for x, y in _SERIFS.get(letter, ()):
            yield np.array([[x - _SERIF, y], [x + _SERIF, y]])


def _smoothed(points: Array) -> Array:
    """Corners cut three times at a quarter of each side (Chaikin 1974), the ends kept; a doubled point stays sharp."""
    for _ in range(3):
        ahead = points[1:] - points[:-1]
        cut = np.stack((points[:-1] + 0.25 * ahead, points[:-1] + 0.75 * ahead), axis=1).reshape(-1, 2)
        points = np.concatenate((points[:1], cut, points[-1:]))
    return points
