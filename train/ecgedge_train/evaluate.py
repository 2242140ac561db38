"""Measure a beat bundle on annotated recordings, through the same engine as on the device.

Never imports TensorFlow: a figure can be checked on a Raspberry Pi.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from ecgedge.annotations import as_annotations
from ecgedge.bundle import Bundle
from ecgedge.engine import BeatEngine, judge_recording
from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge.metrics import COLUMNS, ROWS, BeatFigures, Confusion, beat_figures, bootstrap_interval, count_confusion
from ecgedge.records import Annotations, Beat, Recording

Peaks = Literal["annotated", "detected"]

INTERVALS = {
    "jk": lambda figures: figures.jk,
    "SVEB Se": lambda figures: figures.sensitivity["S"],
    "SVEB PPV": lambda figures: figures.ppv["S"],
    "VEB Se": lambda figures: figures.sensitivity["V"],
    "VEB PPV": lambda figures: figures.ppv["V"],
}
"""Figures that are given with a 95 % interval."""


@dataclass(frozen=True)
class Evaluation:
    """A bundle's confusion matrices, one per record."""

    bundle: str
    peaks: Peaks
    skipped_s: float
    """The first seconds of each record that were left out."""
    confusion: dict[str, Confusion]
    """Record -> (5, 6) int64, rows and columns as in `ecgedge.metrics`."""
    paced_or_unknown: int
    """Reference beats of class Q, in no figure."""
    model_bytes: int

    @property
    def total(self) -> Confusion:
        """All records added."""
        return np.asarray(np.sum(list(self.confusion.values()), axis=0), dtype=np.int64)

    @property
    def figures(self) -> BeatFigures:
        """Figures of all records pooled."""
        return beat_figures(self.total)

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals, bootstrap over records."""
        matrices = list(self.confusion.values())
        return {name: bootstrap_interval(matrices, figure) for name, figure in INTERVALS.items()}


def judge_for_evaluation(bundle: Bundle, recording: Recording, *, peaks: Peaks) -> list[Beat]:
    """Beats of one recording, at the annotated R-peaks or at our own."""
    if peaks == "detected":
        return judge_recording(bundle, recording)
    engine = BeatEngine(bundle, fs_hz=recording.fs_hz, leads=recording.leads)
    return engine.judge_at(recording, reference_of(recording).sample)


def reference_of(recording: Recording) -> Annotations:
    """The reference beats.

    Raises
    ------
    InputError
        The recording has none.
    """
    if recording.beats is None or len(recording.beats.sample) == 0:
        raise InputError(
            f"{recording.name}: no reference beats (.atr); evaluation needs them; fetch the whole data set"
        )
    return recording.beats


def evaluate_bundle(
    bundle: Bundle, recordings: Iterable[Recording], *, peaks: Peaks, skip_first_s: float = 0.0
) -> Evaluation:
    """Judge every recording and count."""
    confusion: dict[str, Confusion] = {}
    left_out = 0
    for recording in recordings:
        found = as_annotations(judge_for_evaluation(bundle, recording, peaks=peaks))
        confusion[recording.name], unknown = count_confusion(
            reference_of(recording), found, fs_hz=recording.fs_hz, start_s=skip_first_s
        )
        left_out += unknown
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return Evaluation(name, peaks, skip_first_s, confusion, left_out, len(bundle.model))


def as_json(evaluation: Evaluation) -> dict[str, Json]:
    """Everything measured, as plain values (NaN as null)."""
    return {
        "bundle": evaluation.bundle,
        "peaks": evaluation.peaks,
        "skipped_s": evaluation.skipped_s,
        "model_bytes": evaluation.model_bytes,
        "beats_q_left_out": evaluation.paced_or_unknown,
        "rows": list(ROWS),
        "columns": list(COLUMNS),
        "confusion": evaluation.total.tolist(),
        "figures": _plain(asdict(evaluation.figures)),
        "intervals_95": {name: [_plain(low), _plain(high)] for name, (low, high) in evaluation.intervals().items()},
        "records": {
            name: {"confusion": matrix.tolist(), "figures": _plain(asdict(beat_figures(matrix)))}
            for name, matrix in evaluation.confusion.items()
        },
    }


def _plain(value: object) -> Json:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, float):
        return None if np.isnan(value) else value
    assert isinstance(value, str | int)
    return value
