"""`agent.toml` as frozen values. Defaults stand here and in the modules of sources and reports, and nowhere else."""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ecgedge_device.limits import RefusedValue, require_name, require_range
from ecgedge_device.report_settings import JsonLinesSettings, ReportSettings
from ecgedge_device.secrets import Secret
from ecgedge_device.source_settings import SourceSettings

LogFormat = Literal["text", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Section [agent]."""

    name: str = ""
    """Of this device, in topics and reports; empty: the host's name."""
    bundle: str = "beat"
    """For signals: name of a shipped or installed bundle, or path of a file ending in .tflite."""
    page_bundle: str = "page"
    """For pictures: likewise."""
    any_layout: bool = False
    """Answer on pages whose layout the model was not trained on as well, marked as untested."""
    store: Path = Path("state/ecgedge.sqlite")
    """SQLite file of all results; pictures, snippets and installed bundles lie in folders beside it."""
    threads: int = 1
    """Threads of the interpreter, 1 to 64."""
    drain_s: float = 10.0
    """Longest time to hand over results when stopping, s, 0 to 600; the rest is sent at the next start."""
    log: LogFormat = "text"
    """Lines of key=value for people and journald, or of JSON."""

    def __post_init__(self) -> None:
        if self.name:
            require_name("name", self.name)
        require_range("threads", self.threads, low=1, high=64)
        require_range("drain_s", self.drain_s, low=0, high=600, unit="s")

    @property
    def device(self) -> str:
        """Name of this device, fit for topics."""
        host = socket.gethostname().split(".")[0].lower()
        plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in host).strip("-")
        return self.name or plain[:32] or "ecgedge"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSettings:
    """Section [alarms]. 0 turns a rule off."""

    pause_s: float = 3.0
    """Longest time between two beats, s; no alarm where the signal is bad."""
    v_run: int = 3
    """Ventricular beats in a row."""
    rate_low_bpm: float = 40.0
    """Heart rate over `rate_beats` beats below this."""
    rate_high_bpm: float = 140.0
    """Heart rate over `rate_beats` beats above this."""
    rate_beats: int = 10
    """Beats that the rate is taken over, 3 to 100."""
    hysteresis: float = 0.1
    """An alarm of the rate ends when it is better than its limit by this share, 0 to 0.5."""
    refractory_s: float = 60.0
    """The same alarm does not begin again sooner, s, 0 to 86400."""
    page_classes: tuple[str, ...] = ("mi",)
    """Classes of a page that raise an alarm; [] for none."""
    page_probability: float = 0.5
    """From this calibrated probability on, 0 to 1."""

    def __post_init__(self) -> None:
        require_range("pause_s", self.pause_s, low=0, high=60, unit="s")
        require_range("v_run", self.v_run, low=0, high=1000)
        require_range("rate_low_bpm", self.rate_low_bpm, low=0, high=300)
        require_range("rate_high_bpm", self.rate_high_bpm, low=0, high=400)
        require_range("rate_beats", self.rate_beats, low=3, high=100)
        require_range("hysteresis", self.hysteresis, low=0, high=0.5)
        require_range("refractory_s", self.refractory_s, low=0, high=86_400, unit="s")
        require_range("page_probability", self.page_probability, low=0, high=1)
        if 0 < self.rate_high_bpm <= self.rate_low_bpm:
            raise RefusedValue(
                "rate_high_bpm", f"= {self.rate_high_bpm:g}; it must be above rate_low_bpm = {self.rate_low_bpm:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSettings:
    """Section [keep]: how long results stay on the device. 0 days keeps them until the size limit."""

    beats_days: float = 30.0
    """Single beats."""
    results_days: float = 365.0
    """Minutes, alarms, pages, recordings."""
    pictures_days: float = 90.0
    """Pictures of pages, drawn pages and signal snippets."""
    pictures: bool = True
    """Whether pictures are kept at all."""
    pictures_mb: float = 4000.0
    """All pictures and snippets together, MB, 1 to 1000000; the oldest go first."""
    free_mb: float = 200.0
    """Space that is left free on the disk, MB, 0 to 1000000: the oldest pictures go, then the oldest beats."""

    def __post_init__(self) -> None:
        for key in ("beats_days", "results_days", "pictures_days"):
            require_range(key, getattr(self, key), low=0, high=36_500, unit="days")
        require_range("pictures_mb", self.pictures_mb, low=1, high=1_000_000, unit="MB")
        require_range("free_mb", self.free_mb, low=0, high=1_000_000, unit="MB")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Section [web]. The page is there only where the section is."""

    address: str = "127.0.0.1"
    """To listen on; other than loopback needs `token` or `users`."""
    port: int = 8321
    """0 to 65535; 0: any free one, said in the log."""
    token: Secret = field(default_factory=Secret)
    """What programs send as a bearer token, "file:PATH" or "env:NAME"."""
    users: Path | None = None
    """File of NAME:ARGON2-HASH lines; `ecgedge-agent user add NAME --file FILE` makes it."""
    tls_cert: Path | None = None
    """Certificate chain, PEM."""
    tls_key: Path | None = None
    """Its key, PEM."""
    session_h: float = 12.0
    """How long a login lasts, hours, 0.1 to 720."""

    def __post_init__(self) -> None:
        require_range("port", self.port, low=0, high=65_535)
        require_range("session_h", self.session_h, low=0.1, high=720, unit="hours")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise RefusedValue("tls_cert", "and tls_key go together; give both or none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole of `agent.toml`."""

    sources: tuple[SourceSettings, ...]
    reports: tuple[ReportSettings, ...] = field(default_factory=lambda: (JsonLinesSettings(),))
    agent: AgentSettings = field(default_factory=AgentSettings)
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    keep: KeepSettings = field(default_factory=KeepSettings)
    web: WebSettings | None = None
