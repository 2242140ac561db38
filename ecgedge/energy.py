"""The energy that a machine takes, where it has a meter that may be read: RAPL, a shunt sensor, a Pi 5's power chip.

Knows nothing of models. A meter counts for the whole machine or processor, whatever else runs on it.
"""

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

_ROOT = Path("/")
_EVERY_S = 0.1
_SHUNT_SENSORS = ("ina209", "ina219", "ina220", "ina226", "ina230", "ina231", "ina238", "ina260", "ina3221")
"""Chips whose Linux drivers (hwmon) give volts, amperes and watts of a supply rail."""
_WHOLE_BOARD = ("VDD_IN", "POM_5V_IN", "5V_IN", "VIN_SYS_5V0")
"""Labels of the rail that feeds everything on boards that measure several (Jetson)."""


@dataclass(frozen=True, slots=True)
class Meter:
    """One way to learn of energy or power."""

    name: str
    """What is measured, in words."""
    read: Callable[[], float]
    """J since some moment for a counter, else W at this moment."""
    counts: bool
    """Whether `read` gives J; else W, which are added up over time."""
    wraps_j: float = 0.0
    """After so many J a counter, or one of several, begins again at 0."""


@dataclass(slots=True)
class Metered:
    """What a stretch of time took; complete when its block has ended."""

    joules: float = 0.0
    seconds: float = 0.0

    @property
    def watts(self) -> float:
        """Mean power."""
        return self.joules / self.seconds if self.seconds else 0.0


def find_meter(root: Path = _ROOT) -> Meter | None:
    """The first meter that gives a figure to this user; None where there is none.

    Parameters
    ----------
    root : folder that holds sys/
    """
    for meter in (_shunt(root), _power_chip(), _rapl(root)):
        if meter is not None:
            with suppress(OSError, ValueError, subprocess.SubprocessError):
                meter.read()
                return meter
    return None


@contextmanager
def metered(meter: Meter) -> Iterator[Metered]:
    """Measure what is done inside."""
    found = Metered()
    stop = threading.Event()
    sampler = threading.Thread(target=_sample, args=(meter, found, stop), daemon=True)
    start_j = meter.read() if meter.counts else 0.0
    start_s = perf_counter()
    if not meter.counts:
        sampler.start()
    try:
        yield found
    finally:
        stop.set()
        if meter.counts:
            found.joules = meter.read() - start_j
            if found.joules < 0 < meter.wraps_j:  # within seconds each package wraps once at most
                found.joules %= meter.wraps_j
        else:
            sampler.join()
        found.seconds = perf_counter() - start_s


def _sample(meter: Meter, found: Metered, stop: threading.Event) -> None:
    last_s, last_w = perf_counter(), meter.read()
    ends = False
    while not ends:
        ends = stop.wait(_EVERY_S)
        now_s, now_w = perf_counter(), meter.read()
        found.joules += (now_s - last_s) * (last_w + now_w) / 2
        last_s, last_w = now_s, now_w


def _rapl(root: Path) -> Meter | None:
    """Counters of x86 processors, one for each socket; usually for root alone."""
    zones = [
        zone
        for zone in sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
        if re.fullmatch(r"intel-rapl:\d+", zone.name)
    ]
    if not zones:
        return None
    with suppress(OSError, ValueError):
        wraps_j = _number(zones[0] / "max_energy_range_uj") / 1e6  # the packages of a board are alike
        return Meter(
            f"RAPL, {len(zones)} processor package(s)",
            partial(_sum, tuple(zone / "energy_uj" for zone in zones), 1e-6),
            counts=True,
            wraps_j=wraps_j,
        )
    return None


def _shunt(root: Path) -> Meter | None:
    """A sensor beside a resistor in the supply: on Jetson boards, and on hats for a Pi."""
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        with suppress(OSError):
            name = (chip / "name").read_text().strip()
            if name in _SHUNT_SENSORS and (found := _rail(chip, name)):
                return found
    return None


def _rail(chip: Path, name: str) -> Meter | None:
    if (chip / "power1_input").exists():
        return Meter(f"{name} power sensor", partial(_sum, (chip / "power1_input",), 1e-6), counts=False)
    for label in sorted(chip.glob("in*_label")):
        number = label.name.removeprefix("in").removesuffix("_label")
        volts, amperes = chip / f"in{number}_input", chip / f"curr{number}_input"
        if (rail := label.read_text().strip()) in _WHOLE_BOARD and volts.exists() and amperes.exists():
            return Meter(f"{name} power sensor, {rail}", partial(_product, volts, amperes), counts=False)
    return None


def _power_chip() -> Meter | None:
    """What the power chip of a Pi 5 gives its own rails: the board without USB and hats."""
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        _power_chip_w()
        return Meter("power chip of the Pi 5, its own rails", _power_chip_w, counts=False)
    return None


def _power_chip_w() -> float:
    found = subprocess.run(["vcgencmd", "pmic_read_adc"], capture_output=True, text=True, timeout=5, check=True)
    readings = re.findall(r"(\w+)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)", found.stdout)
    amperes = {rail: float(value) for rail, kind, value in readings if kind == "A"}
    volts = {rail: float(value) for rail, kind, value in readings if kind == "V"}
    both = amperes.keys() & volts.keys()
    if not both:
        raise ValueError("no rail with both volts and amperes")
    return sum(amperes[rail] * volts[rail] for rail in both)


def _sum(paths: tuple[Path, ...], unit: float) -> float:
    return sum(_number(path) for path in paths) * unit


def _product(volts: Path, amperes: Path) -> float:
    """mV times mA, in W."""
    return _number(volts) * _number(amperes) * 1e-6


def _number(path: Path) -> float:
    return float(path.read_text())
