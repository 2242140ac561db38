"""Alarms of a signal: each begins once, ends once, and does not begin again too soon. Knows nothing of stores.

Rules: `pause`, `v_run`, `rate_low`, `rate_high` (see `AlarmSettings`). A pause is told from the time between two beats,
or while it lasts, where no beat has come although the signal is good.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from ecgedge.manifest import Json
from ecgedge.records import Beat
from ecgedge_device.settings import AlarmSettings

BEAT_LAG_S = 4.0
"""A beat is known at the latest this long after its R-peak; before, its absence says nothing."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The beginning or the end of one."""

    rule: str
    state: str
    """begins or ends."""
    time_s: float
    """Since the start of the signal."""
    value: float
    limit: float
    unit: str
    text: str

    def content(self) -> dict[str, Json]:
        """As a result tells it."""
        return asdict(self)


class Alarms:
    """The rules over one signal."""

    def __init__(self, settings: AlarmSettings) -> None:
        self._settings = settings
        self._rr_ms: deque[float] = deque(maxlen=settings.rate_beats)
        self._v = 0
        self._last_beat_s = math.nan
        self._active: dict[str, float] = {}  # rule -> when it began
        self._ended: dict[str, float] = {}  # rule -> when it last ended

    def beats(self, beats: Sequence[Beat]) -> Iterator[Alarm]:
        """What these beats, next in time, begin and end."""
        for beat in beats:
            yield from self._pause(beat)
            yield from self._run(beat)
            yield from self._rate(beat)
            self._last_beat_s = beat.time_s

    def silent(self, now_s: float) -> bool:
        """Whether the last known beat is so long ago that `silence` must be asked."""
        limit_s = self._settings.pause_s
        return bool(limit_s) and "pause" not in self._active and now_s - BEAT_LAG_S - self._last_beat_s > limit_s

    def silence(self, now_s: float, good_since_s: float) -> Iterator[Alarm]:
        """A pause that has not ended yet.

        Parameters
        ----------
        now_s : how far the signal has been judged, s
        good_since_s : from when on the signal has been good without a break, s
        """
        known_until_s = now_s - BEAT_LAG_S
        begin_s = max(self._last_beat_s, good_since_s)  # NaN first: no beat yet, nothing to say
        if self._settings.pause_s and known_until_s - begin_s > self._settings.pause_s:
            words = f"no beat for {known_until_s - begin_s:.1f} s in a good signal"
            yield from self._begin("pause", now_s, known_until_s - begin_s, self._settings.pause_s, "s", words)

    def _pause(self, beat: Beat) -> Iterator[Alarm]:
        limit_s = self._settings.pause_s
        if not limit_s:
            return
        pause_s = beat.rr_ms / 1000
        if pause_s > limit_s:
            yield from self._begin("pause", beat.time_s, pause_s, limit_s, "s", f"pause of {pause_s:.1f} s")
        yield from self._end("pause", beat.time_s, pause_s, limit_s, "s", "the heart beats again")

    def _run(self, beat: Beat) -> Iterator[Alarm]:
        limit = self._settings.v_run
        length, self._v = self._v, self._v + 1 if beat.label == "V" else 0
        if limit and self._v == limit:
            words = f"{limit} ventricular beats in a row"
            yield from self._begin("v_run", beat.time_s, limit, limit, "beats", words)
        if not self._v:
            yield from self._end(
                "v_run", beat.time_s, length, limit, "beats", f"ended after {length} ventricular beats"
            )

    def _rate(self, beat: Beat) -> Iterator[Alarm]:
        if not math.isfinite(beat.rr_ms):
            self._rr_ms.clear()  # beats were missed: no rate over a gap
            return
        self._rr_ms.append(beat.rr_ms)
        if len(self._rr_ms) < self._settings.rate_beats:
            return
        bpm = 60_000 * len(self._rr_ms) / sum(self._rr_ms)
        yield from self._low(beat.time_s, bpm)
        yield from self._high(beat.time_s, bpm)

    def _low(self, time_s: float, bpm: float) -> Iterator[Alarm]:
        limit = self._settings.rate_low_bpm
        if limit and bpm < limit:
            yield from self._begin("rate_low", time_s, bpm, limit, "/min", f"heart rate {bpm:.0f}/min, below {limit:g}")
        elif bpm >= limit * (1 + self._settings.hysteresis):
            yield from self._end("rate_low", time_s, bpm, limit, "/min", f"heart rate {bpm:.0f}/min again")

    def _high(self, time_s: float, bpm: float) -> Iterator[Alarm]:
        limit = self._settings.rate_high_bpm
        if limit and bpm > limit:
            yield from self._begin(
                "rate_high", time_s, bpm, limit, "/min", f"heart rate {bpm:.0f}/min, above {limit:g}"
            )
        elif bpm <= limit * (1 - self._settings.hysteresis):
            yield from self._end("rate_high", time_s, bpm, limit, "/min", f"heart rate {bpm:.0f}/min again")

    def _begin(self, rule: str, time_s: float, value: float, limit: float, unit: str, text: str) -> Iterator[Alarm]:
        soon = time_s - self._ended.get(rule, -math.inf) < self._settings.refractory_s
        if rule not in self._active and not soon:
            self._active[rule] = time_s
            yield Alarm(rule, "begins", round(time_s, 3), round(value, 2), limit, unit, text)

    def _end(self, rule: str, time_s: float, value: float, limit: float, unit: str, text: str) -> Iterator[Alarm]:
        if self._active.pop(rule, None) is not None:
            self._ended[rule] = time_s
            shown = 0.0 if math.isnan(value) else round(value, 2)
            yield Alarm(rule, "ends", round(time_s, 3), shown, limit, unit, text)

    def state(self) -> Json:
        """All of it as plain values."""
        last = None if math.isnan(self._last_beat_s) else self._last_beat_s
        return {
            "rr_ms": list(self._rr_ms),
            "v": self._v,
            "last_beat_s": last,
            "active": dict(self._active),
            "ended": dict(self._ended),
        }

    def restore(self, state: dict) -> None:  # type: ignore[type-arg]  # as `state` gave it
        """Take up what `state` gave."""
        self._rr_ms.extend(state["rr_ms"])
        self._v = state["v"]
        self._last_beat_s = math.nan if state["last_beat_s"] is None else state["last_beat_s"]
        self._active, self._ended = dict(state["active"]), dict(state["ended"])
