"""Signals to durable results, chunk by chunk: a run begins or goes on, bundles change, a recording ends."""

from collections.abc import Sequence
from uuid import UUID, uuid5

import numpy as np

from ecgedge.bundle import Bundle
from ecgedge.errors import EcgedgeError, InputError, StoreError
from ecgedge.manifest import Json
from ecgedge.quality import find_faults
from ecgedge.records import Beat, Recording, SignalChunk
from ecgedge_device.desk import Desk, Outcome
from ecgedge_device.heart import Pulse, heart_figures
from ecgedge_device.live import Event
from ecgedge_device.log import log
from ecgedge_device.refusals import Refusals, words_for
from ecgedge_device.results import Run
from ecgedge_device.room import with_room
from ecgedge_device.runs import bundle_id, choose_run
from ecgedge_device.signal_judge import Judged, SignalJudge
from ecgedge_device.signal_view import beats_event, signal_event
from ecgedge_device.sources import Done, SignalWork
from ecgedge_device.store import Store
from ecgedge_device.timed_engine import TimedEngine

_GAP_S = 2.0
"""Of nothing measured, where a live stream goes on after a restart."""
_SPACE = UUID("0d2f2d0c-61a5-4a77-8f0e-8b9b5a0a3c54")  # of ids of refused recordings


