"""What every format asks of its leads: the right ones, in millivolts, at the rate that was promised."""

from collections.abc import Sequence
from math import isclose, isfinite
from pathlib import Path

from ecgedge.errors import InputError, LeadNotFound

MAX_VALUES = 2**30
"""Most values read at once: 4 GiB as float32, 24 h of 12 leads at 1 kHz. A header that claims more is not believed."""

_MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6, "v": 1e3}  # micro sign and Greek mu


def millivolts_per(unit: str) -> float | None:
    """Millivolts per one `unit` (any case), or None where it is no voltage."""
    return _MILLIVOLTS.get(unit.strip().lower())


def choose_leads(available: Sequence[str], wanted: Sequence[str] | None, *, path: Path) -> list[int]:
    """Columns of the `wanted` leads, in that order; of all `available` by default.

    Raises
    ------
    LeadNotFound
        A lead is not there; the message lists those that are.
    """
    if wanted is None:
        return list(range(len(available)))
    names = [name.casefold() for name in available]
    for lead in wanted:
        if lead.casefold() not in names:
            raise LeadNotFound(f"{path}: no lead {lead!r}; it has {', '.join(available)}; choose one of them")
    return [names.index(lead.casefold()) for lead in wanted]


def agreed_rate(stated_hz: float | None, given_hz: float | None, *, path: Path) -> float:
    """The rate that the file states or the caller gives; where both are there they agree to 1 %.

    Raises
    ------
    InputError
        Neither is there, they contradict each other, or the rate is not positive.
    """
    rate_hz = given_hz if stated_hz is None else stated_hz
    if rate_hz is None:
        raise InputError(f"{path}: no sampling rate in it; one is needed; give it (fs_hz, --fs-hz)")
    if not (isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"{path}: sampling rate {rate_hz} Hz; it must be above 0; correct the header")
    if given_hz is not None and not isclose(rate_hz, given_hz, rel_tol=0.01):
        raise InputError(f"{path}: states {rate_hz:g} Hz, but {given_hz:g} Hz was asked for; leave the rate out")
    return float(rate_hz)


def check_size(n_samples: int, n_leads: int, *, path: Path) -> None:
    """Raise `InputError` for more values than a recording can hold, before any memory is taken."""
    if n_samples * n_leads > MAX_VALUES:
        raise InputError(
            f"{path}: claims {n_samples} samples of {n_leads} leads; at most {MAX_VALUES} values are read; cut it"
        )
