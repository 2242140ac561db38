"""What all threads of the agent share."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ecgedge.bundle import Bundle
from ecgedge.engine import BeatEngine
from ecgedge.records import Recording, SignalChunk
from ecgedge_device.delivery import Delivery
from ecgedge_device.files import FileKeeper
from ecgedge_device.health import Health
from ecgedge_device.live import Event, Live
from ecgedge_device.page_judge import PageJudge
from ecgedge_device.results import Result, Run, Stream, as_plain
from ecgedge_device.settings import Settings
from ecgedge_device.shelf import Shelf
from ecgedge_device.sources import SignalWork
from ecgedge_device.timed_engine import Engine, Latency

EngineMaker = Callable[[Bundle, Stream, int], Engine]
"""Bundle, what the source delivers, number of threads -> an engine at its start."""
Watch = Callable[[SignalWork], Iterable[SignalChunk]]
"""Hands the chunks of a recording on, and may show how far it is."""


def beat_engine(bundle: Bundle, stream: Stream, threads: int) -> Engine:
    """The engine of a beat bundle."""
    return BeatEngine(bundle, fs_hz=stream.fs_hz, leads=stream.leads, threads=threads)


@dataclass(frozen=True)
class Outcome:
    """What one start of the agent did with one recording or stream."""

    run: Run
    """As it stands in the store now."""
    notice: str
    """What is worth saying about where it began; may be empty."""
    bundle: Bundle
    recording: Recording | None
    lead: str
    latency: Latency | None
    """Of this start; None where nothing was judged."""


@dataclass
class Desk:
    """One agent's shared things; each is safe to use from any thread."""

    settings: Settings
    stop: threading.Event
    shelf: Shelf
    keeper: FileKeeper
    health: Health = field(default_factory=Health)
    live: Live = field(default_factory=Live)
    make_engine: EngineMaker = beat_engine
    watch: Watch = iter
    again: bool = False
    deliveries: Sequence[Delivery] = ()
    outcomes: list[Outcome] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    """Of sources that were given up, and what ended the agent."""
    _pages: tuple[Bundle, PageJudge] | None = None
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @property
    def kept_files(self) -> FileKeeper | None:
        """Where pictures and snippets go; None where the settings keep none."""
        return self.keeper if self.settings.keep.pictures else None

    @property
    def told(self) -> dict[str, tuple[str, ...]]:
        """Reporter -> kinds of results that it is told."""
        return {each.name: each.send for each in self.settings.reports}

    def page_judge(self) -> PageJudge:
        """The judge of pages with the bundle in use; opened when the first page comes, and after a change of bundle."""
        with self._opening:
            if self._pages is None or self.shelf.changed("page", self._pages[0]):
                bundle, agent = self.shelf.active("page"), self.settings.agent
                judge = PageJudge(bundle, threads=agent.threads, any_layout=agent.any_layout, keeper=self.kept_files)
                self._pages = (bundle, judge)
            return self._pages[1]

    def tell(self, results: Sequence[Result]) -> None:
        """These are stored: wake who reports, and show them."""
        for delivery in self.deliveries:
            delivery.wake()
        for result in results:
            self.live.publish(Event("result", result.source, as_plain(result)))

    def fail(self, error: Exception) -> None:
        """The agent cannot go on."""
        self.failures.append(error)
        self.stop.set()
