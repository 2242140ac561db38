"""How a drawn page looks: a frozen style, drawn at random or after the two real sets of pages."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Colour = tuple[int, int, int]
Grid = Literal["fine lines", "fine dots", "coarse lines", "coarse dots"]
Header = Literal["above", "inside", "none"]

A4_MM = (297.0, 210.0)
LETTER_MM = (279.4, 215.9)
GRID_COLOURS: dict[str, Colour] = {
    "pink": (180, 170, 245),
    "red": (110, 105, 225),
    "orange": (120, 175, 245),
    "green": (140, 195, 150),
    "grey": (165, 165, 165),
    "blue": (215, 170, 130),
}
"""Blue-green-red of the printed lines, by name."""
INKS: dict[str, Colour] = {"black": (25, 22, 20), "dark blue": (110, 45, 25), "dark grey": (75, 72, 70)}
"""Blue-green-red of the pen, by name."""

_ROW_MM = 250.0  # ten seconds at 25 mm/s


@dataclass(frozen=True, slots=True)
class PageStyle:
    """Everything about a page but the signals, the layout and the words. Lengths in mm of the printed grid."""

    name: str
    sheet_mm: tuple[float, float] = A4_MM
    """Width and height."""
    grid_margins_mm: tuple[float, float, float, float] = (9.0, 36.0, 5.0, 10.0)
    """Left, top, right, bottom: where the grid ends; all 0 for a grid over the whole sheet."""
    grid: Grid = "fine lines"
    grid_bgr: Colour = GRID_COLOURS["pink"]
    paper_bgr: Colour = (252, 252, 252)
    fine_width_mm: float = 0.12
    coarse_width_mm: float = 0.25
    fine_bgr: Colour | None = None
    """Of the 1-mm lines or dots; None for the same colour."""
    fine_strength: float = 0.6
    """0 to 1, of the 1-mm lines or dots; 1 is the full colour."""
    coarse_strength: float = 1.0
    border_bgr: Colour | None = None
    border_width_mm: float = 0.4
    rows_mm: tuple[float, float] = (58.0, 175.0)
    """Baselines of the first and the last row, from the top of the sheet."""
    left_mm: float = 24.0
    """Where the curves begin, from the left of the sheet."""
    mm_per_mv: float = 10.0
    """The gain wished for; a page whose curves would leave the sheet takes a smaller one."""
    curve_width_mm: float = 0.35
    ink_bgr: Colour = INKS["black"]
    ink_strength: float = 1.0
    pulse: Literal["start", "end", "none"] = "start"
    pulse_width_mm: float = 5.0
    pulse_foot_mm: float = 1.5
    """Length of the foot at either side; 0 for none at the far side."""
    pulse_gap_mm: float = 2.5
    """Between the pulse and the curve."""
    label_place: Literal["above", "below", "on"] | None = None
    """Where lead names stand; None as the layout says."""
    letters: Literal["sans", "serif", "opencv"] = "sans"
    """Of the lead names: strokes of our own, or OpenCV's face."""
    label_slant: float = 0.0
    label_height_mm: float = 2.6
    label_width_mm: float = 0.3
    """Of the pen that writes the lead names."""
    label_offset_mm: float = 3.0
    """Between the baseline and the lead name."""
    separators: Literal["lines", "ticks", "none"] | None = None
    """Between the leads; None as the layout says."""
    separator_width_mm: float = 0.3
    tick_mm: float = 5.0
    strip_lead: str = "II"
    header: Header = "above"
    text_height_mm: float = 2.2
    double_rule: bool = False
    title: bool = False
    diagnosis_lines: int = 0
    footer: Literal["below", "inside", "none"] = "below"
    """Speed and gain: below the grid or on it."""


