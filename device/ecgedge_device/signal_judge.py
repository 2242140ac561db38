"""One signal through an engine: beats, minutes, alarms, with one state for all of them. Stores nothing itself."""

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

import numpy as np

from ecgedge.bundle import Bundle
from ecgedge.errors import StoreError
from ecgedge.manifest import Json
from ecgedge.records import Beat, FloatArray, SignalChunk
from ecgedge_device.alarms import Alarm, Alarms
from ecgedge_device.at_hand import SignalAtHand
from ecgedge_device.clock import StreamClock
from ecgedge_device.files import FileKeeper
from ecgedge_device.log import log
from ecgedge_device.minutes import Minutes
from ecgedge_device.results import Finding, Kind, Run
from ecgedge_device.settings import AlarmSettings
from ecgedge_device.store_errors import StoreFull
from ecgedge_device.timed_engine import TimedEngine

SNIPPET_S = 20.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What one chunk came to, to be stored together."""

    beats: Sequence[Beat]
    times_utc: Sequence[str]
    findings: Sequence[Finding]
    state: bytes


class SignalJudge:
    """A run's engine and what is drawn from its beats.

    Parameters
    ----------
    keeper : where snippets go; None keeps none
    """

    def __init__(
        self, run: Run, engine: TimedEngine, alarms: AlarmSettings, keeper: FileKeeper | None, *, bundle: Bundle
    ) -> None:
        self.run, self.engine, self.bundle = run, engine, bundle
        self._keeper = keeper
        fs_hz = run.stream.fs_hz
        self._minutes, self._alarms, self._clock = Minutes(fs_hz), Alarms(alarms), StreamClock(fs_hz)
        self._at_hand = SignalAtHand(fs_hz)
        self._longest_rr_s = alarms.pause_s or math.inf
        self._column = run.stream.leads.index(engine.lead)
        self._first = 0
        """Sample at which the engine began; another one than 0 where it took over from another bundle's."""
        self.judged = run.next_sample
        """Samples judged so far."""

    def judge(self, chunk: SignalChunk) -> Judged:
        """Judge the next chunk."""
        self._clock.see(chunk)
        lead_mv = chunk.signal[:, self._column]
        self._at_hand.add(lead_mv, chunk.start)
        self._minutes.measure(lead_mv, chunk.start)
        self.judged = chunk.start + len(lead_mv)
        beats = self.engine.judge(SignalChunk(chunk.signal, chunk.start - self._first))
        judged = self._drawn(self._placed(beats), until_s=self.judged / self.run.stream.fs_hz)
        self._at_hand.let_go()
        return judged

    def finish(self) -> Judged:
        """Judge what is still open at the end of a recording."""
        return self._drawn(self._placed(self.engine.finish()), until_s=math.inf)

    def settle(self) -> Judged:
        """Judge what is still open, where another bundle goes on: minutes and alarms stay open."""
        return self._drawn(self._placed(self.engine.finish()), until_s=self.judged / self.run.stream.fs_hz)

    def take_over(self, old: "SignalJudge") -> None:
        """Go on where another bundle's judge stands.

        Minutes, alarms and time go on. So does what the engine knows of the patient, where both bundles see the signal
        alike; else `old` must have been settled, and the engine begins anew.
        """
        head, _, engine = old.state().partition(b"\n")
        self._restore_head(head)
        self.judged = old.judged
        if self.knows_as(old):
            self._first = old._first
            self.engine.restore(engine)
        else:
            self._first = old.judged

    def knows_as(self, other: "SignalJudge") -> bool:
        """Whether both bundles prepare the signal alike, so that one can go on with the other's state."""
        return self.bundle.manifest.preprocessing == other.bundle.manifest.preprocessing

    def _placed(self, beats: Sequence[Beat]) -> Sequence[Beat]:
        """Beats as the stream numbers them."""
        first, fs_hz = self._first, self.run.stream.fs_hz
        if not first:
            return beats
        return [replace(beat, sample=beat.sample + first, time_s=(beat.sample + first) / fs_hz) for beat in beats]

    def lead_mv(self, chunk: SignalChunk) -> FloatArray:
        """The judged lead of a chunk."""
        return chunk.signal[:, self._column]

    def _drawn(self, beats: Sequence[Beat], *, until_s: float) -> Judged:
        self._minutes.add(beats)
        alarms = list(self._alarms.beats([self._as_heard(beat) for beat in beats]))
        if math.isfinite(until_s) and self._alarms.silent(until_s):
            alarms += self._alarms.silence(until_s, self._at_hand.good_since_s())
        minutes = [self._minute(content) for content in self._minutes.closed(until_s)]
        findings = [*(self._alarm(alarm) for alarm in alarms), *minutes]
        state = b"" if until_s == math.inf else self.state()
        return Judged(beats, self._clock.beats(beats), findings, state)

    def _as_heard(self, beat: Beat) -> Beat:
        """The beat without its RR interval, where that is a pause only because the signal was bad."""
        rr_s = beat.rr_ms / 1000
        if rr_s > self._longest_rr_s >= self._at_hand.longest_good_s(beat.time_s - rr_s, beat.time_s):
            return replace(beat, rr_ms=math.nan)
        return beat

    def _minute(self, content: dict[str, Json]) -> Finding:
        start_s = float(str(content["start_s"]))
        sample = round(start_s * self.run.stream.fs_hz)
        return self._finding("minute", f"minute {start_s:g}", self._clock.utc(sample), content)

    def _alarm(self, alarm: Alarm) -> Finding:
        name = f"alarm {alarm.rule} {alarm.state} {alarm.time_s}"
        time_utc = self._clock.utc(round(alarm.time_s * self.run.stream.fs_hz))
        files, size = self._snippet(str(uuid5(UUID(self.run.uid), name))) if alarm.state == "begins" else ({}, 0)
        return self._finding("alarm", name, time_utc, alarm.content(), files, size)

    def _snippet(self, uid: str) -> tuple[dict[str, str], int]:
        part = self._at_hand.last(SNIPPET_S)
        if self._keeper is None or not len(part):
            return {}, 0
        fs_hz = self.run.stream.fs_hz
        begin_s = (self.judged - len(part)) / fs_hz
        buffer = io.BytesIO()
        np.savez_compressed(buffer, mv=part, fs_hz=fs_hz, start_s=begin_s, lead=self.engine.lead)
        content = buffer.getvalue()
        try:
            return {"snippet": self._keeper.keep("snippet", uid, content)}, len(content)
        except StoreFull as full:  # an alarm is told all the same
            log.warning("no space for a snippet", extra={"source": self.run.stream.source, "reason": str(full)})
            return {}, 0

    def _finding(
        self,
        kind: Kind,
        name: str,
        time_utc: str,
        content: dict[str, Json],
        files: dict[str, str] | None = None,
        size: int = 0,
    ) -> Finding:
        run = self.run
        bundle = f"{run.bundle.name} {run.bundle.version}"
        full: dict[str, Json] = {"recording": run.stream.recording, "bundle": bundle, **content}
        uid = str(uuid5(UUID(run.uid), name))
        return Finding(uid, kind, run.stream.source, time_utc, full, files or {}, size)

    def summary(self, content: dict[str, Json]) -> Finding:
        """The result of a recording that has been judged to its end, with the last of its signal."""
        files, size = self._snippet(str(uuid5(UUID(self.run.uid), "recording")))
        return self._finding("recording", "recording", self._clock.utc(0), content, files, size)

    def state(self) -> bytes:
        """All that a restart needs."""
        drawn = {"minutes": self._minutes.state(), "alarms": self._alarms.state(), "clock": self._clock.state()}
        head = json.dumps({"first": self._first, **drawn}, allow_nan=False)
        return head.encode() + b"\n" + self.engine.state()

    def restore(self, state: bytes) -> None:
        """Take up a saved state.

        Raises
        ------
        StoreError
            It is damaged or of another version.
        """
        if state.startswith(b"PK"):  # of ecgedge 0.1: the engine's alone
            self.engine.restore(state)
            return
        head, _, engine = state.partition(b"\n")
        self._restore_head(head)
        self.engine.restore(engine)

    def _restore_head(self, head: bytes) -> None:
        try:
            drawn = json.loads(head)
            self._first = int(drawn["first"])
            self._minutes.restore(drawn["minutes"])
            self._alarms.restore(drawn["alarms"])
            self._clock.restore(drawn["clock"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"saved state of {self.run.stream.recording} cannot be taken up ({error!r}); use --again"
            ) from None
