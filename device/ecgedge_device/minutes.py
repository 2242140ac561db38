"""Beats gathered by the minute of their signal; its state is saved with the engine's, so that a restart loses none."""

from collections.abc import Iterator, Sequence

import numpy as np

from ecgedge.manifest import Json
from ecgedge.records import Beat, FloatArray
from ecgedge_device.heart import Pulse, heart_figures

MINUTE_S = 60.0
LAG_S = 5.0
"""Beats come up to some 3 s after their signal; a minute is closed this long after its end."""


class Minutes:
    """The minutes that are still open.

    Parameters
    ----------
    fs_hz : sampling rate, Hz
    """

    def __init__(self, fs_hz: float) -> None:
        self._fs_hz = fs_hz
        self._beats: dict[int, list[Pulse]] = {}
        self._measured: dict[int, int] = {}  # samples that are not NaN

    def measure(self, lead_mv: FloatArray, start: int) -> None:
        """Count the samples of the judged lead, (n,) float32 mV, from sample `start` on."""
        step = round(MINUTE_S * self._fs_hz)
        end, at = start + len(lead_mv), start
        while at < end:
            minute = at // step
            stop = min(end, (minute + 1) * step)
            count = int(np.isfinite(lead_mv[at - start : stop - start]).sum())
            self._measured[minute] = self._measured.get(minute, 0) + count
            at = stop

    def add(self, beats: Sequence[Beat]) -> None:
        """Take beats in."""
        for beat in beats:
            pulse = Pulse(beat.time_s, beat.label, beat.rr_ms)
            self._beats.setdefault(int(beat.time_s // MINUTE_S), []).append(pulse)

    def closed(self, now_s: float) -> Iterator[dict[str, Json]]:
        """Take out the minutes that ended long enough before `now_s` (s of signal); inf for all.

        A minute in which nothing was measured is none. Each: start_s, seconds, judged_s, and `heart.heart_figures`.
        """
        over = [minute for minute in self._measured if (minute + 1) * MINUTE_S + LAG_S <= now_s]
        for minute in sorted(over):
            measured, beats = self._measured.pop(minute), self._beats.pop(minute, [])
            if measured:
                start_s = minute * MINUTE_S
                last = now_s == float("inf") and not self._measured
                judged_s = round(measured / self._fs_hz, 2)
                seconds = judged_s if last else MINUTE_S
                yield {"start_s": start_s, "seconds": seconds, "judged_s": judged_s, **heart_figures(beats)}

    def state(self) -> Json:
        """All of it as plain values."""
        return {
            "measured": {str(minute): count for minute, count in self._measured.items()},
            "beats": {
                str(minute): [
                    [beat.time_s, beat.label, beat.rr_ms if beat.rr_ms == beat.rr_ms else None] for beat in beats
                ]
                for minute, beats in self._beats.items()
            },
        }

    def restore(self, state: dict[str, dict]) -> None:  # type: ignore[type-arg]  # as `state` gave it
        """Take up what `state` gave."""
        self._measured = {int(minute): count for minute, count in state["measured"].items()}
        self._beats = {
            int(minute): [Pulse(time, label, float("nan") if rr is None else rr) for time, label, rr in beats]
            for minute, beats in state["beats"].items()
        }
