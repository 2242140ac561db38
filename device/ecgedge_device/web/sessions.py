"""Who is logged in, by the cookie that a browser sends. In memory: a start of the agent logs everybody out."""

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from time import monotonic

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """One login."""

    user: str
    """Name; empty for the holder of the token."""
    entry: str
    """The user's hash at the login: another password or a removed user ends the session."""
    expires_s: float
    """On the monotonic clock."""


class Sessions:
    """Thread-safe; the oldest go where there are too many.

    Parameters
    ----------
    session_h : how long a login lasts, hours
    """

    def __init__(self, session_h: float) -> None:
        self.lasts_s = session_h * 3600
        self._sessions: dict[str, Session] = {}
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()

    @staticmethod
    def new_cookie() -> str:
        """A value nobody can guess; it is worth nothing until somebody logs in with it."""
        return secrets.token_urlsafe(32)

    def begin(self, user: str, entry: str) -> str:
        """Log in, and return the cookie's value."""
        cookie = self.new_cookie()
        with self._lock:
            while len(self._sessions) >= _MOST:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[self._mark(cookie)] = Session(user, entry, monotonic() + self.lasts_s)
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie, unless it has expired."""
        mark = self._mark(cookie)
        with self._lock:
            found = self._sessions.get(mark)
            if found is not None and found.expires_s <= monotonic():
                del self._sessions[mark]
                return None
            return found

    def end(self, cookie: str) -> None:
        """Log out."""
        with self._lock:
            self._sessions.pop(self._mark(cookie), None)

    def csrf_token(self, cookie: str) -> str:
        """What a form must send back beside the cookie: bound to it, made anew by nobody else."""
        return hmac.new(self._key, b"csrf " + cookie.encode(), hashlib.sha256).hexdigest()

    def _mark(self, cookie: str) -> str:
        return hmac.new(self._key, cookie.encode(), hashlib.sha256).hexdigest()
