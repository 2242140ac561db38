"""Binary frames: none is taken with a wrong checksum, none behind garbage is missed, lost ones are counted and NaN."""

import shutil
import subprocess
from binascii import crc_hqx
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgedge.errors import InputError
from ecgedge_device.sources.frames import NOT_MEASURED, Frames, pack_frame
from ecgedge_device.sources.samples import LineCounts, Rows, TextLines

ROOT = Path(__file__).parents[2]
NAN = float("nan")


def read(data: bytes, *, n_leads: int = 1, pieces: int = 10_000) -> tuple[Rows, LineCounts]:
    counts = LineCounts()
    frames = Frames(n_leads, fs_hz=250.0, counts=counts)
    rows = [frames.feed(data[at : at + pieces], elapsed_s=0.0) for at in range(0, len(data), pieces)]
    return np.concatenate([np.empty((0, n_leads)), *rows]), counts


def stream(numbers: range) -> bytes:
    return b"".join(pack_frame(number, [number]) for number in numbers)


def test_the_layout_is_the_documented_one() -> None:
    assert crc_hqx(b"123456789", 0xFFFF) == 0x29B1
    frame = pack_frame(258, [-2])
    assert frame[:9].hex(" ") == "a5 5a 11 02 01 fe ff ff ff"
    assert int.from_bytes(frame[9:], "little") == crc_hqx(frame[2:9], 0xFFFF)
    assert len(pack_frame(0, [0] * 15)) == 67


@pytest.mark.parametrize("pieces", [1, 7, 11, 10_000])
def test_frames_are_read_however_they_arrive(pieces: int) -> None:
    data = pack_frame(65535, [1, -2, NOT_MEASURED]) + pack_frame(0, [2**31 - 1, 0, 5])
    rows, counts = read(data, n_leads=3, pieces=pieces)
    np.testing.assert_array_equal(rows, [[1, -2, NAN], [2**31 - 1, 0, 5]])
    assert counts == LineCounts(samples=2)


def test_lost_frames_are_missing_samples_also_where_the_number_wraps() -> None:
    rows, counts = read(stream(range(65530, 65534)) + stream(range(65540, 65542)))
    np.testing.assert_array_equal(rows[:, 0], [*range(65530, 65534), *[NAN] * 6, 65540, 65541])
    assert (counts.lost_samples, counts.resyncs, counts.bad_lines) == (6, 0, 0)


def test_a_damaged_frame_is_a_missing_sample() -> None:
    data = bytearray(stream(range(5)))
    data[2 * 11 + 6] ^= 1
    rows, counts = read(bytes(data))
    np.testing.assert_array_equal(rows[:, 0], [0, 1, NAN, 3, 4])
    assert (counts.lost_samples, counts.bad_lines, counts.resyncs) == (1, 1, 1)


def test_a_device_that_begins_anew_is_no_loss_of_thousands() -> None:
    rows, counts = read(stream(range(300, 303)) + stream(range(3)))
    np.testing.assert_array_equal(rows[:, 0], [300, 301, 302, 0, 1, 2])
    assert counts.lost_samples == 0


def test_frames_of_another_number_of_leads_are_not_read() -> None:
    rows, counts = read(pack_frame(0, [1, 2]) * 3)
    assert (len(rows), counts.samples) == (0, 0)
    with pytest.raises(InputError, match="16 leads; a frame has 1 to 15"):
        Frames(16, fs_hz=250.0, counts=LineCounts())


@pytest.mark.parametrize("bit", range(16, 88))
def test_no_frame_with_one_wrong_bit_is_taken(bit: int) -> None:
    data = bytearray(pack_frame(7, [123_456]))
    data[bit // 8] ^= 1 << bit % 8
    assert len(read(bytes(data))[0]) == 0


HEADS = st.sampled_from([b"\xa5", b"\xa5\x5a", b"\xa5\x5a\x11", b"\xa5\x5a\x11\x00\x00", pack_frame(3, [9])[:10]])
GARBAGE = st.lists(st.one_of(st.binary(max_size=30), HEADS), max_size=4).map(b"".join)


@given(st.lists(st.tuples(GARBAGE, st.integers(-(2**31) + 1, 2**31 - 1)), max_size=20), GARBAGE, st.integers(1, 40))
def test_garbage_between_frames_never_gives_a_sample_nor_hides_a_frame(
    parts: list[tuple[bytes, int]], last: bytes, pieces: int
) -> None:
    data = b"".join(garbage + pack_frame(n, [value]) for n, (garbage, value) in enumerate(parts))
    rows, counts = read(data + last, pieces=pieces)
    assert rows[:, 0].tolist() == [value for _, value in parts]
    assert counts.samples == len(parts)
    assert counts.resyncs == sum(bool(garbage) for garbage, _ in parts[1:])


SHIM = """
#include <cstdint>
#include <cstdio>
#include <cstddef>
typedef bool boolean;
enum { INPUT, EXTERNAL, A0 };
static uint32_t now_us = 4294960000U; static int measured = 0;
uint32_t micros() { return now_us += 100; }
void pinMode(int, int) {} void analogReference(int) {}
int digitalRead(int pin) { return pin == 10 && measured == 3; }
int analogRead(int) { return 500 + measured; }
struct { void begin(int) {} void println(const char *s) { printf("%s\\r\\n", s); }
  void println(char c) { printf("%c\\r\\n", c); } void println(int n) { printf("%d\\r\\n", n); }
  void write(const uint8_t *b, size_t n) { fwrite(b, 1, n, stdout); } } Serial;
"""


@pytest.fixture(scope="module")
def compiler() -> str:
    found = shutil.which("g++")
    if found is None:
        pytest.skip("needs g++ to compile the sketches")
    return found


def run_sketch(name: str, compiler: str, folder: Path) -> bytes:
    """What a sketch sends in its first 70000 loops; an electrode is off in the fourth."""
    sketch = (ROOT / f"device/arduino/{name}/{name}.ino").read_text()
    loop = "\nint main() { setup(); for (int i = 0; i < 70000; i++) { measured = i; loop(); } }\n"
    (folder / "sketch.cpp").write_text(
        SHIM + sketch.replace("unsigned long", "uint32_t").replace("(long)", "(int32_t)") + loop
    )
    options = ["-Wall", "-Werror", "-o", folder / "sketch"]
    subprocess.run([compiler, *options, folder / "sketch.cpp"], check=True, timeout=120)
    return subprocess.run([folder / "sketch"], check=True, capture_output=True, timeout=60).stdout


def test_the_framed_sketch_sends_what_is_read(compiler: str, tmp_path: Path) -> None:
    rows, counts = read(run_sketch("ecg_framed", compiler, tmp_path))
    np.testing.assert_array_equal(rows[:6, 0], [500, 501, 502, NAN, 504, 505])
    assert len(rows) == 70_000
    assert counts == LineCounts(samples=70_000)


def test_the_text_sketch_sends_what_is_read(compiler: str, tmp_path: Path) -> None:
    counts = LineCounts()
    rows = TextLines(1, counts=counts).feed(run_sketch("ecg_text", compiler, tmp_path))
    np.testing.assert_array_equal(rows[:6, 0], [500, 501, 502, NAN, 504, 505])
    assert all(after == before + 1 for before, after in pairwise(rows[4:, 0]))
    assert counts == LineCounts(samples=70_000)
