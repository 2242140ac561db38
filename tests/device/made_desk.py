"""Parts of the agent put together by hand: a desk, live streams and sources that are made, lost and found again."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ecgedge.records import FloatArray, Recording, SignalChunk
from ecgedge_device.desk import Desk, EngineMaker
from ecgedge_device.files import FileKeeper
from ecgedge_device.results import KINDS, Result, Stream
from ecgedge_device.settings import AgentSettings, AlarmSettings, KeepSettings, Settings
from ecgedge_device.shelf import Shelf
from ecgedge_device.source_settings import HttpSettings
from ecgedge_device.sources import Done, LiveChunk, Reason, SourceError, Work
from ecgedge_device.store import Store
from ecgedge_device.worker import Worker
from tests.device.simple_agent import FS_HZ, make_bundle, maker

BEGUN_S = 1_700_000_000.0
"""When live streams began, seconds since 1970."""


def made_desk(
    folder: Path,
    *,
    make_engine: EngineMaker | None = None,
    alarms: AlarmSettings | None = None,
    keep: KeepSettings | None = None,
    bundle: str = "",
    page_bundle: str = "page",
) -> Desk:
    """A desk whose store lies in a folder, with the simple bundle and engine where no others are given."""
    folder.mkdir(parents=True, exist_ok=True)
    beat = bundle or str(make_bundle(folder / "simple.tflite"))
    settings = Settings(
        sources=(HttpSettings(),),
        agent=AgentSettings(store=folder / "ecgedge.sqlite", bundle=beat, page_bundle=page_bundle),
        alarms=alarms or AlarmSettings(),
        keep=keep or KeepSettings(),
    )
    keeper = FileKeeper(settings.agent.store.with_suffix(""))
    shelf = Shelf(keeper.folder / "bundles", {"beat": beat, "page": page_bundle})
    return Desk(settings, threading.Event(), shelf, keeper, make_engine=make_engine or maker())


class LiveWork:
    """A signal that is measured now: chunks with their time, a hook before each, and an end by being lost.

    Parameters
    ----------
    signal : (n, 1) float32, mV
    before : is called with the number of each chunk before it is handed over
    """

    def __init__(
        self,
        signal: FloatArray,
        *,
        chunk: int = 125,
        before: Callable[[int], None] = lambda _: None,
        fs_hz: float = FS_HZ,
        lead: str = "II",
    ) -> None:
        self.stream = Stream("made:live", "live", fs_hz, (lead,), 0, "", "live")
        self._signal, self._chunk, self._before = signal, chunk, before
        self._offset = 0

    @property
    def live(self) -> bool:
        return True

    @property
    def recording(self) -> Recording | None:
        return None

    def seek(self, sample: int) -> None:
        self._offset = sample

    def __iter__(self) -> Iterator[SignalChunk]:
        offset, fs_hz = self._offset, self.stream.fs_hz
        for number, at in enumerate(range(0, len(self._signal), self._chunk)):
            self._before(number)
            yield LiveChunk(self._signal[at : at + self._chunk], offset + at, BEGUN_S + at / fs_hz)
        raise SourceError("made: unplugged; plug it in", reason=Reason.LOST)


@dataclass
class ListSource:
    """Offers a list of work, one part of it each time it is opened; an exception in the list is raised."""

    parts: list[list[Work | Exception]]
    heard: list[tuple[Work, Done]] = field(default_factory=list)
    opened: int = 0

    def __iter__(self) -> Iterator[Work]:
        self.opened += 1
        for work in self.parts.pop(0) if self.parts else ():
            if isinstance(work, Exception):
                raise work
            yield work

    def done(self, work: Work, done: Done) -> None:
        self.heard.append((work, done))


def run_source(desk: Desk, source: ListSource, *, name: str = "live", lasting: bool = True) -> None:
    """One thread over a source, until it ends."""
    desk.health.source(name, kind="made")
    worker = Worker(desk, name, source, lasting=lasting)
    worker.start()
    worker.join(60)
    assert not worker.is_alive()


def results_of(desk: Desk, kinds: Sequence[str] = KINDS) -> list[Result]:
    """All that is stored, in the order of storing; told to a reporter that was there from the start."""
    with Store(desk.settings.agent.store) as store:
        store.connection.execute("INSERT OR IGNORE INTO reporters (name, done) VALUES ('everything', 0)")
        return store.unsent("everything", kinds, 1_000_000)


def wait_until(done: Callable[[], bool], *, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.01)


def nothing(seconds: float) -> FloatArray:
    """A stretch in which nothing was measured."""
    return np.full((round(seconds * FS_HZ), 1), np.nan, np.float32)
