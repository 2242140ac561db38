"""Who may see and do what: trust on loopback, bearer token, users with sessions, and forms that only our pages send.

Knows nothing of results. Where neither token nor users are set, the page is open, and the server listens on loopback
alone; then only requests that name this machine are answered, so that no foreign page reaches it by a name of its own.
"""

import hmac
import ipaddress
from dataclasses import dataclass
from math import ceil
from typing import Literal
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecgedge.errors import SettingsError
from ecgedge_device.settings import WebSettings
from ecgedge_device.web.sessions import Sessions
from ecgedge_device.web.throttle import Throttle
from ecgedge_device.web.users import Users

_OPEN_PATHS = ("/login", "/healthz", "/readyz", "/static/", "/favicon.ico")
_PROGRAM_PATHS = ("/api/", "/metrics", "/healthz", "/readyz")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks."""

    how: Literal["open", "session", "token", "nobody"]
    """Open page on loopback; a browser that is logged in; a program with the token; or neither."""
    user: str = ""
    cookie: str = ""
    """What the browser sends, or shall send from now on."""

    @property
    def known(self) -> bool:
        """Whether results may be shown."""
        return self.how != "nobody"


class Denied(Exception):
    """A request that is not let through: status, one line, and for how long."""

    def __init__(self, status: int, message: str, *, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.wait_s = status, wait_s


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class Access:
    """The rules of one server.

    Raises
    ------
    SettingsError
        The address is not loopback and there is neither token nor users file, or one of them is unusable.
    """

    def __init__(self, web: WebSettings) -> None:
        if not (web.token or web.users or is_loopback(web.address)):
            raise SettingsError(
                f"[web] address = {web.address!r} lets others in; give token or users in [web], or listen on 127.0.0.1"
            )
        self.tls = web.tls_cert is not None
        self.users = Users(web.users) if web.users else None
        self.open = not (web.token or web.users)
        self.sessions = Sessions(web.session_h)
        self.throttle = Throttle()
        self.cookie_name = "__Host-ecgedge" if self.tls else "ecgedge"
        self._token = web.token.read().encode() if web.token else b""
        self._hosts = {"localhost", "127.0.0.1", "::1", web.address}
        if self._token and len(self._token) < _SHORTEST_TOKEN:
            raise SettingsError(
                f"[web] token of {len(self._token)} characters; it needs {_SHORTEST_TOKEN}; make it longer"
            )

    def visitor(self, connection: HTTPConnection) -> Visitor:
        """Who asks.

        Raises
        ------
        Denied
            A wrong token, too many failures, or a name that is not this machine's.
        """
        bearer = connection.headers.get("authorization", "")
        cookie = connection.cookies.get(self.cookie_name, "")
        if self.open:
            self._check_host(connection.headers)
            return Visitor("open", cookie=cookie)
        if bearer:
            self._check_bearer(bearer, address_of(connection))
            return Visitor("token")
        session = self.sessions.find(cookie) if cookie else None
        if session is None or not self._still_there(session.user, session.entry):
            return Visitor("nobody", cookie=cookie)
        return Visitor("session", session.user, cookie)

    def _still_there(self, user: str, entry: str) -> bool:
        return not user or (self.users is not None and self.users.entries().get(user) == entry)

    def _check_host(self, headers: Headers) -> None:
        place = _place(f"//{headers.get('host', '')}").rpartition("@")[2]
        host = place.partition("]")[0].removeprefix("[") if place.startswith("[") else place.partition(":")[0]
        if host.lower() not in self._hosts:
            raise Denied(403, "this page answers to localhost only; give token or users in [web] for other names")

    def _check_bearer(self, header: str, address: str) -> None:
        _check_wait(self.throttle.wait_s(address, overall=False))
        scheme, _, sent = header.partition(" ")
        if not self._token or scheme.lower() != "bearer" or not self._is_token(sent):
            self.throttle.failed(address)
            raise Denied(401, "wrong token; send the one of [web] as Authorization: Bearer TOKEN")

    def _is_token(self, sent: str) -> bool:
        return bool(self._token) and hmac.compare_digest(sent.strip().encode(), self._token)

    def log_in(self, address: str, *, name: str, password: str) -> str:
        """The cookie of a new session. Without a users file the password is the token. Blocks while it hashes.

        Raises
        ------
        Denied
            Wrong, or too many failures.
        """
        _check_wait(self.throttle.attempt(address))
        entry = self.users.check(name, password) if self.users else ""
        if not (entry if self.users else self._is_token(password)):
            raise Denied(401, "name or password is wrong" if self.users else "the token is wrong")
        self.throttle.succeeded(address)
        return self.sessions.begin(name if self.users else "", entry)

    def check_form(self, visitor: Visitor, sent: str) -> None:
        """Refuse a form that was not made for this visitor's cookie.

        Raises
        ------
        Denied
            The token of the form is missing, or of another cookie.
        """
        wanted = self.sessions.csrf_token(visitor.cookie)
        if not (visitor.cookie and hmac.compare_digest(sent.encode(), wanted.encode())):
            raise Denied(403, "this form is no longer good (its CSRF token); load the page again")


def _check_wait(wait_s: float) -> None:
    if wait_s:
        raise Denied(429, f"too many failed logins; try again in {ceil(wait_s / 60)} min", wait_s=wait_s)


def _place(address: str) -> str:
    """Host and port of an address; empty where it is none."""
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from."""
    return connection.client.host if connection.client else ""


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Who the gate found to ask."""
    found: Visitor = connection.state.visitor
    return found


def must_prove(request: Request) -> bool:
    """Whether a request that changes something comes from a browser, and so needs the CSRF token."""
    visitor = visitor_of(request)
    if visitor.how == "token":
        return False
    return visitor.how != "open" or bool(visitor.cookie or request.headers.get("origin"))


class Gate:
    """Asks `Access` before anything else sees a request; hands browsers their cookie."""

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            visitor = self._access.visitor(connection)
            self._check_origin(scope["method"], connection.headers)
        except Denied as denied:
            await denial(connection, denied)(scope, receive, send)
            return
        except SettingsError as error:  # the users file became unreadable: nobody gets in
            await denial(connection, Denied(503, str(error)))(scope, receive, send)
            return
        if not (visitor.known or _listed(scope["path"], _OPEN_PATHS)):
            await self._ask_to_log_in(scope)(scope, receive, send)
            return
        if visitor.how != "token" and not visitor.cookie and not _listed(scope["path"], (*_PROGRAM_PATHS, "/static/")):
            visitor = Visitor(visitor.how, cookie=self._access.sessions.new_cookie())
            send = self.with_cookie(send, visitor.cookie)
        scope.setdefault("state", {})["visitor"] = visitor
        await self._app(scope, receive, send)

    def _check_origin(self, method: str, headers: Headers) -> None:
        """A page from elsewhere must not make a browser change anything here."""
        origin = headers.get("origin")
        foreign = origin is not None and _place(origin) != headers.get("host", "")
        if method not in _SAFE_METHODS and (foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site")):
            raise Denied(403, "sent by a page from elsewhere; use this page's own forms")

    def _ask_to_log_in(self, scope: Scope) -> Response:
        path = scope["path"]
        if _listed(path, _PROGRAM_PATHS) or scope["method"] not in _SAFE_METHODS:
            message = "log in, or send the token of [web] as Authorization: Bearer TOKEN"
            return JSONResponse({"error": message}, 401, {"WWW-Authenticate": "Bearer"})
        return RedirectResponse("/login" if path == "/" else f"/login?next={quote(path)}", 303)

    def with_cookie(self, send: Send, value: str) -> Send:
        """A `send` that sets the cookie."""
        return _setting(send, set_cookie(self._access, value))


def _setting(send: Send, cookie: str) -> Send:
    async def send_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if "set-cookie" not in headers:  # a login sets its own
                headers.append("Set-Cookie", cookie)
        await send(message)

    return send_cookie


def set_cookie(access: Access, value: str) -> str:
    """The header that hands a browser its cookie; an empty value takes it back."""
    age = round(access.sessions.lasts_s) if value else 0
    secure = "; Secure" if access.tls else ""
    return f"{access.cookie_name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"


def _listed(path: str, beginnings: tuple[str, ...]) -> bool:
    return any(path == one or (one.endswith("/") and path.startswith(one)) for one in beginnings)


def is_program_path(path: str) -> bool:
    """Whether programs ask there, so that errors are told as JSON."""
    return _listed(path, _PROGRAM_PATHS)


def denial(connection: HTTPConnection, denied: Denied) -> Response:
    """The answer to who is not let through: JSON for programs, a line for people."""
    headers = {"Retry-After": str(round(denied.wait_s) + 1)} if denied.wait_s else {}
    if denied.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if is_program_path(connection.scope["path"]) or "authorization" in connection.headers:
        return JSONResponse({"error": str(denied)}, denied.status, headers)
    return Response(f"{denied}\n", denied.status, headers, "text/plain")
