"""Holds two folders of `outputs.py` together: what agreed, and the largest difference; exit code 1 beyond a limit.

python compare.py REFERENCE FOUND
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.formats import read_recording

_STEPS = 3
"""Integer steps of a model's outputs: what `ecgedge.golden` allows for maps."""
_PROBABILITY = 0.02
"""Of a calibrated probability: a step of 1/256 before the temperature is at most about this after it."""
_PHOTO_PROBABILITY = 0.05
"""The same for a photo. The same pixels come out with corners some tenths of a pixel apart, since the fits that flatten
the page follow the rounding of float kernels that differ by processor."""
_CURVE_MV = 0.01
"""Of a curve: a tenth of a small square; for a photo the median, since a flank that is one sample late is far off."""
_GREYS = 2
"""Of a pixel that is drawn."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    same: int
    """How many of the answers are equal."""
    of: int
    largest: float
    """Largest difference of a number beside the answers."""
    limit: float
    unit: str
    answers_must_agree: bool = True

    @property
    def good(self) -> bool:
        """Within the limit, and every answer equal."""
        return self.largest <= self.limit and (self.same == self.of or not self.answers_must_agree)


def main(reference: Path, found: Path) -> int:
    """Print the table."""
    facts = [json.loads((side / "info.json").read_text()) for side in (reference, found)]
    for side, fact in zip(("reference", "found    "), facts, strict=True):
        print(f"{side}  {fact['machine']}, Python {fact['python']}, {fact['interpreter']}, ecgedge {fact['ecgedge']}")
    rows = [row for pattern, compare in _COMPARED.items() for row in _rows(reference, found, pattern, compare)]
    width = max(len(row.name) for row in rows)
    print(f"\n{'output':{width}}  {'equal':>15}  {'largest difference':>24}  {'limit':>8}")
    for row in rows:
        equal = f"{row.same} of {row.of}"
        largest = f"{row.largest:.4g} {row.unit}"
        print(
            f"{row.name:{width}}  {equal:>15}  {largest:>24}  {row.limit:>8g}  {'' if row.good else 'DIFFERS'}".rstrip()
        )
    bad = [row.name for row in rows if not row.good]
    print(f"\n{len(rows) - len(bad)} of {len(rows)} outputs agree" + (f"; not: {', '.join(bad)}" if bad else ""))
    return 1 if bad else 0


def _rows(reference: Path, found: Path, pattern: str, compare: "Compare") -> list[Row]:
    names = sorted({path.relative_to(side).as_posix() for side in (reference, found) for path in side.glob(pattern)})
    if not names:
        raise SystemExit(f"{reference}: no {pattern}; run outputs.py for both sides")
    return [row for name in names for row in compare(name, reference / name, found / name)]


def _selftest(name: str, reference: Path, found: Path) -> list[Row]:
    """Every check passes on both sides; the figures in their words may differ."""
    lines = [path.read_text().splitlines() for path in (reference, found)]
    passed = sum(a.startswith("pass ") and b.startswith("pass ") for a, b in zip(*lines, strict=True))
    return [Row(f"{Path(name).stem}: checks passed", passed, len(lines[0]), 0.0, 0.0, "")]


def _golden(name: str, reference: Path, found: Path) -> list[Row]:
    a, b = np.load(reference), np.load(found)
    return [_array_row(f"{Path(name).stem} {key}", a[key], b[key]) for key in a.files]


def _array_row(name: str, a: NDArray[np.generic], b: NDArray[np.generic]) -> Row:
    steps = 256.0 if np.issubdtype(a.dtype, np.floating) else 1.0
    apart = np.abs(a.astype(np.float64) - b.astype(np.float64)) * steps
    return Row(name, int((apart == 0).sum()), apart.size, float(apart.max()), _STEPS, "steps", answers_must_agree=False)


def _json_lines(name: str, reference: Path, found: Path) -> list[Row]:
    """The beats among the results; what else is told is made of them."""
    sides = [[json.loads(line) for line in path.read_text().splitlines()] for path in (reference, found)]
    sides = [[entry for entry in side if entry.get("kind", "beat") == "beat"] for side in sides]
    return [_beats_row(f"{name}: sample, class, RR", sides[0], sides[1])]


def _predicted_beats(name: str, reference: Path, found: Path) -> list[Row]:
    sides = [json.loads(path.read_text())["beats"] for path in (reference, found)]
    return [_beats_row(f"{Path(name).stem}: sample, class, RR", sides[0], sides[1])]


def _beats_row(name: str, a: Sequence[dict[str, object]], b: Sequence[dict[str, object]]) -> Row:
    answers = [[(beat["sample"], beat["label"], beat["rr_ms"], beat["reason"]) for beat in side] for side in (a, b)]
    same = len(set(answers[0]) & set(answers[1]))
    by_sample = {beat["sample"]: beat["probabilities"] for beat in b}
    apart = [_furthest(beat["probabilities"], by_sample.get(beat["sample"])) for beat in a]
    return Row(name, same, max(len(a), len(b)), max(apart, default=0.0), _PROBABILITY, "(probability)")


def _furthest(a: object, b: object) -> float:
    """Largest difference of two probabilities, each a dict, a list or None."""
    numbers = [np.array(list(p.values()) if isinstance(p, dict) else (p or [])) for p in (a, b)]
    if numbers[0].shape != numbers[1].shape:
        return 1.0
    return float(np.abs(numbers[0] - numbers[1]).max(initial=0.0))


def _predicted_page(name: str, reference: Path, found: Path) -> list[Row]:
    sides = [json.loads(path.read_text()) for path in (reference, found)]
    answers = [[_page_answer(page) for page in side["pictures"]] for side in sides]
    same = int(answers[0] == answers[1] and len(sides[0]["refused"]) == len(sides[1]["refused"]))
    pairs = zip(*(side["pictures"] for side in sides), strict=False)
    apart = max((_furthest(a["probabilities"], b["probabilities"]) for a, b in pairs), default=0.0)
    limit = _PHOTO_PROBABILITY if "photo" in name else _PROBABILITY
    return [Row(f"{Path(name).stem}: class, set, layout", same, 1, apart, limit, "(probability)")]


def _page_answer(page: dict[str, object]) -> tuple[str, ...]:
    keys = ("label", "reason", "prediction_set", "advice", "layout", "tested_layout")
    return tuple(json.dumps(page[key]) for key in keys)


def _recording(name: str, reference: Path, found: Path) -> list[Row]:
    one, other = read_recording(reference), read_recording(found)
    if one.leads != other.leads:
        return [Row(f"{name}: leads {one.leads} against {other.leads}", 0, len(one.leads), np.inf, _CURVE_MV, "mV")]
    length = min(len(one.signal), len(other.signal))
    a, b = one.signal[:length], other.signal[:length]
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    apart = np.abs(a - b)[~np.isnan(a) & ~np.isnan(b)]
    words, off = f"{name}: samples", float(apart.max())
    if "photo" in name:
        words, off = f"{name}: samples, median (largest {off:.2g})", float(np.median(apart))
    of = max(one.signal.size, other.signal.size)
    return [Row(words, int(same.sum()), of, off, _CURVE_MV, "mV", answers_must_agree=False)]


def _picture(name: str, reference: Path, found: Path) -> list[Row]:
    a, b = _pixels(reference), _pixels(found)
    if a.shape != b.shape:
        return [Row(f"{name}: {a.shape} against {b.shape}", 0, a.size, np.inf, _GREYS, "grey levels")]
    apart = np.abs(a - b)
    largest = float(apart.max())
    return [
        Row(
            f"{name}: pixels", int((apart == 0).sum()), a.size, largest, _GREYS, "grey levels", answers_must_agree=False
        )
    ]


def _pixels(path: Path) -> NDArray[np.int64]:
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise SystemExit(f"{path}: no picture; run outputs.py for both sides")
    return pixels.astype(np.int64)


Compare = Callable[[str, Path, Path], list[Row]]

_COMPARED: dict[str, Compare] = {
    "selftest-*.txt": _selftest,
    "golden-*.npz": _golden,
    "replay.jsonl": _json_lines,
    "demo/results.jsonl": _json_lines,
    "predict-beat.json": _predicted_beats,
    "predict-page*.json": _predicted_page,
    "digitised-*.csv": _recording,
    "simulated.csv": _recording,
    "drawn.png": _picture,
}
"""Files of one folder -> how they are compared."""

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
