"""Which beats must not be judged, since the signal under them is missing, flat, a dropout or mostly saturated.

Knows nothing of models; the faults themselves are found in `quality.py`.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ecgedge.quality import FaultFinder
from ecgedge.records import FloatArray, IntArray

_KEPT_S = 10.0
"""How long marks of bad samples are kept; beats come out within some 3 s."""


class BeatDoubts:
    """Marks of bad samples of one lead, asked beat by beat.

    Parameters
    ----------
    window_ms : length of signal around an R-peak that counts
    max_bad_share : a beat is not judged where more of that window is bad, 0 to 1
    """

    def __init__(self, *, fs_hz: float, lead: str, window_ms: float, max_bad_share: float) -> None:
        self._finder = FaultFinder(fs_hz, (lead,))
        self._half = max(1, round(window_ms * fs_hz / 2000))
        self._max_bad_share = max_bad_share
        self._kept = int(_KEPT_S * fs_hz)
        self._bad = np.zeros(0, np.bool_)
        self._finished = False

    def feed(self, signal: FloatArray) -> None:
        """Take the next samples, (n_samples, 1) float32, mV."""
        self._finder.feed(signal)
        self._bad = np.concatenate([self._bad, self._finder.bad[:, 0]])

    def flush(self) -> None:
        """Judge the last samples."""
        self._finder.flush()
        self._bad = np.concatenate([self._bad, self._finder.bad[:, 0]])
        self._finished = True

    def known(self, samples: IntArray) -> NDArray[np.bool_]:
        """Which of these beats lie far enough back for a verdict."""
        return (samples + self._half < self._finder.n_judged) | self._finished

    def reasons(self, samples: IntArray) -> tuple[str, ...]:
        """Why each beat must not be judged; empty where it may."""
        first = self._finder.n_judged - len(self._bad)
        total = np.concatenate([[0], np.cumsum(self._bad)])
        start = np.clip(samples - self._half - first, 0, len(self._bad))
        stop = np.clip(samples + self._half - first, 0, len(self._bad))
        share = (total[stop] - total[start]) / np.maximum(stop - start, 1)
        return tuple(_sentence(float(value), self._max_bad_share) for value in share)

    def forget(self) -> None:
        """Drop marks that no coming beat can need."""
        self._bad = self._bad[-self._kept :].copy()

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy of the memory, as arrays."""
        own: dict[str, NDArray[np.generic]] = {"marks": self._bad.copy()}
        return own | {f"finder.{key}": value for key, value in self._finder.state().items()}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from the `state()` of a stream with the same rate."""
        self._bad = state["marks"].astype(np.bool_)
        self._finder.restore(
            {key.partition(".")[2]: value for key, value in state.items() if key.startswith("finder.")}
        )


def _sentence(share: float, limit: float) -> str:
    return f"{share:.0%} of the signal under it is bad (limit {limit:.0%})" if share > limit else ""
