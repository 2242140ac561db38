"""The agent: source -> engine -> store, and one thread beside it that reports what is stored.

Knows nothing of command lines, formats or models. Everything else in this package exists so that `run` stays true.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ecgedge.bundle import Bundle, read_bundle
from ecgedge.engine import BeatEngine
from ecgedge.manifest import dump_manifest
from ecgedge.records import Recording, SignalChunk
from ecgedge_device.delivery import Delivery
from ecgedge_device.reporters import Reporter, open_reporter
from ecgedge_device.results import BundleId, Run, Stream
from ecgedge_device.settings import Settings
from ecgedge_device.sources import Source, open_source
from ecgedge_device.store import Store, sole_agent
from ecgedge_device.timed_engine import Engine, Latency, TimedEngine

EngineMaker = Callable[[Bundle, Stream, int], Engine]
"""Bundle, what the source delivers, number of threads -> an engine at its start."""
Watch = Callable[[Source], Iterable[SignalChunk]]
"""Hands the chunks of a source on, and may show how far it is."""


def run(chunks: Iterable[SignalChunk], engine: Engine, store: Store, *, entry: Run, stop: threading.Event) -> None:
    """Judge chunk after chunk, each durable before anything is told to anyone, until the end or the stop."""
    for chunk in chunks:
        beats = engine.judge(chunk)
        store.append(entry, beats, start=chunk.start, stop=chunk.start + len(chunk.signal), state=engine.state())
    if not stop.is_set():
        store.finish(entry, engine.finish())


@dataclass(frozen=True)
class Outcome:
    """What one start of the agent came to."""

    run: Run
    """As it stands in the store now."""
    notice: str
    """What is worth saying about where it began; may be empty."""
    bundle: Bundle
    recording: Recording | None
    lead: str
    latency: Latency | None
    """Of this start; None where nothing was judged."""
    unsent: int
    """Beats in the store that no reporter has taken yet."""
    trouble: Exception | None
    """Why they could not be sent, where that is known."""


def serve(
    settings: Settings,
    *,
    stop: threading.Event,
    again: bool = False,
    watch: Watch = iter,
    make_engine: EngineMaker | None = None,
    reporter: Reporter | None = None,
) -> Outcome:
    """Judge the source until its end, or until `stop` is set.

    Parameters
    ----------
    again : start a new run even if the recording was begun or judged before
    make_engine, reporter : in place of what the settings say, for programs that bring their own

    Raises
    ------
    EcgedgeError
        Bundle, source, store or report cannot be opened, or the store cannot be written.
    """
    bundle = read_bundle(settings.agent.bundle)
    source = open_source(settings.source, stop=stop)
    engine = TimedEngine((make_engine or beat_engine)(bundle, source.stream, settings.agent.threads))
    path = settings.agent.store
    with sole_agent(path), Store(path) as store:
        entry, notice = choose_run(store, source.stream, bundle_id(bundle), again=again)
        reporter = reporter or open_reporter(settings.report)  # under the lock: opening may repair a file
        with Delivery(path, reporter, drain_s=settings.agent.drain_s) as delivery:
            if not entry.finished_utc:
                go_on(entry, source, engine)
                run(watch(source), engine, store, entry=entry, stop=stop)
        return Outcome(
            run=store.run(entry.number),
            notice=notice,
            bundle=bundle,
            recording=source.recording,
            lead=engine.lead,
            latency=engine.latency(),
            unsent=store.count_unsent(),
            trouble=delivery.trouble,
        )


def beat_engine(bundle: Bundle, stream: Stream, threads: int) -> Engine:
    """The engine of a beat bundle."""
    return BeatEngine(bundle, fs_hz=stream.fs_hz, leads=stream.leads, threads=threads)


def bundle_id(bundle: Bundle) -> BundleId:
    """How a bundle is known again; its manifest holds the checksums of all its parts."""
    manifest = bundle.manifest
    checksum = hashlib.sha256(dump_manifest(manifest).encode()).hexdigest()
    return BundleId(manifest.name, manifest.version, checksum, manifest.labels)


def choose_run(store: Store, stream: Stream, bundle: BundleId, *, again: bool) -> tuple[Run, str]:
    """The run to go on with, or a new one; and what to tell the user about it."""
    last = store.last_run(stream.address)
    if last is None:
        return store.begin(stream, bundle), ""
    if again:
        return store.begin(stream, bundle), "judged once more"
    if changed := _changes(last, stream, bundle):
        return store.begin(stream, bundle), f"{changed}; a new run begins"
    if last.finished_utc:
        return last, f"judged to its end at {last.finished_utc}: nothing new; use --again to judge it once more"
    return last, f"goes on at {clock(last.next_sample / stream.fs_hz)}"


def _changes(last: Run, stream: Stream, bundle: BundleId) -> str:
    """What is different from the last run; empty where nothing is."""
    if last.bundle != bundle:
        old, new = f"{last.bundle.name} {last.bundle.version}", f"{bundle.name} {bundle.version}"
        return f"the bundle has changed from {old} to {new if new != old else 'another of that version'}"
    return "the recording has changed" if last.stream != stream else ""


def go_on(entry: Run, source: Source, engine: Engine) -> None:
    """Bring source and engine to where the run stands."""
    if entry.next_sample > 0:
        engine.restore(entry.state)
        source.seek(entry.next_sample)


def clock(seconds: float) -> str:
    """Time since the start of a recording: `5:32`, or `1:05:32`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
