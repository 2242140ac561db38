"""A real HTTP server on loopback that keeps what it is sent and answers as a test wishes."""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.device.broker import free_port


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes
    connection: tuple[str, int]
    """Of the client."""


@dataclass(frozen=True)
class Reply:
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    pieces: Callable[[], object] | None = None
    """Called before each byte of the body: to be slow."""
    early: bool = True
    """Whether the head goes before the body is made; else `pieces` is called once, before it."""
    cut: bool = False
    """End the connection without an answer."""
    hang_up: bool = False
    """End the connection after the answer, without having said so."""


class Server:
    """Listens while the `with` lasts; `answer` says what each request gets.

    Parameters
    ----------
    port : 0 for a free one; that of an earlier server to come back
    certificates : folder with server.pem and server.key; None: no TLS
    """

    def __init__(
        self,
        answer: Callable[[Request], Reply] = lambda _: Reply(),
        *,
        port: int = 0,
        certificates: Path | None = None,
    ) -> None:
        self.answer, self.port = answer, port or free_port()
        self.requests: list[Request] = []
        self.scheme = "https" if certificates else "http"
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        if certificates is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                names = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, names, body, self.client_address)
                server.requests.append(request)
                self._reply(server.answer(request))

            do_PUT = do_POST  # noqa: N815

            def _reply(self, reply: Reply) -> None:
                self.close_connection = reply.cut or reply.hang_up
                if reply.cut:
                    return
                if not reply.early and reply.pieces is not None:
                    reply.pieces()
                self.send_response(reply.status)
                for name, value in (*reply.headers, ("Content-Length", str(len(reply.body)))):
                    self.send_header(name, value)
                self.end_headers()
                for k in range(len(reply.body)):
                    if reply.early and reply.pieces is not None:
                        reply.pieces()
                    self.wfile.write(reply.body[k : k + 1])

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        return Handler
