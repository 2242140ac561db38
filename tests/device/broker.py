"""A real mosquitto on a free loopback port, killed and started again at will, and clients that collect from it."""

import getpass
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

MOSQUITTO = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (apt install mosquitto)")
DEADLINE_S = 180.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(true: Callable[[], object], what: str) -> None:
    """Until it is true; fails after a deadline that no slow machine reaches."""
    until = monotonic() + DEADLINE_S
    while not true():
        assert monotonic() < until, f"waited {DEADLINE_S:.0f} s for {what}"
        sleep(0.02)


@dataclass(frozen=True)
class Heard:
    topic: str
    payload: bytes
    retain: bool

    @property
    def entry(self) -> dict[str, Any]:
        """The payload as JSON."""
        found = json.loads(self.payload)
        assert isinstance(found, dict)
        return found


class Collected:
    """A subscriber that comes back after the broker was killed, and keeps all messages in order."""

    def __init__(self, client: Client) -> None:
        self.messages: list[Heard] = []
        self.subscriptions = 0
        self.client = client
        self.lock = threading.Lock()

    def on(self, topic: str) -> list[Heard]:
        """Messages on a topic, `+` and `#` allowed."""
        levels = topic.split("/")
        with self.lock:
            return [one for one in self.messages if _matches(levels, one.topic.split("/"))]

    def entries(self, topic: str) -> list[dict[str, Any]]:
        return [one.entry for one in self.on(topic) if one.payload]

    def wait(self, topic: str, n: int = 1) -> list[Heard]:
        wait_for(lambda: len(self.on(topic)) >= n, f"{n} messages on {topic}")
        return self.on(topic)

    def wait_ids(self, topic: str, ids: list[str]) -> list[str]:
        """Until all were heard; the ids in the order of their first coming."""
        wait_for(lambda: {*ids} <= {str(entry["id"]) for entry in self.entries(topic)}, f"{len(ids)} ids on {topic}")
        return list(dict.fromkeys(str(entry["id"]) for entry in self.entries(topic)))


def _matches(pattern: list[str], levels: list[str]) -> bool:
    if pattern[-1] == "#":
        pattern, levels = pattern[:-1], levels[: len(pattern) - 1]
    return len(pattern) == len(levels) and all(a in ("+", b) for a, b in zip(pattern, levels, strict=True))


class Broker:
    """`start`, `kill`, `restart`, `freeze`, `subscribe`; it ends with the `with`.

    Parameters
    ----------
    folder : for its settings, its store and its log
    user, password : who alone may come; empty: anybody
    certificates : folder with ca.pem, server.pem and server.key; None: no TLS
    rights : lines of its access file
    more : lines of its settings
    """

    def __init__(
        self,
        folder: Path,
        *,
        user: str = "",
        password: str = "",
        certificates: Path | None = None,
        rights: str = "",
        more: tuple[str, ...] = (),
    ) -> None:
        assert MOSQUITTO is not None
        self.folder, self.port = folder, free_port()
        self.user, self.password, self.certificates = user, password, certificates
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: list[Client] = []
        folder.mkdir(parents=True, exist_ok=True)
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"user {getpass.getuser()}",
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            f"log_dest file {folder}/mosquitto.log",
            "log_type all",
            *more,
        ]
        lines += self._who(rights)
        if certificates is not None:
            lines += [f"certfile {certificates}/server.pem", f"keyfile {certificates}/server.key"]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def _who(self, rights: str) -> list[str]:
        lines = ["allow_anonymous " + ("false" if self.user else "true")]
        if self.user:
            passwords = self.folder / "passwords"
            subprocess.run(
                ["mosquitto_passwd", "-b", "-c", passwords, self.user, self.password], check=True, capture_output=True
            )
            lines.append(f"password_file {passwords}")
        if rights:
            (self.folder / "rights").write_text(rights)
            lines.append(f"acl_file {self.folder}/rights")
        return lines

    def __enter__(self) -> "Broker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.disconnect()
            client.loop_stop()
        self.kill()

    def start(self) -> None:
        """Returns when it listens."""
        assert MOSQUITTO is not None
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._listens, "mosquitto to listen")

    def _listens(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (self.folder / "mosquitto.log").read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        """SIGKILL: as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """SIGTERM: it saves what it has acknowledged; killed, it may lose what a slow subscriber has not yet read."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Killed, and started on the same port with what it had saved; returns when the subscribers are back."""
        before = {id(one): one.subscriptions for one in self._collected}
        self.kill()
        self.start()
        wait_for(lambda: all(one.subscriptions > before[id(one)] for one in self._collected), "subscribers to be back")

    def freeze(self, *, thaw: bool = False) -> None:
        """It keeps its connections and answers nobody."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT if thaw else signal.SIGSTOP)

    @property
    def _collected(self) -> list[Collected]:
        return [client.user_data_get() for client in self._clients]

    def subscribe(self, *topics: str) -> Collected:
        """A client with a session that lasts, QoS 1; returns when it listens."""
        client = self._client(f"tests-{len(self._clients)}")
        found = Collected(client)
        client.user_data_set(found)
        client.on_connect = lambda *_: client.subscribe([(topic, 1) for topic in topics])
        client.on_subscribe = _count
        client.on_message = _collect
        self._clients.append(client)
        lasting = Properties(PacketTypes.CONNECT)
        lasting.SessionExpiryInterval = 3600
        client.connect("127.0.0.1", self.port, 10, clean_start=False, properties=lasting)
        client.loop_start()
        wait_for(lambda: found.subscriptions, "a subscription")
        return found

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        """As another client; returns when the broker has it."""
        client = self._client("tests-publisher")
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(DEADLINE_S)
        client.disconnect()
        client.loop_stop()

    def retained(self, topic: str, n: int = 1) -> dict[str, bytes]:
        """What the broker keeps, by topic, when there are `n`."""
        found = self.subscribe(topic)
        found.wait(topic, n)
        return {one.topic: one.payload for one in found.on(topic) if one.retain}

    def _client(self, name: str) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
        client.reconnect_delay_set(1, 1)
        if self.user:
            client.username_pw_set(self.user, self.password)
        if self.certificates is not None:
            client.tls_set_context(ssl.create_default_context(cafile=self.certificates / "ca.pem"))
        return client


def _count(_client: Client, found: Collected, *_: object) -> None:
    found.subscriptions += 1


def _collect(_client: Client, found: Collected, message: MQTTMessage) -> None:
    with found.lock:
        found.messages.append(Heard(message.topic, message.payload, message.retain))
