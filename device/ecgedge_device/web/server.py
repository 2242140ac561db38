"""The web application behind a port: a thread of its own, TLS where the settings give a certificate."""

import asyncio
import logging
import socket
import ssl
import threading
from time import monotonic, sleep

import uvicorn

from ecgedge.errors import SettingsError
from ecgedge_device.settings import WebSettings
from ecgedge_device.web.app import create_app
from ecgedge_device.web.view import AgentView, Site

_START_S = 30.0
_GRACE_S = 3
_MOST_CONNECTIONS = 100
_LOG = logging.getLogger("ecgedge.web")


class WebServer:
    """One server; `start` it, `stop` it.

    Raises
    ------
    SettingsError
        [web] lets others in without token or users, the address is taken, or the certificate is unusable.
    """

    def __init__(self, agent: AgentView) -> None:
        web = agent.settings.web or WebSettings()
        self._web = web
        app = create_app(agent)
        self._site: Site = app.state.site
        config = uvicorn.Config(
            app,
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,  # addresses hold ids of results
            proxy_headers=False,  # a header would decide whose failed logins are counted
            server_header=False,
            date_header=True,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=_GRACE_S,
            h11_max_incomplete_event_size=32_768,
            ssl_certfile=web.tls_cert,
            ssl_keyfile=web.tls_key,
        )
        _check_certificate(config, web)
        self._server = uvicorn.Server(config)
        self._socket = _listen(web)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def port(self) -> int:
        """The real one, also where the settings say 0."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Where the page is."""
        host = f"[{self._web.address}]" if ":" in self._web.address else self._web.address
        return f"{'https' if self._web.tls_cert else 'http'}://{host}:{self.port}/"

    def start(self) -> None:
        """Return when it answers."""
        self._thread.start()
        until_s = monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or monotonic() > until_s:
                raise SettingsError(f"[web] the server at {self.url} did not start; the log says why")
            sleep(0.005)
        if not (self._site.access.tls or self._site.access.open or self._web.address.startswith("127.")):
            _LOG.warning("[web] %s is not encrypted: passwords and results can be read on the way", self.url)

    def _run(self) -> None:
        self._loop = asyncio.new_event_loop()
        try:
            self._loop.run_until_complete(self._server.serve(sockets=[self._socket]))
        finally:
            self._loop.close()

    def stop(self) -> None:
        """Close all connections; returns when the port is free."""
        if self._thread.is_alive() and self._loop is not None:
            self._loop.call_soon_threadsafe(self._site.broadcast.close)  # streams never end by themselves
            self._server.should_exit = True
            self._thread.join(_GRACE_S + 2)
        self._socket.close()


def _listen(web: WebSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in web.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((web.address, web.port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"[web] {web.address} port {web.port}: {error.strerror}; choose another address or port"
        ) from None
    return listener


def _check_certificate(config: uvicorn.Config, web: WebSettings) -> None:
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "no PEM file"
        raise SettingsError(f"[web] tls_cert = {web.tls_cert}, tls_key = {web.tls_key}: {reason}; check both") from None
