"""A chunk of signal and its beats as events for those who watch: thinned, rounded, NaN as null."""

from collections.abc import Sequence
from math import ceil, isfinite

import numpy as np

from ecgedge.manifest import Json
from ecgedge.records import Beat, FloatArray

MOST_HZ = 125.0
"""Of the samples that are shown."""


def signal_event(lead_mv: FloatArray, start: int, *, fs_hz: float, lead: str) -> dict[str, Json]:
    """Data of a `signal` event.

    Each shown sample is the one farthest from the mean of those it stands for, so that R-peaks keep their height.

    Parameters
    ----------
    lead_mv : (n,) float32, mV
    start : number of the first sample
    """
    step = max(1, ceil(fs_hz / MOST_HZ))
    whole = len(lead_mv) // step * step
    rows = lead_mv[:whole].reshape(-1, step)
    centred = np.abs(rows - rows.mean(axis=1, keepdims=True))
    chosen = np.nan_to_num(centred, nan=-1.0).argmax(axis=1)
    shown = rows[np.arange(len(rows)), chosen]
    values: list[Json] = [round(value, 3) if isfinite(value) else None for value in shown.tolist()]
    return {"start": start, "fs_hz": fs_hz / step, "signal_fs_hz": fs_hz, "lead": lead, "mv": values}


def beats_event(beats: Sequence[Beat], *, fs_hz: float) -> dict[str, Json]:
    """Data of a `beats` event."""
    listed: list[Json] = [
        {
            "sample": beat.sample,
            "label": beat.label,
            "rr_ms": round(beat.rr_ms, 1) if isfinite(beat.rr_ms) else None,
        }
        for beat in beats
    ]
    return {"fs_hz": fs_hz, "beats": listed}
