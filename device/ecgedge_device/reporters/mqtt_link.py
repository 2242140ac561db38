"""A connection to an MQTT 5 broker that comes back by itself, says why it does not, and knows what was acknowledged.

Knows nothing of results, topics or Home Assistant. MQTT 5 rather than 3.1.1: its acknowledgements tell when the broker
throws a message away, for want of a right to publish for example.
"""

import random
import ssl
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ecgedge.errors import SettingsError
from ecgedge_device.report_settings import MqttSettings
from ecgedge_device.reporters import ReportError
from ecgedge_device.reporters.tls import trusting

_WINDOW = (
    10  # messages on the way at once: what the strictest common broker takes, and paho repeats all of them at once
)
_CONNECT_S = 5.0
_QUIET_S = 7.0  # without an acknowledgement the connection is begun anew
_POLL_S = 0.25
_LARGEST_BYTES = 268_435_455  # MQTT 5.0, 2.1.4
_HEAD_BYTES = 12  # of a packet, at most: fixed header, length of the topic, packet identifier, no properties
_TAKEN_OVER = 0x8E  # MQTT 5.0, table 2-6: another client came with this id; mosquitto 2.0 does not say it
_BRIEF_S = 10.0  # a connection that ends sooner is put out


@dataclass(frozen=True, slots=True)
class Message:
    """What the broker has to acknowledge."""

    key: str
    """The same for the same message in a later attempt."""
    topic: str
    payload: str
    retain: bool = False


