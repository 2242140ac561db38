"""A page as a phone's camera sees it, with the truth about where everything on it came to lie.

    shot = photograph(page.pixels, px_per_mm=8.0, seed=1)
    shot.picture, shot.corners_px, shot.to_photo(points_px)

Paper is a surface in space (`relief`), seen by a pinhole camera (`view`) and lit (`light`); the sensor blurs,
sharpens, adds noise and writes a JPEG. Departures from a real camera: shadows do not follow the relief, noise does not
depend on the light, a fold hides nothing behind it.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ecgedge.errors import InputError
from ecgedge.paper.page import FloatArray, Picture, Pixels
from ecgedge.paper.simulated.light import light_up
from ecgedge.paper.simulated.relief import Relief, draw_relief
from ecgedge.paper.simulated.scenes import MODERATE, Scene, Strength, draw_scene
from ecgedge.paper.simulated.screen import add_moire, show_on_screen
from ecgedge.paper.simulated.tables import draw_table
from ecgedge.paper.simulated.view import View, aim
from ecgedge.paper.simulated.wear import stain, write

_MAX_SIDE_PX = 1 << 14
_UNIT = 160  # this grey level of the shading leaves a pixel as it is
_BILINEAR = 0.8  # px of the photo per px of the page, below which the page is made smaller first
_OPTICS_PX = 0.45  # standard deviation of a sharp lens with its sensor's colour filter, px
_SHARPENED_PX = 1.2  # radius of the unsharp mask, px
_TILE_PX = 512


@dataclass(frozen=True, slots=True)
class Shot:
    """A simulated photo and the truth about it."""

    picture: Picture
    corners_px: FloatArray
    """(4, 2) float32 corners of the sheet in the photo: top left, top right, bottom right, bottom left as it is read;
    the outer corners of its corner pixels, which may lie outside the photo."""
    turned_deg: int
    """By how much the photo must be turned clockwise to be upright: 0, 90, 180 or 270."""
    scene: Scene
    """What was drawn within the strength."""
    view: View

    def to_photo(self, points_px: FloatArray) -> FloatArray:
        """(n, 2) points of the drawn page, px -> (n, 2) float32 points of the photo, px."""
        return self.view.to_photo(points_px)


def photograph(
    pixels: Pixels,
    *,
    px_per_mm: float,
    seed: int,
    strength: Strength = MODERATE,
    size_px: tuple[int, int] = (4000, 3000),
    turned_deg: int = 0,
    cut: float = 0.0,
    screen: bool = False,
) -> Shot:
    """Photograph a page.

    Parameters
    ----------
    pixels : (height, width, 3) uint8, blue-green-red: a whole sheet.
    px_per_mm : of the page.
    seed : everything is drawn from it; the same arguments give the same bytes.
    size_px : width and height of the photo.
    turned_deg : by how much the photo will have to be turned clockwise to be upright: 0, 90, 180 or 270.
    cut : how much of the sheet's extent leaves the frame on one side, 0 to 0.5.
    screen : whether the page is shown on a screen with a dark frame, whose pixels give moire.

    Raises
    ------
    InputError
        An argument outside these bounds.
    """
    _require(pixels, px_per_mm=px_per_mm, size_px=size_px, turned_deg=turned_deg, cut=cut)
    # One stream per part, so that a change in one leaves the others as they were.
    drawn, shape, aimed, worn, table, lamp, sensor = np.random.default_rng(seed).spawn(7)
    scene = draw_scene(strength, drawn)
    scene = replace(scene, overhang=cut, fill=1.0) if cut else scene
    scene = _as_on_screen(scene) if screen else scene
    height, width = pixels.shape[:2]
    relief = draw_relief((width / px_per_mm, height / px_per_mm), scene, shape)
    bare = View(relief, (width, height), px_per_mm, scene.distortion, size_px)
    view = aim(bare, scene, aimed, turned_deg=turned_deg)
    page = _worn(pixels, scene, relief, worn, px_per_mm=px_per_mm)
    behind = draw_table(size_px, table)
    photo = light_up(_seen(page, behind, view, screen=screen), scene, lamp)
    photo = _through_jpeg(_exposed(photo, scene, sensor), scene.jpeg_quality)
    return Shot(Picture(photo, f"simulated photo {seed}"), view.corners(), turned_deg, scene, view)


def _as_on_screen(scene: Scene) -> Scene:
    return replace(scene, folds=0, wrinkle_slope=0.0, curl_mm=0.0, stains=0, words=0)


def _worn(pixels: Pixels, scene: Scene, relief: Relief, rng: np.random.Generator, *, px_per_mm: float) -> Pixels:
    """The page with what was spilt and written on it, shaded by its relief."""
    page = stain(pixels, rng, count=scene.stains, px_per_mm=px_per_mm) if scene.stains else pixels
    page = write(page, rng, words=scene.words, px_per_mm=px_per_mm) if scene.words else page
    shade = relief.shading(light_deg=float(rng.uniform(0, 360)), height_deg=float(rng.uniform(30, 60)))
    step_px = np.float32(px_per_mm)
    to_lattice = np.array([[1, 0, 0], [0, 1, 0]], np.float32) / step_px
    height, width = page.shape[:2]
    first = (np.array([width, height], np.float32) - 1) / 2 / step_px
    to_lattice[:, 2] = -first - relief.origin_mm
    gain = np.clip(shade * _UNIT, 0, 255).astype(np.uint8)
    full = cv2.warpAffine(gain, to_lattice, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(cv2.multiply(page, cv2.merge([full] * 3), scale=1 / _UNIT), np.uint8)


def _seen(page: Pixels, behind: Pixels, view: View, *, screen: bool) -> Pixels:
    """The page over what lies behind it, through the camera's lens: one remapping."""
    at = view.page_map()
    if screen:
        page, at = show_on_screen(page, at, px_per_mm=view.px_per_mm)
    shrink = view.photo_px_per_page_px()
    if shrink < _BILINEAR:  # bilinear sampling would skip pixels
        size = np.array(page.shape[1::-1])
        smaller_size = np.rint(size * shrink).astype(int)
        page = np.asarray(cv2.resize(page, smaller_size.tolist(), interpolation=cv2.INTER_AREA), np.uint8)
        scale = (smaller_size / size).astype(np.float32)
        at = (at + np.float32(0.5)) * scale - np.float32(0.5)
    seen = behind.copy()
    x, y = cv2.split(at)
    cv2.remap(page, x, y, cv2.INTER_LINEAR, dst=seen, borderMode=cv2.BORDER_TRANSPARENT)
    return add_moire(seen, at, px_per_mm=view.px_per_mm * (shrink if shrink < _BILINEAR else 1.0)) if screen else seen


