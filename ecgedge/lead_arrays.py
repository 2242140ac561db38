"""From the curves of a page to the arrays that a lead model takes.

Training, evaluation and device call this and nothing else. Knows nothing of models, labels or files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ecgedge.digitise import recording_of
from ecgedge.errors import InputError
from ecgedge.paper.layouts import LEADS
from ecgedge.paper.page import LeadTrace, Traces
from ecgedge.records import FloatArray

Inputs = dict[str, NDArray[np.float32]]
"""Name of a model's input -> (n, ...) float32."""

LEADS_INPUT, STRIP_INPUT = "leads", "strip"
_STRIP_LEAD = "II"
_MUCH_LONGER = 1.9  # times a lead array: a row of 5 s or 10 s stands for a rhythm strip, a column of 2.5 s does not


@dataclass(frozen=True, slots=True)
class LeadArraySettings:
    """Size and scale of the arrays."""

    fs_hz: float = 100.0
    """Sampling rate; scans have about 98 columns a second."""
    lead_samples: int = 240
    """Of each of the twelve leads; columns of 2.5 s lose 0.05 s at either end, where separators stand."""
    strip_samples: int = 960
    """Of the rhythm strip."""
    full_scale_mv: float = 2.0
    """The level that becomes 1; beyond it curves are clipped."""

    def __post_init__(self) -> None:
        if not (isfinite(self.full_scale_mv) and self.full_scale_mv > 0 and isfinite(self.fs_hz) and self.fs_hz > 0):
            raise InputError(f"fs_hz {self.fs_hz}, full_scale_mv {self.full_scale_mv}: both must be above 0")
        if not (1 <= self.lead_samples <= 100_000 and 1 <= self.strip_samples <= 100_000):
            raise InputError(
                f"lead_samples {self.lead_samples}, strip_samples {self.strip_samples}: 1 to 100000 each; 240 and 960"
            )


@dataclass(frozen=True, slots=True)
class ArrayPlace:
    """Where an array was read on the page: it may begin before its curve and end after it."""

    trace: LeadTrace
    first_sample: int
    """Sample of the row, at the arrays' rate, that is the array's first."""
    samples: int

    def columns_px(self, traces: Traces, fs_hz: float) -> FloatArray:
        """Page column of every sample of the array, (samples,) float32, px; extrapolated outside the curve."""
        time_s = (self.first_sample + np.arange(self.samples)) / fs_hz - self.trace.start_s
        first_px = float(self.trace.x_px[0]) if len(self.trace.x_px) else 0.0
        return (first_px + time_s * traces.px_per_mm_x * traces.mm_per_s).astype(np.float32)


def lead_arrays(traces: Traces, settings: LeadArraySettings) -> Inputs:
    """Turn the curves of one page into a model's inputs.

    The middle of each curve becomes the middle of its array, so that leads drawn one above the other stay in time.
    Channel 0 is the signal less its own median, over `full_scale_mv`, clipped to -1..1, and 0 where nothing was seen;
    channel 1 is 1 where ink was seen, else 0. The strip is the rhythm strip, whichever lead it repeats; on pages
    without one, lead II where its row is long.

    Returns
    -------
    leads : (1, 12, lead_samples, 2) float32, leads in the order of `LEADS`
    strip : (1, 1, strip_samples, 2) float32

    Raises
    ------
    InputError
        No curve of any of the twelve leads.
    """
    leads, strip = places(traces, settings)
    if not leads:
        raise InputError(f"{traces.name}: no curve of any of the twelve leads was read; 1 is needed; take it again")
    arrays = np.zeros((1, len(LEADS), settings.lead_samples, 2), np.float32)
    for name, place in leads.items():
        arrays[0, LEADS.index(name)] = _array(traces, place, settings)
    row = np.zeros((1, 1, settings.strip_samples, 2), np.float32)
    if strip is not None:
        row[0, 0] = _array(traces, strip, settings)
    return {LEADS_INPUT: arrays, STRIP_INPUT: row}


def places(traces: Traces, settings: LeadArraySettings) -> tuple[Mapping[str, ArrayPlace], ArrayPlace | None]:
    """Where on the page the arrays come from: lead -> place, and the place of the strip."""
    seen = sorted((trace for trace in traces.leads if _ink(trace)), key=_ink)
    short = {trace.lead: trace for trace in seen if not trace.strip and trace.lead in LEADS}
    strips = [trace for trace in seen if trace.strip]
    if not strips and _STRIP_LEAD in short and _is_long(short[_STRIP_LEAD], traces, settings):
        strips = [short[_STRIP_LEAD]]
    leads = {name: _place(trace, traces, settings.lead_samples, settings.fs_hz) for name, trace in short.items()}
    return leads, _place(strips[-1], traces, settings.strip_samples, settings.fs_hz) if strips else None


def _ink(trace: LeadTrace) -> int:
    return int(np.isfinite(trace.y_px).sum())


def _duration_s(trace: LeadTrace, traces: Traces) -> float:
    return len(trace.x_px) / (traces.px_per_mm_x * traces.mm_per_s)


def _is_long(trace: LeadTrace, traces: Traces, settings: LeadArraySettings) -> bool:
    return _duration_s(trace, traces) * settings.fs_hz > _MUCH_LONGER * settings.lead_samples


def _place(trace: LeadTrace, traces: Traces, samples: int, fs_hz: float) -> ArrayPlace:
    middle_s = trace.start_s + _duration_s(trace, traces) / 2
    return ArrayPlace(trace, round(middle_s * fs_hz - samples / 2), samples)


def _array(traces: Traces, place: ArrayPlace, settings: LeadArraySettings) -> FloatArray:
    """One curve, (samples, 2) float32; the strip is read as if it were lead II, whatever it is called."""
    alone = replace(traces, leads=(replace(place.trace, lead=_STRIP_LEAD),))
    signal_mv = recording_of(alone, rate_hz=settings.fs_hz).signal[:, LEADS.index(_STRIP_LEAD)]
    first, last = max(0, place.first_sample), min(len(signal_mv), place.first_sample + place.samples)
    window_mv = np.full(place.samples, np.nan, np.float32)
    window_mv[first - place.first_sample : last - place.first_sample] = signal_mv[first:last]
    there = np.isfinite(window_mv)
    array = np.zeros((place.samples, 2), np.float32)
    if there.any():
        level_mv = np.float32(np.median(window_mv[there]))
        array[there, 0] = np.clip((window_mv[there] - level_mv) / np.float32(settings.full_scale_mv), -1, 1)
        array[there, 1] = 1
    return array
