"""Does the quantised bundle answer as the float model does? On annotated recordings, beat by beat."""

from collections.abc import Iterable
from dataclasses import dataclass

from ecgedge.annotations import as_annotations
from ecgedge.bundle import Bundle
from ecgedge.metrics import beat_figures, count_confusion
from ecgedge.records import Recording
from ecgedge_train.evaluate import judge_for_evaluation, reference_of


@dataclass(frozen=True, slots=True)
class Parity:
    """How two bundles of one model agree."""

    beats: int
    agreeing: int
    jk_float: float
    jk_int8: float

    @property
    def agreement(self) -> float:
        """Share of beats with the same class, 0 to 1."""
        return self.agreeing / self.beats


def compare(reference: Bundle, quantised: Bundle, recordings: Iterable[Recording]) -> Parity:
    """Judge every annotated beat with both; the bundles must share their preprocessing."""
    totals, agreeing, beats = [], 0, 0
    for recording in recordings:
        judged = [judge_for_evaluation(bundle, recording, peaks="annotated") for bundle in (reference, quantised)]
        labels = [[beat.label for beat in found] for found in judged]
        agreeing += sum(a == b for a, b in zip(*labels, strict=True))
        beats += len(labels[0])
        truth = reference_of(recording)
        totals.append([count_confusion(truth, as_annotations(found), fs_hz=recording.fs_hz)[0] for found in judged])
    float_jk, int8_jk = (beat_figures(sum(pair[k] for pair in totals)).jk for k in (0, 1))  # type: ignore[arg-type]
    return Parity(beats, agreeing, float_jk, int8_jk)
