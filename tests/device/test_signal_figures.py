"""Minutes, alarms, heart figures, time of a stream: whatever the chunks, and over restarts."""

import json
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.records import Beat
from ecgedge_device.alarms import BEAT_LAG_S, Alarm, Alarms
from ecgedge_device.clock import StreamClock
from ecgedge_device.heart import Pulse, count_runs, heart_figures
from ecgedge_device.minutes import Minutes
from ecgedge_device.settings import AlarmSettings
from ecgedge_device.sources import LiveChunk
from tests.device.made_desk import BEGUN_S

FS_HZ = 10.0


def beats_at(times_s: Sequence[float], labels: str = "") -> list[Beat]:
    """Beats with the RR intervals between them."""
    rr_ms = [math.nan, *(1000 * np.diff(times_s))]
    named = labels or "N" * len(times_s)
    return [
        Beat(round(at * FS_HZ), at, label, (), float(rr), "")
        for at, rr, label in zip(times_s, rr_ms, named, strict=True)
    ]


def test_heart_figures_by_hand() -> None:
    pulses = [Pulse(0, "N", math.nan), Pulse(1, "N", 1000), Pulse(1.6, "V", 600), Pulse(3, "Q", 1400)]
    figures = heart_figures(pulses)
    assert figures == {
        "heart_rate_bpm": 60.0,
        "rr_mean_ms": 1000.0,
        "rr_sd_ms": 400.0,
        "rmssd_ms": round(math.sqrt((400**2 + 800**2) / 2), 1),
        "longest_rr_ms": 1400.0,
        "beats": {"N": 2, "Q": 1, "V": 1},
        "ectopic_burden": 0.3333,
        "v_runs": 0,
    }
    nothing = heart_figures([])
    assert (nothing.pop("beats"), nothing.pop("v_runs"), set(nothing.values())) == ({}, 0, {None})
    assert [count_runs(labels) for labels in ("VVV", "VVVVV", "VVNVVVQVVV", "VV")] == [1, 1, 2, 0]


def minutes_of(beats: Sequence[Beat], cuts: Sequence[int], n: int, restarts: Sequence[int]) -> list[dict[str, object]]:
    """Minutes of a signal in chunks; beats become known 3 s behind their R-peak; restarted after some chunks."""
    minutes, found, known, signal = Minutes(FS_HZ), [], 0, np.zeros(n, np.float32)
    signal[700:900] = np.nan
    edges = [0, *sorted(cuts), n]
    for number, (start, stop) in enumerate(pairwise(edges)):
        minutes.measure(signal[start:stop], start)
        now = sum(beat.sample + 3 * FS_HZ <= stop for beat in beats)
        minutes.add(beats[known:now])
        known = max(known, now)
        found += list(minutes.closed(stop / FS_HZ))
        if number in restarts:
            state = json.loads(json.dumps(minutes.state(), allow_nan=False))
            minutes = Minutes(FS_HZ)
            minutes.restore(state)
    minutes.add(beats[known:])
    return found + list(minutes.closed(math.inf))


@given(st.lists(st.integers(1, 1999), max_size=30), st.sets(st.integers(0, 30)))
@settings(max_examples=60, deadline=None)
def test_minutes_do_not_depend_on_chunks_and_restarts(cuts: list[int], restarts: set[int]) -> None:
    beats = beats_at(np.arange(0.4, 199.5, 0.83).tolist())
    found = minutes_of(beats, cuts, 2000, list(restarts))
    assert found == minutes_of(beats, [], 2000, [])
    assert [minute["start_s"] for minute in found] == [0.0, 60.0, 120.0, 180.0]
    assert [minute["judged_s"] for minute in found] == [60.0, 40.0, 60.0, 20.0]
    assert sum(sum(minute["beats"].values()) for minute in found) == len(beats)  # type: ignore[attr-defined]


ON = AlarmSettings(pause_s=3, v_run=3, rate_low_bpm=0, rate_high_bpm=140, rate_beats=3, refractory_s=10)


def told(alarms: Sequence[Alarm]) -> list[tuple[str, str, float]]:
    return [(alarm.rule, alarm.state, alarm.time_s) for alarm in alarms]


