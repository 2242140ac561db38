"""One model's variants with everything that was measured of them. Counts and compares; says nothing in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Literal

from ecgedge.latency import Latency
from ecgedge_convert.report.answers import Answers
from ecgedge_convert.report.intervals import Figure, Sample, agreement, sample
from ecgedge_convert.report.shelf import Entry, Family
from ecgedge_convert.report.speed import ratio

State = Literal["reference", "lost", "alike", "gained", "unknown"]
"""Against the unchanged float32 model: a figure is lost where the interval of its difference lies wholly below 0."""

SHOWN: Mapping[str, tuple[str, ...]] = {
    "page": ("accuracy", "macro_f1"),
    "beat": ("jk", "SVEB Se", "SVEB PPV", "VEB Se", "VEB PPV", "accuracy", "macro_f1"),
}
"""Task -> the figures of a row; the first is the one that is drawn."""
JUDGED: Mapping[str, tuple[str, ...]] = {"page": ("accuracy", "macro_f1"), "beat": ("jk",)}
"""Task -> the figures by which a loss is told."""

SURE: Mapping[str, tuple[str, ...]] = {"page": ("ece", "covered", "set_size", "no_answer"), "beat": ("ece",)}
"""Task -> the figures of how sure it is; beats are always answered, and with one class."""

Latencies = Mapping[tuple[str, int], Latency]


@dataclass(frozen=True)
class Row:
    """One variant."""

    entry: Entry
    name: str
    """Short: without what all names of the family begin with."""
    answers: Answers
    sample: Sample
    latency: Mapping[int, Latency]
    """Threads -> latency of a batch of one."""
    lost: Mapping[str, Figure] = field(default_factory=dict)
    """How much more of a figure it has than float32; empty for float32 itself, and where there is none."""
    agreement: Figure | None = None
    """With float32."""
    to_float: Mapping[int, Figure] = field(default_factory=dict)
    """Threads -> how many times as long as float32."""
    to_int8: Mapping[int, Figure] = field(default_factory=dict)
    """Threads -> how many times as long as the unchanged int8 model."""
    energy_mj: float | None = None
    """Of one inference, mJ; None without a meter."""
    state: State = "unknown"

    @property
    def holds(self) -> bool:
        """No loss was seen; true for float32."""
        return self.state in ("reference", "alike", "gained")

    @property
    def same_answers(self) -> bool:
        """Whether it calls everything as float32 does."""
        return self.agreement is not None and self.agreement.value == 1

    def threads(self) -> tuple[int, ...]:
        """Numbers of threads that were measured, rising."""
        return tuple(sorted(self.latency))


@dataclass(frozen=True)
class Section:
    """A family with its rows, float32 first where it is there."""

    family: Family
    rows: tuple[Row, ...]
    warning: str = ""
    """What a reader must know before any figure."""

    @property
    def shown(self) -> tuple[str, ...]:
        """The figures of a row; the first is the one that is drawn."""
        return SHOWN[self.family.task]

    @property
    def judged(self) -> tuple[str, ...]:
        """The figures by which a loss is told."""
        return JUDGED[self.family.task]

    @property
    def sure(self) -> tuple[str, ...]:
        """The figures of how sure it is."""
        return SURE[self.family.task]

    @property
    def groups(self) -> str:
        """What intervals are drawn over."""
        return "patients" if self.family.task == "beat" else "different pages"

    @property
    def reference(self) -> Row | None:
        """The unchanged float32 model."""
        return next((row for row in self.rows if row.state == "reference"), None)

    @property
    def int8(self) -> Row | None:
        """The unchanged int8 model."""
        return next((row for row in self.rows if is_plain_int8(row.entry)), None)


def is_plain_int8(entry: Entry) -> bool:
    """Whether a bundle is quantised to int8 and nothing more."""
    return entry.facts.kind == "int8" and not entry.changes


def section(
    family: Family,
    answers: Mapping[str, Answers],
    latencies: Latencies,
    *,
    energy_mj: Mapping[str, float] | None = None,
    warning: str = "",
) -> Section:
    """Count everything of a family.

    Parameters
    ----------
    answers, energy_mj : by the name of the entry
    latencies : by that name and the number of threads
    """
    samples = {entry.name: sample(answers[entry.name]) for entry in family.entries}
    plain_int8 = next((entry for entry in family.entries if is_plain_int8(entry)), None)
    threads = sorted({number for _, number in latencies})

    def slower(one: Entry, other: Entry | None) -> dict[int, Figure]:
        if other is None or one is other:
            return {}
        return {number: ratio(latencies[one.name, number], latencies[other.name, number]) for number in threads}

    rows = []
    for entry in family.entries:
        lost = _lost(family, samples, entry)
        rows.append(
            Row(
                entry=entry,
                name=family.short(entry),
                answers=answers[entry.name],
                sample=samples[entry.name],
                latency={number: latencies[entry.name, number] for number in threads},
                lost=lost,
                agreement=_agreement(family, answers, entry),
                to_float=slower(entry, family.reference),
                to_int8=slower(entry, plain_int8),
                energy_mj=(energy_mj or {}).get(entry.name),
                state=_state(family, entry, lost, samples),
            )
        )
    return Section(family, tuple(rows), warning)


def _lost(family: Family, samples: Mapping[str, Sample], entry: Entry) -> dict[str, Figure]:
    if family.reference is None or entry is family.reference:
        return {}
    reference = samples[family.reference.name]
    return {name: samples[entry.name].minus(reference, name) for name in (*SHOWN[family.task], "ece")}


def _agreement(family: Family, answers: Mapping[str, Answers], entry: Entry) -> Figure | None:
    if family.reference is None or entry is family.reference:
        return None
    return agreement(answers[entry.name], answers[family.reference.name])


def _state(family: Family, entry: Entry, lost: Mapping[str, Figure], samples: Mapping[str, Sample]) -> State:
    if family.reference is None:
        return "unknown"
    if entry is family.reference:
        return "reference"
    judged = [lost[name] for name in JUDGED[family.task]]
    if any(isnan(figure.value) for figure in judged):  # such as the PPV of a class that is never called
        return "unknown" if _countless(samples[family.reference.name], family.task) else "lost"
    if any(figure.high < 0 for figure in judged):
        return "lost"
    return "gained" if all(figure.low > 0 for figure in judged) else "alike"


def _countless(reference: Sample, task: str) -> bool:
    """Whether a figure that losses are told by cannot be counted of the reference itself."""
    return any(isnan(reference.whole[name]) for name in JUDGED[task])
