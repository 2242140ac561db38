"""Energy of an inference, where the machine has a meter: RAPL of x86 processors, or the INA sensors of a Jetson.

A meter counts what the whole processor package or board takes, idle power included. It is only ever read.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from ecgedge.latency import model_call

_POWERCAP, _HWMON = Path("/sys/class/powercap"), Path("/sys/class/hwmon")
_SAMPLE_S = 0.02
_INA = ("ina3221", "ina219", "ina226", "ina230")


@dataclass(frozen=True, slots=True)
class NoMeter:
    """Why there is none, in a clause."""

    reason: str


class Rapl:
    """The energy counters of all processor packages, which the processor itself adds up."""

    name = "RAPL, all processor packages"

    def __init__(self, zones: tuple[Path, ...]) -> None:
        self._zones = zones
        self._last = {zone: _number(zone / "energy_uj") for zone in zones}
        self._sum_uj = 0

    def joules(self) -> float:
        """Energy since this meter was opened, J; a counter that began again at 0 in between is told once."""
        for zone in self._zones:
            now, before = _number(zone / "energy_uj"), self._last[zone]
            self._sum_uj += now - before if now >= before else now - before + _number(zone / "max_energy_range_uj")
            self._last[zone] = now
        return self._sum_uj / 1e6

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Nothing to do: the processor counts."""
        yield


class Ina:
    """The power sensors of a board, read fifty times a second and added up."""

    name = "INA sensors, all channels"

    def __init__(self, channels: tuple[tuple[Path, Path], ...]) -> None:
        self._channels, self._joules = channels, 0.0

    def joules(self) -> float:
        """Energy that was counted so far, J."""
        return self._joules

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Read the sensors in a thread of its own."""
        stop = Event()
        thread = Thread(target=self._count, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def watts(self) -> float:
        """Power now, W: millivolts times milliamperes of each channel."""
        return sum(_number(volt) * _number(ampere) for volt, ampere in self._channels) / 1e6

    def _count(self, stop: Event) -> None:
        before = time.monotonic()
        while not stop.wait(_SAMPLE_S):
            now = time.monotonic()
            self._joules += self.watts() * (now - before)
            before = now


def find_meter(*, powercap: Path = _POWERCAP, hwmon: Path = _HWMON) -> Rapl | Ina | NoMeter:
    """The meter of this machine, or why there is none."""
    zones = tuple(sorted(path for path in powercap.glob("intel-rapl:*") if path.name.count(":") == 1))
    readable = tuple(zone for zone in zones if _readable(zone / "energy_uj"))
    if readable:
        return Rapl(readable)
    if channels := tuple(_channels(hwmon)):
        return Ina(channels)
    if zones:
        return NoMeter("the processor's energy counter (RAPL) may only be read by root here")
    return NoMeter("this machine has no energy meter that can be read (no RAPL counter, no INA sensor)")


def millijoules_of(
    models: Mapping[str, bytes], meter: Rapl | Ina, *, seconds: float, clock: Callable[[], float] = time.monotonic
) -> dict[str, float]:
    """Energy of one inference of each model, mJ, one thread, batch 1; of the whole package or board."""
    found = {}
    for name, model in models.items():
        call = model_call(model)
        call()
        with meter.counting():
            before, end, n = meter.joules(), clock() + seconds, 0
            while clock() < end:
                call()
                n += 1
        found[name] = 1000 * (meter.joules() - before) / n
    return found


def _channels(hwmon: Path) -> Iterator[tuple[Path, Path]]:
    for chip in sorted(hwmon.glob("hwmon*")):
        try:
            name = (chip / "name").read_text().strip()
        except OSError:
            continue  # a chip that went away between listing and reading
        if not name.startswith(_INA):
            continue
        for ampere in sorted(chip.glob("curr*_input")):
            volt = chip / ampere.name.replace("curr", "in")
            if _readable(volt) and _readable(ampere):
                yield volt, ampere


def _readable(path: Path) -> bool:
    try:
        _number(path)
    except (OSError, ValueError):
        return False
    return True


def _number(path: Path) -> int:
    return int(path.read_text())