def like_ecg_images(seed: int) -> PageStyle:
    """The look of the scans of the data set `ecg_images`: A4, pink dots in a box, header with a double rule."""
    rng = np.random.default_rng(seed)
    return PageStyle(
        name=f"like ecg_images {seed}",
        sheet_mm=(278.6, 198.0),
        grid_margins_mm=(8.7, 35.8, 4.9, 7.0),
        grid="fine dots",
        grid_bgr=(95, 75, 150),
        fine_bgr=(115, 100, 130),
        fine_width_mm=0.127,  # one dot at 200 dpi
        coarse_width_mm=0.127,
        fine_strength=1.0,
        border_bgr=(170, 165, 240),
        border_width_mm=0.5,
        rows_mm=(58.5, 172.0),
        left_mm=19.5,
        curve_width_mm=float(rng.uniform(0.3, 0.45)),
        pulse_width_mm=2.3,
        pulse_foot_mm=1.0,
        pulse_gap_mm=2.7,
        letters="serif",
        label_height_mm=2.3,
        label_width_mm=0.22,
        label_offset_mm=1.2,
        separator_width_mm=0.4,
        strip_lead=str(rng.choice(["II", "III", "V1", "V5", "aVF"])),
        header="above",
        double_rule=True,
        title=True,
        diagnosis_lines=int(rng.integers(0, 3)),
    )


def like_photos(seed: int) -> PageStyle:
    """The look of the pages behind `photos`: letter at 95 %, dark 5-mm lines alone, header on the grid, ticks."""
    rng = np.random.default_rng(seed)
    red = int(rng.integers(40, 90))
    return PageStyle(
        name=f"like photos {seed}",
        sheet_mm=(292.0, 224.0),
        grid_margins_mm=(6.0, 4.5, 6.0, 4.5),
        grid="coarse lines",
        grid_bgr=(red, red, 60 + red),
        coarse_width_mm=float(rng.uniform(0.2, 0.35)),
        border_bgr=(90, 90, 90),
        border_width_mm=0.2,
        rows_mm=(93.5, 199.0),
        left_mm=21.6,
        curve_width_mm=float(rng.uniform(0.25, 0.4)),
        pulse_foot_mm=0.0,
        pulse_gap_mm=0.0,
        label_place="below",
        label_height_mm=2.6,
        label_width_mm=0.35,
        label_offset_mm=3.6,
        separators="ticks",
        separator_width_mm=0.8,
        tick_mm=7.0,
        header="inside",
        text_height_mm=2.6,
        footer="inside",
    )


def random_style(seed: int) -> PageStyle:
    """A style drawn at random: sheet, grid, colours, widths, pulses, letters, separators, words.

    One of four is like one of the two real sets. The same seed gives the same style.
    """
    rng = np.random.default_rng(seed)
    draw = rng.random()
    if draw < 0.25:
        return like_ecg_images(seed) if draw < 0.12 else like_photos(seed)
    style = _with_random_sheet(PageStyle(name=f"random {seed}"), rng)
    style = _with_random_grid(style, rng)
    return _with_random_letters(_with_random_pen(style, rng), rng)


def _with_random_sheet(style: PageStyle, rng: np.random.Generator) -> PageStyle:
    width, height = A4_MM if rng.random() < 0.6 else LETTER_MM
    if rng.random() < 0.25:  # printed smaller than it says
        scale = float(rng.uniform(1.0, 1.06))
        width, height = width * scale, height * scale
    boxed = rng.random() < 0.65
    header: Header = "above" if boxed and rng.random() < 0.7 else "inside" if rng.random() < 0.8 else "none"
    top = float(rng.uniform(24, 36)) if header == "above" else float(rng.uniform(4, 10))
    sides = rng.uniform(2, 5, 3)
    margins = (float(sides[0]), top, float(sides[1]), float(sides[2]) + 4) if boxed else (0.0, 0.0, 0.0, 0.0)
    first = (top if header == "above" else 24.0) + float(rng.uniform(14, 26))
    last = height - margins[3] - float(rng.uniform(14, 26))
    return replace(style, sheet_mm=(width, height), grid_margins_mm=margins, header=header, rows_mm=(first, last))


