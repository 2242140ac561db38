"""The shape of a sheet of paper that does not lie flat: folds, wrinkles, curl; and how light falls on it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray
from ecgedge.paper.simulated.scenes import Scene

_STEP_MM = 1.0
_MARGIN_MM = 4.0  # the lattice goes on beyond the sheet, so that its edges are interpolated as its middle is


@dataclass(frozen=True, slots=True)
class Relief:
    """Where each point of the sheet lies in space."""

    place_mm: FloatArray
    """(rows, columns, 3) float32: right, down and up of the table's plane, of a lattice of 1 mm on the sheet."""
    origin_mm: FloatArray
    """(2,) float32: where the lattice's first point lies on the sheet, from its middle, right and down."""

    def place(self, points_mm: FloatArray) -> FloatArray:
        """(n, 2) points of the flat sheet, mm right and down of its middle -> (n, 3) right, down, up."""
        rows, columns = self.place_mm.shape[:2]
        at = (points_mm - self.origin_mm) / np.float32(_STEP_MM)
        first = np.clip(np.floor(at).astype(np.int32), 0, (columns - 2, rows - 2))
        part = np.clip(at - first, 0, 1).astype(np.float32)
        index = first[:, 1] * columns + first[:, 0]
        lattice = self.place_mm.reshape(-1, 3) - self._flat().reshape(-1, 3)
        right, down = part[:, :1], part[:, 1:]
        upper = lattice[index] * (1 - right) + lattice[index + 1] * right
        lower = lattice[index + columns] * (1 - right) + lattice[index + columns + 1] * right
        bent = upper * (1 - down) + lower * down
        bent[:, :2] += points_mm
        return np.asarray(bent, np.float32)

    def shading(self, *, light_deg: float, height_deg: float) -> FloatArray:
        """(rows, columns) float32 light on the lattice, 1 where flat, from a lamp in a direction and at a height."""
        down, right = np.gradient(self.place_mm[:, :, 2], _STEP_MM)
        towards = right * np.cos(np.radians(light_deg)) + down * np.sin(np.radians(light_deg))
        normal = np.sqrt(1 + right**2 + down**2)
        return np.asarray(np.clip((1 - towards / np.tan(np.radians(height_deg))) / normal, 0.25, 1.5), np.float32)

    def _flat(self) -> FloatArray:
        return _lattice(self.place_mm.shape[:2], self.origin_mm)


def draw_relief(size_mm: tuple[float, float], scene: Scene, rng: np.random.Generator) -> Relief:
    """Fold and crumple a sheet of a width and height."""
    size = np.array(size_mm, np.float32)
    origin = (-size / 2 - _MARGIN_MM).astype(np.float32)
    columns, rows = (int(n) for n in np.ceil((size + 2 * _MARGIN_MM) / _STEP_MM).astype(int) + 1)
    flat = _lattice((rows, columns), origin)
    up = _folds(flat, size, scene, rng) + _wrinkles((rows, columns), scene, rng) + _curl(flat, size, scene, rng)
    return Relief(_laid(flat, up), origin)


def _lattice(shape: tuple[int, int], origin_mm: FloatArray) -> FloatArray:
    down, right = np.indices(shape, np.float32) * np.float32(_STEP_MM)
    return np.stack([right + origin_mm[0], down + origin_mm[1], np.zeros(shape, np.float32)], -1)


def _laid(flat: FloatArray, up: NDArray[np.float64]) -> FloatArray:
    """Paper does not stretch: where it climbs, its outline shrinks, by half the slope squared per mm."""
    down_slope, right_slope = np.gradient(up, _STEP_MM)
    place = flat.copy()
    for axis, slope in ((0, right_slope), (1, down_slope)):
        lost = np.cumsum(cv2.GaussianBlur(np.square(slope) / 2, (0, 0), 4.0), axis=1 - axis) * _STEP_MM
        middle = lost.take([lost.shape[1 - axis] // 2], axis=1 - axis)
        place[:, :, axis] -= (lost - middle).astype(np.float32)
    place[:, :, 2] = up - np.percentile(up, 5)
    return place


def _folds(flat: FloatArray, size: FloatArray, scene: Scene, rng: np.random.Generator) -> NDArray[np.float64]:
    """Up to three folds, most of them along an edge, hills and valleys in turn."""
    up = np.zeros(flat.shape[:2])
    along, oblique = rng.uniform(size=2), rng.uniform(size=3)
    places, angles, side = rng.uniform(-0.8, 0.8, 3), rng.normal(0, 3, 3), rng.choice((-1.0, 1.0))
    for number in range(scene.folds):
        turn = 90.0 * (along[0] < 0.5) if oblique[number] < 0.7 else 90.0 * (along[1] < 0.5) + 35 * side
        angle = np.radians(turn + angles[number])
        across = np.array([np.cos(angle), np.sin(angle)])
        spread = (number + 0.5) / scene.folds * 2 - 1 + places[number] / scene.folds
        distance = flat[:, :, :2] @ across - 0.35 * spread * (np.abs(across) @ size)
        up += side * (-1.0) ** number * scene.fold_slope / 2 * np.sqrt(distance**2 + 0.5)
    return up - _plane(flat, up)


def _plane(flat: FloatArray, up: NDArray[np.float64]) -> NDArray[np.float64]:
    design = np.stack([np.ones(up.size), flat[:, :, 0].ravel(), flat[:, :, 1].ravel()], -1)
    best = np.linalg.lstsq(design, up.ravel(), rcond=None)[0]
    return np.asarray((design @ best).reshape(up.shape))


def _wrinkles(shape: tuple[int, int], scene: Scene, rng: np.random.Generator) -> NDArray[np.float64]:
    """Creases at random between facets: the absolute value of smooth noise has sharp valleys."""
    up = np.zeros(shape)
    for scale_mm, share in ((40.0, 1.0), (18.0, 0.35), (8.0, 0.08)):
        smooth = cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), scale_mm / 2 / _STEP_MM)
        up += share * np.sqrt((smooth / max(float(smooth.std()), 1e-9)) ** 2 + 0.001)
    slope = float(np.sqrt(np.mean(np.square(np.gradient(up, _STEP_MM)).sum(axis=0))))
    return up * (scene.wrinkle_slope / max(slope, 1e-9))


def _curl(flat: FloatArray, size: FloatArray, scene: Scene, rng: np.random.Generator) -> NDArray[np.float64]:
    """One edge or corner rises."""
    angle = rng.uniform(0, 2 * np.pi)
    towards = np.array([np.cos(angle), np.sin(angle)])
    along = flat[:, :, :2] @ towards / (np.abs(towards) @ size / 2)
    bent: NDArray[np.float64] = scene.curl_mm * (np.clip(along, 0, None) ** 2 + 0.3 * along**2)
    return bent
