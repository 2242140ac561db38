"""Tells the service manager how the agent is: sd_notify's datagrams, and a watchdog that only finished work feeds.

Knows nothing of what the work is. Without NOTIFY_SOCKET, where no service manager listens, all of it does nothing.
"""

import math
import os
import socket
import time
from collections.abc import Callable, Mapping

from ecgedge.errors import SettingsError

READY, STOPPING, _FED = "READY=1", "STOPPING=1", "WATCHDOG=1"
_FEEDS = 4
"""How often in the watchdog's time it is fed at most; the service manager asks for two at least."""
_STATUS_CHARACTERS = 200


class Notifier:
    """The way to the service manager.

    Parameters
    ----------
    environment : NOTIFY_SOCKET is read from it: a path, or a name in the abstract namespace after an @

    Raises
    ------
    SettingsError
        NOTIFY_SOCKET is neither.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if self._address else None
        if self._socket is not None:
            self._socket.setblocking(False)

    @property
    def heard(self) -> bool:
        """Whether there is a service manager to tell."""
        return self._socket is not None

    def ready(self, status: str = "") -> bool:
        """Say that the start is over: settings, models and store are open."""
        return self._send(READY, *_status(status))

    def status(self, text: str) -> bool:
        """Say in one line what is going on; `systemctl status` shows it."""
        return self._send(*_status(text))

    def stopping(self, status: str = "") -> bool:
        """Say that the end has begun."""
        return self._send(STOPPING, *_status(status))

    def fed(self, status: str = "") -> bool:
        """Feed the watchdog; `Watchdog` knows when."""
        return self._send(_FED, *_status(status))

    def close(self) -> None:
        """Close the socket; nothing is told after it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> bool:
        """One datagram; whether it was sent.

        A service manager that is busy or restarting must not stop the work: it is told again at the next feed.
        """
        if self._socket is None or not lines:
            return False
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            return False
        return True


class Watchdog:
    """Feeds the service manager's watchdog, at most once in a quarter of its time.

    There is no timer here on purpose: a loop that hangs feeds nothing, and the service manager restarts the agent.
    A turn of the loop that found nothing to do is finished work as well, or a quiet folder would end the agent.

    Parameters
    ----------
    environment : WATCHDOG_USEC and WATCHDOG_PID are read from it, as the service manager sets them
    clock : seconds that never go back

    Raises
    ------
    SettingsError
        WATCHDOG_USEC is no whole number of microseconds above 0.
    """

    def __init__(
        self,
        notifier: Notifier,
        environment: Mapping[str, str] = os.environ,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier, self._clock = notifier, clock
        self.interval_s = _watchdog_s(environment) / _FEEDS
        """Shortest time between two feeds, s; infinite where nobody watches."""
        self._due_s = -math.inf

    def fed(self, work: str) -> bool:
        """Call it when work is finished, and never otherwise; whether it was told now.

        Parameters
        ----------
        work : what was finished, in a few words, without anything of a patient: it is shown as the status
        """
        now = self._clock()
        if math.isinf(self.interval_s) or now < self._due_s or not self._notifier.fed(work):
            return False
        self._due_s = now + self.interval_s
        return True


def _address(name: str) -> str:
    if not name:
        return ""
    if name.startswith("@"):
        return "\0" + name[1:]
    if not name.startswith("/"):
        raise SettingsError(
            f"NOTIFY_SOCKET = {name!r}; it must be a path from / on or start with @; leave it to the service manager"
        )
    return name


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """Time after which the service manager restarts the agent, s; infinite where it does not watch this process."""
    text = environment.get("WATCHDOG_USEC", "")
    if not text or environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return math.inf
    if not text.isdecimal() or int(text) == 0:
        raise SettingsError(
            f"WATCHDOG_USEC = {text!r}; it must be a whole number of microseconds above 0; leave it to WatchdogSec"
        )
    return int(text) / 1e6


def _status(text: str) -> tuple[str, ...]:
    """One line, since a line break would begin another message."""
    words = " ".join(text.split())
    return (f"STATUS={words[:_STATUS_CHARACTERS]}",) if words else ()
