"""The values that flow through ecgedge: frozen, with units in their names."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError, LeadNotFound

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Annotations:
    """Reference or predicted beats of a recording."""

    sample: IntArray
    """(n_beats,) int64, sample index of each R-peak at the recording's rate, increasing."""
    symbol: tuple[str, ...]
    """MIT annotation symbol of each beat."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A signal in millivolts, one column per lead; NaN where nothing was measured.

    Raises
    ------
    InputError
        A rate that is not positive, no samples, or leads that do not fit the columns.
    """

    signal: FloatArray
    """(n_samples, n_leads) float32, mV."""
    fs_hz: float
    leads: tuple[str, ...]
    name: str = "recording"
    beats: Annotations | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fs_hz) and self.fs_hz > 0):
            raise InputError(f"{self.name}: sampling rate {self.fs_hz} Hz; it must be above 0; correct the header")
        if self.signal.ndim != 2 or self.signal.shape[1] != len(self.leads):
            raise InputError(f"{self.name}: signal of shape {self.signal.shape} for {len(self.leads)} leads")
        if len(self.signal) == 0:
            raise InputError(f"{self.name}: 0 samples; at least 1 is needed; check that the file was copied whole")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.signal) / self.fs_hz

    def lead(self, wanted: str | None = None) -> int:
        """Column of the lead called `wanted` (any case), or of the first lead.

        Raises
        ------
        LeadNotFound
            No lead has that name; the message lists those there are.
        """
        if wanted is None:
            return 0
        names = [name.casefold() for name in self.leads]
        if wanted.casefold() not in names:
            raise LeadNotFound(f"{self.name}: no lead {wanted!r}; it has {', '.join(self.leads)}; choose one of them")
        return names.index(wanted.casefold())


@dataclass(frozen=True, slots=True)
class Beat:
    """One judged heartbeat."""

    sample: int
    """R-peak, sample index since the start of the recording, at the recording's own rate."""
    time_s: float
    """R-peak, seconds since the start of the recording."""
    label: str
    """AAMI class letter; `Q` where the signal is too bad to judge."""
    probabilities: tuple[float, ...]
    """One per class of the bundle, in its order; empty where the signal was too bad."""
    rr_ms: float
    """Time since the beat before, ms; NaN for the first beat or after a gap."""
    reason: str = ""
    """Why the beat was not judged; empty where it was."""


@dataclass(frozen=True, slots=True)
class SignalChunk:
    """A stretch of live signal, as a source hands it to the engine."""

    signal: FloatArray
    """(n_samples, n_leads) float32, mV; NaN where nothing was measured."""
    start: int
    """Index of its first sample since the start of the recording."""


def check_rate(fs_hz: float) -> None:
    """Raise `InputError` for a sampling rate that is 0, negative, NaN or infinite."""
    if not (np.isfinite(fs_hz) and fs_hz > 0):
        raise InputError(f"sampling rate {fs_hz} Hz; it must be above 0; give the rate of the recording")