def _with_random_grid(style: PageStyle, rng: np.random.Generator) -> PageStyle:
    kinds: list[Grid] = ["fine lines", "fine dots", "coarse lines", "coarse dots"]
    colour = GRID_COLOURS[str(rng.choice(list(GRID_COLOURS)))]
    kind = kinds[int(rng.choice(4, p=[0.45, 0.25, 0.2, 0.1]))]
    shift = int(rng.integers(-25, 26)) - (60 if kind.endswith("dots") else 0)  # dots are printed darker, to be seen
    bgr = (_level(colour[0] + shift), _level(colour[1] + shift), _level(colour[2] + shift))
    white = int(rng.integers(238, 256))
    return replace(
        style,
        grid=kind,
        grid_bgr=bgr,
        paper_bgr=(white - int(rng.integers(0, 12)), white - int(rng.integers(0, 6)), white),
        fine_width_mm=float(rng.uniform(0.08, 0.2)),
        coarse_width_mm=float(rng.uniform(0.15, 0.4)),
        fine_strength=float(rng.uniform(0.35, 0.8)),
        border_bgr=bgr if style.grid_margins_mm[0] > 0 and rng.random() < 0.6 else None,
        border_width_mm=float(rng.uniform(0.2, 0.6)),
    )


def _with_random_pen(style: PageStyle, rng: np.random.Generator) -> PageStyle:
    pulse: Literal["start", "end", "none"] = "start" if rng.random() < 0.85 else "end"
    gap, foot = float(rng.uniform(0.0, 2.5)), float(rng.uniform(0.0, 1.5))
    first, last = style.grid_margins_mm[0] + 1, style.sheet_mm[0] - style.grid_margins_mm[2] - 5 - _ROW_MM
    taken = 5.0 + gap + 2 * foot
    left = float(rng.uniform(first + taken, last) if pulse == "start" else rng.uniform(first, last - taken))
    return replace(
        style,
        left_mm=left,
        mm_per_mv=float(rng.choice([10.0, 5.0, 20.0], p=[0.86, 0.1, 0.04])),
        curve_width_mm=float(rng.uniform(0.25, 0.6)),
        ink_bgr=INKS[str(rng.choice(list(INKS), p=[0.6, 0.2, 0.2]))],
        ink_strength=float(rng.uniform(0.8, 1.0)),
        pulse=pulse,
        pulse_foot_mm=foot,
        pulse_gap_mm=gap,
        strip_lead=str(rng.choice(["II", "V1", "V5", "III"], p=[0.7, 0.15, 0.1, 0.05])),
    )


def _with_random_letters(style: PageStyle, rng: np.random.Generator) -> PageStyle:
    height = float(rng.uniform(2.0, 3.6))
    letters: tuple[Literal["sans", "serif", "opencv"], ...] = ("sans", "serif", "opencv")
    place: Literal["above", "below", "on"] | None = None
    if rng.random() < 0.4:
        place = "above" if rng.random() < 0.5 else "below"
    return replace(
        style,
        label_place=place,
        letters=letters[int(rng.choice(3, p=[0.35, 0.35, 0.3]))],
        label_slant=float(rng.choice([0.0, 0.2], p=[0.95, 0.05])),
        label_height_mm=height,
        label_width_mm=height * float(rng.uniform(0.09, 0.2)),
        label_offset_mm=float(rng.uniform(1.0, 6.0) if place != "below" else rng.uniform(2.0, 6.0)),
        separator_width_mm=max(float(rng.uniform(0.2, 0.8)), 0.8 * style.curve_width_mm),
        tick_mm=float(rng.uniform(4.0, 8.0)),
        text_height_mm=float(rng.uniform(1.8, 2.8)),
        double_rule=bool(rng.random() < 0.25) and style.header == "above",
        title=bool(rng.random() < 0.4) and style.header == "above",
        diagnosis_lines=int(rng.integers(0, 4)) if style.header != "none" else 0,
        footer="none" if rng.random() < 0.15 else "inside" if rng.random() < 0.2 else "below",
    )


def _level(value: int) -> int:
    return int(np.clip(value, 0, 255))


STYLES: dict[str, Callable[[int], PageStyle]] = {
    "random": random_style,
    "ecg_images": like_ecg_images,
    "photos": like_photos,
}
"""Name -> what makes a style of a seed."""