class SignalJudging:
    """Judges the signals of one source into a store.

    Parameters
    ----------
    source : its name
    lasting : whether it brings one thing after another, so that none may hold up the next
    """

    def __init__(self, desk: Desk, store: Store, source: str, *, lasting: bool) -> None:
        self._desk, self._store, self._source, self._lasting = desk, store, source, lasting
        self._refusals = Refusals(desk, store, source)
        self._unfit: Bundle | None = None  # in use, but not for this stream

    def judge(self, work: SignalWork) -> Done | None:
        """Judge a signal to its end, and return when all is durable; None where the agent was stopped before.

        Raises
        ------
        EcgedgeError
            The store cannot be written, a bundle is damaged, or a live source was lost (`SourceError`).
        """
        if work.live or not self._lasting:
            return self._judged(work)
        try:
            return self._judged(work)
        except InputError as error:
            reason = " ".join(str(error).split())
        except EcgedgeError:
            raise
        except Exception as error:  # one recording of many must not hold up those behind it
            log.exception("recording failed", extra={"source": self._source})
            reason = f"{work.stream.recording}: {words_for(error)}"
        return self._refusals.keep(str(uuid5(_SPACE, work.stream.address)), work.stream.recording, "", reason)

    def _judged(self, work: SignalWork) -> Done | None:
        begun = self._begin(work)
        if begun is None:
            return None
        judge, notice = begun
        if judge.run.finished_utc:
            self._note(work, judge, notice)
            return Done("known")
        for chunk in work if work.live else self._desk.watch(work):
            swapped = self._swapped(judge, work)
            if swapped is None:
                break
            judge = swapped
            if not self._keep(judge, judge.judge(chunk), chunk):
                break
        ended = not self._desk.stop.is_set() and not work.live
        if ended:
            self._finish(work, judge)
        self._note(work, judge, notice)
        return Done("judged") if ended else None

    def _begin(self, work: SignalWork) -> tuple[SignalJudge, str] | None:
        """The judge of a run that goes on or begins; None where the agent was stopped before there was space for it."""
        bundle = self._desk.shelf.active("beat")
        again = self._desk.again and not work.live
        chosen = with_room(
            self._desk, self._store, lambda: choose_run(self._store, work, bundle_id(bundle), again=again)
        )
        if chosen is None:
            return None
        run, notice = chosen
        judge = self._judge_of(run, bundle)
        if run.finished_utc or not run.next_sample:
            return judge, notice
        try:
            judge.restore(run.state)
        except StoreError as error:
            if not (work.live or self._lasting):
                raise
            log.warning("saved state cannot be taken up, a new run begins", extra={"source": self._source})
            fresh = with_room(self._desk, self._store, lambda: self._store.begin(work.stream, bundle_id(bundle)))
            return None if fresh is None else (self._judge_of(fresh, bundle), str(error))
        work.seek(run.next_sample)
        if work.live:
            self._bridge(work, judge)
        return judge, notice

    def _judge_of(self, run: Run, bundle: Bundle) -> SignalJudge:
        desk = self._desk
        engine = TimedEngine(desk.make_engine(bundle, run.stream, desk.settings.agent.threads))
        return SignalJudge(run, engine, desk.settings.alarms, desk.kept_files, bundle=bundle)

    def _bridge(self, work: SignalWork, judge: SignalJudge) -> None:
        """A live stream goes on: what was missed stands as a gap."""
        n = round(_GAP_S * work.stream.fs_hz)
        nothing = np.full((n, len(work.stream.leads)), np.nan, np.float32)
        chunk = SignalChunk(nothing, judge.run.next_sample)
        self._keep(judge, judge.judge(chunk), chunk)
        work.seek(chunk.start + n)

    def _swapped(self, judge: SignalJudge, work: SignalWork) -> SignalJudge | None:
        """The judge, or a new one where another bundle has been put to use; None where the agent was stopped."""
        if not self._desk.shelf.changed("beat", judge.bundle):
            return judge
        bundle = self._desk.shelf.active("beat")
        if bundle in (judge.bundle, self._unfit):
            return judge
        try:
            new = self._judge_of(judge.run, bundle)
        except InputError as error:  # it needs another lead, say: the one that judges goes on
            self._unfit = bundle
            log.error("bundle does not fit", extra={"source": self._source, "reason": str(error)})
            return judge
        last = Judged((), (), (), b"") if new.knows_as(judge) else judge.settle()
        new.take_over(judge)
        findings = [*last.findings, judge.summary(self._figures(work, judge, last.beats))]
        handed = with_room(
            self._desk,
            self._store,
            lambda: self._store.hand_over(
                judge.run,
                bundle_id(bundle),
                last.beats,
                at=judge.judged,
                state=new.state(),
                times_utc=last.times_utc,
                findings=findings,
            ),
        )
        if handed is None:
            return None
        new.run, results = handed
        self._desk.health.count(self._source, judged=len(last.beats))
        self._desk.tell(results)
        name = f"{new.run.bundle.name} {new.run.bundle.version}"
        log.info("bundle changed", extra={"source": self._source, "bundle": name})
        return new

    def _keep(self, judge: SignalJudge, judged: Judged, chunk: SignalChunk) -> bool:
        """Store what a chunk came to; whether that was done."""
        stop = chunk.start + len(chunk.signal)
        results = with_room(
            self._desk,
            self._store,
            lambda: self._store.append(
                judge.run,
                judged.beats,
                start=chunk.start,
                stop=stop,
                state=judged.state,
                times_utc=judged.times_utc,
                findings=judged.findings,
            ),
        )
        if results is None:
            return False
        self._desk.health.count(self._source, judged=len(judged.beats))
        self._show(judge, judged, chunk)
        self._desk.tell(results)
        return True

    def _show(self, judge: SignalJudge, judged: Judged, chunk: SignalChunk) -> None:
        live, fs_hz = self._desk.live, judge.run.stream.fs_hz
        if not live.watched:
            return
        signal = signal_event(judge.lead_mv(chunk), chunk.start, fs_hz=fs_hz, lead=judge.engine.lead)
        live.publish(Event("signal", self._source, signal))
        if judged.beats:
            live.publish(Event("beats", self._source, beats_event(judged.beats, fs_hz=fs_hz)))

    def _finish(self, work: SignalWork, judge: SignalJudge) -> None:
        judged = judge.finish()
        findings = [*judged.findings, judge.summary(self._figures(work, judge, judged.beats))]
        results = with_room(
            self._desk,
            self._store,
            lambda: self._store.finish(judge.run, judged.beats, times_utc=judged.times_utc, findings=findings),
        )
        if results is not None:
            self._desk.health.count(self._source, judged=len(judged.beats))
            self._desk.tell(results)

    def _figures(self, work: SignalWork, judge: SignalJudge, last: Sequence[Beat]) -> dict[str, Json]:
        """What is told of a run at its end; of a live stream the minutes tell the rest."""
        content: dict[str, Json] = {"seconds": round(judge.judged / judge.run.stream.fs_hz, 2)}
        if work.recording is not None:
            beats = [*self._store.beats(judge.run), *last]
            content |= heart_figures([Pulse(beat.time_s, beat.label, beat.rr_ms) for beat in beats])
            content["faults"] = _faults(work.recording, judge.engine.lead)
        return content

    def _note(self, work: SignalWork, judge: SignalJudge, notice: str) -> None:
        """Keep what came of it for whoever started the agent; of a source without end only the log says it."""
        run, engine = self._store.run(judge.run.number), judge.engine
        if not self._lasting:
            outcome = Outcome(run, notice, judge.bundle, work.recording, engine.lead, engine.latency())
            self._desk.outcomes.append(outcome)
        elif run.finished_utc:
            log.info("recording judged", extra={"source": self._source, "run": run.uid})


def _faults(recording: Recording, lead: str) -> list[Json]:
    """What was wrong with the judged lead, in words."""
    column = recording.lead(lead)
    one = Recording(recording.signal[:, column : column + 1], recording.fs_hz, (lead,), recording.name)
    return [fault.message for fault in find_faults(one)]
