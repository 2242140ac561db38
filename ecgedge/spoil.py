"""Spoil a good recording in a known way, to show and to test what `quality` finds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecgedge.errors import InputError
from ecgedge.records import FloatArray, Recording

KINDS = ("missing", "flat", "saturated", "dropout", "inverted")
_RAIL_MV = 5.115  # upper rail of the MIT-BIH recorder: 1023 steps of 5 uV
_FLAT_NOISE_MV = 0.002

_SPOILING = re.compile(r"(?P<kind>[a-z]+)(?:@(?P<start>[\d.]+):(?P<stop>[\d.]+))?(?:/(?P<lead>.+))?")


@dataclass(frozen=True, slots=True)
class Spoiling:
    """One fault to put into a recording."""

    kind: str
    """One of `KINDS`."""
    start_s: float = 0.0
    stop_s: float = np.inf
    lead: str | None = None
    """The lead it concerns; the first by default."""


def parse_spoiling(text: str) -> Spoiling:
    """Read `KIND@START:STOP/LEAD`, seconds; without the times the whole recording, without the lead the first.

    Raises
    ------
    InputError
        Another form, a kind that is not known, or a stop that is not after the start.
    """
    match = _SPOILING.fullmatch(text)
    if not match or match["kind"] not in KINDS:
        raise InputError(f"fault {text!r}; it is KIND@START:STOP/LEAD in seconds, KIND one of {', '.join(KINDS)}")
    try:
        start_s, stop_s = float(match["start"] or 0), float(match["stop"] or np.inf)
    except ValueError:
        raise InputError(f"fault {text!r}; START and STOP are seconds, such as missing@12:15; correct them") from None
    if not start_s < stop_s:
        raise InputError(f"fault {text!r} stops at {stop_s:g} s; it must stop after {start_s:g} s; correct it")
    return Spoiling(match["kind"], start_s, stop_s, match["lead"])


def spoil(recording: Recording, spoilings: Sequence[Spoiling], *, seed: int = 0) -> Recording:
    """A copy of the recording with the faults put in; its beats stay as they are.

    Raises
    ------
    InputError
        A fault lies outside the recording.
    LeadNotFound
        A lead is not there.
    """
    signal = recording.signal.copy()
    rng = np.random.default_rng(seed)
    for spoiling in spoilings:
        start = round(spoiling.start_s * recording.fs_hz)
        if start >= len(signal):
            raise InputError(
                f"fault {spoiling.kind} at {spoiling.start_s:g} s; the recording ends at {recording.duration_s:g} s; "
                "put it earlier"
            )
        stop = round(min(spoiling.stop_s, recording.duration_s) * recording.fs_hz)
        part = signal[start:stop, recording.lead(spoiling.lead)]
        part[:] = _spoilt(spoiling.kind, part, rng)
    return replace(recording, signal=signal)


def _spoilt(kind: str, part: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A stretch of one lead, (n_samples,) float32, mV, with the fault."""
    if kind == "inverted":
        return -part
    level = {"missing": np.nan, "saturated": _RAIL_MV, "dropout": 0.0, "flat": float(part[0])}[kind]
    spoilt = np.full(part.shape, level, dtype=np.float32)
    if kind == "flat":
        spoilt += rng.uniform(-_FLAT_NOISE_MV, _FLAT_NOISE_MV, part.shape).astype(np.float32)
    return spoilt
