"""One-to-one matching of detected beats with reference beats, as AAMI EC57 and the WFDB tool `bxb` do it.

Knows nothing of rates, records or classes: sample indices in, index pairs out.
"""

from dataclasses import dataclass

import numpy as np

from ecgedge.errors import InputError
from ecgedge.records import IntArray


@dataclass(frozen=True, slots=True)
class BeatMatch:
    """Which reference beat belongs to which detected beat."""

    pairs: IntArray
    """(n_pairs, 2) int64: position in `reference`, position in `detected`; both columns increase."""
    missed: IntArray
    """(n_missed,) int64: positions in `reference` without a detected beat."""
    extra: IntArray
    """(n_extra,) int64: positions in `detected` without a reference beat."""

    @property
    def sensitivity(self) -> float:
        """Share of the reference beats that were found; NaN without reference beats."""
        return _share(len(self.pairs), len(self.missed))

    @property
    def positive_predictivity(self) -> float:
        """Share of the detected beats that are real; NaN without detected beats."""
        return _share(len(self.pairs), len(self.extra))

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; NaN where there is no beat on either side."""
        return _share(2 * len(self.pairs), len(self.missed) + len(self.extra))


def match_beats(reference: IntArray, detected: IntArray, *, tolerance_samples: int) -> BeatMatch:
    """Pair beats that lie at most `tolerance_samples` apart, each at most once, in order of time.

    Of the two annotations next in time, the earlier one is paired with the other if they are close enough and
    no later annotation of its own kind is strictly closer to that other one; if not, it stays alone.

    Parameters
    ----------
    reference, detected : (n,) int64, sample indices at one rate, not decreasing.
    tolerance_samples : largest distance of a pair, inclusive; EC57 takes 150 ms.

    Returns
    -------
    BeatMatch : the pairs and what is left over on each side.

    Raises
    ------
    InputError : indices that decrease, or a negative tolerance.

    Notes
    -----
    The rule is that of the main loop of `bxb` (G. B. Moody, WFDB Software Package), stated in ANSI/AAMI EC57:2012.
    Departures: a tie is paired with the earlier beat, which `bxb` leaves alone; there is no learning period, and
    shutdown and ventricular flutter are not left out: cut both lists before the call if that is wanted.
    """
    _check(reference, "reference", tolerance_samples)
    _check(detected, "detected", tolerance_samples)
    pairs = np.array(_pair(reference.tolist(), detected.tolist(), tolerance_samples), dtype=np.int64).reshape(-1, 2)
    missed = np.setdiff1d(np.arange(len(reference), dtype=np.int64), pairs[:, 0], assume_unique=True)
    extra = np.setdiff1d(np.arange(len(detected), dtype=np.int64), pairs[:, 1], assume_unique=True)
    return BeatMatch(pairs=pairs, missed=missed, extra=extra)


def _pair(reference: list[int], detected: list[int], tolerance_samples: int) -> list[tuple[int, int]]:
    i = j = 0
    pairs: list[tuple[int, int]] = []
    while i < len(reference) and j < len(detected):
        distance = abs(reference[i] - detected[j])
        if detected[j] < reference[i]:
            rival = abs(reference[i] - detected[j + 1]) if j + 1 < len(detected) else distance
        else:
            rival = abs(reference[i + 1] - detected[j]) if i + 1 < len(reference) else distance
        if distance <= tolerance_samples and distance <= rival:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif detected[j] < reference[i]:
            j += 1
        else:
            i += 1
    return pairs


def _check(samples: IntArray, name: str, tolerance_samples: int) -> None:
    if tolerance_samples < 0:
        raise InputError(f"tolerance of {tolerance_samples} samples; it must be at least 0; 150 ms is usual")
    if samples.ndim != 1:
        raise InputError(f"{name} beats of shape {samples.shape}; one axis is needed; pass one lead's sample indices")
    if np.any(np.diff(samples) < 0):
        raise InputError(f"{name} beats are not in order of time; indices must not decrease; sort them first")


def _share(part: int, rest: int) -> float:
    return part / (part + rest) if part + rest else float("nan")
