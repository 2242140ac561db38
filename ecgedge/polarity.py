"""Is a lead upside down? A judgement of the whole recording, conservative, for a warning only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgedge.records import FloatArray
from ecgedge.signals import Float64Array, State, check_chunk, state_array

UPRIGHT_LEADS = frozenset({"I", "II", "MLII"})
"""Leads in which QRS and T both point up in nearly everyone; a lead of another name is not judged."""

_BLOCK_S = 2.0  # at least one beat down to 30 per minute
_MIN_BLOCKS = 15  # half a minute
_T_S = (0.16, 0.36)  # after the R-peak: where the T wave lies at ordinary rates
_MIN_MV = 0.1  # smaller deflections are no QRS, and a tenth of the QRS is the least T that counts


class PolarityJudge:
    """Count the 2 s blocks whose largest deflection and the wave after it both point down.

    QRS alone would not do: left axis deviation turns it down in lead II, but its T then points up, as after
    ventricular and paced beats. Blocks with gaps, or without a clear QRS and T, do not count.
    """

    limit = 0.8
    """Share of the blocks from which a lead counts as inverted."""

    def __init__(self, fs_hz: float, leads: Sequence[str]) -> None:
        self.fs_hz = fs_hz
        self._leads = tuple(leads)
        self._judged = [index for index, lead in enumerate(leads) if lead.upper() in UPRIGHT_LEADS]
        self._block_n = max(1, round(_BLOCK_S * fs_hz))
        self._pending = np.zeros((0, len(leads)))
        self._counts = np.zeros((2, len(leads)))  # blocks that count; of these, those that point down

    def feed(self, chunk: FloatArray) -> None:
        """Take the next chunk, (n_samples, n_leads) float32, mV."""
        check_chunk(chunk, len(self._leads))
        pending = np.concatenate([self._pending, chunk])
        n_blocks = len(pending) // self._block_n
        blocks = pending[: n_blocks * self._block_n].reshape(n_blocks, self._block_n, len(self._leads))
        self._pending = pending[n_blocks * self._block_n :].copy()
        for lead in self._judged:
            self._counts[:, lead] += self._count(blocks[:, :, lead])

    def _count(self, blocks: Float64Array) -> tuple[int, int]:
        """How many blocks of a lead, (n_blocks, block_n), count, and how many of these point down."""
        first, last = (round(after_s * self.fs_hz) for after_s in _T_S)
        blocks = blocks[np.isfinite(blocks).all(axis=1)]
        if len(blocks) == 0 or first >= min(last, self._block_n):
            return 0, 0
        upright = blocks - np.median(blocks, axis=1, keepdims=True)
        rows = np.arange(len(blocks))
        beat = np.abs(upright[:, : max(1, self._block_n - last)]).argmax(axis=1)
        t_wave = upright[rows[:, np.newaxis], beat[:, np.newaxis] + np.arange(first, min(last, self._block_n))]
        peak = t_wave[rows, np.abs(t_wave).argmax(axis=1)]
        size = upright[rows, beat]
        clear = (np.abs(size) >= _MIN_MV) & (np.abs(peak) >= 0.1 * np.abs(size))
        return int(np.count_nonzero(clear)), int(np.count_nonzero(clear & (size < 0) & (peak < 0)))

    def inverted(self) -> list[tuple[str, float]]:
        """Leads that point down, with the share of their blocks that do."""
        share = self._counts[1] / np.maximum(self._counts[0], 1)
        found = np.flatnonzero((self._counts[0] >= _MIN_BLOCKS) & (share >= self.limit))
        return [(self._leads[lead], float(share[lead])) for lead in found]

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy of the memory: `polarity_pending` (n_pending, n_leads), `polarity_counts` (2, n_leads)."""
        return {"polarity_pending": self._pending.copy(), "polarity_counts": self._counts.copy()}

    def restore(self, state: State) -> None:
        """Go on from the `state()` of a judge with the same leads; `InputError` for any other."""
        self._pending = state_array(state, "polarity_pending", shape=(-1, len(self._leads)))
        self._counts = state_array(state, "polarity_counts", shape=self._counts.shape)
