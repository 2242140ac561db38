"""What the web page sees of the agent, and what its handlers share. Knows nothing of threads or sources' workings."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Protocol

from starlette.requests import HTTPConnection

from ecgedge.bundle import Bundle
from ecgedge_device.health import Health
from ecgedge_device.live import Live
from ecgedge_device.settings import Settings, WebSettings
from ecgedge_device.source_settings import HttpSettings
from ecgedge_device.sources import Inbox, Source, Triggered
from ecgedge_device.web.access import Access
from ecgedge_device.web.events import Broadcast
from ecgedge_device.web.rendering import Renderer

_UPLOADS = 2


class AgentView(Protocol):
    """The parts of an agent that the web page reads."""

    @property
    def settings(self) -> Settings:
        """As read from agent.toml."""
        ...

    @property
    def health(self) -> Health:
        """How sources and reporters do."""
        ...

    @property
    def live(self) -> Live:
        """What goes on right now."""
        ...

    @property
    def sources(self) -> Mapping[str, Source]:
        """By name; some take pictures when told to, some are handed files."""
        ...

    @property
    def store_path(self) -> Path:
        """SQLite file; each thread opens its own store on it."""
        ...

    @property
    def bundles(self) -> Mapping[str, Bundle]:
        """The bundles that judge now, by task: "beat", "page"."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """What all handlers share."""

    agent: AgentView
    web: WebSettings
    access: Access
    broadcast: Broadcast
    renderer: Renderer
    uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_UPLOADS))
    """Held while files come in: each is in memory."""
    started_s: float = field(default_factory=monotonic)

    @property
    def inboxes(self) -> dict[str, Inbox]:
        """Sources that are handed files, by name."""
        return {name: source for name, source in self.agent.sources.items() if isinstance(source, Inbox)}

    @property
    def cameras(self) -> dict[str, Triggered]:
        """Sources that take a picture when told to, by name."""
        return {name: source for name, source in self.agent.sources.items() if isinstance(source, Triggered)}

    def limit_bytes(self, inbox: str) -> int:
        """Largest file of an inbox, bytes."""
        found = [
            one.limit_mb for one in self.agent.settings.sources if one.name == inbox and isinstance(one, HttpSettings)
        ]
        return round((found[0] if found else HttpSettings().limit_mb) * 1e6)


def site_of(connection: HTTPConnection) -> Site:
    """The site that a request belongs to."""
    site: Site = connection.app.state.site
    return site
