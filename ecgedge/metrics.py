"""Figures of a beat classifier, as ANSI/AAMI EC57 and its WFDB tool `bxb` count them. numpy only.

A confusion matrix here has one row per true class and two more columns than classes: `Q` (the device did not judge)
and `-` (no detection); a last row `-` holds detections where the reference has no beat. Paced and unclassifiable
reference beats (Q) are counted apart and are in no figure.

jk = kappa / 2 + j / 8 with j = Se and PPV of SVEB and VEB added (Mar et al. 2011, 10.1109/TBME.2011.2113395),
over the strict PPV: fusion beats called V count against V, other than EC57, whose VEB PPV is given beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.beat_matching import match_beats
from ecgedge.labels import AAMI, AAMI_CLASS_OF_SYMBOL
from ecgedge.records import Annotations, IntArray

COLUMNS = (*AAMI.names, "Q", "-")
"""What a beat was called: the classes, not judged, not detected."""
ROWS = (*AAMI.names, "-")
"""What a beat is: the classes, or no beat at all."""
TOLERANCE_S = 0.150
"""EC57's match window."""

Confusion = IntArray
"""(5, 6) int64, rows `ROWS`, columns `COLUMNS`."""


@dataclass(frozen=True, slots=True)
class BeatFigures:
    """Figures of one confusion matrix; shares from 0 to 1, NaN where nothing could be counted."""

    accuracy: float
    kappa: float
    j: float
    jk: float
    macro_f1: float
    sensitivity: dict[str, float]
    ppv: dict[str, float]
    f1: dict[str, float]
    ppv_veb_ec57: float
    """VEB PPV with fusion beats called V not counted against it, as EC57 defines it."""
    detection_sensitivity: float
    detection_ppv: float
    beats: int
    """Reference beats, Q left out."""


def count_confusion(
    reference: Annotations, found: Annotations, *, fs_hz: float, start_s: float = 0.0, tolerance_s: float = TOLERANCE_S
) -> tuple[Confusion, int]:
    """Match beats one to one and count them.

    Parameters
    ----------
    reference : MIT symbols; those that are not beats must be left out before.
    found : MIT symbols or AAMI class letters; `Q` where the device did not judge.
    start_s : the first seconds that `bxb` leaves out by default are 300; 0 counts all.

    Returns
    -------
    The confusion matrix, and the number of reference beats of class Q, which are in no figure. Detections that
    match them are left out as well.
    """
    first = round(start_s * fs_hz)
    reference, found = _from(reference, first), _from(found, first)
    match = match_beats(reference.sample, found.sample, tolerance_samples=round(tolerance_s * fs_hz))
    truth, called = _classes(reference), _classes(found)
    confusion = np.zeros((len(ROWS), len(COLUMNS)), np.int64)
    for row, column in zip(truth[match.pairs[:, 0]], called[match.pairs[:, 1]], strict=True):
        if row != "Q":
            confusion[ROWS.index(row), COLUMNS.index(column)] += 1
    for row in truth[match.missed]:
        if row != "Q":
            confusion[ROWS.index(row), -1] += 1
    for column in called[match.extra]:
        confusion[-1, COLUMNS.index(column)] += 1
    return confusion, int(np.sum(truth == "Q"))


def _from(beats: Annotations, first: int) -> Annotations:
    keep = int(np.searchsorted(beats.sample, first))
    return Annotations(beats.sample[keep:], beats.symbol[keep:])


def _classes(beats: Annotations) -> NDArray[np.str_]:
    return np.array([AAMI_CLASS_OF_SYMBOL[symbol] for symbol in beats.symbol], dtype="U1")


def beat_figures(confusion: Confusion) -> BeatFigures:
    """All figures of a confusion matrix of shape (5, 6)."""
    classes = range(len(AAMI.names))
    sensitivity = {AAMI.names[k]: _share(confusion[k, k], confusion[k].sum()) for k in classes}
    ppv = {AAMI.names[k]: _share(confusion[k, k], confusion[:, k].sum()) for k in classes}
    f1 = {name: _harmonic(sensitivity[name], ppv[name]) for name in AAMI.names}
    kappa = _kappa(confusion)
    j = float(sum(sensitivity[name] + ppv[name] for name in ("S", "V")))
    v, f = AAMI.names.index("V"), AAMI.names.index("F")
    true, judged = confusion[:-1], confusion[:, :-1]
    return BeatFigures(
        accuracy=_share(np.trace(confusion[: len(AAMI.names)]), confusion.sum()),
        kappa=kappa,
        j=j,
        jk=kappa / 2 + j / 8,
        macro_f1=float(np.mean(list(f1.values()))),
        sensitivity=sensitivity,
        ppv=ppv,
        f1=f1,
        ppv_veb_ec57=_share(confusion[v, v], confusion[:, v].sum() - confusion[f, v]),
        detection_sensitivity=_share(true[:, :-1].sum(), true.sum()),
        detection_ppv=_share(judged[:-1].sum(), judged.sum()),
        beats=int(true.sum()),
    )


def _kappa(confusion: Confusion) -> float:
    """Cohen's kappa over all that was counted; not judged, missed and extra are categories of their own."""
    total = float(confusion.sum())
    if total == 0:
        return float("nan")
    true = np.insert(confusion.sum(1), len(AAMI.names), 0)  # no reference row for `Q`
    called = confusion.sum(0)
    observed = float(np.trace(confusion[: len(AAMI.names)])) / total
    expected = float(true.astype(float) @ called) / total**2
    return (observed - expected) / (1 - expected) if expected < 1 else float("nan")


def _share(part: np.integer | int, whole: np.integer | int) -> float:
    return float(part) / float(whole) if whole else float("nan")


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b > 0 else 0.0 if a + b == 0 else float("nan")


def bootstrap_interval(
    per_patient: Sequence[Confusion], figure: Callable[[BeatFigures], float], *, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a figure, drawing patients with replacement (beats of one patient are not independent)."""
    rng = np.random.default_rng(seed)
    stack = np.stack(per_patient)
    picks = rng.integers(0, len(stack), (draws, len(stack)))
    values = np.array([figure(beat_figures(stack[pick].sum(0))) for pick in picks])
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