def _exposed(photo: Pixels, scene: Scene, rng: np.random.Generator) -> Pixels:
    """What the sensor makes of the light: defocus, a moving hand, noise."""
    longer = max(photo.shape[:2])
    sigma_px = float(np.hypot(_OPTICS_PX, scene.blur * longer))
    photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), sigma_px), np.uint8)
    length_px, angle = scene.motion * longer, rng.uniform(0, np.pi)
    if length_px > 1:
        photo = np.asarray(cv2.filter2D(photo, -1, _smear(length_px, angle)), np.uint8)
    if scene.sharpening > 0:
        soft = cv2.GaussianBlur(photo, (0, 0), _SHARPENED_PX)
        photo = np.asarray(cv2.addWeighted(photo, 1 + scene.sharpening, soft, -scene.sharpening, 0), np.uint8)
    if scene.noise > 0:
        _add_noise(photo, scene.noise, rng)
    return photo


def _smear(length_px: float, angle: float) -> FloatArray:
    """Kernel of a straight movement."""
    half = int(np.ceil(length_px / 2)) + 1
    along = np.linspace(-length_px / 2, length_px / 2, 8 * half)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    column, row = np.rint(along * np.cos(angle)).astype(int), np.rint(along * np.sin(angle)).astype(int)
    np.add.at(kernel, (row + half, column + half), 1 / len(along))
    return kernel


def _add_noise(photo: Pixels, sigma: float, rng: np.random.Generator) -> None:
    """Gaussian noise, in place: a tile laid again and again from other beginnings."""
    tile = (rng.standard_normal((_TILE_PX, 2 * _TILE_PX, 3), np.float32) * sigma).astype(np.float32)
    tile += rng.standard_normal((_TILE_PX, 2 * _TILE_PX, 1), np.float32) * sigma
    noise = np.rint(tile / np.sqrt(2)).astype(np.int16)
    for top in range(0, photo.shape[0], _TILE_PX):
        for left in range(0, photo.shape[1], _TILE_PX):
            part = photo[top : top + _TILE_PX, left : left + _TILE_PX]
            start = int(rng.integers(_TILE_PX))
            part[:] = cv2.add(part, noise[: len(part), start : start + part.shape[1]], dtype=cv2.CV_8U)


def _through_jpeg(photo: Pixels, quality: int) -> Pixels:
    written, buffer = cv2.imencode(".jpg", photo, (cv2.IMWRITE_JPEG_QUALITY, quality))
    read = cv2.imdecode(buffer, cv2.IMREAD_COLOR) if written else None
    if read is None:
        raise InputError(f"JPEG of {photo.shape} at quality {quality}: OpenCV cannot; a size within 16384 px is needed")
    return np.asarray(read, np.uint8)


def _require(pixels: Pixels, *, px_per_mm: float, size_px: tuple[int, int], turned_deg: int, cut: float) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or min(pixels.shape) < 2 + 1:
        raise InputError(f"a page of {pixels.dtype} {pixels.shape}: (height, width, 3) uint8 is needed")
    if not 0 < px_per_mm < np.inf:
        raise InputError(f"a page of {px_per_mm} px/mm: a number above 0 is needed; 8 is usual")
    if not all(64 <= side <= _MAX_SIDE_PX for side in size_px):
        raise InputError(f"a photo of {size_px} px: width and height from 64 to {_MAX_SIDE_PX} are needed")
    if turned_deg not in (0, 90, 180, 270) or not 0 <= cut <= 0.5:
        raise InputError(f"turned {turned_deg} degrees, cut {cut}: 0, 90, 180 or 270, and 0 to 0.5 are needed")
