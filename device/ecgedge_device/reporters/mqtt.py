"""Results to an MQTT broker: each acknowledged, with a will, the state of the agent, Home Assistant's discovery.

TOPIC/DEVICE/status               "online" or "offline", retained; the broker itself says offline when the agent dies
TOPIC/DEVICE/state                JSON, retained: sources, reporters, facts; on a change and every minute
TOPIC/DEVICE/SOURCE/KIND          JSON, each result
TOPIC/DEVICE/SOURCE/last/KIND     JSON, retained: the newest result; for alarms with "active", the rules that go on
"""

import json
import math
import threading
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import cast

from ecgedge import NOTICE, __version__
from ecgedge.manifest import Json
from ecgedge_device.health import Health
from ecgedge_device.migrations import utc_now
from ecgedge_device.report_settings import MqttSettings
from ecgedge_device.reporters import Refused, ReportError
from ecgedge_device.reporters.home_assistant import BIRTH, announcements
from ecgedge_device.reporters.last_values import LATE_S, LastValues, age_s
from ecgedge_device.reporters.mqtt_link import Link, Message
from ecgedge_device.results import Result, as_plain

_WAIT_S = 6.0  # for the connection
_SEND_S = 10.0  # for the acknowledgements; with the end of a connection that hangs, `send` takes 18 s at most
_LOOK_S = 2.0  # for changes of the state


