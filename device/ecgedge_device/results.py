"""The values that the store keeps and the reporters send: frozen, with units in their names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ecgedge.manifest import Json

Kind = Literal["beat", "minute", "alarm", "page", "recording"]
KINDS: tuple[Kind, ...] = ("beat", "minute", "alarm", "page", "recording")
"""What can be told: a beat, a minute of a signal, an alarm, a judged or refused picture, a recording's end."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a source delivers, and how to know it again."""

    address: str
    """Where it comes from, in full: two starts with the same address go on with the same run."""
    recording: str
    """Short name, shown to people."""
    fs_hz: float
    leads: tuple[str, ...]
    n_samples: int
    """0 where it has no end."""
    fingerprint: str
    """Checksum of the samples: another one is another recording; empty where it is measured live."""
    source: str = ""
    """Name of the source in the settings."""


@dataclass(frozen=True, slots=True)
class BundleId:
    """Which bundle judged."""

    name: str
    version: str
    sha256: str
    """Checksum of the manifest, which holds those of all other parts."""
    labels: tuple[str, ...]
    """Classes in the order of the probabilities."""


@dataclass(frozen=True, slots=True)
class Run:
    """One recording or live stream judged by one bundle, perhaps over several starts of the agent."""

    number: int
    uid: str
    """UUID; the ids of its beats are derived from it."""
    stream: Stream
    bundle: BundleId
    started_utc: str
    finished_utc: str
    """Empty until the recording has been judged to its end."""
    next_sample: int
    """Where a start goes on."""
    state: bytes
    """Of the engine and of the summaries at `next_sample`; empty at the start."""


@dataclass(frozen=True, slots=True)
class Result:
    """One stored result, as it is reported. Receivers drop an `id` that they have."""

    number: int
    """Order of storing, one sequence for all kinds."""
    id: str
    """UUID, the same in every delivery."""
    kind: Kind
    source: str
    """Name of the source in the settings."""
    time_utc: str
    """When it was measured or taken, ISO 8601, UTC, in ms; empty where nobody knows (a recording without a clock)."""
    stored_utc: str
    content: Mapping[str, Json]
    """By kind. All but `alarm`s of pages and refused pictures have "bundle": "NAME VERSION".
    beat: recording, sample, time_s, label, probabilities {class: p}, rr_ms | null, reason
    minute: recording, start_s, seconds, judged_s, heart_rate_bpm | null, rr_mean_ms | null, rr_sd_ms | null,
      rmssd_ms | null, longest_rr_ms | null, beats {class: n}, ectopic_burden | null (share), v_runs
    alarm: rule, text, value, limit, unit, state "begins" | "ends", recording, time_s
    page: name, label | null, title, reason (of no answer, or of the refusal), refused (bool), probabilities {class: p},
      titles {class: words}, prediction_set [class], advice, layout | null, tested_layout, mm_per_mv | null,
      gain_from | null, quality [{name, value, unit, limit, good}], seconds {stage: s}, notice
    recording: recording, seconds, the keys of minute from heart_rate_bpm on, and "faults" [words]"""
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Role -> path below the folder of files: `picture`, `drawn` (the page, what was looked at), `snippet` (.npz)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be stored beside the beats; the store adds number and time of storing."""

    id: str
    kind: Kind
    source: str
    time_utc: str
    content: Mapping[str, Json]
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    files_bytes: int = 0
    """Size of all files together."""


def as_plain(result: Result) -> dict[str, Json]:
    """A result as JSON tells it: id, kind, source, time_utc, stored_utc, the content, files by role."""
    return {
        "id": result.id,
        "kind": result.kind,
        "source": result.source,
        "time_utc": result.time_utc,
        **result.content,
        "files": dict(result.files),
        "stored_utc": result.stored_utc,
    }
