"""The store's rows to and from values. Knows nothing of transactions."""

import json
import math
from collections.abc import Sequence

from ecgedge.records import Beat
from ecgedge_device.results import BundleId, Finding, Result, Run, Stream

RUN_COLUMNS = """uid, address, recording, fs_hz, leads, n_samples, fingerprint, source,
    bundle, bundle_version, bundle_sha256, labels, started_utc"""
BEAT_COLUMNS = "sample, time_s, label, probabilities, rr_ms, reason"
BEAT_RESULT_COLUMNS = f"""beats.number, id, source, time_utc, stored_utc, recording, bundle, bundle_version, labels,
    {BEAT_COLUMNS}"""
RESULT_COLUMNS = "number, id, kind, source, time_utc, stored_utc, content, files"

BeatRow = tuple[int, float, str, str, float | None, str]


def run_row(stream: Stream, bundle: BundleId) -> tuple[str | float, ...]:
    """A run's columns between `uid` and `started_utc`."""
    leads, labels = json.dumps(stream.leads), json.dumps(bundle.labels)
    heart = (stream.address, stream.recording, stream.fs_hz, leads, stream.n_samples, stream.fingerprint, stream.source)
    return (*heart, bundle.name, bundle.version, bundle.sha256, labels)


def run_of(row: Sequence) -> Run:  # type: ignore[type-arg]  # as SQLite gives it
    """From `number`, the columns of a run, `finished_utc`, `next_sample`, `state`."""
    number, uid, address, recording, fs_hz, leads, n_samples, fingerprint, source, *rest = row
    stream = Stream(address, recording, fs_hz, tuple(json.loads(leads)), n_samples, fingerprint, source)
    name, version, sha256, labels, started_utc, finished_utc, next_sample, state = rest
    bundle = BundleId(name, version, sha256, tuple(json.loads(labels)))
    return Run(number, uid, stream, bundle, started_utc, finished_utc, next_sample, state)


def beat_row(beat: Beat) -> BeatRow:
    """A beat's columns."""
    rr_ms = None if math.isnan(beat.rr_ms) else beat.rr_ms
    return beat.sample, beat.time_s, beat.label, json.dumps(beat.probabilities), rr_ms, beat.reason


def beat_of(sample: int, time_s: float, label: str, probabilities: str, rr_ms: float | None, reason: str) -> Beat:
    """From a beat's columns."""
    return Beat(sample, time_s, label, tuple(json.loads(probabilities)), math.nan if rr_ms is None else rr_ms, reason)


def beat_result_of(row: Sequence) -> Result:  # type: ignore[type-arg]
    """From `BEAT_RESULT_COLUMNS` of a beat joined with its run."""
    number, uid, source, time_utc, stored_utc, recording, bundle, version, labels, *columns = row
    sample, time_s, label, probabilities, rr_ms, reason = columns
    shares = zip(json.loads(labels), json.loads(probabilities), strict=False)
    content = {
        "recording": recording,
        "bundle": f"{bundle} {version}",
        "sample": sample,
        "time_s": round(time_s, 4),
        "label": label,
        "probabilities": {name: round(share, 4) for name, share in shares},
        "rr_ms": None if rr_ms is None else round(rr_ms, 2),
        "reason": reason,
    }
    return Result(number, uid, "beat", source, time_utc, stored_utc, content)


def finding_row(finding: Finding, *, run: int | None) -> tuple[str | int | None, ...]:
    """A finding's columns between `number` and `stored_utc`."""
    content, files = (json.dumps(dict(each), allow_nan=False) for each in (finding.content, finding.files))
    size = finding.files_bytes
    return finding.id, finding.kind, finding.source, run, finding.time_utc, content, files, size


def result_of(row: Sequence) -> Result:  # type: ignore[type-arg]
    """From `RESULT_COLUMNS`."""
    number, uid, kind, source, time_utc, stored_utc, content, files = row
    return Result(number, uid, kind, source, time_utc, stored_utc, json.loads(content), json.loads(files))
