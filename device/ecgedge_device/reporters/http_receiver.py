"""An HTTP address that takes results one by one, and what its answers mean for them. Knows nothing of their content.

The standard library's client is enough for one address: requests would bring four packages and urllib3 half a megabyte
to a Pi, for pools, cookies and redirects that must not be used here. Proxies are not used either.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from ecgedge import __version__
from ecgedge_device.reporters import Refused, ReportError
from ecgedge_device.reporters.tls import trusting
from ecgedge_device.results import Result

AGAIN = (401, 407, 408, 425, 429)
"""Statuses below 500 that may be others later: no time, too early, too many; or a key that a person must mend."""
_LONGEST_PAUSE_S = 60.0
_MOST_BYTES = 65_536  # of an answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes
    """Its beginning."""


class HttpReceiver:
    """Sends requests over one connection per batch, and judges the answers.

    2xx: taken. 5xx and those in `AGAIN`: `ReportError`, sent again later, after the time that Retry-After asks for
    (60 s at most). 3xx: `ReportError` that names the new address: results and keys do not follow to where nobody
    wished them, and nothing is lost while a person mends the settings. Other 4xx: `Refused`.

    Parameters
    ----------
    url : https:// or http:// address
    timeout_s : for one request, from the first byte to the last, s
    ca_file : certificate authority in place of the system's

    Raises
    ------
    ReportError
        The address is none, or the certificate authority cannot be read.
    """

    def __init__(self, url: str, *, timeout_s: float, ca_file: Path | None) -> None:
        self._host, self._port, self._path, self._query = _parts_of(url)
        self._timeout_s = timeout_s
        self._tls = trusting(ca_file) if url.startswith("https:") else None
        self._connection: http.client.HTTPConnection | None = None
        self._taken: set[str] = set()
        self._not_before_s = 0.0

    def __str__(self) -> str:
        """Without path and query, which may hold a key."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    def send_each(self, results: Sequence[Result], send: Callable[[Result], None]) -> None:
        """Call `send` for each in order; those taken before a failure are left out of the next attempt."""
        self._taken &= {result.id for result in results}
        try:
            for result in results:
                if result.id not in self._taken:
                    send(result)
                    self._taken.add(result.id)
        finally:
            self.close()
        self._taken.clear()

    def send(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        id: str,
        headers: Mapping[str, str],
        explain: Callable[[bytes], str] = lambda _: "",
    ) -> None:
        """Send one result; it is taken when this returns.

        Parameters
        ----------
        path : added to that of the address
        id : of the result
        explain : finds the reason in the body of an answer; empty where there is none

        Raises
        ------
        ReportError
            Not now.
        Refused
            Never.
        """
        if (left_s := self._not_before_s - monotonic()) > 0:
            raise ReportError(f"{self}: asks for a pause, {left_s:.0f} s of it are left; it is sent again after that")
        target = (self._path.rstrip("/") + path if path else self._path) + self._query
        answer = self._ask(method, target, body, {"User-Agent": f"ecgedge/{__version__}", **headers})
        if 200 <= answer.status < 300:
            return
        words = _one_line(explain(answer.body)) or answer.reason
        self._raise(answer, f"{self}: {answer.status} {words}".strip(), id)

    def close(self) -> None:
        """Let go of the connection; the next request opens one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _raise(self, answer: Answer, told: str, id: str) -> None:
        if 300 <= answer.status < 400:
            where = _one_line(answer.headers.get("location", ""))
            raise ReportError(f"{told}: it points to {where or 'another address'}; put the right url into [[report]]")
        if answer.status in (401, 407):
            raise ReportError(f"{told}; put the right key where [[report]] says that it lies")
        if answer.status >= 500 or answer.status in AGAIN:
            pause_s = _pause_s(answer.headers.get("retry-after", ""))
            self._not_before_s = monotonic() + pause_s
            raise ReportError(f"{told}; it is sent again" + (f" after {pause_s:.0f} s" if pause_s else ""))
        raise Refused(f"{told}: result {id} is not taken; look at what the receiver expects", id=id)

    def _ask(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        used = self._connection is not None
        try:
            return self._ask_once(method, target, body, headers)
        except _Cut:
            if not used:
                raise
        return self._ask_once(method, target, body, headers)  # a receiver may end a connection between two requests

    def _ask_once(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = self._connection = self._connection or self._open()
        late = threading.Event()
        watch = threading.Timer(self._timeout_s, _cut, (connection, late))
        watch.start()
        try:
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            found = response.read(_MOST_BYTES)
            if late.is_set():  # its end was no end
                raise TimeoutError
            if not response.isclosed():
                self.close()  # more than anybody needs
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, response.reason or "", names, found)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._failure(error, late=late.is_set()) from None
        finally:
            watch.cancel()

    def _failure(self, error: Exception, *, late: bool) -> ReportError:
        if late or isinstance(error, TimeoutError):
            return ReportError(f"{self}: no answer in {self._timeout_s:g} s; look at it, or raise timeout_s")
        if isinstance(error, ssl.SSLCertVerificationError):
            return ReportError(f"{self}: {error.verify_message}; give its certificate authority as ca_file")
        if isinstance(error, ConnectionRefusedError):
            return ReportError(f"{self}: Connection refused; start the receiver, or mend url in [[report]]")
        if isinstance(error, ConnectionError | http.client.BadStatusLine):
            return _Cut(f"{self}: the connection was cut; look at the receiver")
        reason = getattr(error, "strerror", None) or _one_line(str(error)) or type(error).__name__
        return ReportError(f"{self}: {reason}; look at the receiver, the network and url in [[report]]")

    def _open(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)


class _Cut(ReportError):
    """The receiver ended the connection before it answered."""


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """End a request whose bytes come, but too slowly; the socket's own time-out is for each byte."""
    late.set()
    if connection.sock is not None:
        try:
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
        except OSError:
            return  # it is closed by now


def _parts_of(url: str) -> tuple[str, int, str, str]:
    """Host, port, path, and query with its question mark."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise ReportError(f"url {url!r}: no address; mend it in [[report]]") from None
    if not parts.hostname or parts.username is not None or any(letter <= " " or letter > "~" for letter in url):
        raise ReportError("url in [[report]]: it must name a host, no user and no password, in ASCII without spaces")
    return parts.hostname, port, parts.path or "/", f"?{parts.query}" if parts.query else ""


def _pause_s(text: str) -> float:
    """Of a header Retry-After: seconds or a date; at most a minute, 0 where it says neither."""
    if text.strip().isdecimal():
        pause_s = float(text)
    else:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        pause_s = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return min(max(pause_s, 0.0), _LONGEST_PAUSE_S)


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:200]
