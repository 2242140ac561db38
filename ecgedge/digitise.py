"""A photo or scan of a 12-lead ECG on paper, read into a recording in millivolts. numpy only: scipy costs 70 MB.

Knows nothing of files or bundles; what it sees and how sure it is stands in `Page.quality` and in `Traces`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.pages import find_page
from ecgedge.paper.layouts import LEADS, STRIP
from ecgedge.paper.page import LeadTrace, Page, Picture, Traces
from ecgedge.paper.page_quality import require_quality
from ecgedge.paper.second_page import require_one_page
from ecgedge.records import FloatArray, Recording
from ecgedge.traces import read_traces

RHYTHM = "rhythm"
"""Name in a recording of a rhythm strip whose own name could not be read."""

MAX_RATIO = 100
"""Largest ratio of the sampling rate and the rate of the columns, as of `signals.resample`."""

_MAX_DURATION_S = 120.0  # a row of 250 mm holds 10 s, of a folded long strip perhaps a minute
_ZERO_CROSSINGS = 10  # of the low-pass on either side; -6 dB at half the output rate
_TINY = 1e-6  # of a column: what rounding may do to its edge
_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Digitised:
    """A page and the curves on it."""

    page: Page
    traces: Traces


def digitise(picture: Picture) -> Digitised:
    """Read a picture of a 12-lead ECG on paper: find the page, make it flat, follow its curves.

    Raises
    ------
    InputError
        No page, two pages, a page that is too blurred, cut off or mirrored, or a layout that is not recognised.
    """
    page = find_page(picture)
    require_quality(page.quality, name=page.name)
    traces = read_traces(page)
    require_one_page(picture, page)
    return Digitised(page, traces)


def recording_of(traces: Traces, *, rate_hz: float = 500.0) -> Recording:
    """Turn curves into a recording: columns into seconds, rows into millivolts, at an even rate.

    The twelve leads stand in standard order. Each begins at its own place in its row, so that 3 x 4 short leads give
    2.5 s each and NaN elsewhere. Where one lead is drawn twice, short and as the rhythm strip, the curve with more
    ink stands, which is the strip's. A strip of unknown lead is appended as `rhythm`. A lead that was not read is NaN.

    Between columns the signal is interpolated monotonically (PCHIP, Fritsch & Carlson 1980, 10.1137/0717021), which
    does not overshoot at an R-peak; below the rate of the columns it is filtered first, so that nothing folds down.
    A gap stays: an output sample whose nearest column is NaN, is NaN.

    Parameters
    ----------
    rate_hz : sampling rate of the recording, at most `MAX_RATIO` times off the rate of the columns

    Returns
    -------
    Recording of (n_samples, 12 or more) float32, mV

    Raises
    ------
    InputError
        A rate or scale that is not positive, no ink at all, or rows longer than any page.
    """
    column_hz = _column_rate_hz(traces, rate_hz)
    chosen = _fullest(traces)
    duration_s = max(trace.start_s + len(trace.x_px) / column_hz for trace in chosen.values())
    if duration_s > _MAX_DURATION_S:
        raise InputError(
            f"{traces.name}: a row of {duration_s:.0f} s; at most {_MAX_DURATION_S:.0f} s fit on paper; check the scale"
        )
    names = (*LEADS, *(name for name in chosen if name not in LEADS))
    signal = np.full((max(1, round(duration_s * rate_hz)), len(names)), np.nan, np.float32)
    for name, trace in chosen.items():
        lead_mv = (trace.baseline_px - trace.y_px.astype(np.float64)) / (traces.px_per_mm_y * traces.mm_per_mv)
        signal[:, names.index(name)] = _resampled(lead_mv, trace.start_s, column_hz, rate_hz, len(signal))
    return Recording(signal, float(rate_hz), names, traces.name)


def _column_rate_hz(traces: Traces, rate_hz: float) -> float:
    """Columns per second of signal, after a look at every number that scales the curves."""
    if not (isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"sampling rate {rate_hz} Hz; it must be above 0; 500 Hz is usual")
    for name in ("px_per_mm_x", "px_per_mm_y", "mm_per_s", "mm_per_mv"):
        value = getattr(traces, name)
        if not (isfinite(value) and value > 0):
            raise InputError(f"{traces.name}: {name} of {value}; it must be above 0; read the page again")
    column_hz = traces.px_per_mm_x * traces.mm_per_s
    if not 1 / MAX_RATIO <= rate_hz / column_hz <= MAX_RATIO:
        raise InputError(
            f"{traces.name}: {rate_hz:g} Hz from {column_hz:.0f} columns a second; the ratio may be {MAX_RATIO}; "
            "500 Hz is usual"
        )
    return column_hz


def _fullest(traces: Traces) -> Mapping[str, LeadTrace]:
    """The curve with most ink for each lead's name."""
    chosen: dict[str, LeadTrace] = {}
    ink = {id(trace): int(np.isfinite(trace.y_px).sum()) for trace in traces.leads}
    for trace in traces.leads:
        name = RHYTHM if trace.lead in ("", STRIP) else trace.lead
        if ink[id(trace)] > (ink[id(chosen[name])] if name in chosen else 0):
            chosen[name] = trace
    if not chosen:
        raise InputError(
            f"{traces.name}: 0 columns with a curve in {len(traces.leads)} leads; 1 is needed; take a sharper picture"
        )
    return chosen


