"""Sections [[report]] of agent.toml: one frozen class per kind. Defaults stand here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ecgedge_device.limits import RefusedValue, require_known, require_name, require_range, require_url
from ecgedge_device.results import KINDS
from ecgedge_device.secrets import Secret

_ALL: tuple[str, ...] = KINDS
_NO_BEATS: tuple[str, ...] = ("minute", "alarm", "page", "recording")


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLinesSettings:
    """Lines of JSON at the end of a file."""

    name: str = "json-lines"
    """Of this reporter; its place in the outbox is kept under it."""
    path: Path = Path("results.jsonl")
    """File that one line per result is appended to."""
    send: tuple[str, ...] = _ALL
    """Which kinds of results."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_known("send", self.send, KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StdoutSettings:
    """Lines of JSON on standard output."""

    name: str = "stdout"
    """Of this reporter; its place in the outbox is kept under it."""
    send: tuple[str, ...] = _ALL
    """Which kinds of results."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_known("send", self.send, KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """A broker, with Home Assistant's discovery."""

    name: str = "mqtt"
    """Of this reporter; its place in the outbox is kept under it."""
    host: str = "127.0.0.1"
    """Of the broker."""
    port: int = 1883
    """1 to 65535; 8883 is usual with TLS."""
    client_id: str = ""
    """Unique at the broker; empty: ecgedge- and the name of this device."""
    topic: str = "ecgedge"
    """Beginning of all topics; TOPIC/DEVICE/SOURCE/KIND."""
    user: str = ""
    """Empty: none."""
    password: Secret = field(default_factory=Secret)
    """A file or an environment variable, "file:PATH" or "env:NAME"."""
    tls: bool = False
    """Encrypted, the broker's certificate checked."""
    ca_file: Path | None = None
    """Certificate authority in place of the system's."""
    discovery: bool = True
    """Announce sensors to Home Assistant, again at its birth message."""
    discovery_prefix: str = "homeassistant"
    """Its topic for that."""
    keep_alive_s: int = 30
    """After 1.5 times that without a sign of life the broker sends the last will, s, 5 to 3600."""
    send: tuple[str, ...] = _NO_BEATS
    """Which kinds of results."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_known("send", self.send, KINDS)
        require_range("port", self.port, low=1, high=65_535)
        require_range("keep_alive_s", self.keep_alive_s, low=5, high=3600, unit="s")
        for key, value in (("topic", self.topic), ("discovery_prefix", self.discovery_prefix)):
            if not value or set(value) & set("#+ ") or value.startswith("/") or value.endswith("/"):
                raise RefusedValue(key, f"= {value!r}; it must be levels parted by /, without #, + and spaces")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """An HTTP address that results are posted to."""

    name: str = "webhook"
    """Of this reporter; its place in the outbox is kept under it."""
    url: str
    """https:// or http:// address."""
    secret: Secret = field(default_factory=Secret)
    """Key of the HMAC-SHA256 signature, "file:PATH" or "env:NAME"; empty: unsigned."""
    timeout_s: float = 10.0
    """For one request, s, 0.5 to 120."""
    ca_file: Path | None = None
    """Certificate authority in place of the system's."""
    send: tuple[str, ...] = _NO_BEATS
    """Which kinds of results."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_known("send", self.send, KINDS)
        require_url("url", self.url, ("https", "http"))
        require_range("timeout_s", self.timeout_s, low=0.5, high=120, unit="s")


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirSettings:
    """A FHIR R4 server."""

    name: str = "fhir"
    """Of this reporter; its place in the outbox is kept under it."""
    url: str
    """Base of the server, such as https://host/fhir."""
    token: Secret = field(default_factory=Secret)
    """Bearer token, "file:PATH" or "env:NAME"; empty: none."""
    subject: str = ""
    """Reference of the patient, such as Patient/17; empty: none is named."""
    device: str = ""
    """Reference of the device, such as Device/ecgedge-1; empty: the device's name as text."""
    timeout_s: float = 10.0
    """For one request, s, 0.5 to 120."""
    ca_file: Path | None = None
    """Certificate authority in place of the system's."""
    send: tuple[str, ...] = ("page", "recording")
    """Which kinds of results: page and recording."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_known("send", self.send, ("page", "recording"))
        require_url("url", self.url, ("https", "http"))
        require_range("timeout_s", self.timeout_s, low=0.5, high=120, unit="s")


ReportSettings = JsonLinesSettings | StdoutSettings | MqttSettings | WebhookSettings | FhirSettings
REPORTS: Mapping[str, type[ReportSettings]] = MappingProxyType(
    {
        "json-lines": JsonLinesSettings,
        "stdout": StdoutSettings,
        "mqtt": MqttSettings,
        "webhook": WebhookSettings,
        "fhir": FhirSettings,
    }
)
"""Kind of [[report]] -> its settings."""
