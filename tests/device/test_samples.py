"""Lines to numbers, numbers to chunks: bad lines and gaps stand as NaN, and numbers and times stay together."""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgedge_device.sources import LiveChunk
from ecgedge_device.sources.samples import LONGEST_LINE, LineCounts, LiveChunks, TextLines, parse_line, to_mv

NAN = float("nan")


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        (b"1,2.5", [1, 2.5]),
        (b" -3 ; +4e2 ", [-3, 400]),
        (b"1\t.5", [1, 0.5]),
        (b"1  2,", [1, 2]),
        (b"nan, 7", [NAN, 7]),
        (b"!,7", [NAN, 7]),
        (b"!", [NAN, NAN]),
    ],
)
def test_a_line_gives_its_numbers(line: bytes, numbers: list[float]) -> None:
    np.testing.assert_array_equal(parse_line(line, 2), numbers)


@pytest.mark.parametrize("line", [b"", b"  ", b"# AD8232, 250 Hz", b" # 1,2"])
def test_blank_lines_and_comments_give_nothing(line: bytes) -> None:
    assert parse_line(line, 2) is None


@pytest.mark.parametrize("line", [b"1", b"1,2,3", b"1,x", b"1,1_0", b"1,inf", b"1,1e99", b"1,\xb2", b"1,,\x00"])
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"number|float"):
        parse_line(line, 2)


def fed(pieces: Iterable[bytes], *, join: bool = False) -> tuple[list[float], LineCounts]:
    counts = LineCounts()
    lines = TextLines(1, counts=counts, join=join)
    rows = [lines.feed(piece) for piece in pieces] + [lines.end()]
    return np.concatenate(rows)[:, 0].tolist(), counts


def test_a_bad_line_is_one_missing_sample() -> None:
    found, counts = fed([b"1\n#\n\n2 2\r\n3\r4\n!\n5"])
    np.testing.assert_array_equal(found, [1, NAN, 3, 4, NAN, 5])
    assert (counts.samples, counts.bad_lines, counts.resyncs) == (5, 1, 0)


def test_a_joined_stream_loses_its_first_line() -> None:
    assert fed([b"99", b"8\n1\n2\n"], join=True) == ([1, 2], LineCounts(samples=2))
    assert fed([b"998"], join=True) == ([], LineCounts())


def test_bytes_without_an_end_of_line_are_dropped_up_to_the_next() -> None:
    found, counts = fed([b"1\n", b"7" * (LONGEST_LINE + 1), b"7" * LONGEST_LINE, b"7\n2\n"])
    np.testing.assert_array_equal(found, [1, NAN, 2])
    assert (counts.bad_lines, counts.resyncs) == (1, 1)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=10))
def test_how_bytes_are_cut_into_reads_changes_nothing(data: bytes, cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(data)]
    pieces = [data[start:stop] for start, stop in itertools.pairwise(at)]
    np.testing.assert_array_equal(fed(pieces)[0], fed([data])[0])
    assert fed(pieces)[1] == fed([data])[1]


def test_numbers_become_millivolts() -> None:
    np.testing.assert_allclose(to_mv(np.array([[512.0], [1024.0]]), zero=512, mv_per_unit=0.003), [[0], [1.536]])


def chunks_of(
    adds: Iterable[tuple[float, list[float]]], *, seek: int = 0, last_s: float | None = None, gaps: bool = True
) -> tuple[list[LiveChunk], LineCounts]:
    """Chunks of 1 s at 10 Hz from samples that came at some time; it is 1000 s later in UTC."""
    counts = LineCounts()
    made = LiveChunks(1, fs_hz=10.0, chunk_s=1.0, counts=counts, last_s=last_s, gaps=gaps)
    made.seek(seek)
    found = []
    for now_s, values in adds:
        found += made.add(np.array(values, np.float64)[:, None], now_s=now_s, utc_s=1000 + now_s)
    return found + list(made.flush()), counts


def joined(chunks: list[LiveChunk]) -> np.ndarray:
    for one, other in itertools.pairwise(chunks):
        assert other.start == one.start + len(one.signal)
    return np.concatenate([chunk.signal[:, 0] for chunk in chunks])


