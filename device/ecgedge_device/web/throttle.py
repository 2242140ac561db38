"""How often somebody may fail to log in: per address and over all. Knows nothing of passwords."""

import ipaddress
import threading
from collections import deque
from time import monotonic

PER_ADDRESS = 5
OVERALL = 60
WINDOW_S = 300.0
_ADDRESSES = 10_000


class Throttle:
    """Counts failures of the last `window_s`; thread-safe, bounded.

    Parameters
    ----------
    per_address : failures of one address (IPv6: of one /64 network) until it must wait
    overall : failures of all addresses together until everybody who logs in must wait
    """

    def __init__(self, *, per_address: int = PER_ADDRESS, overall: int = OVERALL, window_s: float = WINDOW_S) -> None:
        self._per_address, self._overall, self._window_s = per_address, overall, window_s
        self._all: deque[float] = deque(maxlen=overall)
        self._by_address: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def attempt(self, address: str) -> float:
        """Begin to log in: how long this address must wait first, s; or 0, and the attempt counts until it succeeds.

        Counted before the password is looked at, so that many attempts at once are no way around.
        """
        with self._lock:
            wait_s = self._wait_s(address, overall=True)
            if not wait_s:
                self._note(address)
            return wait_s

    def wait_s(self, address: str, *, overall: bool) -> float:
        """How long this address must wait before it may try again, s; 0: not at all."""
        with self._lock:
            return self._wait_s(address, overall=overall)

    def _wait_s(self, address: str, *, overall: bool) -> float:
        found = [self._left_s(self._by_address.get(_network(address), deque()), self._per_address)]
        if overall:
            found.append(self._left_s(self._all, self._overall))
        return max(found)

    def failed(self, address: str) -> None:
        """Note one failure."""
        with self._lock:
            self._note(address)

    def _note(self, address: str) -> None:
        now = monotonic()
        if len(self._by_address) >= _ADDRESSES:
            self._forget(now)
        self._by_address.setdefault(_network(address), deque(maxlen=self._per_address)).append(now)
        self._all.append(now)

    def succeeded(self, address: str) -> None:
        """Forget what an address did wrong before, and its last attempt."""
        with self._lock:
            self._by_address.pop(_network(address), None)
            if self._all:
                self._all.pop()

    def _left_s(self, failures: deque[float], most: int) -> float:
        if len(failures) < most:
            return 0.0
        return max(0.0, failures[-most] + self._window_s - monotonic())

    def _forget(self, now: float) -> None:
        kept = {name: one for name, one in self._by_address.items() if one[-1] + self._window_s > now}
        self._by_address = dict(list(kept.items())[-_ADDRESSES // 2 :])


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 6:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
