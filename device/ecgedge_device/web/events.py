"""Live events to browsers as server-sent events: one thread listens for all of them, and only while somebody looks.

A browser that does not take its events in time is let go of; it comes back by itself and loses what it missed.
"""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ecgedge_device.live import Event, Live

HEARTBEAT_S = 15.0
"""Without an event for so long a comment is sent, so that both sides know that the other is there."""
MOST_CLIENTS = 16
MOST_WAITING = 400
"""Events that wait for one client until it is let go of."""
SEND_S = 5.0
"""Longest time that a client may block a write."""
LONGEST_S = 900.0
"""After this a client has to come anew and prove again that it may."""
_POLL_S = 0.5


class TooManyClients(Exception):
    """All places are taken."""


class Client:
    """What one browser has not been sent yet; used from the event loop alone."""

    def __init__(self, sources: frozenset[str]) -> None:
        self._sources = sources
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self.ended = False
        """Whether it was let go of."""

    def put(self, source: str, text: bytes) -> None:
        """Queue an event that it wants."""
        if self._sources and source not in self._sources:
            return
        if len(self._waiting) >= MOST_WAITING:
            self.end()
            return
        self._waiting.append(text)
        self._wake.set()

    def end(self) -> None:
        """Let go of it."""
        self.ended = True
        self._wake.set()

    async def take(self, timeout_s: float) -> bytes:
        """All that waits, as one piece; empty where nothing came."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        self._wake.clear()
        text = b"".join(self._waiting)
        self._waiting.clear()
        return text


class Broadcast:
    """Passes events from the agent's threads to the clients of one event loop."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._clients: set[Client] = set()
        self._pump: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    def join(self, sources: frozenset[str]) -> Client:
        """Add a client; call it in the event loop.

        Raises
        ------
        TooManyClients
            There are `MOST_CLIENTS` already, or the server stops.
        """
        client = Client(sources)
        with self._lock:
            if self._closed or len(self._clients) >= MOST_CLIENTS:
                raise TooManyClients(f"{len(self._clients)} watch already, {MOST_CLIENTS} can; close a page")
            self._clients.add(client)
            if self._pump is None:
                loop = asyncio.get_running_loop()
                self._pump = threading.Thread(target=self._run, args=(loop,), name="web events", daemon=True)
                self._pump.start()
        return client

    def leave(self, client: Client) -> None:
        """Remove a client."""
        with self._lock:
            self._clients.discard(client)

    def close(self) -> None:
        """Let go of all clients, so that the server can stop; call it in the event loop."""
        with self._lock:
            self._closed = True
            clients = tuple(self._clients)
        for client in clients:
            client.end()

    @property
    def clients(self) -> int:
        """How many watch."""
        return len(self._clients)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._live.subscribe() as subscription, suppress(RuntimeError):  # the loop is closed: the server is gone
            while self._wanted():
                if events := subscription.take(_POLL_S):
                    loop.call_soon_threadsafe(self._spread, [(event.source, as_text(event)) for event in events])

    def _wanted(self) -> bool:
        with self._lock:
            if not self._clients:
                self._pump = None
            return bool(self._clients)

    def _spread(self, events: Sequence[tuple[str, bytes]]) -> None:
        for client in tuple(self._clients):
            for source, text in events:
                client.put(source, text)


def as_text(event: Event) -> bytes:
    """An event as `text/event-stream` has it; its data has the source beside what it tells."""
    data = json.dumps({**event.data, "source": event.source}, allow_nan=False, separators=(",", ":"))
    return f"event: {event.topic}\ndata: {data}\n\n".encode()


class EventStream(Response):
    """The answer to one client; lasts until it leaves, is too slow, or the server stops."""

    def __init__(self, broadcast: Broadcast, client: Client) -> None:
        super().__init__(status_code=200, media_type="text/event-stream")
        del self.headers["content-length"]
        self._broadcast, self._client = broadcast, client

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send events as they come."""
        watch = asyncio.ensure_future(_gone(receive))
        watch.add_done_callback(lambda _: self._client.end())
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._feed(send)
        except TimeoutError:
            pass  # it takes nothing any more; the connection is closed behind us
        finally:
            self._broadcast.leave(self._client)
            watch.cancel()

    async def _feed(self, send: Send) -> None:
        until_s = monotonic() + LONGEST_S
        text = b"retry: 2000\n\n"
        while not self._client.ended and monotonic() < until_s:
            await _write(send, text or b": still here\n\n")
            text = await self._client.take(HEARTBEAT_S)
        await _write(send, b"", more=False)


async def _write(send: Send, body: bytes, *, more: bool = True) -> None:
    message: Message = {"type": "http.response.body", "body": body, "more_body": more}
    async with asyncio.timeout(SEND_S):
        await send(message)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def wanted_sources(request: Request) -> frozenset[str]:
    """Names in `?source=`; none: all."""
    return frozenset(request.query_params.getlist("source"))
