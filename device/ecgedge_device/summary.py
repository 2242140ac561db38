"""The figures of a run, for the report and as JSON. Knows nothing of terminals."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ecgedge import NOTICE
from ecgedge.annotations import as_annotations
from ecgedge.labels import AAMI
from ecgedge.manifest import Json
from ecgedge.metrics import beat_figures, count_confusion
from ecgedge.quality import find_faults
from ecgedge.records import Beat, Recording
from ecgedge.runtime import find_runtime
from ecgedge_device.desk import Outcome
from ecgedge_device.heart import ECTOPIC, NOT_JUDGED
from ecgedge_device.report_settings import JsonLinesSettings
from ecgedge_device.settings import Settings
from ecgedge_device.timed_engine import Latency

_MIN_INTERVALS = 10  # fewer RR intervals in a minute say little about its rate


@dataclass(frozen=True, slots=True)
class ClassLine:
    """One class of beats, against the truth where that is known."""

    label: str
    title: str
    beats: int
    share: float
    """Of all beats found; NaN without beats."""
    truth: int | None
    """Reference beats of this class; None without reference."""
    sensitivity: float | None
    ppv: float | None


@dataclass(frozen=True, slots=True)
class Rate:
    """Heart rate, beats per minute; NaN where there are too few beats."""

    mean_bpm: float
    slowest_minute_bpm: float
    fastest_minute_bpm: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run found."""

    recording: str
    address: str
    duration_s: float
    judged_s: float
    finished: bool
    lead: str
    rate: Rate
    classes: tuple[ClassLine, ...]
    """The classes of the bundle, then those not judged."""
    burden: float
    """Share of ectopic beats (S, V and F) in all judged beats; NaN without any."""
    reasons: dict[str, int]
    """Why beats were not judged, and how many."""
    faults: tuple[str, ...]
    """Faults of the judged lead, in words."""
    latency: Latency | None
    bundle: str
    model_bytes: int
    interpreter: str
    store: str
    report: str
    unsent: int
    notice: str = NOTICE


def summarise(outcome: Outcome, beats: Sequence[Beat], *, settings: Settings, unsent: int) -> Summary:
    """Figures of a run.

    Parameters
    ----------
    beats : all beats of the run, also those of earlier starts
    unsent : results that wait for a reporter
    """
    stream, manifest, runtime = outcome.run.stream, outcome.bundle.manifest, find_runtime()
    finished = bool(outcome.run.finished_utc)
    return Summary(
        recording=stream.recording,
        address=stream.address,
        duration_s=stream.n_samples / stream.fs_hz,
        judged_s=outcome.run.next_sample / stream.fs_hz,
        finished=finished,
        lead=outcome.lead,
        rate=heart_rate(beats),
        classes=_class_lines(outcome, beats, truth=outcome.recording if finished else None),
        burden=ectopic_burden(beats),
        reasons=dict(Counter(beat.reason for beat in beats if beat.reason).most_common()),
        faults=_faults(outcome.recording, outcome.lead) if finished else (),
        latency=outcome.latency,
        bundle=f"{manifest.name} {manifest.version}",
        model_bytes=len(outcome.bundle.model),
        interpreter=f"{runtime.name} {runtime.version}",
        store=str(settings.agent.store),
        report=_reports(settings),
        unsent=unsent,
    )


def _reports(settings: Settings) -> str:
    """Where results go: the file of lines, else the names of the reporters."""
    files = [str(report.path) for report in settings.reports if isinstance(report, JsonLinesSettings)]
    return ", ".join(files or [report.name for report in settings.reports])


def heart_rate(beats: Sequence[Beat]) -> Rate:
    """Mean over all RR intervals, and of the slowest and fastest minute of the recording."""
    rr_ms = np.array([beat.rr_ms for beat in beats], dtype=np.float64)
    minute = np.array([beat.time_s // 60 for beat in beats], dtype=np.intp)
    known = np.isfinite(rr_ms)
    if not known.any():
        return Rate(math.nan, math.nan, math.nan)
    counts = np.bincount(minute[known])
    full = counts >= _MIN_INTERVALS
    bpm = 60_000 * counts[full] / np.bincount(minute[known], rr_ms[known])[full]
    slowest, fastest = (float(bpm.min()), float(bpm.max())) if full.any() else (math.nan, math.nan)
    return Rate(float(60_000 / rr_ms[known].mean()), slowest, fastest)


def ectopic_burden(beats: Sequence[Beat]) -> float:
    """Share of S, V and F in all judged beats; NaN without any."""
    judged = [beat.label for beat in beats if beat.label != NOT_JUDGED]
    return sum(label in ECTOPIC for label in judged) / len(judged) if judged else math.nan


def _class_lines(outcome: Outcome, beats: Sequence[Beat], *, truth: Recording | None) -> tuple[ClassLine, ...]:
    manifest = outcome.bundle.manifest
    titles = dict(zip(manifest.labels, manifest.label_titles, strict=True)) | {NOT_JUDGED: "not judged"}
    counts = Counter(beat.label for beat in beats)
    figures = _against(truth, beats)
    return tuple(
        ClassLine(
            label, title, counts[label], _share(counts[label], len(beats)), *figures.get(label, (None, None, None))
        )
        for label, title in titles.items()
    )


def _against(truth: Recording | None, beats: Sequence[Beat]) -> dict[str, tuple[int, float, float]]:
    """Class -> reference beats, sensitivity, PPV; empty without reference beats."""
    if truth is None or truth.beats is None or len(truth.beats.sample) == 0:
        return {}
    confusion, _ = count_confusion(truth.beats, as_annotations(beats), fs_hz=truth.fs_hz)
    figures = beat_figures(confusion)
    return {
        name: (int(confusion[row].sum()), figures.sensitivity[name], figures.ppv[name])
        for row, name in enumerate(AAMI.names)
    }


def _faults(recording: Recording | None, lead: str) -> tuple[str, ...]:
    if recording is None:
        return ()
    column = recording.lead(lead)
    judged = Recording(recording.signal[:, [column]], recording.fs_hz, (recording.leads[column],), recording.name)
    return tuple(fault.message for fault in find_faults(judged))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def as_json(summary: Summary) -> Json:
    """Plain values; NaN as null."""
    return _plain(asdict(summary))


def _plain(value: object) -> Json:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    assert value is None or isinstance(value, str | int)
    return value
