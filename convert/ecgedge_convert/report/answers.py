"""What a bundle said of each page or beat of the held-out data, beside the truth: what every figure is counted from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.annotations import as_annotations
from ecgedge.beat_matching import match_beats
from ecgedge.class_metrics import ECE_BINS, NO_ANSWER
from ecgedge.errors import InputError
from ecgedge.labels import AAMI, AAMI_CLASS_OF_SYMBOL, REPORT
from ecgedge.metrics import COLUMNS, ROWS, TOLERANCE_S
from ecgedge.records import Annotations, Beat, FloatArray, IntArray
from ecgedge_train.pages.judged import JudgedPages

BoolArray = NDArray[np.bool_]
FloatTable = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """n pages or beats; the same ones, in the same order, for every variant of a model."""

    rows: tuple[str, ...]
    """What an item can be: the classes, and for beats `-`, a detection where there is no beat."""
    columns: tuple[str, ...]
    """What an item can be called: the classes, and no answer in its kinds."""
    groups: tuple[str, ...]
    """Of each item, what intervals are drawn over: the different page, or the patient."""
    truth: IntArray
    """(n,) int64, index into `rows`."""
    called: IntArray
    """(n,) int64, index into `columns`."""
    probabilities: FloatArray
    """(n, 4) float32, calibrated; NaN where there was no answer."""
    sets: BoolArray | None = None
    """(n, 4) bool, classes that cannot be excluded, where there was an answer; None of beats, which have none."""

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def known(self) -> tuple[str, ...]:
        """The different groups, in the order of the tables."""
        return tuple(np.unique(np.asarray(self.groups)).tolist())


def page_answers(judged: JudgedPages) -> Answers:
    """The answers for pages."""
    best = np.nan_to_num(judged.probabilities, nan=-1.0).argmax(axis=1)
    return Answers(
        rows=REPORT.names,
        columns=(*REPORT.names, NO_ANSWER),
        groups=judged.groups,
        truth=judged.truth,
        called=np.where(judged.answered, best, len(REPORT.names)).astype(np.int64),
        probabilities=judged.probabilities,
        sets=judged.sets,
    )


def beat_answers(parts: Sequence[tuple[str, float, Annotations, Sequence[Beat]]]) -> Answers:
    """The answers for beats, matched and counted as `ecgedge.metrics.count_confusion` does.

    Parameters
    ----------
    parts : for each recording its name, its rate in Hz, the reference beats and the judged ones
    """
    found = [_matched(reference, beats, fs_hz=fs_hz) for _, fs_hz, reference, beats in parts]
    truth, called, probabilities = (np.concatenate([one[k] for one in found]) for k in range(3))
    groups = tuple(name for (name, *_), one in zip(parts, found, strict=True) for _ in one[0])
    return Answers(ROWS, COLUMNS, groups, truth, called, probabilities)


def _matched(reference: Annotations, beats: Sequence[Beat], *, fs_hz: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Rows, columns and probabilities of the pairs, the missed and the extra beats; reference beats of class Q out."""
    said = as_annotations(beats)
    match = match_beats(reference.sample, said.sample, tolerance_samples=round(TOLERANCE_S * fs_hz))
    true = np.array([_index(ROWS, AAMI_CLASS_OF_SYMBOL[symbol]) for symbol in reference.symbol], np.int64)
    called = np.array([COLUMNS.index(beat.label) for beat in beats], np.int64)
    none = np.full(len(AAMI.names), np.nan, np.float32)
    sure = np.array([beat.probabilities or none for beat in beats], np.float32).reshape(len(beats), len(AAMI.names))
    rows = np.concatenate([true[match.pairs[:, 0]], true[match.missed], np.full(len(match.extra), len(ROWS) - 1)])
    missed = np.full(len(match.missed), len(COLUMNS) - 1)
    columns = np.concatenate([called[match.pairs[:, 1]], missed, called[match.extra]])
    rows_of = np.concatenate([sure[match.pairs[:, 1]], np.tile(none, (len(missed), 1)), sure[match.extra]])
    counted = rows >= 0
    return rows[counted].astype(np.int64), columns[counted].astype(np.int64), rows_of[counted]


def _index(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else -1


@dataclass(frozen=True)
class Tallies:
    """Counts of each group, which add up: of a bundle's answers, or of two bundles' side by side."""

    confusion: IntArray
    """(n_groups, n_rows, n_columns) int64."""
    gaps: FloatTable
    """(n_groups, `ECE_BINS`) float64, confidence minus right answers, added."""
    answered: IntArray
    """(n_groups,) int64, items with an answer and a class."""
    sets: IntArray | None = None
    """(n_groups, 2) int64, of those: whose set holds the truth, and how many classes their sets hold together."""


def tallies(answers: Answers) -> Tallies:
    """Count group by group, in the order of `Answers.known`."""
    known, member = np.unique(np.asarray(answers.groups), return_inverse=True)
    shape = (len(known), len(answers.rows), len(answers.columns))
    confusion = np.zeros(shape, np.int64)
    np.add.at(confusion, (member, answers.truth, answers.called), 1)
    sure = np.isfinite(answers.probabilities).all(axis=1) & (answers.truth < answers.probabilities.shape[1])
    top = answers.probabilities[sure].max(axis=1, initial=0.0).astype(np.float64)
    right = answers.probabilities[sure].argmax(axis=1) == answers.truth[sure]
    gaps = np.zeros((len(known), ECE_BINS))
    np.add.at(gaps, (member[sure], confidence_bins(top)), top - right)
    sets = None
    if answers.sets is not None:
        sets = np.zeros((len(known), 2), np.int64)
        inside = answers.sets[sure, answers.truth[sure]]
        np.add.at(sets, member[sure], np.stack([inside, answers.sets[sure].sum(axis=1)], axis=1).astype(np.int64))
    return Tallies(confusion, gaps, np.bincount(member[sure], minlength=len(known)).astype(np.int64), sets)


def confidence_bins(top: FloatTable) -> IntArray:
    """Which of `ECE_BINS` equal-width bins a confidence falls into."""
    return np.clip(np.ceil(top * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)


def alike(one: Answers, other: Answers) -> IntArray:
    """(n_groups, 2) int64: items that both call the same, and all of them, group by group.

    Raises
    ------
    InputError
        The answers are not for the same items.
    """
    if len(one) != len(other) or one.groups != other.groups or not np.array_equal(one.truth, other.truth):
        raise InputError(
            f"{len(one)} and {len(other)} items that are not the same; measure both again with ecgedge report --again"
        )
    known, member = np.unique(np.asarray(one.groups), return_inverse=True)
    same = np.bincount(member, one.called == other.called, len(known))
    return np.stack([same, np.bincount(member, minlength=len(known))], axis=1).astype(np.int64)
