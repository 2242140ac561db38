"""What the service manager hears: real datagrams on real sockets, from here and from a process of its own."""

import itertools
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecgedge.errors import SettingsError
from ecgedge_device.notify import Notifier, Watchdog

ROOT = Path(__file__).parents[2]
_NUMBERS = itertools.count()


class Manager:
    """The listening end, as systemd has it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self._socket.settimeout(60)

    def environment(self, **more: str) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.name, **more}

    def heard(self) -> str:
        """The next datagram; a test that waits for none in vain fails after a minute."""
        return self._socket.recv(4096).decode()

    def waiting(self) -> list[str]:
        """All that has come and was not heard yet."""
        found = []
        self._socket.setblocking(False)
        try:
            while True:
                found.append(self._socket.recv(4096).decode())
        except BlockingIOError:
            return found
        finally:
            self._socket.settimeout(60)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@ecgedge-test-{os.getpid()}-{next(_NUMBERS)}"
    opened = Manager(name)
    yield opened
    opened.close()


def hand(times: list[float]) -> Callable[[], float]:
    """A clock that is moved by hand."""
    return lambda: times[-1]


def test_each_message_is_one_datagram(manager: Manager) -> None:
    notifier = Notifier(manager.environment())
    assert notifier.heard
    assert notifier.ready("watching 2 sources") and manager.heard() == "READY=1\nSTATUS=watching 2 sources"
    assert notifier.status("12 beats") and manager.heard() == "STATUS=12 beats"
    assert notifier.fed() and manager.heard() == "WATCHDOG=1"
    assert notifier.stopping() and manager.heard() == "STOPPING=1"
    notifier.close()
    assert not notifier.status("too late") and manager.waiting() == []


def test_a_status_cannot_say_anything_else(manager: Manager) -> None:
    notifier = Notifier(manager.environment())
    notifier.status("bad\nMAINPID=1\r\n  name")
    assert manager.heard() == "STATUS=bad MAINPID=1 name"
    notifier.status("x" * 5000)
    assert len(manager.heard()) < 300
    assert not notifier.status(" \n ") and manager.waiting() == []


def test_without_a_manager_nothing_happens() -> None:
    notifier = Notifier({})
    assert not notifier.heard
    assert not any([notifier.ready(), notifier.status("x"), notifier.fed(), notifier.stopping()])
    watchdog = Watchdog(notifier, {"WATCHDOG_USEC": "1000"})
    assert not watchdog.fed("work")
    notifier.close()


def test_the_environment_of_the_process_is_the_default(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.name)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert Watchdog(Notifier()).fed("a page") and manager.heard() == "WATCHDOG=1\nSTATUS=a page"


def test_a_manager_that_is_gone_or_full_stops_nothing(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    notifier = Notifier(manager.environment())
    sent = 0
    while notifier.fed():  # until its queue is full: then False at once, and no wait
        sent += 1
        assert sent < 100_000
    assert sent > 0 and len(manager.waiting()) == sent
    assert notifier.fed()
    manager.close()
    (tmp_path / "notify").unlink()
    assert not notifier.fed()
    again = Manager(str(tmp_path / "notify"))  # it was restarted
    assert notifier.fed() and again.heard() == "WATCHDOG=1"
    again.close()


@pytest.mark.parametrize("name", ["notify", "./notify", "vsock:2:1234"])
def test_an_address_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="NOTIFY_SOCKET"):
        Notifier({"NOTIFY_SOCKET": name})


@pytest.mark.parametrize("text", ["0", "-5", "1.5", "soon", "\N{SUPERSCRIPT TWO}"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="WATCHDOG_USEC"):
        Watchdog(Notifier({}), {"WATCHDOG_USEC": text})


def test_the_watchdog_is_fed_at_most_four_times_in_its_time(manager: Manager) -> None:
    times = [1000.0]
    watchdog = Watchdog(Notifier(manager.environment()), {"WATCHDOG_USEC": "8000000"}, clock=hand(times))
    assert watchdog.interval_s == 2.0
    fed = 0
    for step in range(800):  # 8 s of work every 10 ms
        times.append(1000.0 + step / 100)
        fed += watchdog.fed(f"beat {step}")
    assert fed == 4
    assert manager.waiting() == [f"WATCHDOG=1\nSTATUS=beat {step}" for step in (0, 200, 400, 600)]


def test_work_that_hangs_is_not_fed(manager: Manager) -> None:
    times = [0.0]
    watchdog = Watchdog(Notifier(manager.environment()), {"WATCHDOG_USEC": "4000000"}, clock=hand(times))
    assert watchdog.fed("first")
    times.append(3600.0)  # an hour in which nothing is finished
    assert manager.waiting() == ["WATCHDOG=1\nSTATUS=first"]
    assert watchdog.fed("second")


def test_a_feed_that_did_not_arrive_is_tried_at_the_next_work(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    times = [0.0]
    watchdog = Watchdog(Notifier(manager.environment()), {"WATCHDOG_USEC": "4000000"}, clock=hand(times))
    manager.close()
    (tmp_path / "notify").unlink()
    assert not watchdog.fed("lost")
    again = Manager(str(tmp_path / "notify"))
    assert watchdog.fed("told") and again.heard().endswith("told")
    again.close()


def test_a_watchdog_of_another_process_is_not_fed(manager: Manager) -> None:
    notifier = Notifier(manager.environment())
    other = Watchdog(notifier, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid() + 1)})
    assert math.isinf(other.interval_s) and not other.fed("work")
    own = Watchdog(notifier, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid())})
    assert own.fed("work")


_CHILD = """
import os, sys, time
from ecgedge_device.notify import Notifier, Watchdog
notifier = Notifier()
watchdog = Watchdog(notifier, dict(os.environ, WATCHDOG_PID=str(os.getpid())))
notifier.ready("child")
for number in range(3):
    while not watchdog.fed(f"work {number}"):
        time.sleep(0.005)
notifier.stopping()
"""


def test_a_process_tells_its_whole_life(manager: Manager) -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "device")])
    environment = {**os.environ, **manager.environment(WATCHDOG_USEC="100000"), "PYTHONPATH": path}
    with subprocess.Popen([sys.executable, "-c", _CHILD], env=environment) as child:
        heard = [manager.heard() for _ in range(5)]
        assert child.wait(60) == 0
    works = [f"WATCHDOG=1\nSTATUS=work {number}" for number in range(3)]
    assert heard == ["READY=1\nSTATUS=child", *works, "STOPPING=1"]
    assert manager.waiting() == []
