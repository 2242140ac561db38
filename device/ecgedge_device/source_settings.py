"""Sections [[source]] of agent.toml: one frozen class per kind. Defaults stand here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from ecgedge_device.limits import RefusedValue, require_finite, require_name, require_range

Speed = Literal["real", "full"]
After = Literal["move", "delete", "leave"]
Trigger = Literal["seeing", "command", "gpio"]
Protocol = Literal["text", "framed"]


MOST_FRAMED_LEADS = 15
"""In a binary frame."""


def _require_columns(leads: tuple[str, ...], mv_per_unit: float, zero: float) -> None:
    if not leads:
        raise RefusedValue("leads", '= []; it must name each column, such as ["II"]')
    require_finite("mv_per_unit", mv_per_unit)
    require_finite("zero", zero)
    if mv_per_unit == 0:
        raise RefusedValue("mv_per_unit", "= 0; it must be what one unit is worth in mV")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """A recording from a file."""

    name: str = "replay"
    """Of this source, in results and topics."""
    path: Path
    """Recording: WFDB record (with or without .hea), EDF, CSV, .npy or .npz."""
    speed: Speed = "full"
    """`real` plays it at the speed it was recorded, `full` as fast as the machine can."""
    chunk_s: float = 1.0
    """Signal judged and stored in one step, s, 0.02 to 600 (60 in real time); longer is faster, shorter is sooner."""
    lead: str | None = None
    """Name of the only lead to read; without it the bundle chooses."""
    fs_hz: float | None = None
    """Sampling rate, Hz, where the file does not say it."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_range("chunk_s", self.chunk_s, low=0.02, high=600 if self.speed == "full" else 60, unit="s")
        require_range("fs_hz", self.fs_hz, low=1, high=100_000, unit="Hz")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings:
    """A watched folder of pictures and recordings."""

    name: str = "folder"
    """Of this source, in results and topics."""
    path: Path
    """Folder; made where it does not exist. Folders below it are not looked into."""
    after: After = "move"
    """What becomes of a judged file: into `done/`, deleted, or left where it is. Bad ones go to `quarantine/`."""
    settle_s: float = 2.0
    """How long a file must stay unchanged before it is read, s, 0.1 to 600."""
    fs_hz: float | None = None
    """Sampling rate, Hz, of recordings that do not say it (CSV, .npy)."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_range("settle_s", self.settle_s, low=0.1, high=600, unit="s")
        require_range("fs_hz", self.fs_hz, low=1, high=100_000, unit="Hz")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Files handed in through the web page or by HTTP."""

    name: str = "upload"
    """Of this source, in results and topics."""
    limit_mb: float = 32.0
    """Largest file, MB, 0.1 to 1000."""
    fs_hz: float | None = None
    """Sampling rate, Hz, of recordings that do not say it (CSV)."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_range("limit_mb", self.limit_mb, low=0.1, high=1000, unit="MB")
        require_range("fs_hz", self.fs_hz, low=1, high=100_000, unit="Hz")


@dataclass(frozen=True, slots=True, kw_only=True)
class StdinSettings:
    """Lines of text on standard input, as `serial` reads them: ends with the input."""

    name: str = "stdin"
    """Of this source, in results and topics."""
    fs_hz: float
    """Sampling rate, Hz."""
    leads: tuple[str, ...] = ("II",)
    """Names of the columns."""
    mv_per_unit: float = 1.0
    """What one unit of a number is worth, mV; 1.0 where the numbers are millivolts."""
    zero: float = 0.0
    """Number that stands for 0 mV."""
    chunk_s: float = 0.25
    """Signal judged and stored in one step, s, 0.02 to 60."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_range("fs_hz", self.fs_hz, low=1, high=100_000, unit="Hz")
        require_range("chunk_s", self.chunk_s, low=0.02, high=60, unit="s")
        _require_columns(self.leads, self.mv_per_unit, self.zero)


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialSettings:
    """ECG samples from a microcontroller (Arduino with AD8232, ADS1293)."""

    name: str = "serial"
    """Of this source, in results and topics."""
    port: str = "/dev/ttyACM0"
    """Device file, better one of /dev/serial/by-id."""
    baud: int = 115_200
    """Bits per second, 1200 to 4000000."""
    protocol: Protocol = "text"
    """`text`: a line per sample, numbers parted by commas or spaces; `framed`: binary with CRC."""
    fs_hz: float = 250.0
    """Sampling rate that the device keeps, Hz."""
    leads: tuple[str, ...] = ("II",)
    """Names of the columns."""
    mv_per_unit: float = 1.0
    """What one unit of a number is worth, mV."""
    zero: float = 0.0
    """Number that stands for 0 mV."""
    chunk_s: float = 0.25
    """Signal judged and stored in one step, s, 0.02 to 60."""
    silence_s: float = 5.0
    """Without a sample for so long the device is taken for lost, s, 0.5 to 60."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_range("baud", self.baud, low=1200, high=4_000_000)
        require_range("fs_hz", self.fs_hz, low=1, high=100_000, unit="Hz")
        require_range("chunk_s", self.chunk_s, low=0.02, high=60, unit="s")
        require_range("silence_s", self.silence_s, low=0.5, high=60, unit="s")
        _require_columns(self.leads, self.mv_per_unit, self.zero)
        if self.protocol == "framed" and len(self.leads) > MOST_FRAMED_LEADS:
            raise RefusedValue("leads", f"names {len(self.leads)}; a frame holds at most {MOST_FRAMED_LEADS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """A Raspberry Pi camera over the place where pages are laid."""

    name: str = "camera"
    """Of this source, in results and topics."""
    number: int = 0
    """Which camera, as `rpicam-hello --list-cameras` counts them, 0 to 7."""
    width_px: int = 0
    """Width of the still, px; 0: the sensor's own."""
    height_px: int = 0
    """Height of the still, px; 0: the sensor's own."""
    trigger: Trigger = "command"
    """`command`: web page or HTTP only; `seeing`: also when a sharp page lies still; `gpio`: also by a button."""
    gpio_pin: int = 17
    """BCM number of the pin that a button pulls to ground, 0 to 27."""
    settle_s: float = 1.0
    """For exposure and focus before a still, s, 0 to 30."""
    rotate_deg: int = 0
    """By how much the picture is turned, 0, 90, 180 or 270."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_range("number", self.number, low=0, high=7)
        require_range("width_px", self.width_px, low=0, high=16_384, unit="px")
        require_range("height_px", self.height_px, low=0, high=16_384, unit="px")
        require_range("gpio_pin", self.gpio_pin, low=0, high=27)
        require_range("settle_s", self.settle_s, low=0, high=30, unit="s")
        if self.rotate_deg not in (0, 90, 180, 270):
            raise RefusedValue("rotate_deg", f"= {self.rotate_deg}; it must be 0, 90, 180 or 270")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebcamSettings:
    """A camera that OpenCV opens: USB, RTSP or MJPEG address, GStreamer pipeline, video file."""

    name: str = "webcam"
    """Of this source, in results and topics."""
    device: str = "0"
    """Index of a V4L2 device, an address (rtsp://, http://), a GStreamer pipeline that ends in appsink, or a file."""
    trigger: Trigger = "seeing"
    """As for `camera`; `gpio` is for a Raspberry Pi."""
    gpio_pin: int = 17
    """BCM number of the pin that a button pulls to ground, 0 to 27."""
    width_px: int = 0
    """Wished width, px; 0: the device's own."""
    height_px: int = 0
    """Wished height, px; 0: the device's own."""
    rotate_deg: int = 0
    """By how much the picture is turned, 0, 90, 180 or 270."""
    silence_s: float = 10.0
    """Without a picture for so long the camera is taken for lost, s, 1 to 60."""

    def __post_init__(self) -> None:
        require_name("name", self.name)
        require_range("gpio_pin", self.gpio_pin, low=0, high=27)
        require_range("width_px", self.width_px, low=0, high=16_384, unit="px")
        require_range("height_px", self.height_px, low=0, high=16_384, unit="px")
        require_range("silence_s", self.silence_s, low=1, high=60, unit="s")
        if self.rotate_deg not in (0, 90, 180, 270):
            raise RefusedValue("rotate_deg", f"= {self.rotate_deg}; it must be 0, 90, 180 or 270")


SourceSettings = (
    ReplaySettings | FolderSettings | HttpSettings | StdinSettings | SerialSettings | CameraSettings | WebcamSettings
)
SOURCES: Mapping[str, type[SourceSettings]] = MappingProxyType(
    {
        "replay": ReplaySettings,
        "folder": FolderSettings,
        "http": HttpSettings,
        "stdin": StdinSettings,
        "serial": SerialSettings,
        "camera": CameraSettings,
        "webcam": WebcamSettings,
    }
)
"""Kind of [[source]] -> its settings."""
