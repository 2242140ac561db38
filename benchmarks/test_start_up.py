"""Start-up, memory and installed size: each in fresh processes, or of what a wheel installs."""

import subprocess
import sys
import zipfile
from pathlib import Path
from statistics import median

import pytest
from pages_speed import peak_mb
from pytest_benchmark.fixture import BenchmarkFixture

from ecgedge.bundle import find_bundle
from ecgedge.first_answer import FirstAnswer, first_answers
from ecgedge.formats import write_wfdb
from ecgedge.records import Recording

ROOT = Path(__file__).parents[1]
DEVICE = ROOT / ".venv"
_TASKS = {"beat": "beat", "page": "page", "page-image": "page"}
_BEATS = """
import pathlib, sys
from ecgedge.bundle import read_bundle
from ecgedge.engine import judge_recording
from ecgedge.formats import read_recording
judge_recording(read_bundle("beat"), read_recording(pathlib.Path(sys.argv[1])))
print(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""
_LINUX = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read from /proc, which Linux has"
)


@pytest.mark.benchmark(group="start-up, fresh process")
@pytest.mark.parametrize("name", _TASKS)
def test_first_answer(benchmark: BenchmarkFixture, name: str) -> None:
    """Process to first answer of the bundle's golden input, and the end of the process."""
    found: list[FirstAnswer] = []

    def start() -> None:
        found.extend(first_answers(find_bundle(name), task=_TASKS[name], times=1))

    benchmark.pedantic(start, rounds=3, warmup_rounds=1)
    for field in ("process_s", "import_s", "load_s", "answer_s", "again_s", "loaded_mb", "peak_mb"):
        values = [value for value in (getattr(one, field) for one in found) if value is not None]
        if values:
            benchmark.extra_info[field] = round(median(values), 4)


@_LINUX
@pytest.mark.benchmark(group="memory, fresh process")
def test_memory_of_half_an_hour(benchmark: BenchmarkFixture, half_hour: Recording, tmp_path: Path) -> None:
    """A file of 30 minutes judged in a process of its own."""
    write_wfdb(half_hour, tmp_path)
    command = [sys.executable, "-c", _BEATS, str(tmp_path / half_hour.name)]
    peaks: list[float] = []

    def start() -> None:
        found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        peaks.append(int(found.stdout) * 1024 / 1e6)

    benchmark.pedantic(start, rounds=1)
    benchmark.extra_info["peak_mb"] = round(median(peaks), 1)


@_LINUX
@pytest.mark.benchmark(group="memory, fresh process")
def test_memory_of_a_photo(benchmark: BenchmarkFixture, twelve_megapixels: Path) -> None:
    """A photo of 12 megapixels to signals in a process of its own; and one that imports alone."""
    benchmark.extra_info |= benchmark.pedantic(peak_mb, (twelve_megapixels,), rounds=1)


@pytest.mark.benchmark(group="installed size")
def test_wheel(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """What `pip install` of our wheel puts on the disk, by package; and the environment of `make demo` where it is."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    wheel = next(tmp_path.glob("*.whl"))

    def unpack() -> None:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path / "installed")

    benchmark.pedantic(unpack, rounds=3)
    benchmark.extra_info["wheel_mb"] = wheel.stat().st_size / 1e6
    for folder in sorted((tmp_path / "installed").glob("ecgedge*")):
        if not folder.name.endswith(".dist-info"):
            benchmark.extra_info[f"{folder.name}_mb"] = _size_mb(folder)
    if DEVICE.is_dir():
        benchmark.extra_info["environment_of_a_device_mb"] = _size_mb(DEVICE)


def _size_mb(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / 1e6