def test_chunks_have_their_length_number_and_time() -> None:
    chunks, counts = chunks_of([(1.0, list(range(10))), (1.7, list(range(10, 17))), (2.5, list(range(17, 25)))], seek=0)
    assert [(chunk.start, len(chunk.signal)) for chunk in chunks] == [(0, 10), (10, 10), (20, 5)]
    assert [chunk.utc_s for chunk in chunks] == pytest.approx([1000, 1001, 1002])
    np.testing.assert_array_equal(joined(chunks), np.arange(25))
    assert chunks[0].signal.dtype == np.float32
    assert counts.lost_samples == 0


def test_a_short_gap_is_filled_so_that_numbers_and_time_stay_together() -> None:
    chunks, counts = chunks_of([(1.0, [1] * 10), (5.0, [2] * 10)])
    np.testing.assert_array_equal(joined(chunks), [1] * 10 + [NAN] * 30 + [2] * 10)
    assert [chunk.utc_s for chunk in chunks] == pytest.approx([1000, 1001, 1002, 1003, 1004])
    assert counts.lost_samples == 30


def test_samples_that_only_came_late_are_no_gap() -> None:
    chunks, counts = chunks_of([(1.0, [1] * 10), (5.0, [2] * 40)])
    np.testing.assert_array_equal(joined(chunks), [1] * 10 + [2] * 40)
    assert counts.lost_samples == 0


def test_a_long_gap_is_two_seconds_and_time_goes_on_behind_it() -> None:
    chunks, counts = chunks_of([(1.0, [1] * 10), (101.0, [2] * 10)])
    np.testing.assert_array_equal(joined(chunks), [1] * 10 + [NAN] * 20 + [2] * 10)
    assert [(chunk.start, chunk.utc_s) for chunk in chunks] == [(0, 1000), (10, 1001), (20, 1002), (30, 1100)]
    assert counts.lost_samples == 990


def test_a_device_that_is_slow_by_a_hundredth_gains_no_gaps_and_keeps_time() -> None:
    chunks, counts = chunks_of([(1.01 * (n + 1), [n] * 10) for n in range(200)])
    np.testing.assert_array_equal(joined(chunks), np.repeat(np.arange(200), 10))
    assert counts.lost_samples == 0
    assert chunks[-1].utc_s == pytest.approx(1000 + 1.01 * 199, abs=0.6)


def test_going_on_behind_a_gap_within_one_start_of_the_agent() -> None:
    chunks, _ = chunks_of([(8.0, [1] * 10)], seek=70, last_s=4.0)
    assert (chunks[0].start, chunks[0].utc_s) == (70, pytest.approx(1004))
    np.testing.assert_array_equal(joined(chunks), [NAN] * 30 + [1] * 10)


def test_going_on_after_a_restart_leaves_two_seconds() -> None:
    chunks, _ = chunks_of([(8.0, [1] * 10)], seek=70)
    np.testing.assert_array_equal(joined(chunks), [NAN] * 20 + [1] * 10)
    assert (chunks[0].start, chunks[0].utc_s) == (70, pytest.approx(1005))
    np.testing.assert_array_equal(joined(chunks_of([(8.0, [1] * 10)])[0]), [1] * 10)


def test_without_gaps_every_sample_follows_the_one_before() -> None:
    chunks, _ = chunks_of([(1.0, [1] * 10), (101.0, [2] * 10)], gaps=False)
    np.testing.assert_array_equal(joined(chunks), [1] * 10 + [2] * 10)
    assert [chunk.utc_s for chunk in chunks] == pytest.approx([1000, 1100])


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 40)), max_size=20), st.integers(0, 1000))
def test_no_sample_is_lost_or_doubled_whenever_it_comes(arrivals: list[tuple[float, int]], seek: int) -> None:
    now_s, sent, adds = 0.0, 0, []
    for wait_s, count in arrivals:
        now_s += wait_s
        adds.append((now_s, [float(sent + n) for n in range(count)]))
        sent += count
    chunks, _ = chunks_of(adds, seek=seek)
    if sent:
        assert chunks[0].start == seek
        found = joined(chunks)
        np.testing.assert_array_equal(found[~np.isnan(found)], np.arange(sent))
        assert all(0 < len(chunk.signal) <= 10 for chunk in chunks)
