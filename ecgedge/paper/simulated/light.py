"""The light of a photo: uneven, coloured, shadowed."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray, Pixels
from ecgedge.paper.simulated.scenes import Scene

_STEP_PX = 16  # light changes slowly
_UNIT = 160  # this grey level of the gain map leaves a pixel as it is


def light_up(photo: Pixels, scene: Scene, rng: np.random.Generator) -> Pixels:
    """Light a picture as a scene says: a new (height, width, 3) uint8."""
    height, width = photo.shape[:2]
    coarse = _light((-(-height // _STEP_PX), -(-width // _STEP_PX)), scene, rng)
    gain = np.clip(coarse * _UNIT, 0, 255).astype(np.uint8)
    full = cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(photo, full, scale=1 / _UNIT), np.uint8)


def _light(shape: tuple[int, int], scene: Scene, rng: np.random.Generator) -> FloatArray:
    """(rows, columns, 3) gain: a lamp to one side, lens vignetting, a cast that may change across the frame."""
    down, right = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    lamp, tint, side = rng.uniform(0, 2 * np.pi, 3)
    across = (right * np.cos(lamp) + down * np.sin(lamp)) / 2
    light = 1 + scene.uneven * across - 0.12 * (right**2 + down**2) / 2
    light *= 1 - scene.shadow * _shadow(right, down, rng)
    # blue against red, as between a window and a lamp, and a little green
    cast = np.array([np.cos(tint), 0.3 * np.sin(tint), -np.cos(tint)]) * scene.colour_cast / 2
    mixed = 1 + rng.uniform(0, 1) * (right * np.cos(side) + down * np.sin(side))
    gain = light[:, :, None] * (1 + cast * mixed[:, :, None]) * (1 - scene.dark)
    return np.asarray(gain * 0.98, np.float32)


def _shadow(right: NDArray[np.float64], down: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """0 to 1: the edge of something large, or a finger-shaped thing reaching in, softened by its distance."""
    angle, place, softness = rng.uniform(0, 2 * np.pi), rng.uniform(-0.7, 0.7), rng.uniform(0.02, 0.25)
    along = right * np.cos(angle) + down * np.sin(angle)
    across = -right * np.sin(angle) + down * np.cos(angle)
    wave = 0.15 * np.sin(across * rng.uniform(1, 4) + rng.uniform(0, 6))
    distance = along - place - wave
    if rng.random() < 0.4:
        width = rng.uniform(0.15, 0.5)
        distance = np.minimum(distance, width - np.abs(across - rng.uniform(-0.5, 0.5)))
    return np.asarray(1 / (1 + np.exp(-np.clip(distance / softness * 2, -30, 30))))
