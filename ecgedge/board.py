"""The computer that this runs on: which board, which processor, how warm, whether it is throttled.

Reads /proc and /sys of Linux, and asks a Pi's firmware; what is not there is None. It reads no host name, no user name,
no address and no serial number, so that what it finds may be sent in.
"""

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")
_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
_THROTTLING_BITS = {
    0: "under-voltage now",
    1: "clock capped now",
    2: "throttled now",
    3: "soft temperature limit now",
    16: "under-voltage since the start",
    17: "clock capped since the start",
    18: "throttled since the start",
    19: "soft temperature limit since the start",
}
"""Bits of the Pi firmware's answer, as its documentation of `vcgencmd get_throttled` lists them."""
_KERNEL_FLAGS = frozenset(
    "sse4_1 sse4_2 avx f16c fma avx2 avx_vnni avx512f avx512bw avx512vl avx512_vnni avx512_bf16 amx_int8 "
    "neon vfpv4 asimd fphp asimdhp asimddp i8mm bf16 svei8mm sve sve2".split()
)
"""Of the processor's flags those that decide which kernels an interpreter takes; the others say nothing here."""
_ARM_PARTS = {
    "0xb76": "ARM1176", "0xc07": "Cortex-A7", "0xd03": "Cortex-A53", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76", "0xd0c": "Neoverse-N1", "0xd40": "Neoverse-V1",
    "0xd42": "Cortex-A78AE", "0xd49": "Neoverse-N2", "0xd4f": "Neoverse-V2",
}  # fmt: skip
"""Part numbers of implementer 0x41, as Linux names them (arch/arm64/include/asm/cputype.h)."""


@dataclass(frozen=True, slots=True)
class Board:
    """What does not change while a program runs."""

    model: str | None
    """Of the board, from the device tree, else from the firmware's tables (DMI)."""
    cpu: str | None
    cpu_flags: tuple[str, ...]
    """Those that kernels of interpreters ask for, in the order of the alphabet."""
    cores: int
    """That this process may use."""
    memory_mb: int | None
    architecture: str
    system: str | None
    """Name and version of the distribution."""
    kernel: str


@dataclass(frozen=True, slots=True)
class Condition:
    """How the board does at one moment."""

    temperatures_c: dict[str, float]
    """Sensor -> degrees Celsius; of several sensors of one name the warmest."""
    throttling: int | None
    """Bits of the Pi firmware's answer; None where there is no such firmware."""
    throttling_words: tuple[str, ...]
    governor: str | None
    """Who sets the clock of the first core."""
    frequency_mhz: int | None
    """Clock of the first core."""
    load: float | None
    """Processes that run or wait to, average over the last minute."""


def read_board(root: Path = _ROOT) -> Board:
    """Find out what this machine is.

    Parameters
    ----------
    root : folder that holds proc/ and sys/
    """
    return Board(
        model=_model(root),
        cpu=_cpu(root),
        cpu_flags=_flags(root),
        cores=usable_cores(),
        memory_mb=_memory_mb(root),
        architecture=platform.machine(),
        system=_system(root),
        kernel=f"{platform.system()} {platform.release()}",
    )


def read_condition(root: Path = _ROOT) -> Condition:
    """How warm and how busy the machine is now."""
    throttling = _throttling(root)
    clock = root / "sys/devices/system/cpu/cpu0/cpufreq"
    khz = _integer(_text(clock / "scaling_cur_freq"))
    load = _text(root / "proc/loadavg")
    return Condition(
        temperatures_c=_temperatures_c(root),
        throttling=throttling,
        throttling_words=throttling_words(throttling or 0),
        governor=_text(clock / "scaling_governor"),
        frequency_mhz=None if khz is None else khz // 1000,
        load=float(load.split()[0]) if load else None,
    )


def throttling_words(bits: int) -> tuple[str, ...]:
    """What the Pi firmware's bits mean."""
    return tuple(words for bit, words in _THROTTLING_BITS.items() if bits >> bit & 1)


def busy_s(root: Path = _ROOT) -> float | None:
    """Processor time that all programs together have taken since the start, s over all cores; None where unknown."""
    fields = (_text(root / "proc/stat") or "").split("\n")[0].split()[1:]
    if len(fields) < 8:
        return None
    user, nice, system, _idle, _waiting, irq, soft_irq, stolen = (int(field) for field in fields[:8])
    return (user + nice + system + irq + soft_irq + stolen) / os.sysconf("SC_CLK_TCK")


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _model(root: Path) -> str | None:
    if found := _text(root / "proc/device-tree/model"):
        return found
    names = [_text(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name")]
    return " ".join(name for name in names if name) or None


def _cpu(root: Path) -> str | None:
    facts = dict(_cpu_facts(root))
    if name := facts.get("model name"):
        return name
    part = facts.get("CPU part")
    return None if part is None else _ARM_PARTS.get(part, f"Arm part {part}")


def _flags(root: Path) -> tuple[str, ...]:
    facts = dict(_cpu_facts(root))
    return tuple(sorted(_KERNEL_FLAGS & {*facts.get("flags", "").split(), *facts.get("Features", "").split()}))


def _cpu_facts(root: Path) -> Iterator[tuple[str, str]]:
    for line in (_text(root / "proc/cpuinfo") or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            yield key.strip(), value.strip()


def _memory_mb(root: Path) -> int | None:
    found = re.search(r"MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo") or "")
    return int(found[1]) * 1024 // 1_000_000 if found else None


def _system(root: Path) -> str | None:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', _text(root / "etc/os-release") or "", re.M)
    return found[1] if found else None


def _temperatures_c(root: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        name, value = _text(zone / "type"), _integer(_text(zone / "temp"))
        if name and value is not None:
            found[name] = max(round(value / 1000, 1), found.get(name, -273.0))
    if not found and (words := _firmware("measure_temp")) and (number := re.search(r"[\d.]+", words)):
        found["firmware"] = float(number[0])
    return found


def _throttling(root: Path) -> int | None:
    words = _text(root / _THROTTLED) or (_firmware("get_throttled") or "").partition("=")[2]
    try:
        return int(words, 16)  # with and without 0x
    except ValueError:
        return None


def _firmware(question: str) -> str | None:
    """What a Pi's firmware answers; None where there is no such program, or it may not be asked."""
    with suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(["vcgencmd", question], capture_output=True, text=True, timeout=5, check=True)
        return found.stdout.strip()
    return None


def _text(path: Path) -> str | None:
    """A file of the kernel; None where it is not there or may not be read."""
    with suppress(OSError):
        return path.read_text(errors="replace").strip("\0\n ") or None
    return None


def _integer(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?\d+", text) else None
