"""What use leaves on a printed page: stains of cups and fingers, and words written by hand."""

import cv2
import numpy as np

from ecgedge.paper.page import FloatArray, Pixels

_PENS = ((60, 45, 40), (120, 50, 30), (40, 40, 150), (95, 95, 95))  # black, blue, red, pencil; blue-green-red
_SUBPIXEL = 1 << 4  # OpenCV draws at 1/16 px (shift 4)


def stain(page: Pixels, rng: np.random.Generator, *, count: int, px_per_mm: float) -> Pixels:
    """A copy with rings of cups and blots, each darkest at its rim as coffee dries."""
    height, width = page.shape[:2]
    cover = np.ones((-(-height // 8), -(-width // 8), 3), np.float32)
    down, right = np.indices(cover.shape[:2], np.float32) * 8 / px_per_mm
    for _ in range(count):
        middle = rng.uniform(0, 1, 2) * (width, height) / px_per_mm
        radius, rim, depth = rng.uniform(4, 40), rng.uniform(0.8, 2.5), rng.uniform(0.08, 0.3)
        angle = np.arctan2(down - middle[1], right - middle[0])
        wobble = 1 + 0.05 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.03 * np.sin(7 * angle + rng.uniform(0, 6))
        distance = np.hypot(right - middle[0], down - middle[1]) - radius * wobble
        dried = np.exp(-((distance / rim) ** 2)) + rng.uniform(0, 0.6) / (1 + np.exp(distance / rim))
        cover *= 1 - depth * dried[:, :, None] * np.array([1.0, 0.65, 0.4])
    full = cv2.resize(cover, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(page * full, np.uint8)


def write(page: Pixels, rng: np.random.Generator, *, words: int, px_per_mm: float) -> Pixels:
    """A copy with a line of words scribbled in one pen, where there is most room: in the upper quarter."""
    written = page.copy()
    height, width = page.shape[:2]
    pen, size_px = _PENS[int(rng.integers(len(_PENS)))], rng.uniform(2.0, 4.5) * px_per_mm
    thickness = max(1, round(rng.uniform(0.35, 0.7) * px_per_mm))
    x = rng.uniform(0.1, 0.5) * width
    y = rng.uniform(0.15, 0.24) * height
    slope = rng.uniform(-0.06, 0.06)
    for _ in range(words):
        word = _word(int(rng.integers(3, 10)), rng) * size_px + np.array([x, y])
        x, y = float(word[-1, 0]) + 1.5 * size_px, y + slope * float(np.ptp(word[:, 0]))
        cv2.polylines(
            written, [np.rint(word * _SUBPIXEL).astype(np.int32)], False, pen, thickness, cv2.LINE_AA, shift=4
        )
    return written


def _word(letters: int, rng: np.random.Generator) -> FloatArray:
    """Loops and arches joined as in longhand, a wheel's rolling point: (n, 2), in heights of a small letter."""
    along = np.linspace(0, letters, 24 * letters)
    knots = np.arange(letters + 1)
    tall = rng.choice((0.7, 1.0, 1.1, 2.0, -0.9), letters + 1)
    loop, drift = rng.uniform(-0.1, 0.45, letters + 1), rng.normal(0, 0.1, letters + 1)
    height, width, lift = (np.interp(along, knots, drawn) for drawn in (tall, loop, drift))
    wheel = 2 * np.pi * along
    x = 0.75 * along + width * np.sin(wheel) + 0.2 * np.sin(0.5 * wheel)
    y = lift - height * (1 - np.cos(wheel)) / 2
    return np.stack([x, y], -1).astype(np.float32)