class Link:
    """Connects in the background from the start, again after every loss, until `close`.

    `hand_over` and `close` belong to one thread, `tell` may be called by another.

    Parameters
    ----------
    status_topic : gets a retained "online" with every connection, and "offline" from the broker when this process dies
    subscriptions : topics to hear, own messages on them included: a broker does not tell earlier starts apart
    on_event : called in the network's thread when something changed or was heard; must not wait

    Raises
    ------
    ReportError
        The password or the certificate authority cannot be read.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str,
        status_topic: str,
        subscriptions: Sequence[str],
        on_event: Callable[[], None],
    ) -> None:
        self._settings, self._client_id, self._status_topic = settings, client_id, status_topic
        self._subscriptions, self._on_event = tuple(subscriptions), on_event
        self._password = _secret_of(settings)
        self._tls = trusting(settings.ca_file) if settings.tls else None
        self._acks: deque[tuple[int, ReasonCode]] = deque(maxlen=10_000)
        self._changed = threading.Event()
        self._waiting: dict[int, str] = {}
        self._done: set[str] = set()
        self._progress_s = 0.0
        self._greeting, self._connected_s, self._brief = 0, 0.0, 0
        self.heard: deque[tuple[str, bytes]] = deque(maxlen=1000)
        """Topic and payload of what came in; take it from the left."""
        self.session = 0
        """Grows with every connection that is ready for use."""
        self.up = False
        """Whether it is ready for use now."""
        self.trouble = ""
        """Why it is not, in one line; empty where nobody knows yet."""
        self.largest_bytes = _LARGEST_BYTES
        """Largest packet that the broker takes."""
        self._connect()

    def __str__(self) -> str:
        return f"mqtt {self._settings.host}:{self._settings.port}"

    def wait(self, *, limit_s: float) -> None:
        """Return when there is a connection.

        Raises
        ------
        ReportError
            There is none within `limit_s`, or the last attempt failed.
        """
        until_s = monotonic() + limit_s
        while not self.up and not self.trouble and monotonic() < until_s:
            self._changed.wait(_POLL_S)
            self._changed.clear()
        if not self.up:
            raise ReportError(self.trouble or f"{self}: no answer; look whether an MQTT 5 broker listens there")

    def hand_over(self, messages: Sequence[Message], *, limit_s: float) -> None:
        """Publish in order and return when the broker has acknowledged every one.

        After a failure call it with the same messages again: those that it has are left out.

        Raises
        ------
        ReportError
            Not within `limit_s`, or the connection went, or the broker throws one away.
        """
        until_s = monotonic() + limit_s
        keys = {message.key for message in messages}
        self._settle()
        self._done &= keys
        self.wait(limit_s=limit_s)
        under_way = self._done.union(self._waiting.values())
        self._progress_s = monotonic()
        rest = deque(message for message in messages if message.key not in under_way)
        while rest or keys.intersection(self._waiting.values()):
            self._require_progress(until_s)
            while rest and len(self._waiting) < _WINDOW:
                self._publish(rest.popleft())
            self._changed.wait(_POLL_S)
            self._changed.clear()
            self._settle()
        self._done.clear()

    def takes(self, message: Message) -> bool:
        """Whether the broker would not put us out for its size."""
        size = _HEAD_BYTES + len(message.topic.encode()) + len(message.payload.encode())
        return size <= self.largest_bytes

    def tell(self, topic: str, payload: str) -> None:
        """Publish, retained, where there is a connection; it is lost only with that, so tell it to every `session`."""
        self._client.publish(topic, payload, qos=0, retain=True)

    def keep(self) -> None:
        """Start the network's thread again where something unforeseen ended it; call it now and then."""
        self._client.loop_start()

    def close(self, last_words: str) -> None:
        """Retain `last_words` in place of the will, where the broker is there to take them, and disconnect."""
        if self.up:
            with suppress(ReportError):  # then the broker sends the will
                self.hand_over([Message("last words", self._status_topic, last_words, retain=True)], limit_s=2.0)
        _end(self._client)

    def _publish(self, message: Message) -> None:
        sent = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        self._waiting[sent.mid] = message.key

    def _settle(self) -> None:
        """Take note of the acknowledgements that came."""
        refusal = ""
        while self._acks:
            mid, reason = self._acks.popleft()
            key = self._waiting.pop(mid, None)
            if key is not None and not reason.is_failure:
                self._done.add(key)
                self._progress_s = monotonic()
            elif key is not None:
                refusal = str(reason)
        if refusal:
            who = f"user {self._settings.user!r}" if self._settings.user else "clients without a user"
            raise ReportError(
                f"{self}: the broker throws messages away ({refusal}); let {who} write to {self._settings.topic}/#"
            )

    def _require_progress(self, until_s: float) -> None:
        if not self.up:
            raise ReportError(self.trouble or f"{self}: the connection was lost; look at the broker and the network")
        if monotonic() > self._progress_s + _QUIET_S:
            self._renew()
            raise ReportError(f"{self}: the broker does not acknowledge in time; look at its load and its disk")
        if monotonic() > until_s:
            raise ReportError(f"{self}: slow, {len(self._done)} messages taken so far; the rest is sent again")

    def _renew(self) -> None:
        """Begin anew with a broker that is connected and yet silent."""
        _end(self._client)
        self.up, self.trouble = False, ""
        self._waiting.clear()
        self._acks.clear()
        self._connect()

    def _connect(self) -> None:
        client = self._client = Client(
            CallbackAPIVersion.VERSION2, self._client_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        client.max_inflight_messages_set(2 * _WINDOW)  # the window is kept here
        client.connect_timeout = _CONNECT_S
        client.reconnect_delay_set(1, random.randint(20, 40))
        client.will_set(self._status_topic, "offline", qos=1, retain=True)
        if self._settings.user:
            client.username_pw_set(self._settings.user, self._password or None)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_subscribe, client.on_disconnect = self._on_subscribe, self._on_disconnect
        client.on_publish, client.on_message = self._on_publish, self._on_message
        client.connect_async(self._settings.host, self._settings.port, self._settings.keep_alive_s)
        client.loop_start()

    # What follows runs in the network's thread: assignments and appends only.

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, more: Properties | None
    ) -> None:
        if client is not self._client:
            client.disconnect()
        elif reason.is_failure:
            self.trouble = f"{self}: the broker refuses ({reason}); mend user, password or client_id in [[report]]"
            self._tell_change()
        else:
            self._connected_s = monotonic()
            self.largest_bytes = getattr(more, "MaximumPacketSize", _LARGEST_BYTES)
            client.subscribe([(topic, 0) for topic in self._subscriptions])

    def _on_subscribe(
        self, client: Client, _data: object, _mid: int, _reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        """When this is acknowledged, what the broker retains has been heard."""
        self._greeting = client.publish(self._status_topic, "online", qos=1, retain=True).mid

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        error = sys.exception()
        if isinstance(error, ssl.SSLCertVerificationError):
            reason, remedy = error.verify_message, "give its certificate authority as ca_file, and the host it is for"
        elif isinstance(error, ssl.SSLError):
            reason, remedy = error.reason or "no TLS", "look whether port and tls belong together"
        else:
            reason = getattr(error, "strerror", None) or str(error) or "no connection"
            remedy = "start the broker, or mend host and port in [[report]]"
        self.trouble = f"{self}: {reason}; {remedy}"
        self._tell_change()

    def _on_disconnect(
        self, client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if client is not self._client:
            return
        self._brief = self._brief + 1 if self.up and monotonic() - self._connected_s < _BRIEF_S else 0
        if self.up and (reason.value == _TAKEN_OVER or self._brief > 2):
            self.trouble = (
                f"{self}: the broker puts us out soon after connecting; "
                f"if another client has the id {self._client_id}, choose another client_id"
            )
        elif self.up or not self.trouble:
            self.trouble = f"{self}: the connection was lost ({reason}); look at the broker and the network"
        self.up = False
        self._tell_change()

    def _on_publish(
        self, client: Client, _data: object, mid: int, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if client is not self._client:
            return
        if mid == self._greeting:
            self._greeting, self.up, self.trouble = 0, True, ""
            self.session += 1
            self._tell_change()
        else:
            self._acks.append((mid, reason))
            self._changed.set()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))
        self._on_event()

    def _tell_change(self) -> None:
        self._changed.set()
        self._on_event()


def _end(client: Client) -> None:
    client.disconnect()
    ending = threading.Thread(target=client.loop_stop, name="mqtt end", daemon=True)
    ending.start()
    ending.join(2.0)  # looking up a name can take longer; the thread goes with the process then


def _secret_of(settings: MqttSettings) -> str:
    try:
        return settings.password.read()
    except SettingsError as error:
        raise ReportError(f"mqtt {settings.host}:{settings.port}: {error}") from None
