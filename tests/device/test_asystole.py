"""A heart that stops, and leads that fall off: the shipped bundle's beats, the real quality gate, the pause alarm."""

import threading
from pathlib import Path

import numpy as np
import pytest

from ecgedge.records import FloatArray, Recording
from ecgedge.simulate import simulate_ecg
from ecgedge_device.at_hand import RING_S, SignalAtHand
from ecgedge_device.desk import beat_engine
from ecgedge_device.results import Result
from ecgedge_device.sources import Work
from ecgedge_device.sources.recording_work import RecordingWork
from tests.device.made_desk import ListSource, LiveWork, made_desk, results_of, run_source
from tests.device.simple_agent import FS_HZ

BEFORE_S, AFTER_S = 30.0, 20.0
RNG_SEED = 3


def asystole(seconds: float) -> FloatArray:
    """What a recorder shows of a heart that does not beat: its noise."""
    rng = np.random.default_rng(RNG_SEED)
    return rng.normal(0, 0.03, (round(seconds * FS_HZ), 1)).astype(np.float32)


def with_middle(middle: FloatArray) -> FloatArray:
    """A beating heart, something else, and the heart again."""
    around = [simulate_ecg(seconds, fs_hz=FS_HZ, seed=seed) for seconds, seed in ((BEFORE_S, 1), (AFTER_S, 2))]
    parts = [recording.signal[:, :1] for recording in around]
    return np.concatenate([parts[0], middle, parts[1]]).astype(np.float32)


def judged(folder: Path, work: Work) -> tuple[list[Result], list[Result]]:
    """Alarms and beats of a signal, with the settings as they are."""
    desk = made_desk(folder, make_engine=beat_engine, bundle="beat")
    run_source(desk, ListSource([[work]]))
    assert desk.failures == []
    return results_of(desk, ("alarm",)), results_of(desk, ("beat",))


def live(signal: FloatArray, *, chunk: int = 125) -> LiveWork:
    return LiveWork(signal, chunk=chunk)


def told(alarms: list[Result], rule: str = "pause") -> list[tuple[object, float]]:
    """State and time of the alarms of a rule."""
    found = [alarm.content for alarm in alarms if alarm.content["rule"] == rule]
    return [(content["state"], float(str(content["time_s"]))) for content in found]


@pytest.mark.parametrize("chunk", [25, 125, 500])
def test_an_asystole_raises_the_alarm_once_while_it_lasts_and_ends_it_with_the_next_beat(
    tmp_path: Path, chunk: int
) -> None:
    alarms, beats = judged(tmp_path, live(with_middle(asystole(8)), chunk=chunk))
    times_s = [float(str(beat.content["time_s"])) for beat in beats]
    last_s, next_s = max(at for at in times_s if at < BEFORE_S + 4), min(at for at in times_s if at > BEFORE_S + 4)
    assert last_s < BEFORE_S + 0.5 and next_s > BEFORE_S + 7.5, "the noise is no beat"
    (begins, ends) = told(alarms)
    assert (begins[0], ends) == ("begins", ("ends", pytest.approx(next_s, abs=0.01)))
    assert last_s + 3 < begins[1] <= BEFORE_S + 8, "while it lasts"
    (alarm,) = [one for one in alarms if one.content["rule"] == "pause" and one.content["state"] == "begins"]
    assert "s in a good signal" in str(alarm.content["text"]) and alarm.files["snippet"]


@pytest.mark.parametrize("seconds", [8.0, 40.0])
@pytest.mark.parametrize("value", [0.0, 0.7, np.nan], ids=["flat at 0", "flat", "missing"])
def test_a_lead_that_is_off_raises_nothing(tmp_path: Path, value: float, seconds: float) -> None:
    middle = np.full((round(seconds * FS_HZ), 1), value, np.float32)
    alarms, beats = judged(tmp_path, live(with_middle(middle)))
    assert told(alarms) == told(alarms, "rate_low") == []
    assert float(str(beats[-1].content["time_s"])) > BEFORE_S + seconds + AFTER_S - 4, "it is judged behind it"


def test_an_asystole_behind_a_lead_that_was_off_is_counted_from_where_the_signal_is_good(tmp_path: Path) -> None:
    off = np.zeros((round(5 * FS_HZ), 1), np.float32)
    alarms, _ = judged(tmp_path, live(with_middle(np.concatenate([off, asystole(9)]))))
    begins, ends = told(alarms)
    assert begins[0] == "begins" and begins[1] > BEFORE_S + 5 + 3 and ends[0] == "ends"


@pytest.mark.parametrize(("middle", "count"), [("asystole", 1), ("flat", 0), ("missing", 0)])
def test_recordings_in_large_chunks_come_to_the_same(tmp_path: Path, middle: str, count: int) -> None:
    made = {"asystole": asystole(8), "flat": np.zeros_like(asystole(8)), "missing": np.full_like(asystole(8), np.nan)}
    signal = np.concatenate([with_middle(made[middle]), with_middle(asystole(1))])
    recording = Recording(signal, FS_HZ, ("II",), "made")
    work = RecordingWork(recording, address="live:made", stop=threading.Event(), source="live", chunk_s=600)
    assert [state for state, _ in told(judged(tmp_path, work)[0])] == ["begins", "ends"] * count


def test_an_asystole_at_the_end_of_a_stream_is_told_once_however_long_it_lasts(tmp_path: Path) -> None:
    signal = np.concatenate([with_middle(asystole(0.2)), asystole(60)])
    assert [state for state, _ in told(judged(tmp_path, live(signal))[0])] == ["begins"]


@pytest.mark.parametrize("step", [50, 1000, 2500])
def test_the_signal_at_hand_knows_its_good_stretches(step: int) -> None:
    signal = asystole(100)[:, 0]
    signal[round(50 * FS_HZ) : round(54 * FS_HZ)] = np.nan
    at_hand = SignalAtHand(FS_HZ)
    assert at_hand.good_since_s() == np.inf and at_hand.longest_good_s(0, 5) == 0
    good_since_s, good_s = {}, {}
    for start in range(0, len(signal), step):
        at_hand.add(signal[start : start + step], start)
        stop_s = (start + step) / FS_HZ
        good_since_s[stop_s], good_s[stop_s] = at_hand.good_since_s(), at_hand.longest_good_s(45, 58)
        at_hand.let_go()
    assert good_since_s[60] == pytest.approx(54, abs=0.1) and good_since_s[100] == 70
    assert good_s[60] == pytest.approx(5, abs=0.1)
    assert good_s[80] == pytest.approx(4 if step < 2500 else 5, abs=0.1) and good_s[100] == 0
    assert len(at_hand.last(1e6)) == RING_S * FS_HZ and len(at_hand.last(5)) == 5 * FS_HZ
