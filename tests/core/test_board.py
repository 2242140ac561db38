"""What is read of a board: files as Linux and a Pi's firmware write them."""

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from ecgedge.board import busy_s, read_board, read_condition, throttling_words
from ecgedge.bundle import read_bundle
from ecgedge.energy import Meter, find_meter, metered
from ecgedge.measurement import energy_of

PI_4 = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n"
    "CPU implementer\t: 0x41\nCPU part\t: 0xd08\n\nSerial\t\t: 10000000abcdef01\n",
    "proc/meminfo": "MemTotal:        3884368 kB\nMemFree:          200000 kB\n",
    "proc/loadavg": "0.35 0.20 0.10 1/150 1234\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "81277\n",
    "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "52000\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
}


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_pi_is_read(tmp_path: Path) -> None:
    root = written(tmp_path, PI_4)
    board, condition = read_board(root), read_condition(root)
    assert board.model == "Raspberry Pi 4 Model B Rev 1.4"
    assert (board.cpu, board.cpu_flags, board.memory_mb) == ("Cortex-A72", ("asimd",), 3977)
    assert board.system == "Debian GNU/Linux 12 (bookworm)"
    assert condition.temperatures_c == {"cpu-thermal": 81.3}
    assert (condition.governor, condition.frequency_mhz, condition.load) == ("ondemand", 1500, 0.35)
    assert condition.throttling == 0x50005
    assert condition.throttling_words == (
        "under-voltage now",
        "throttled now",
        "under-voltage since the start",
        "throttled since the start",
    )


def test_no_serial_number_is_kept(tmp_path: Path) -> None:
    assert "abcdef" not in repr(read_board(written(tmp_path, PI_4)))


def test_a_pc_is_named_by_its_firmware_tables(tmp_path: Path) -> None:
    files = {
        "sys/class/dmi/id/sys_vendor": "Example Ltd\n",
        "sys/class/dmi/id/product_name": "Box 3\n",
        "sys/class/dmi/id/product_serial": "SECRET7\n",
        "proc/cpuinfo": "model name\t: Some CPU @ 2 GHz\nflags\t\t: fpu sse4_2 avx2 avx512_vnni\n",
    }
    board = read_board(written(tmp_path, files))
    assert (board.model, board.cpu) == ("Example Ltd Box 3", "Some CPU @ 2 GHz")
    assert board.cpu_flags == ("avx2", "avx512_vnni", "sse4_2")
    assert "SECRET7" not in repr(board)


def test_a_machine_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    board, condition = read_board(tmp_path), read_condition(tmp_path)
    assert (board.model, board.cpu, board.cpu_flags, board.memory_mb, board.system) == (None, None, (), None, None)
    assert condition.temperatures_c == {} and condition.throttling is None and condition.load is None
    assert busy_s(tmp_path) is None and find_meter(tmp_path) is None


def test_files_that_hold_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    root = written(tmp_path, dict.fromkeys(PI_4, "?") | {"proc/loadavg": "0.1 0 0"})
    assert read_board(root).memory_mb is None
    condition = read_condition(root)
    assert condition.throttling is None and condition.temperatures_c == {} and condition.frequency_mhz is None


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_the_firmware_is_asked_where_the_kernel_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Pi's `vcgencmd`, as its documentation shows the answers."""
    answers = (
        'case $1 in get_throttled) echo "throttled=0x80000";; measure_temp) echo "temp=48.3\'C";; *) exit 1;; esac'
    )
    program(tmp_path, "vcgencmd", answers)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    condition = read_condition(tmp_path)
    assert condition.throttling_words == ("soft temperature limit since the start",)
    assert condition.temperatures_c == {"firmware": 48.3}


def test_no_bits_no_words() -> None:
    assert throttling_words(0) == ()


def test_this_machine_counts_its_work() -> None:
    before = busy_s()
    if before is None:
        pytest.skip("no /proc/stat here")
    spun = subprocess.run(["sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; times"], check=True)
    after = busy_s()
    assert spun.returncode == 0 and after is not None and after > before


def test_a_counter_of_energy_wraps(tmp_path: Path) -> None:
    zone = "sys/class/powercap/intel-rapl:0"
    root = written(tmp_path, {f"{zone}/energy_uj": "9500000\n", f"{zone}/max_energy_range_uj": "10000000\n"})
    meter = find_meter(root)
    assert meter is not None and meter.name.startswith("RAPL")
    with metered(meter) as found:
        (root / zone / "energy_uj").write_text("1500000\n")
    assert found.joules == pytest.approx(2.0) and found.watts == pytest.approx(2.0 / found.seconds)


def test_a_power_sensor_is_added_up(tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon0"
    files = {"name": "ina3221\n", "in1_label": "VDD_IN\n", "in1_input": "5000\n", "curr1_input": "800\n"}
    other = {"sys/class/hwmon/hwmon1/name": "cpu_thermal\n"}
    meter = find_meter(written(tmp_path, {f"{chip}/{name}": text for name, text in files.items()} | other))
    assert meter is not None and meter.name == "ina3221 power sensor, VDD_IN" and not meter.counts
    with metered(meter) as found:
        threading.Event().wait(0.35)
    assert found.watts == pytest.approx(4.0, rel=0.2)


def test_rails_of_a_power_chip_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        "VDD_CORE_A current(7)=2.0A",
        "3V3_SYS_A current(1)=0.5A",
        "VDD_CORE_V volt(15)=0.8V",
        "3V3_SYS_V volt(9)=3.3V",
    )
    program(tmp_path, "vcgencmd", "\n".join(f"echo '  {line}'" for line in lines))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    meter = find_meter(tmp_path)
    assert meter is not None and meter.read() == pytest.approx(0.8 * 2.0 + 3.3 * 0.5)


def test_a_meter_that_may_not_be_read_is_none(tmp_path: Path) -> None:
    zone = "sys/class/powercap/intel-rapl:0"
    root = written(tmp_path, {f"{zone}/max_energy_range_uj": "10000000\n"})
    assert find_meter(root) is None


def test_energy_of_an_input_is_that_above_idle() -> None:
    """A meter of a machine that takes 2 W, and 3 W more for each second that this process works."""
    meter = Meter("2 W and 3 W of work", lambda: 2 * time.perf_counter() + 3 * time.process_time(), counts=True)
    found = energy_of(read_bundle("page").model, meter, threads=1, seconds=0.3)
    assert found.idle_w == pytest.approx(2.0, rel=0.2)
    assert found.busy_w > found.idle_w and found.per_input_mj > 0
    assert found.meter == meter.name