def test_each_rule_begins_once_and_ends_once() -> None:
    run = beats_at([0, 1, 2, 3, 4, 5, 6], "NVVVVNN")
    assert told(list(Alarms(ON).beats(run))) == [("v_run", "begins", 3), ("v_run", "ends", 5)]
    pause = beats_at([0, 1, 5, 6])
    assert told(list(Alarms(ON).beats(pause))) == [("pause", "begins", 5), ("pause", "ends", 5)]
    assert told(list(Alarms(AlarmSettings(pause_s=0, v_run=0, rate_low_bpm=0)).beats(run + pause))) == []


def test_a_rate_ends_with_hysteresis_and_does_not_begin_again_too_soon() -> None:
    def at_rate(bpm: float, begin_s: float, beats: int) -> list[Beat]:
        return [Beat(0, begin_s + k * 60 / bpm, "N", (), 60_000 / bpm, "") for k in range(beats)]

    alarms = Alarms(ON)
    assert [each[:2] for each in told(list(alarms.beats(at_rate(150, 0, 9))))] == [("rate_high", "begins")]
    assert told(list(alarms.beats(at_rate(132, 4, 9)))) == []  # better, but within a tenth of the limit
    assert [each[:2] for each in told(list(alarms.beats(at_rate(120, 8, 9))))] == [("rate_high", "ends")]
    assert told(list(alarms.beats(at_rate(150, 13, 9)))) == []  # refractory
    assert [each[:2] for each in told(list(alarms.beats(at_rate(150, 30, 9))))] == [("rate_high", "begins")]


def test_a_pause_that_lasts_is_told_where_the_signal_is_good_and_nowhere_else() -> None:
    alarms = Alarms(ON)
    assert told(list(alarms.beats(beats_at([0, 1, 2])))) == []
    now_s = 2 + ON.pause_s + BEAT_LAG_S + 0.1
    assert not alarms.silent(now_s - 0.2) and alarms.silent(now_s)
    assert told(list(alarms.silence(now_s, now_s - 1))) == []  # nothing measured, or flat, until a second ago
    assert told(list(alarms.silence(now_s, 0.0))) == [("pause", "begins", round(now_s, 3))]
    assert not alarms.silent(now_s + 60)
    assert told(list(alarms.beats([Beat(0, 80.0, "N", (), 78_000.0, "")]))) == [("pause", "ends", 80.0)]


@given(st.lists(st.sampled_from(["N", "V", "S", "slow", "fast", "pause", "gap"]), max_size=60), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_alarms_go_on_over_a_restart_and_begin_and_end_in_turn(kinds: list[str], cut: int) -> None:
    steps = {"slow": 2.0, "fast": 0.3, "pause": 4.0, "gap": 9.0}
    at, beats = 0.0, []
    for kind in kinds:
        at += steps.get(kind, 0.8)
        label = kind if len(kind) == 1 else "N"
        beats.append(Beat(0, at, label, (), math.nan if kind == "gap" else 1000 * steps.get(kind, 0.8), ""))
    whole = list(Alarms(ON).beats(beats))
    first = Alarms(ON)
    parts = list(first.beats(beats[:cut]))
    second = Alarms(ON)
    second.restore(json.loads(json.dumps(first.state(), allow_nan=False)))
    assert parts + list(second.beats(beats[cut:])) == whole
    for rule in {alarm.rule for alarm in whole}:
        states = [alarm.state for alarm in whole if alarm.rule == rule]
        assert states == ["begins", "ends"] * (len(states) // 2) + ["begins"] * (len(states) % 2)


def test_the_time_of_a_stream_jumps_at_gaps_and_follows_drift() -> None:
    clock = StreamClock(FS_HZ)
    assert clock.utc(5) == ""
    for k in range(10):  # the device counts 1 % too slowly
        clock.see(LiveChunk(np.zeros((100, 1), np.float32), 100 * k, BEGUN_S + 10.1 * k))
    clock.see(LiveChunk(np.zeros((100, 1), np.float32), 1000, BEGUN_S + 3600))
    again = StreamClock(FS_HZ)
    again.restore(json.loads(json.dumps(clock.state())))
    for one in (clock, again):
        assert one.utc(1050) == "2023-11-14T23:13:25.000Z"
        assert one.utc(990).startswith("2023-11-14T22:14:5")


@pytest.mark.parametrize("jumps", [5, 30])
def test_a_minute_with_many_gaps_still_has_its_time(jumps: int) -> None:
    clock = StreamClock(FS_HZ)
    for k in range(jumps):
        clock.see(LiveChunk(np.zeros((10, 1), np.float32), 10 * k, BEGUN_S + 20.0 * k))
    assert clock.utc(0) == "2023-11-14T22:13:20.000Z"