class MqttReporter:
    """Connects in the background; a thread tells the state of the agent while the connection stands.

    Parameters
    ----------
    device : name of this device
    health : told as the state
    state_s : longest time between two of them, s

    Raises
    ------
    ReportError
        The password or the certificate authority cannot be read. A broker that is not there is no such case.
    """

    def __init__(self, settings: MqttSettings, *, device: str, health: Health, state_s: float = 60.0) -> None:
        self._settings, self._device, self._health = settings, device, health
        self._base = f"{settings.topic}/{device}"
        self._birth_topic = f"{settings.discovery_prefix}/status"
        self._last, self._born = LastValues(), False
        self._fault: Exception | None = None
        self._hearing = threading.Lock()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._state_s, self._configs = state_s, set[str]()
        discovery = [self._birth_topic, f"{settings.discovery_prefix}/+/ecgedge-{device}/+/config"]
        self._link = Link(
            settings,
            client_id=settings.client_id or f"ecgedge-{device}",
            status_topic=f"{self._base}/status",
            subscriptions=[f"{self._base}/+/last/+", *(discovery if settings.discovery else ())],
            on_event=self._wake.set,
        )
        self._thread = threading.Thread(target=self._tell_state, name="mqtt state", daemon=True)
        self._thread.start()

    def send(self, results: Sequence[Result]) -> None:
        """Publish in order; all are acknowledged when it returns, and it returns or raises within 20 s.

        Raises
        ------
        ReportError
            They are not, or not all; send the same again.
        Refused
            One is larger than the broker takes.
        """
        if self._fault is not None:
            raise ReportError(f"{self._link}: the state cannot be told ({self._fault}); start the agent again")
        if not results:
            return
        self._link.wait(limit_s=_WAIT_S)  # what the broker retains of an earlier start is heard then
        messages = [Message(result.id, self._topic(result, result.kind), self._payload(result)) for result in results]
        for k, message in enumerate(messages):
            if not self._link.takes(message):
                self.send(results[:k])
                raise Refused(f"{self._link}: result {message.key} is larger than the broker takes", id=message.key)
        with self._hearing:
            self._hear()
            last = [self._last_message(result) for result in self._last.newest(results)]
        self._link.hand_over([*messages, *filter(self._link.takes, last)], limit_s=_SEND_S)

    def close(self) -> None:
        """Say "offline", and disconnect."""
        self._stop.set()
        self._wake.set()
        self._thread.join(5.0)
        self._link.close("offline")

    def _topic(self, result: Result, kind: str) -> str:
        return f"{self._base}/{result.source}/{kind}"

    def _payload(self, result: Result, **more: Json) -> str:
        late: dict[str, Json] = {"late": age_s(result) > LATE_S} if result.kind == "alarm" else {}
        return _json({**as_plain(result), "device": self._device, "notice": NOTICE, **late, **more})

    def _last_message(self, result: Result) -> Message:
        active: dict[str, Json] = {"active": self._last.active(result.source)} if result.kind == "alarm" else {}
        topic = self._topic(result, f"last/{result.kind}")
        return Message(f"{result.id} last", topic, self._payload(result, **active), retain=True)

    # The thread of the state.

    def _tell_state(self) -> None:
        try:
            self._tell_state_until_closed()
        except Exception as error:  # told by `send`: a thread has no caller, and "online" would not be true
            self._fault = error

    def _tell_state_until_closed(self) -> None:
        session, shown, next_s = 0, "", 0.0
        announced: Mapping[str, str] = {}
        while not self._stop.is_set():
            self._link.keep()
            with self._hearing:
                self._hear()
                again, self._born = self._born or self._link.session != session, False
            session = self._link.session
            state = self._health.snapshot()
            sources = _kinds(state)
            if self._link.up and (again or sources != announced):
                self._announce(sources)
                announced = sources
            if self._link.up and monotonic() >= next_s > 0:
                self._withdraw(sources)
            if self._link.up and (again or _shown(state) != shown or monotonic() >= next_s):
                self._link.tell(f"{self._base}/status", "online")
                self._link.tell(f"{self._base}/state", self._state(state))
                shown, next_s = _shown(state), monotonic() + self._state_s
            self._wake.wait(_LOOK_S)
            self._wake.clear()

    def _hear(self) -> None:
        """Take what came in, in either thread."""
        while self._link.heard:
            topic, payload = self._link.heard.popleft()
            source, _, kind = topic.removeprefix(f"{self._base}/").partition("/last/")
            if topic.endswith("/config"):
                (self._configs.add if payload else self._configs.discard)(topic)
            elif topic == self._birth_topic:
                self._born |= payload == BIRTH
            elif kind:
                self._last.learn(source, kind, payload)

    def _announce(self, sources: Mapping[str, str]) -> None:
        if self._settings.discovery:
            prefix = self._settings.discovery_prefix
            for topic, config in announcements(prefix, self._base, device=self._device, sources=sources):
                self._link.tell(topic, _json(config))

    def _withdraw(self, sources: Mapping[str, str]) -> None:
        """Take back what was announced of sources that are gone, a while after the start: some begin late."""
        prefix = self._settings.discovery_prefix
        known = {topic for topic, _ in announcements(prefix, self._base, device=self._device, sources=sources)}
        with self._hearing:
            gone = self._configs - known
        for topic in gone:
            self._link.tell(topic, "")

    def _state(self, state: Mapping[str, Json]) -> str:
        return _json(
            {
                "time_utc": utc_now(),
                "device": self._device,
                "version": __version__,
                "idle_s": round(self._health.idle_s, 1),
                **{part: _finite(entries) for part, entries in state.items()},
                "notice": NOTICE,
            }
        )


def _json(entry: Mapping[str, Json]) -> str:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False)


def _finite(value: Json) -> Json:
    """A figure that nobody knows as null: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _parts(state: Mapping[str, Json], part: str) -> dict[str, dict[str, Json]]:
    return cast(dict[str, dict[str, Json]], state[part])


def _kinds(state: Mapping[str, Json]) -> dict[str, str]:
    return {name: str(one["kind"]) for name, one in _parts(state, "sources").items()}


def _shown(state: Mapping[str, Json]) -> str:
    """What counts as a change: states and troubles, not figures that grow all the time."""
    both = {**_parts(state, "sources"), **{f"to {name}": one for name, one in _parts(state, "reporters").items()}}
    return json.dumps({name: [one["state"], one["trouble"]] for name, one in both.items()})
