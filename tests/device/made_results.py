"""Results of every kind with the content that `results.Result` documents, for the tests of reporters and of FHIR."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ecgedge import NOTICE
from ecgedge.manifest import Json
from ecgedge_device.results import Kind, Result

_SPACE = uuid.UUID("5b0a6b9e-52a0-4c34-9d8c-6c0a1a4f2d11")
_FIGURES: dict[str, Json] = {
    "heart_rate_bpm": 71.4,
    "rr_mean_ms": 840.3,
    "rr_sd_ms": 41.2,
    "rmssd_ms": 38.9,
    "longest_rr_ms": 1480.0,
    "beats": {"N": 67, "S": 1, "V": 3, "F": 0, "Q": 1},
    "ectopic_burden": 0.0563,
    "v_runs": 1,
}
_CONTENT: Mapping[Kind, dict[str, Json]] = {
    "beat": {
        "bundle": "beat 1.0.0",
        "recording": "200",
        "sample": 3600,
        "time_s": 10.0,
        "label": "V",
        "probabilities": {"N": 0.02, "S": 0.01, "V": 0.96, "F": 0.01},
        "rr_ms": 640.0,
        "reason": "",
    },
    "minute": {
        "bundle": "beat 1.0.0",
        "recording": "200",
        "start_s": 60.0,
        "seconds": 60.0,
        "judged_s": 59.2,
        **_FIGURES,
    },
    "alarm": {
        "rule": "v_run",
        "text": "3 ventricular beats in a row",
        "value": 3,
        "limit": 3,
        "unit": "beats",
        "state": "begins",
        "recording": "200",
        "time_s": 62.5,
    },
    "page": {
        "bundle": "page 1.0.0",
        "name": "page-7.jpg",
        "label": "mi",
        "title": "myocardial infarction",
        "reason": "",
        "refused": False,
        "probabilities": {"normal": 0.08, "mi": 0.81, "abnormal": 0.07, "history_mi": 0.04},
        "titles": {
            "normal": "normal",
            "mi": "myocardial infarction",
            "abnormal": "abnormal heartbeat",
            "history_mi": "history of MI",
        },
        "prediction_set": ["mi"],
        "advice": "Have a physician look at this page.",
        "layout": "3x4+1",
        "tested_layout": True,
        "mm_per_mv": 10.0,
        "gain_from": "pulse",
        "quality": [{"name": "sharpness", "value": 41.0, "unit": "", "limit": 12.0, "good": True}],
        "seconds": {"flatten": 0.4, "judge": 0.02},
        "notice": NOTICE,
    },
    "recording": {
        "bundle": "beat 1.0.0",
        "recording": "200",
        "seconds": 1805.6,
        **_FIGURES,
        "faults": ["flat line from 12.0 to 14.0 s"],
    },
}
_REFUSED: dict[str, Json] = {
    "bundle": "",
    "label": None,
    "title": "",
    "reason": "the picture is too blurred to be judged; hold the camera still",
    "refused": True,
    "probabilities": {},
    "prediction_set": [],
    "advice": "Take it again.",
    "layout": None,
    "mm_per_mv": None,
    "gain_from": None,
}


def utc(ago_s: float = 0.0) -> str:
    """The time so long ago, as results tell it."""
    then = datetime.now(UTC) - timedelta(seconds=ago_s)
    return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def made(kind: Kind = "minute", k: int = 0, *, source: str = "replay", ago_s: float = 0.0, **content: Json) -> Result:
    """Result number `k` of a kind; `content` replaces some of its keys."""
    return Result(
        number=k,
        id=str(uuid.uuid5(_SPACE, f"{source} {kind} {k}")),
        kind=kind,
        source=source,
        time_utc=utc(ago_s),
        stored_utc=utc(),
        content={**_CONTENT[kind], **content},
        files={"picture": f"pictures/{k}.jpg"} if kind == "page" else {},
    )


def refused_page(k: int = 0, *, source: str = "camera") -> Result:
    """A picture that was not judged."""
    content = {key: value for key, value in _REFUSED.items() if key != "bundle"}
    result = made("page", k, source=source, **content)
    plain = {key: value for key, value in result.content.items() if key != "bundle"}
    return Result(result.number, result.id, "page", source, result.time_utc, result.stored_utc, plain, result.files)
