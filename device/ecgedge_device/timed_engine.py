"""What the agent asks of an engine, and how long an engine takes per beat."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np

from ecgedge.records import Beat, SignalChunk

_KEPT = 100_000
"""Chunks that the percentile is taken over: a day of a live stream, which may go on for months."""


class Engine(Protocol):
    """Chunks in, beats out; `ecgedge.engine.BeatEngine` is one."""

    @property
    def lead(self) -> str:
        """Name of the lead that is judged."""
        ...

    def judge(self, chunk: SignalChunk) -> list[Beat]:
        """Beats that this chunk completes."""
        ...

    def finish(self) -> list[Beat]:
        """Beats still open at the end of the recording."""
        ...

    def state(self) -> bytes:
        """All that a restart needs."""
        ...

    def restore(self, state: bytes) -> None:
        """Take up a saved state."""
        ...


@dataclass(frozen=True, slots=True)
class Latency:
    """Engine time per beat: R-peaks, windows and inference; reading and storing left out."""

    beats: int
    mean_ms: float
    """All engine time over all beats."""
    p99_ms: float
    """99th percentile of the latest chunks; the beats of one chunk share its time evenly."""


class TimedEngine:
    """An engine with a stopwatch around it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._total_s, self._beats = 0.0, 0
        self._chunks: deque[tuple[float, int]] = deque(maxlen=_KEPT)  # s per beat, and of how many beats

    @property
    def lead(self) -> str:
        """Name of the lead that is judged."""
        return self._engine.lead

    def judge(self, chunk: SignalChunk) -> list[Beat]:
        """Beats that this chunk completes."""
        return self._timed(lambda: self._engine.judge(chunk))

    def finish(self) -> list[Beat]:
        """Beats still open at the end of the recording."""
        return self._timed(self._engine.finish)

    def state(self) -> bytes:
        """All that a restart needs."""
        return self._engine.state()

    def restore(self, state: bytes) -> None:
        """Take up a saved state."""
        self._engine.restore(state)

    def latency(self) -> Latency | None:
        """Engine time so far; None before the first beat."""
        if not self._chunks:
            return None
        return Latency(self._beats, 1000 * self._total_s / self._beats, 1000 * _percentile(self._chunks, 99))

    def _timed(self, judged: Callable[[], list[Beat]]) -> list[Beat]:
        start_s = perf_counter()
        beats = judged()
        took_s = perf_counter() - start_s
        self._total_s += took_s
        self._beats += len(beats)
        if beats:
            self._chunks.append((took_s / len(beats), len(beats)))
        return beats


def _percentile(weighted: Iterable[tuple[float, int]], percent: float) -> float:
    values, counts = np.array(list(weighted)).T
    return float(np.percentile(np.repeat(values, counts.astype(np.intp)), percent))
