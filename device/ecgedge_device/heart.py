"""Figures of a stretch of heartbeats: rate, RR statistics, counts, burden, runs. Knows nothing of stores or clocks."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgedge.manifest import Json

ECTOPIC = ("S", "V", "F")
NOT_JUDGED = "Q"
V_RUN = 3
"""Ventricular beats in a row that count as a run."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What of a beat these figures need."""

    time_s: float
    label: str
    rr_ms: float
    """NaN for the first beat and after a gap."""


def heart_figures(beats: Sequence[Pulse]) -> dict[str, Json]:
    """Figures of beats in the order of time; null where there are too few.

    heart_rate_bpm: 60000 over the mean RR. rr_sd_ms: standard deviation of all RR intervals (n - 1), ectopic ones among
    them, so no SDNN. rmssd_ms: root mean square of the differences between RR intervals that follow each other.
    ectopic_burden: share of S, V and F in the judged beats. v_runs: runs of three or more V.
    """
    rr_ms = np.array([beat.rr_ms for beat in beats], dtype=np.float64)
    known = rr_ms[np.isfinite(rr_ms)]
    steps = np.diff(rr_ms)
    steps = steps[np.isfinite(steps)]
    judged = [beat.label for beat in beats if beat.label != NOT_JUDGED]
    return {
        "heart_rate_bpm": _rounded(60_000 / known.mean()) if len(known) else None,
        "rr_mean_ms": _rounded(known.mean()) if len(known) else None,
        "rr_sd_ms": _rounded(known.std(ddof=1)) if len(known) > 1 else None,
        "rmssd_ms": _rounded(math.sqrt(np.mean(steps**2))) if len(steps) else None,
        "longest_rr_ms": _rounded(known.max()) if len(known) else None,
        "beats": dict(sorted(Counter(beat.label for beat in beats).items())),
        "ectopic_burden": _rounded(sum(label in ECTOPIC for label in judged) / len(judged), 4) if judged else None,
        "v_runs": count_runs([beat.label for beat in beats]),
    }


def count_runs(labels: Sequence[str], *, label: str = "V", least: int = V_RUN) -> int:
    """How many times a label stands at least so often in a row."""
    runs, length = 0, 0
    for each in labels:
        length = length + 1 if each == label else 0
        runs += length == least
    return runs


def _rounded(value: float, digits: int = 1) -> float:
    return round(float(value), digits)
