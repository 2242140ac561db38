"""The words of a drawn page: made-up patients above the grid, speed and gain below it."""

from dataclasses import dataclass

import numpy as np

from ecgedge.paper.simulated.page_style import PageStyle
from ecgedge.paper.simulated.printed_grid import grid_box_mm

_FINDINGS = (
    "Sinus rhythm",
    "Atrial fibrillation",
    "Normal ECG",
    "Borderline ECG",
    "Left axis deviation",
    "Nonspecific T wave abnormality",
    "Possible left atrial enlargement",
    "Inferior infarct, age undetermined",
    "Low voltage QRS",
)
_NAMES = ("Doe, J.", "Example, A.", "Test, Patient", "Muster, M.", "")
_BANDS = ("0.05-150 Hz", "0.67~25Hz", "0.5-40 Hz", "")
_LEADING = 1.75  # from line to line, in heights of capitals
_LETTER_WIDTH = 0.95  # of the widest usual letter, in heights of capitals


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text on the sheet."""

    text: str
    left_mm: float
    baseline_mm: float
    height_mm: float
    """Of its capitals."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands above the curves."""

    words: tuple[Words, ...] = ()
    rules_mm: tuple[float, ...] = ()
    """Where horizontal rules are drawn, from the top of the sheet."""


def header_of(style: PageStyle, *, first_row_mm: float, rng: np.random.Generator) -> Header:
    """The patient's lines; nobody's: names, numbers and dates are drawn at random.

    Words on the grid end 1 mV above `first_row_mm`, the first baseline; words above the grid end there.
    """
    if style.header == "none":
        return Header()
    left, top, right, _ = grid_box_mm(style)
    size = style.text_height_mm
    words = []
    baseline = top + size + 2 if style.header == "inside" else 3.0 + size
    if style.title:
        words.append(Words("ECG REPORT", style.sheet_mm[0] / 2 - 17, baseline + 0.6 * size, 1.5 * size))
        baseline += 2 * _LEADING * size
    end = first_row_mm - style.mm_per_mv - 1.0 if style.header == "inside" else top - 1.0
    columns = np.linspace(left + 2, right - 2, 4)[:3]
    patient = _patient(rng)[: 6 if style.double_rule else 7]
    words += [
        Words(text, float(columns[k % 3]), baseline + _LEADING * size * (k // 3), size)
        for k, text in enumerate(patient)
    ]
    baseline += _LEADING * size * ((len(patient) - 1) // 3)
    rules = (baseline + 0.8 * size, baseline + 0.8 * size + 0.8) if style.double_rule else ()
    baseline += 2.2 * size if rules else 0.0
    findings = rng.choice(_FINDINGS, style.diagnosis_lines, replace=False)
    words += [
        Words(str(text), float(columns[2]), baseline + _LEADING * size * k, size) for k, text in enumerate(findings, 1)
    ]
    return Header(tuple(line for line in words if line.baseline_mm < end), rules)


def _patient(rng: np.random.Generator) -> list[str]:
    date = f"{rng.integers(1995, 2025)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
    return [
        f"ID: {rng.integers(1, 999_999):06d}",
        f"Name: {rng.choice(_NAMES)}",
        f"Date: {date}, {rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}",
        f"Age: {rng.integers(18, 95)} yrs",
        f"Sex: {rng.choice(('Male', 'Female'))}",
        f"HR: {rng.integers(45, 130)} bpm",
        f"PR {rng.integers(120, 220)} ms  QRS {rng.integers(70, 150)} ms  QT {rng.integers(330, 480)} ms",
    ]


def footer_words(style: PageStyle, *, note: str, rng: np.random.Generator) -> list[Words]:
    """Speed, gain and filter below the rows, and a note such as SIMULATED, which always stands."""
    left, _, right, bottom = grid_box_mm(style)
    size = style.text_height_mm
    below = style.sheet_mm[1] - bottom > size + 2.5 and style.footer != "inside"
    baseline = bottom + size + 1.0 if below else bottom - 2.0
    start = left + 3 + float(rng.uniform(0, 40))
    words = []
    if style.footer == "inside":
        words.append(Words("25mm/s", start, baseline, size))
        words.append(Words(f"{style.mm_per_mv:g}mm/mV", start + 45, baseline, size))
    elif style.footer == "below":
        text = f"{rng.choice(_BANDS)}  25mm/s  {style.mm_per_mv:g}mm/mV".strip()
        words.append(Words(text, start, baseline, size))
    if note:
        words.append(Words(note, right - 3 - _LETTER_WIDTH * size * len(note), baseline, size))
    return words