def _resampled(lead_mv: _Array, start_s: float, column_hz: float, rate_hz: float, n_samples: int) -> FloatArray:
    """One lead on the grid of the recording, (n_samples,) float32, mV."""
    output = np.full(n_samples, np.nan, np.float32)
    column = np.flatnonzero(np.isfinite(lead_mv))
    at = (np.arange(n_samples) / rate_hz - start_s) * column_hz
    inside = (at >= -_TINY) & (at < len(lead_mv) - _TINY)
    nearest = np.clip(np.rint(at), 0, max(0, len(lead_mv) - 1)).astype(np.int64)
    inside[inside] = np.isfinite(lead_mv[nearest[inside]])
    if not inside.any():
        return output
    values = _band_limited(lead_mv, column, rate_hz / column_hz)
    at = np.clip(at[inside], column[0], column[-1])
    output[inside] = _monotone(column, values, at) if len(column) > 1 else values[0]
    return output


def _monotone(x: NDArray[np.int64], y: _Array, at: _Array) -> _Array:
    """Piecewise cubic Hermite interpolation without overshoot; slopes as Fritsch & Butland 1984 (10.1137/0905021).

    Departure: the slope at an end is that of its interval.
    """
    step = np.diff(x).astype(np.float64)
    rise = np.diff(y) / step
    before, after = 2 * step[1:] + step[:-1], step[1:] + 2 * step[:-1]
    product = rise[:-1] * rise[1:]
    mean = (before + after) * product / np.where(product > 0, before * rise[1:] + after * rise[:-1], 1.0)
    slope = np.concatenate([rise[:1], np.where(product > 0, mean, 0.0), rise[-1:]])
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(step) - 1)
    t = (at - x[k]) / step[k]
    bend = (slope[k + 1] - rise[k]) * t - (slope[k] - rise[k]) * (1 - t)
    return y[k] + step[k] * t * rise[k] - step[k] * t * (1 - t) * bend


def _band_limited(lead_mv: _Array, column: NDArray[np.int64], ratio: float) -> _Array:
    """Values at the columns with ink, without what an output of `ratio` times their rate cannot hold.

    Gaps are bridged by straight lines for the filter alone; the ends are held.
    """
    if ratio >= 1:
        return lead_mv[column]
    filled = np.interp(np.arange(len(lead_mv)), column, lead_mv[column])
    half = int(_ZERO_CROSSINGS / ratio)
    taps = np.sinc(ratio * np.arange(-half, half + 1)) * np.hamming(2 * half + 1)
    smooth = np.convolve(np.pad(filled, half, mode="edge"), taps / taps.sum(), mode="valid")
    return np.asarray(smooth[column], dtype=np.float64)
