"""What every variant of a model says of the data that the model has not seen; measured once and kept.

Pages: the fold that the bundle held out in training. Beats: the patients of a split.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ecgedge import __version__
from ecgedge.records import Annotations, Beat
from ecgedge_convert.report.answers import Answers, beat_answers, page_answers
from ecgedge_convert.report.kept import KeptAnswers
from ecgedge_convert.report.shelf import Entry, Family
from ecgedge_train.datasets import DATASETS, PAGE_DATASETS
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.evaluate import Peaks, judge_for_evaluation, reference_of
from ecgedge_train.pages.evaluate import Question, evaluate_page_bundle
from ecgedge_train.split import SPLITS, patients

Advance = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and all of it."""

_BEAT_DATA = "mitdb"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Which data is judged, and by which R-peaks; pages are asked for by the bundle itself."""

    split: str = "ds2"
    peaks: Peaks = "annotated"
    root: Path | None = None


class DataNeeded:
    """The public data, read when it is first needed: answers that were kept need none."""

    def __init__(self, held_out: HeldOut) -> None:
        self._held_out = held_out

    @cached_property
    def pages(self) -> tuple[ReportImage, ...]:
        """All files of the data set of pages."""
        return tuple(PAGE_DATASETS["ecg_images"](root=self._held_out.root))


def measure_family(
    family: Family, held_out: HeldOut, data: DataNeeded, *, kept: KeptAnswers, advance: Advance
) -> dict[str, Answers]:
    """The answers of each variant, by its name.

    Raises
    ------
    DataError
        The data set is not on this machine, or is another than the model was trained on; the message has the remedy.
    BundleError
        A bundle does not say what it was trained on.
    """
    keys = {entry.name: answer_key(entry, held_out) for entry in family.entries}
    found = {name: answers for name, key in keys.items() if (answers := kept.read(key)) is not None}
    missing = [entry for entry in family.entries if entry.name not in found]
    if missing:
        measure = _judge_pages if family.task == "page" else _judge_beats
        for name, answers in measure(missing, held_out, data, advance).items():
            kept.write(keys[name], answers)
            found[name] = answers
    return {entry.name: found[entry.name] for entry in family.entries}


def answer_key(entry: Entry, held_out: HeldOut) -> str:
    """What answers are kept under: the model's checksum and everything else that they hang on."""
    manifest = entry.bundle.manifest
    asked = [held_out.split, held_out.peaks, list(SPLITS[held_out.split])] if manifest.task == "beat" else []
    stated = [
        manifest.model_sha256,
        manifest.decision,
        list(manifest.preprocessing),
        {key: value for key, value in manifest.training.items() if key.startswith(("split", "held_out", "protocol"))},
        asked,
        __version__,
    ]
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def trained_on_held_out(entry: Entry, held_out: HeldOut) -> bool:
    """Whether a beat bundle was trained on patients of the split, so that its figures say nothing of new ones."""
    records = entry.training.get("training_records")
    trained = patients(map(str, records)) if isinstance(records, list) else frozenset()
    return bool(trained & patients(SPLITS[held_out.split]))


def _judge_pages(entries: Sequence[Entry], held_out: HeldOut, data: DataNeeded, advance: Advance) -> dict[str, Answers]:
    del held_out  # a page bundle says itself which fold it has not seen
    found = {}
    for done, entry in enumerate(entries):
        advance("pages", done, len(entries))
        evaluation = evaluate_page_bundle(entry.bundle, data.pages, Question())
        found[entry.name] = page_answers(evaluation.judged)
    advance("pages", len(entries), len(entries))
    return found


def _judge_beats(entries: Sequence[Entry], held_out: HeldOut, data: DataNeeded, advance: Advance) -> dict[str, Answers]:
    del data  # recordings are read one after the other, each judged by all variants
    records = SPLITS[held_out.split]
    parts: Mapping[str, list[tuple[str, float, Annotations, Sequence[Beat]]]] = {one.name: [] for one in entries}
    for done, recording in enumerate(DATASETS[_BEAT_DATA](records, root=held_out.root)):
        advance("recordings", done, len(records))
        reference = reference_of(recording)
        for entry in entries:
            beats = judge_for_evaluation(entry.bundle, recording, peaks=held_out.peaks)
            parts[entry.name].append((recording.name, recording.fs_hz, reference, beats))
    advance("recordings", len(records), len(records))
    return {name: beat_answers(judged) for name, judged in parts.items()}
