"""How well a recording read off paper agrees with the truth, or, without a truth, with Einthoven's law."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgedge.digitise import recording_of
from ecgedge.errors import InputError
from ecgedge.paper.layouts import LEADS
from ecgedge.paper.page import Traces
from ecgedge.records import Recording
from ecgedge.signals import resample

MAX_SHIFT_S = 0.2
"""Largest shift by which a lead may be moved onto its truth: where a row begins is read to a millimetre or so."""
MIN_COVERAGE = 0.5
"""A lead that shows less of its truth than this counts as not read."""
_COLUMN_HZ = 100.0  # limb leads are compared at about the columns of the coarsest scans, 3.94 px/mm * 25 mm/s
_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LeadAgreement:
    """One lead against its truth."""

    lead: str
    correlation: float
    """Pearson's, over the samples that both have, after the best shift; 0 where the lead was not read."""
    snr_db: float
    """Power of the truth over power of the error, each without its mean; missing samples count as the truth's mean."""
    gain: float
    """Slope of the found on the true signal: 1 where millivolts are right."""
    shift_s: float
    """How much later the found signal is than the truth."""
    coverage: float
    """Share of the truth's samples that were found."""

    @property
    def recovered(self) -> bool:
        """Whether the curve is there, under its right name, with less error than signal."""
        return self.coverage >= MIN_COVERAGE and self.snr_db > 0


def agreement(found: Recording, truth: Recording, *, max_shift_s: float = MAX_SHIFT_S) -> tuple[LeadAgreement, ...]:
    """Hold each lead of `truth` against the lead of that name in `found`.

    The signal-to-noise ratio is that of the PhysioNet Challenge 2024 (moody-challenge.physionet.org/2024) with two
    departures: a shift of at most `max_shift_s` instead of 0.5 s, and each mean removed instead of a fitted offset.

    Parameters
    ----------
    found : any rate; it is resampled to that of the truth.

    Returns
    -------
    One agreement per lead of the truth, in its order.
    """
    if found.fs_hz != truth.fs_hz:
        found = replace(found, signal=resample(found.signal, found.fs_hz, truth.fs_hz), fs_hz=truth.fs_hz)
    names = [name.casefold() for name in found.leads]
    reach = round(max_shift_s * truth.fs_hz)
    compared = []
    for column, lead in enumerate(truth.leads):
        true = truth.signal[:, column].astype(np.float64)
        there = names.index(lead.casefold()) if lead.casefold() in names else None
        seen = np.full(0, np.nan) if there is None else found.signal[:, there].astype(np.float64)
        compared.append(_lead(lead, seen, true, reach=reach, fs_hz=truth.fs_hz))
    return tuple(compared)


def _lead(lead: str, seen: _Array, true: _Array, *, reach: int, fs_hz: float) -> LeadAgreement:
    padded = np.full(len(true) + 2 * reach, np.nan)
    padded[reach : reach + len(seen)] = seen[: len(true) + reach]
    best = LeadAgreement(lead, 0.0, 0.0, 0.0, 0.0, 0.0)
    for shift in sorted(range(-reach, reach + 1), key=abs):  # of equal ones the smallest shift
        moved = padded[reach + shift : reach + shift + len(true)]
        both = np.isfinite(moved) & np.isfinite(true)
        coverage = float(both.sum() / max(1, np.isfinite(true).sum()))
        if coverage < MIN_COVERAGE:
            continue
        correlation = _correlation(moved[both], true[both])
        if correlation > best.correlation or best.coverage == 0:
            gain = _slope(moved[both], true[both])
            best = LeadAgreement(lead, correlation, _snr_db(moved, true), gain, shift / fs_hz, coverage)
    return best


def _correlation(one: _Array, other: _Array) -> float:
    one, other = one - one.mean(), other - other.mean()
    power = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / power if power > 0 else 0.0


def _slope(seen: _Array, true: _Array) -> float:
    true = true - true.mean()
    power = float(true @ true)
    return float(true @ seen) / power if power > 0 else 0.0


def _snr_db(seen: _Array, true: _Array) -> float:
    """Ratio of powers over the samples that the truth has, dB."""
    known = np.isfinite(true)
    both = known & np.isfinite(seen)
    signal = true[known] - true[known].mean()
    error = np.where(both, (seen - seen[both].mean()) - (true - true[both].mean()), true - true[known].mean())[known]
    return float(10 * np.log10(max(float(signal @ signal), 1e-12) / max(float(error @ error), 1e-12)))


@dataclass(frozen=True, slots=True)
class LimbResiduals:
    """What limb leads of one page that must cancel out leave over, mV rms about the mean; infinite where unread."""

    einthoven_mv: float
    """I + III - II."""
    goldberger_mv: float
    """aVR + aVL + aVF."""


def limb_residuals(traces: Traces, *, max_shift_s: float = 0.04) -> LimbResiduals:
    """Hold the six limb leads of a page against each other, where they are drawn at the same time.

    Rhythm strips are left out. Leads are compared at 100 Hz, column by column of their own rows; to forgive a column
    that begins a millimetre off, the two outer leads may each be shifted by at most `max_shift_s` (1 mm at 25 mm/s).
    Where less than half of the longest of three leads remains, the residual is infinite.

    Parameters
    ----------
    traces : of a layout that has I, II and III, and aVR, aVL and aVF, below each other
    """
    short = replace(traces, leads=tuple(trace for trace in traces.leads if not trace.strip))
    try:
        recording = recording_of(short, rate_hz=_COLUMN_HZ)
    except InputError:
        return LimbResiduals(np.inf, np.inf)
    lead = {name: recording.signal[:, recording.lead(name)].astype(np.float64) for name in LEADS[:6]}
    reach = round(max_shift_s * _COLUMN_HZ)
    return LimbResiduals(
        _residual_mv(lead["I"], lead["III"], -lead["II"], reach=reach),
        _residual_mv(lead["aVR"], lead["aVL"], lead["aVF"], reach=reach),
    )


def _residual_mv(first: _Array, second: _Array, third: _Array, *, reach: int) -> float:
    """Least rms of the sum about its mean over all shifts of the outer two leads, mV."""
    shifts = range(-reach, reach + 1)
    needed = 0.5 * max(np.isfinite(lead).sum() for lead in (first, second, third))
    best = np.inf
    for a in shifts:
        for b in shifts:
            total = (_shifted(first, a) + second + _shifted(third, b))[reach : len(first) - reach]
            total = total[np.isfinite(total)]
            if len(total) >= max(needed, 10):
                best = min(best, float(total.std()))
    return best


def _shifted(lead: _Array, by: int) -> _Array:
    return np.roll(lead, by)  # what wraps around is cut off by the caller
