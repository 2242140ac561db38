"""Is a model as sure as it is right? Confidence against accuracy, a dot for each tenth or so of the answers."""

import numpy as np

from ecgedge.class_metrics import ECE_BINS
from ecgedge_convert.report.answers import Answers, confidence_bins
from ecgedge_convert.report.document import Picture
from ecgedge_convert.report.svg import line, marker, picture, text

_SIDE = 220.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 34.0, 10.0, 210.0, 186.0
_LARGEST = 11.0


def reliability(answers: Answers, *, name: str, caption: str, kind: str) -> Picture:
    """Draw it for one model; a dot's area grows with the answers it stands for."""
    confidence, accuracy, count = binned(answers)
    told = "; ".join(
        f"confidence {one:.2f}, accuracy {other:.2f}, {n} answers"
        for one, other, n in zip(confidence, accuracy, count, strict=True)
    )
    drawn = picture(
        _SIDE,
        _SIDE,
        *_frame(),
        *(
            marker("circle", _x(one), _y(other), max(1.8, _LARGEST * float(np.sqrt(n / count.max()))), f"dot {kind}")
            for one, other, n in zip(confidence.tolist(), accuracy.tolist(), count.tolist(), strict=True)
        ),
        title=f"Reliability of {name}",
        description=told or "no answers",
        class_="plot",
    )
    return Picture(name, drawn, drawn, caption)


def binned(answers: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean confidence, accuracy and number of the answers in each bin that has any; (n_bins,) each."""
    sure = np.isfinite(answers.probabilities).all(axis=1) & (answers.truth < answers.probabilities.shape[1])
    values = answers.probabilities[sure].astype(np.float64)
    top, right = values.max(axis=1, initial=0.0), values.argmax(axis=1) == answers.truth[sure]
    bins = confidence_bins(top)
    count = np.bincount(bins, minlength=ECE_BINS)
    used = count > 0
    confidence, accuracy = (np.bincount(bins, one, ECE_BINS)[used] / count[used] for one in (top, right))
    return confidence, accuracy, count[used]


def _x(share: float) -> float:
    return _LEFT + share * (_RIGHT - _LEFT)


def _y(share: float) -> float:
    return _BOTTOM - share * (_BOTTOM - _TOP)


def _frame() -> list[str]:
    parts = [line(_x(0), _y(0), _x(1), _y(1), "diagonal")]
    for share in (0.0, 0.5, 1.0):
        parts.append(line(_x(0), _y(share), _x(1), _y(share), "grid"))
        parts.append(line(_x(share), _y(0), _x(share), _y(1), "grid"))
        parts.append(text(f"{share:g}", _x(0) - 6, _y(share) + 4, class_="tick end"))
        parts.append(text(f"{share:g}", _x(share), _y(0) + 16, class_="tick mid"))
    return [
        *parts,
        text("confidence", _x(1), _SIDE - 3, class_="tick end"),
        text("accuracy", 0, _SIDE - 3, class_="tick"),
    ]
