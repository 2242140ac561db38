"""Where each point of a sheet of paper comes to lie in a photo, and which point of it a pixel shows."""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.paper.page import FloatArray
from ecgedge.paper.simulated.relief import Relief
from ecgedge.paper.simulated.scenes import Scene

_LATTICE = 256  # points along the longer side at which a photo's pixels are traced back to the sheet
_ROUNDS = 8  # each shrinks the error of tracing back by the slope of the paper times the lean of the view, < 0.3
_NEAR_PX = 0.02


@dataclass(frozen=True, slots=True)
class View:
    """A pinhole camera with radial distortion above a sheet."""

    relief: Relief
    page_px: tuple[int, int]
    """Width and height of the drawn page."""
    px_per_mm: float
    """Of the drawn page."""
    distortion: float
    photo_px: tuple[int, int]
    """Width and height."""
    focal_px: float = 1.0
    turn: NDArray[np.float64] = field(default_factory=lambda: np.diag([1.0, 1.0, -1.0]))
    """(3, 3): from right, down, up of the sheet to right, down, forth of the camera."""
    sheet_mm: NDArray[np.float64] = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))
    """(3,): where the camera sees the middle of the sheet."""

    def to_photo(self, points_px: FloatArray) -> FloatArray:
        """(n, 2) points of the drawn page, px -> (n, 2) float32 points of the photo, px."""
        return self._see(self.relief.place(self._to_mm(points_px)).astype(np.float64))

    def corners(self) -> FloatArray:
        """(4, 2) float32 corners of the sheet in the photo: top left, top right, bottom right, bottom left."""
        width, height = self.page_px
        page = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - np.float32(0.5)
        return self.to_photo(page)

    def photo_px_per_page_px(self) -> float:
        """About how large a pixel of the page is in the photo."""
        corners, (width, height) = self.corners(), self.page_px
        return float(np.sqrt(cv2.contourArea(corners) / (width * height)))

    def page_map(self) -> FloatArray:
        """(height, width, 2) float32: which point of the drawn page each pixel of the photo shows, px."""
        width, height = self.photo_px
        step = max(4, max(width, height) // _LATTICE)
        columns, rows = width // step + 4, height // step + 4
        # One point more on each side, so that resizing, which repeats its edges, does so outside the photo.
        right = (np.arange(columns) - 0.5) * step - 0.5
        down = (np.arange(rows) - 0.5) * step - 0.5
        photo = np.stack(np.meshgrid(right, down), -1).reshape(-1, 2)
        page = self._trace_back(photo).reshape(rows, columns, 2)
        full = cv2.resize(page, (columns * step, rows * step), interpolation=cv2.INTER_LINEAR)
        return np.asarray(full[step : step + height, step : step + width], np.float32)

    def _to_mm(self, points_px: FloatArray) -> FloatArray:
        middle = (np.array(self.page_px, np.float32) - 1) / 2
        return np.asarray((np.asarray(points_px, np.float32) - middle) / np.float32(self.px_per_mm), np.float32)

    def _see(self, place_mm: NDArray[np.float64]) -> FloatArray:
        seen = _times(self.turn, place_mm) + self.sheet_mm
        ray = seen[:, :2] / seen[:, 2:]
        ray = ray * (1 + self.distortion * np.sum(ray**2, axis=1, keepdims=True))
        return np.asarray(ray * self.focal_px + (np.array(self.photo_px) - 1) / 2, np.float32)

    def _trace_back(self, photo: NDArray[np.float64]) -> FloatArray:
        """Fixed point: the flat sheet's point that would be seen where this one is, less what relief and lens add."""
        focal = np.diag([self.focal_px, self.focal_px, 1.0])
        focal[:2, 2] = (np.array(self.photo_px) - 1) / 2
        flat = focal @ np.column_stack([self.turn[:, 0], self.turn[:, 1], self.sheet_mm])
        back = np.linalg.inv(flat)
        mm = _project(back, photo)
        for _ in range(_ROUNDS):
            bent = self._see(self.relief.place(mm.astype(np.float32)).astype(np.float64))
            step = photo - bent
            mm = _project(back, _project(flat, mm) + step)
            if np.abs(step).max() < _NEAR_PX:
                break
        middle = (np.array(self.page_px) - 1) / 2
        return np.asarray(mm * self.px_per_mm + middle, np.float32)


def aim(view: View, scene: Scene, rng: np.random.Generator, *, turned_deg: int) -> View:
    """Hold the camera so that the sheet fills the frame as the scene says, leaving it by the scene's overhang."""
    focal_px = scene.focal * float(np.hypot(*view.photo_px))
    distance = focal_px / max(view.photo_px) * max(view.page_px) / view.px_per_mm
    view = replace(view, focal_px=focal_px, turn=_turn(scene, turned_deg), sheet_mm=np.array([0, 0, distance]))
    frame, where = np.array(view.photo_px, np.float64), rng.uniform(-1, 1, 2)
    side, push = int(rng.integers(2)), float(rng.choice((-1.0, 1.0)))
    for _ in range(12):
        corners = view.corners().astype(np.float64)
        low, high = corners.min(axis=0), corners.max(axis=0)
        free = (frame - (high - low)) / 2
        middle = frame / 2 + where * np.maximum(free, 0)
        if scene.overhang > 0:
            middle[side] = frame[side] / 2 + push * (free[side] + scene.overhang * (high - low)[side])
        grow = float(np.max((high - low) / frame)) / scene.fill
        depth = view.sheet_mm[2]
        shift = (middle - (low + high) / 2) * depth / focal_px
        sheet = view.sheet_mm + np.array([*shift, 0.0])
        view = replace(view, sheet_mm=sheet * np.array([1, 1, grow]))
    return view


def _turn(scene: Scene, turned_deg: int) -> NDArray[np.float64]:
    """Turn of the sheet in its plane, then the lean of the camera; up on the sheet is towards the camera."""
    roll = cv2.Rodrigues(np.array([0, 0, np.radians(scene.rotation_deg - turned_deg)]))[0]
    towards = np.radians(scene.tilt_towards_deg)
    lean = cv2.Rodrigues(np.radians(scene.tilt_deg) * np.array([-np.sin(towards), np.cos(towards), 0]))[0]
    return np.asarray(lean @ roll @ np.diag([1.0, 1.0, -1.0]))


def _project(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    there = _times(matrix[:, :2], points) + matrix[:, 2]
    return np.asarray(there[:, :2] / there[:, 2:])


def _times(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix times each point, added up in one order always: BLAS may add in another, and wakes all cores for it."""
    return np.asarray(sum(points[:, axis, None] * matrix[:, axis] for axis in range(points.shape[1])))
