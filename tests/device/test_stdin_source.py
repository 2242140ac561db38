"""Standard input: lines as the serial source reads them, to the end of the input or a stop."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from ecgedge.records import SignalChunk
from ecgedge_device.source_settings import StdinSettings
from ecgedge_device.sources import LiveChunk, SignalWork, SourceError
from ecgedge_device.sources.stdin import StdinSource

ROOT = Path(__file__).parents[2]
SETTINGS = StdinSettings(fs_hz=100.0, leads=("I", "II"), mv_per_unit=0.5, zero=1.0)
NAN = float("nan")
DEADLINE_S = 60.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        try:
            os.close(fd)
        except OSError:
            assert fd == writing  # closed by the test, as the end of the input


def work_of(source: StdinSource) -> SignalWork:
    (work,) = source
    assert isinstance(work, SignalWork)
    return work


def test_the_end_of_the_input_is_the_end_of_the_recording(pipe: tuple[int, int]) -> None:
    source = StdinSource(SETTINGS, stop=threading.Event(), fd=pipe[0])
    work = work_of(source)
    os.write(pipe[1], b"3,5\nbad\n1 1\n# end\n-1;nan")
    os.close(pipe[1])
    chunks = list(work)
    found = np.concatenate([chunk.signal for chunk in chunks])
    np.testing.assert_array_equal(found, [[1, 2], [NAN, NAN], [0, 0], [-1, NAN]])
    assert chunks[0].start == 0
    assert (work.live, work.recording, work.stream.n_samples) == (False, None, 0)
    assert list(source) == []


def test_each_start_is_a_new_recording() -> None:
    streams = {work_of(StdinSource(SETTINGS, stop=threading.Event())).stream for _ in range(2)}
    assert len({stream.address for stream in streams}) == 2
    assert all(stream.address.startswith("stdin:stdin:") for stream in streams)


def test_what_was_read_cannot_be_read_again(pipe: tuple[int, int]) -> None:
    work = work_of(StdinSource(SETTINGS, stop=threading.Event(), fd=pipe[0]))
    work.seek(0)
    os.write(pipe[1], b"1,1\n" * 30)
    os.close(pipe[1])
    assert sum(len(chunk.signal) for chunk in work) == 30
    work.seek(30)
    with pytest.raises(SourceError, match="at sample 30 and cannot go to 0"):
        work.seek(0)


def test_only_an_input_that_keeps_time_has_a_time_of_day(pipe: tuple[int, int]) -> None:
    work = work_of(StdinSource(SETTINGS, stop=threading.Event(), fd=pipe[0]))
    chunks = iter(work)
    os.write(pipe[1], b"1,1\n" * 25)
    assert isinstance(next(chunks), LiveChunk)
    os.write(pipe[1], b"1,1\n" * 1000)
    rest = [next(chunks) for _ in range(40)]
    assert all(type(chunk) is SignalChunk for chunk in rest)


def test_a_stop_ends_a_read_that_waits(pipe: tuple[int, int]) -> None:
    stop = threading.Event()
    work = work_of(StdinSource(SETTINGS, stop=stop, fd=pipe[0]))
    threading.Timer(0.2, stop.set).start()
    begun_s = monotonic()
    assert list(work) == []
    assert monotonic() - begun_s < DEADLINE_S


def test_a_closed_input_is_named(pipe: tuple[int, int]) -> None:
    reading = os.dup(pipe[0])
    os.close(reading)
    with pytest.raises(SourceError, match="standard input cannot be read"):
        list(work_of(StdinSource(SETTINGS, stop=threading.Event(), fd=reading)))


def test_a_program_reads_its_own_standard_input() -> None:
    code = (
        "import threading\n"
        "from ecgedge_device.source_settings import StdinSettings\n"
        "from ecgedge_device.sources.stdin import StdinSource\n"
        "(work,) = StdinSource(StdinSettings(fs_hz=250), stop=threading.Event())\n"
        "print(sum(len(chunk.signal) for chunk in work), work.counts)\n"
    )
    paths = os.pathsep.join(str(ROOT / folder) for folder in (".", "device"))
    run = subprocess.run(
        [sys.executable, "-c", code],
        input="1\n2\nx\n" * 50_000,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert run.stdout.startswith("150000 LineCounts(samples=100000, bad_lines=50000"), run.stdout + run.stderr
