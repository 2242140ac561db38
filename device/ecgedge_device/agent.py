"""The agent: source -> judge -> store, and threads beside it that report what is stored.

Knows nothing of command lines, formats or models. Everything else in this package exists so that the loop of `Worker`
stays true: judge, make durable, and only then tell anyone.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

from ecgedge.bundle import Bundle
from ecgedge_device.delivery import Delivery
from ecgedge_device.desk import Desk, EngineMaker, Outcome, Watch, beat_engine
from ecgedge_device.files import FileKeeper
from ecgedge_device.health import Health
from ecgedge_device.housekeeping import Housekeeping
from ecgedge_device.live import Live
from ecgedge_device.log import log
from ecgedge_device.report_settings import REPORTS
from ecgedge_device.reporters import Reporter, open_reporter
from ecgedge_device.reserve import Reserve
from ecgedge_device.room import open_store, set_aside, with_room
from ecgedge_device.settings import Settings
from ecgedge_device.shelf import TASKS, Shelf, shelf_of
from ecgedge_device.source_settings import SOURCES, ReplaySettings, StdinSettings
from ecgedge_device.sources import Source, open_source
from ecgedge_device.store_errors import sole_agent
from ecgedge_device.worker import Worker

_JOIN_S = 10.0
"""A source that does not stop within this time is left behind; its result was not accepted."""


@dataclass(frozen=True)
class Served:
    """What one start of the agent came to."""

    outcomes: Sequence[Outcome]
    """Recordings and streams, in the order in which they ended."""
    unsent: int
    """Results in the store that a reporter has not taken yet."""
    trouble: Exception | None
    """Why the agent ended early, a source was given up, or results could not be sent."""


class Agent:
    """One device at work.

    Parameters
    ----------
    stop : ends it
    again : start a new run even if a recording was begun or judged before
    watch : sees the chunks of recordings pass
    make_engine, reporters : in place of what the settings say, for programs that bring their own

    Raises
    ------
    EcgedgeError
        A bundle is missing or damaged.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stop: threading.Event,
        again: bool = False,
        watch: Watch = iter,
        make_engine: EngineMaker = beat_engine,
        reporters: Mapping[str, Reporter] | None = None,
    ) -> None:
        self.settings = settings
        self.store_path: Path = settings.agent.store
        keeper = FileKeeper(self.store_path.with_suffix(""))
        self._desk = Desk(
            settings, stop, shelf_of(settings.agent), keeper, make_engine=make_engine, watch=watch, again=again
        )
        self._reporters = reporters
        self.sources: Mapping[str, Source] = {
            each.name: open_source(each, files=keeper.folder, stop=stop) for each in settings.sources
        }
        self.bundles  # noqa: B018  # a bundle that cannot be used is refused now, not at the first page

    @property
    def health(self) -> Health:
        """How each part does."""
        return self._desk.health

    @property
    def live(self) -> Live:
        """What goes on now."""
        return self._desk.live

    @property
    def shelf(self) -> Shelf:
        """The bundles of this device."""
        return self._desk.shelf

    @property
    def bundles(self) -> dict[str, Bundle]:
        """Task -> bundle in use."""
        return {task: self.shelf.active(task) for task in TASKS if task in self._tasks()}

    def _tasks(self) -> set[str]:
        """What the sources may bring."""
        signals = all(isinstance(each, ReplaySettings | StdinSettings) for each in self.settings.sources)
        return {"beat"} if signals else set(TASKS)

    def run(
        self,
        *,
        ready: Callable[[], object] = lambda: None,
        well: Callable[[str], object] = lambda _: None,
        ending: Callable[[], object] = lambda: None,
    ) -> Served:
        """Judge until all sources have ended or `stop` is set, then hand over what is left.

        With a web page it goes on until `stop`, so that results can be looked at.

        Parameters
        ----------
        ready : is called when everything has been started
        well : is called every few seconds while nothing hangs; feeds a watchdog
        ending : is called when nothing more is judged, and the rest is handed over

        Raises
        ------
        StoreError
            The store cannot be opened or is another agent's.
        SettingsError
            The web page cannot be opened as [web] says.
        """
        with sole_agent(self.store_path), open_store(self.store_path) as store, ExitStack() as stack:
            desk = self._desk
            deliveries = self._deliveries()
            set_aside(desk, store)
            Reserve(self.store_path).fill()
            for delivery in deliveries:
                with_room(desk, store, partial(store.register, delivery.name))
                stack.enter_context(delivery)
            desk.deliveries = deliveries
            self._open_web(stack)
            housekeeping = Housekeeping(desk, well)
            housekeeping.start()
            workers = self._workers()
            for worker in workers:
                worker.start()
            ready()
            self._wait(workers)
            ending()
            stack.close()  # hands over the rest
            housekeeping.join(_JOIN_S)
            unsent = sum(store.count_unsent(each.name, desk.told[each.name]) for each in deliveries)
            troubles = [*desk.failures, *(each.trouble for each in deliveries if each.trouble is not None)]
            return Served(tuple(desk.outcomes), unsent, troubles[0] if troubles else None)

    def _open_web(self, stack: ExitStack) -> None:
        if self.settings.web is None:
            return
        from ecgedge_device.web.server import WebServer

        server = WebServer(self)
        server.start()
        stack.callback(server.stop)
        log.info("web page", extra={"url": server.url})

    def _wait(self, workers: Sequence[Worker]) -> None:
        stays = self.settings.web is not None
        while (stays or any(worker.is_alive() for worker in workers)) and not self._desk.stop.wait(0.05):
            pass
        self._desk.stop.set()
        deadline_s = monotonic() + _JOIN_S
        for worker in workers:
            worker.join(max(0.0, deadline_s - monotonic()))

    def _workers(self) -> list[Worker]:
        found = []
        kinds = {settings: kind for kind, settings in SOURCES.items()}
        for each in self.settings.sources:
            self.health.source(each.name, kind=kinds[type(each)])
            lasting = not isinstance(each, ReplaySettings | StdinSettings)
            found.append(Worker(self._desk, each.name, self.sources[each.name], lasting=lasting))
        return found

    def _deliveries(self) -> list[Delivery]:
        agent, kinds = self.settings.agent, {settings: kind for kind, settings in REPORTS.items()}
        found = []
        for each in self.settings.reports:
            self.health.reporter(each.name, kind=kinds[type(each)])
            if self._reporters is not None and each.name in self._reporters:
                open_it = partial(self._reporters.__getitem__, each.name)
            else:
                open_it = partial(
                    open_reporter, each, device=agent.device, files=self._desk.keeper.folder, health=self.health
                )
            delivery = Delivery(
                self.store_path, each.name, each.send, open_it, health=self.health, drain_s=agent.drain_s
            )
            found.append(delivery)
        return found
