"""Everything measured as plain values, for report.json: no words, no rounding that would hide a difference."""

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from ecgedge import NOTICE
from ecgedge.latency import Latency
from ecgedge.manifest import Json
from ecgedge_convert.report.intervals import Figure
from ecgedge_convert.report.section import Row, Section

_PLACES = 6


def report_values(sections: Sequence[Section], made: Mapping[str, str], energy: str) -> dict[str, Json]:
    """The whole report."""
    return {
        "notice": NOTICE,
        "made": dict(made),
        "energy": energy,
        "models": [_section(section) for section in sections],
    }


def _section(section: Section) -> dict[str, Json]:
    answers, training = section.rows[0].answers, section.rows[0].entry.training
    wanted = ("data", "protocol", "folds", "split_seed", "held_out_fold", "split_sha256", "recipe_sha256")
    return {
        "model": section.family.name,
        "task": section.family.task,
        "warning": section.warning,
        "held_out": {key: training[key] for key in wanted if key in training},
        "items": len(answers),
        "groups": len(answers.known),
        "reference": section.reference.entry.name if section.reference else None,
        "variants": [_row(row) for row in section.rows],
    }


def _row(row: Row) -> dict[str, Json]:
    facts, manifest = row.entry.facts, row.entry.bundle.manifest
    return {
        "name": row.entry.name,
        "model_sha256": manifest.model_sha256,
        "kind": facts.kind,
        "changes": list(row.entry.changes),
        "calibration": row.entry.calibration,
        "conversion": row.entry.training.get("conversion"),
        "state": row.state,
        "figures": {name: _figure(row.sample.figure(name)) for name in row.sample.whole},
        "against_float32": {name: _figure(figure) for name, figure in row.lost.items()},
        "agreement_with_float32": _figure(row.agreement) if row.agreement else None,
        "confusion": _confusion(row),
        "model_bytes": facts.model_bytes,
        "gzip_bytes": facts.gzip_bytes,
        "parameters": facts.parameters,
        "macs": facts.macs,
        "peak_tensor_bytes": facts.peak_tensor_bytes,
        "latency": {str(threads): _latency(one) for threads, one in row.latency.items()},
        "times_float32": {str(threads): _figure(one) for threads, one in row.to_float.items()},
        "times_int8": {str(threads): _figure(one) for threads, one in row.to_int8.items()},
        "energy_mj": row.energy_mj,
    }


def _confusion(row: Row) -> dict[str, Json]:
    answers = row.answers
    counts = np.zeros((len(answers.rows), len(answers.columns)), np.int64)
    np.add.at(counts, (answers.truth, answers.called), 1)
    return {
        "rows": list(answers.rows),
        "columns": list(answers.columns),
        "counts": [list(line) for line in counts.tolist()],
    }


def _latency(one: Latency) -> dict[str, Json]:
    names = ("n", "p50_ms", "p90_ms", "p99_ms", "mean_ms", "least_ms", "most_ms", "per_s")
    return {name: _number(float(getattr(one, name))) for name in names}


def _figure(figure: Figure) -> dict[str, Json]:
    return {"value": _number(figure.value), "low": _number(figure.low), "high": _number(figure.high)}


def _number(value: float) -> float | None:
    return round(value, _PLACES) if isfinite(value) else None
