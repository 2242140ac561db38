"""The machine under the agent: temperature, disk, memory, as the system tells them. Knows nothing of ECG."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_THERMAL = Path("/sys/class/thermal")
_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Machine:
    """As it is now."""

    temperature_c: float | None
    """The hottest zone, degrees Celsius; None where none tells."""
    disk_bytes: int
    """Of the disk that holds the store."""
    free_bytes: int
    store_bytes: int
    """The database with its journal."""
    memory_bytes: int
    """Resident, of the agent; 0 where the system does not tell."""


def look_at(store: Path, *, thermal: Path = _THERMAL) -> Machine:
    """How the machine does.

    Parameters
    ----------
    store : the SQLite file
    thermal : folder of the thermal zones
    """
    disk = shutil.disk_usage(store.parent if store.parent.exists() else Path.cwd())
    parts = [store.with_name(store.name + ending) for ending in ("", "-wal", "-shm")]
    held = sum(part.stat().st_size for part in parts if part.exists())
    return Machine(_hottest_c(thermal), disk.total, disk.free, held, _memory_bytes())


def _hottest_c(thermal: Path) -> float | None:
    found = []
    for zone in thermal.glob("thermal_zone*/temp"):
        try:
            found.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):
            continue  # a zone that is switched off says so by an error
    return max(found, default=None)


def _memory_bytes() -> int:
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
