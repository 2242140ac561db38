"""How hard a simulated photo is: limits of every effect (`Strength`), and what was drawn within them (`Scene`)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np

from ecgedge.errors import InputError


@dataclass(frozen=True, slots=True)
class Strength:
    """Limits of the effects of a photo; each photo draws its own values within them."""

    tilt_deg: float = 20.0
    """Most that the camera's axis leans from the sheet's perpendicular."""
    rotation_deg: float = 15.0
    """Most that the sheet is turned in the picture, beside quarter turns."""
    empty: float = 0.16
    """Most of the frame, in its tighter direction, that is left around the sheet."""
    overhang: float = 0.0
    """Most of the sheet's extent that leaves the frame."""
    distortion: float = 0.03
    """Most radial distortion, the lens's k1 (Brown, 1971)."""
    fold_share: float = 0.35
    """Share of sheets with one to three folds."""
    fold_slope: float = 0.25
    """Steepest bend at a fold, rise over run."""
    wrinkle_share: float = 0.3
    """Share of crumpled sheets."""
    wrinkle_slope: float = 0.07
    """Most root-mean-square slope of wrinkles, rise over run."""
    curl_mm: float = 5.0
    """Most that the sheet's edges rise from the table."""
    uneven: float = 0.3
    """Most change of light across the frame, of its mean."""
    shadow_share: float = 0.35
    """Share of photos into which a hand, a head or the phone throws its shadow."""
    shadow: float = 0.35
    """Most of the light that a shadow takes."""
    colour_cast: float = 0.12
    """Most by which one colour is brighter than another."""
    dark: float = 0.3
    """Most by which paper is darker than white."""
    blur: float = 3.5e-4
    """Most standard deviation of the defocus, of the picture's longer side (1.4 px of 4000)."""
    motion: float = 8e-4
    """Longest smear of a moving hand, of the picture's longer side (3 px of 4000)."""
    sharpening: float = 0.8
    """Most by which the phone sharpens edges: the part of an unsharp mask that it adds."""
    noise: float = 3.0
    """Most standard deviation of the sensor's noise, grey levels of 255."""
    jpeg_loss: float = 25.0
    """Most by which the JPEG quality is below 100."""
    stain_share: float = 0.1
    """Share of sheets with stains."""
    handwriting_share: float = 0.25
    """Share of sheets that someone wrote on."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value >= 0):
                raise InputError(f"strength: {field.name} {value}: needs a number from 0 up; 0 turns the effect off")

    def scaled(self, factor: float) -> "Strength":
        """All limits times a factor; shares stay at most 1, the rest within what a camera can still see."""
        values = {field.name: factor * float(getattr(self, field.name)) for field in fields(self)}
        return Strength(**{name: min(value, _MOST.get(name, value)) for name, value in values.items()})


_MOST = {
    "tilt_deg": 45.0,
    "rotation_deg": 45.0,
    "empty": 0.6,
    "overhang": 0.5,
    "distortion": 0.15,
    "fold_share": 1.0,
    "fold_slope": 0.8,
    "wrinkle_share": 1.0,
    "wrinkle_slope": 0.3,
    "uneven": 0.8,
    "shadow_share": 1.0,
    "shadow": 0.9,
    "colour_cast": 0.5,
    "dark": 0.8,
    "sharpening": 2.0,
    "jpeg_loss": 95.0,
    "stain_share": 1.0,
    "handwriting_share": 1.0,
}

MODERATE = Strength()
MILD = replace(MODERATE.scaled(0.4), fold_share=0.0, wrinkle_share=0.0, handwriting_share=0.0, stain_share=0.0)
STRONG = replace(MODERATE.scaled(1.6), rotation_deg=20.0, tilt_deg=30.0, empty=0.3)
STRENGTHS: Mapping[str, Strength] = MappingProxyType({"mild": MILD, "moderate": MODERATE, "strong": STRONG})


@dataclass(frozen=True, slots=True)
class Scene:
    """What one photo shows: values drawn within a `Strength`."""

    tilt_deg: float
    tilt_towards_deg: float
    """Direction in the sheet in which the camera leans, 0 is to the right, 90 down."""
    rotation_deg: float
    """Clockwise turn of the sheet in the photo, beside quarter turns."""
    focal: float
    """Focal length over the diagonal of the picture."""
    fill: float
    """How much of the frame, in its tighter direction, the sheet takes."""
    overhang: float
    distortion: float
    folds: int
    fold_slope: float
    wrinkle_slope: float
    curl_mm: float
    uneven: float
    shadow: float
    colour_cast: float
    dark: float
    blur: float
    motion: float
    sharpening: float
    noise: float
    jpeg_quality: int
    stains: int
    words: int


def draw_scene(strength: Strength, rng: np.random.Generator) -> Scene:
    """Draw what one photo shows; always the same number of draws, so that one limit moves nothing else."""
    fold, wrinkle, shadow, stain, words = (float(value) for value in rng.random(5))
    folds, stains, written = (int(value) for value in rng.integers(1, (4, 4, 7)))
    part = {name: float(value) for name, value in zip(_DRAWN, rng.random(len(_DRAWN)), strict=True)}
    sign = rng.choice((-1.0, 1.0), 2)
    crumpled = wrinkle < strength.wrinkle_share
    folded = fold < strength.fold_share
    return Scene(
        tilt_deg=strength.tilt_deg * part["tilt"],
        tilt_towards_deg=float(rng.uniform(0, 360)),
        rotation_deg=float(sign[0]) * strength.rotation_deg * part["rotation"],
        # 24 to 32 mm (35-mm film has a diagonal of 43.3 mm): the main cameras of phones
        focal=float(rng.uniform(24, 32)) / 43.3,
        # a sheet that leaves the frame does so because the camera is near
        fill=1.0 if strength.overhang > 0 else 0.98 - strength.empty * part["empty"],
        overhang=strength.overhang * part["overhang"],
        distortion=float(sign[1]) * strength.distortion * part["distortion"],
        folds=folds if folded else 0,
        fold_slope=strength.fold_slope * (0.4 + 0.6 * part["fold"]),
        wrinkle_slope=strength.wrinkle_slope * (0.4 + 0.6 * part["wrinkle"]) if crumpled else 0.0,
        curl_mm=strength.curl_mm * part["curl"],
        uneven=strength.uneven * part["uneven"],
        shadow=strength.shadow * (0.3 + 0.7 * part["shadow"]) if shadow < strength.shadow_share else 0.0,
        colour_cast=strength.colour_cast * part["cast"],
        dark=strength.dark * part["dark"],
        blur=strength.blur * part["blur"],
        motion=strength.motion * part["motion"] ** 2,  # most hands are still
        sharpening=strength.sharpening * part["sharpening"],
        noise=strength.noise * part["noise"],
        jpeg_quality=round(98 - strength.jpeg_loss * part["jpeg"]),
        stains=stains if stain < strength.stain_share else 0,
        words=written if words < strength.handwriting_share else 0,
    )


_DRAWN = (
    *("tilt", "rotation", "empty", "overhang", "distortion", "fold", "wrinkle", "curl", "uneven", "shadow"),
    *("cast", "dark", "blur", "motion", "sharpening", "noise", "jpeg"),
)
