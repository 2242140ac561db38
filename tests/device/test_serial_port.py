"""The serial source through a real pseudo terminal: text, frames, garbage, unplugging and coming back, a stop."""

import os
import threading
import tty
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
import serial

from ecgedge_device.source_settings import SerialSettings
from ecgedge_device.sources import LiveChunk, Reason, SignalWork, SourceError, open_source
from ecgedge_device.sources.frames import pack_frame
from ecgedge_device.sources.serial_port import SerialSource

NAN = float("nan")
DEADLINE_S = 60.0


class Board:
    """The microcontroller's end of a pseudo terminal; the other end hangs at a path, as /dev/serial/by-id does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.plug_in()

    def plug_in(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self._path.unlink(missing_ok=True)
        self._path.symlink_to(os.ttyname(slave))
        self._slave = slave  # so that the line does not hang up before the port is opened

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def unplug(self) -> None:
        for fd in (self._master, self._slave):
            if fd >= 0:
                os.close(fd)
        self._master = self._slave = -1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ttyECG"


@pytest.fixture
def board(path: Path) -> Iterator[Board]:
    made = Board(path)
    yield made
    made.unplug()


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def opened(path: Path, stop: threading.Event, **changes: object) -> tuple[SerialSource, SignalWork]:
    settings = replace(SerialSettings(port=str(path), fs_hz=250.0, chunk_s=0.02, silence_s=30.0), **changes)
    source = open_source(settings, files=path.parent, stop=stop)
    assert isinstance(source, SerialSource)
    work = next(iter(source))
    assert isinstance(work, SignalWork)
    return source, work


def collect(work: SignalWork, wanted: int) -> np.ndarray:
    """The first samples, (n, n_leads); chunks must follow each other."""
    rows: list[np.ndarray] = []
    count, deadline = 0, monotonic() + DEADLINE_S
    start = None
    for chunk in work:
        assert isinstance(chunk, LiveChunk)
        assert start in (None, chunk.start)
        rows.append(chunk.signal)
        start, count = chunk.start + len(chunk.signal), count + len(chunk.signal)
        if count >= wanted:
            return np.concatenate(rows)
        assert monotonic() < deadline
    raise AssertionError(f"{count} of {wanted} samples")


def test_text_lines_become_millivolts(board: Board, path: Path, stop: threading.Event) -> None:
    source, work = opened(path, stop, leads=("I", "II"), zero=512.0, mv_per_unit=0.01)
    assert (work.live, work.recording, work.stream.address) == (True, None, f"serial:{path}")
    board.send(b"99,9\n612,412\r\n# note\n!\n512;x\n512\t")
    board.send(b"513\n")
    np.testing.assert_allclose(collect(work, 4), [[1, -1], [NAN, NAN], [NAN, NAN], [0, 0.01]], atol=1e-6)
    assert (source.counts.samples, source.counts.bad_lines) == (3, 1)


def test_frames_with_garbage_damage_and_gaps_between_them(board: Board, path: Path, stop: threading.Event) -> None:
    source, work = opened(path, stop, protocol="framed")
    damaged = bytearray(pack_frame(1, [11]))
    damaged[7] ^= 0x40
    half = pack_frame(65538, [15])
    board.send(b"\x00\xa5" + pack_frame(65535, [9]) + pack_frame(65536, [10]) + bytes(damaged) + half[:5])
    board.send(half[5:] + b"\xa5\x5a\x11garbage" + pack_frame(65543, [20]))
    np.testing.assert_array_equal(collect(work, 9)[:, 0], [9, 10, NAN, 15, NAN, NAN, NAN, NAN, 20])
    assert (source.counts.samples, source.counts.bad_lines, source.counts.lost_samples) == (4, 2, 5)
    assert source.counts.resyncs == 2


def test_numbers_go_on_where_the_agent_says(board: Board, path: Path, stop: threading.Event) -> None:
    _, work = opened(path, stop)
    work.seek(1000)
    board.send(b"0\n1\n2\n3\n4\n5\n")
    chunk = next(iter(work))
    assert chunk.start == 1000
    assert np.isnan(chunk.signal).all()


def test_an_unplugged_device_is_lost_and_found_again(board: Board, path: Path, stop: threading.Event) -> None:
    source, work = opened(path, stop)
    board.send(b"0\n1\n2\n3\n4\n5\n6\n")
    found: list[float] = []
    with pytest.raises(SourceError, match="gone") as lost:
        for chunk in work:
            if not found:
                board.unplug()
            found += chunk.signal[:, 0].tolist()
    assert lost.value.reason is Reason.LOST
    assert found == [1, 2, 3, 4, 5, 6]

    with pytest.raises(SourceError, match="not there") as missing:
        next(iter(source))
    assert missing.value.reason is Reason.NOT_FOUND

    board.plug_in()
    again = next(iter(source))
    assert isinstance(again, SignalWork)
    assert again.stream == work.stream
    again.seek(6)
    board.send(b"0\n3\n4\n")
    chunks = iter(again)
    samples: list[float] = []
    deadline = monotonic() + DEADLINE_S
    while 4.0 not in samples and monotonic() < deadline:
        samples += next(chunks).signal[:, 0].tolist()
    assert samples[-2:] == [3, 4]
    assert len(samples) > 2, "the time between is missing"
    assert np.isnan(samples[:-2]).all()


def test_what_is_not_enough_for_a_chunk_is_not_held_back(board: Board, path: Path, stop: threading.Event) -> None:
    _, work = opened(path, stop, chunk_s=1.0)
    board.send(b"0\n1\n2\n3\n")
    chunk = next(iter(work))
    np.testing.assert_array_equal(chunk.signal[:, 0], [1, 2, 3])


@pytest.mark.parametrize(("sent", "words"), [(b"", "look at the cable"), (b"0\n" + b"\xff\n" * 9, "`baud`")])
def test_silence_is_a_loss(board: Board, path: Path, stop: threading.Event, sent: bytes, words: str) -> None:
    _, work = opened(path, stop, silence_s=0.5)
    if sent:
        board.send(sent)
    with pytest.raises(SourceError, match=f"no sample for 0.5 s.*{words}") as lost:
        list(work)
    assert lost.value.reason is Reason.LOST


def refusal(path: Path, stop: threading.Event) -> SourceError:
    with pytest.raises(SourceError) as refused:
        opened(path, stop)
    assert str(path) in str(refused.value)
    return refused.value


@pytest.mark.usefixtures("board")
def test_a_port_in_use_is_busy_until_it_is_closed(path: Path, stop: threading.Event) -> None:
    with serial.Serial(str(path), exclusive=True):
        assert refusal(path, stop).reason is Reason.BUSY
    source, _ = opened(path, stop)
    assert refusal(path, stop).reason is Reason.BUSY
    source.close()
    opened(path, stop)


@pytest.mark.usefixtures("board")
def test_a_port_that_may_not_be_opened_is_denied(path: Path, stop: threading.Event) -> None:
    path.chmod(0)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        assert refusal(path, stop).reason is Reason.DENIED
    finally:
        if root:
            os.seteuid(0)


def test_a_file_is_no_port(path: Path, stop: threading.Event) -> None:
    path.write_text("1\n2\n")
    assert refusal(path, stop).reason is Reason.NOT_FOUND


def test_a_stop_ends_the_wait_for_bytes_and_frees_the_port(board: Board, path: Path, stop: threading.Event) -> None:
    source, work = opened(path, stop, silence_s=60.0)
    board.send(b"0\n1\n")
    threading.Timer(0.3, stop.set).start()
    begun_s = monotonic()
    assert sum(len(chunk.signal) for chunk in work) == 1
    assert monotonic() - begun_s < DEADLINE_S
    assert list(source) == []
    with serial.Serial(str(path), exclusive=True) as port:
        assert port.is_open
