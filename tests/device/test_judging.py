"""What a source's loop does with signals: another bundle in the middle, unusable states, bad recordings."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgedge.bundle import Bundle
from ecgedge.errors import InputError
from ecgedge.records import Beat, Recording, SignalChunk
from ecgedge_device.desk import Desk
from ecgedge_device.results import Stream
from ecgedge_device.settings import AlarmSettings
from ecgedge_device.sources import UnreadableWork, Work
from ecgedge_device.sources.recording_work import RecordingWork
from ecgedge_device.store import Store
from tests.device.made_desk import ListSource, LiveWork, made_desk, results_of, run_source
from tests.device.simple_agent import SimpleEngine, make_bundle, make_recording

RECORDING = make_recording(150)
ALARMS = AlarmSettings(rate_high_bpm=95, rate_beats=5, refractory_s=2)
OTHER = ({"step": "another way to see the signal"},)


def recording_work(seconds: float = 150, *, name: str = "made", address: str = "") -> RecordingWork:
    made = make_recording(seconds)
    recording = Recording(made.signal, made.fs_hz, made.leads, name)
    return RecordingWork(recording, address=address or f"live:{name}", stop=threading.Event(), source="live")


def live_results(folder: Path, before: Callable[[Desk, int], None] = lambda _desk, _number: None) -> Desk:
    """A live stream judged to its loss."""
    desk = made_desk(folder, alarms=ALARMS)
    run_source(desk, ListSource([[LiveWork(RECORDING.signal, before=lambda number: before(desk, number))]]))
    assert desk.failures == []
    return desk


def told(desk: Desk, kinds: tuple[str, ...]) -> list[dict[str, object]]:
    """Content and time of results, without what names the bundle."""
    return [
        {**{key: value for key, value in result.content.items() if key != "bundle"}, "time_utc": result.time_utc}
        for result in results_of(desk, kinds)
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = live_results(tmp_path_factory.mktemp("undisturbed"))
    assert len(told(desk, ("beat",))) > 150 and len(told(desk, ("minute",))) == 2 and len(told(desk, ("alarm",))) > 2
    assert all(beat["time_utc"] for beat in told(desk, ("beat",)))
    return desk


def switch(*versions: tuple[int, str, tuple[dict[str, object], ...]]) -> Callable[[Desk, int], None]:
    """Puts bundles to use before the chunks of these numbers."""

    def before(desk: Desk, number: int) -> None:
        for at, version, preprocessing in versions:
            if number == at:
                folder = desk.keeper.folder / "bundles"
                folder.mkdir(parents=True, exist_ok=True)
                make_bundle(folder / f"simple-{version}.tflite", version=version, preprocessing=preprocessing)  # type: ignore[arg-type]
                desk.shelf.use(f"simple-{version}")

    return before


def test_another_bundle_goes_on_with_the_patient_and_doubles_nothing(tmp_path: Path, undisturbed: Desk) -> None:
    desk = live_results(tmp_path, switch((77, "1.1.0", ()), (140, "1.2.0", ())))
    for kind in ("beat", "minute", "alarm"):
        assert told(desk, (kind,)) == told(undisturbed, (kind,)), kind
    bundles = [str(result.content["bundle"]) for result in results_of(desk, ("beat",))]
    assert list(dict.fromkeys(bundles)) == ["simple 1.0.0", "simple 1.1.0", "simple 1.2.0"]
    seconds = [result.content["seconds"] for result in results_of(desk, ("recording",))]
    assert seconds == [77 * 0.5, 140 * 0.5]


def test_a_bundle_that_sees_the_signal_otherwise_begins_anew_where_the_old_one_ends(
    tmp_path: Path, undisturbed: Desk
) -> None:
    desk = live_results(tmp_path, switch((77, "2.0.0", OTHER)))
    whole, found = told(undisturbed, ("beat",)), told(desk, ("beat",))
    assert [beat["sample"] for beat in found] == [beat["sample"] for beat in whole]
    assert [beat["time_utc"] for beat in found] == [beat["time_utc"] for beat in whole]
    changed = [beat for beat, other in zip(found, whole, strict=True) if beat != other]
    assert len(changed) == 1 and changed[0]["rr_ms"] is None  # the first beat of the new engine
    minutes = told(desk, ("minute",))
    assert [minute["start_s"] for minute in minutes] == [0.0, 60.0]
    counts = [[dict(minute["beats"]) for minute in of] for of in (minutes, told(undisturbed, ("minute",)))]  # type: ignore[call-overload]
    assert [sum(each.values()) for each in counts[0]] == [sum(each.values()) for each in counts[1]]


@pytest.mark.parametrize("preprocessing", [(), OTHER])
def test_a_restart_after_a_change_of_bundle_goes_on(
    tmp_path: Path, undisturbed: Desk, preprocessing: tuple[dict[str, object], ...]
) -> None:
    stops = [78, 200, -1]

    def before(desk: Desk, number: int) -> None:
        switch((77, "1.1.0", preprocessing))(desk, number)
        if number == stops[0]:
            desk.stop.set()

    class StoppedWork(RecordingWork):
        """A recording with a hook before each chunk."""

        def __iter__(self):  # type: ignore[no-untyped-def]
            for chunk in super().__iter__():
                before(desk, round(chunk.start / 125))
                if desk.stop.is_set():
                    return
                yield chunk

    while stops:
        desk = made_desk(tmp_path, alarms=ALARMS)
        work = StoppedWork(RECORDING, address="live:made", stop=desk.stop, source="live", chunk_s=0.5)
        run_source(desk, ListSource([[work]]), lasting=False)
        assert desk.failures == []
        stops.pop(0)
    samples = [result.content["sample"] for result in results_of(desk, ("beat",))]
    assert samples[: len(told(undisturbed, ("beat",)))] == [beat["sample"] for beat in told(undisturbed, ("beat",))]
    assert len(samples) == len(set(samples))
    assert [result.content["start_s"] for result in results_of(desk, ("minute",))] == [0.0, 60.0, 120.0]
    assert desk.outcomes[-1].run.finished_utc


def test_a_bundle_that_does_not_fit_the_stream_leaves_the_old_one_at_work(
    tmp_path: Path, undisturbed: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    def make(bundle: Bundle, stream: Stream, _threads: int) -> SimpleEngine:
        if bundle.manifest.version == "3.0.0":
            raise InputError("no lead aVR; it has II")
        return SimpleEngine(stream)

    desk = made_desk(tmp_path, make_engine=make, alarms=ALARMS)
    before = switch((77, "3.0.0", ()))
    with caplog.at_level(logging.ERROR, "ecgedge_device"):
        run_source(desk, ListSource([[LiveWork(RECORDING.signal, before=lambda number: before(desk, number))]]))
    assert told(desk, ("beat",)) == told(undisturbed, ("beat",))
    assert [record.getMessage() for record in caplog.records] == ["bundle does not fit"]


def test_a_live_stream_goes_on_behind_a_gap_and_tells_the_time(tmp_path: Path) -> None:
    desk = made_desk(tmp_path, alarms=ALARMS)
    first, second = RECORDING.signal[:10_000], RECORDING.signal[10_000:20_000]
    run_source(desk, ListSource([[LiveWork(first)], [LiveWork(second)]]))
    beats = results_of(desk, ("beat",))
    samples = [int(str(beat.content["sample"])) for beat in beats]
    gap = range(10_000, 10_500)  # 2 s of nothing
    assert samples == sorted(set(samples)) and not set(samples) & set(gap) and max(samples) > 19_000
    behind = next(beat for beat in beats if int(str(beat.content["sample"])) >= 10_500)
    assert behind.time_utc < beats[3].time_utc  # the clock of the second stream began anew
    with Store(desk.settings.agent.store) as store:
        run = store.last_run("made:live")
        assert run is not None and run.number == 1 and run.next_sample == 20_500


def test_a_live_stream_whose_state_cannot_be_taken_up_begins_a_new_run(tmp_path: Path) -> None:
    desk = live_results(tmp_path)
    with Store(desk.settings.agent.store) as store:
        store.connection.execute("UPDATE runs SET state = CAST('of another version' AS BLOB)")
    again = live_results(tmp_path)
    beats = results_of(again, ("beat",))
    assert len(beats) == 2 * len({beat.content["sample"] for beat in beats})
    with Store(desk.settings.agent.store) as store:
        run = store.last_run("made:live")
        assert run is not None and run.number == 2


class Fault(SimpleEngine):
    """Cannot judge some recordings."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        if stream.recording == "slow":
            raise InputError("sampling rate 10 Hz; record faster")
        self._ends = stream.recording == "broken"

    def judge(self, chunk: SignalChunk) -> list[Beat]:
        if self._ends and chunk.start > 1000:
            raise ZeroDivisionError("a fault of ours")
        return super().judge(chunk)


def test_a_recording_that_cannot_be_judged_costs_that_recording_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("one", "slow", "broken", "two")
    works: list[Work | Exception] = [recording_work(10, name=name) for name in names]
    works.insert(2, UnreadableWork("0b7e6f9e-7d38-4dd8-9f3c-c9f04e1d1f9e", "empty.csv", "", "empty.csv: 0 bytes"))
    source = ListSource([works])
    desk = made_desk(tmp_path, make_engine=lambda _bundle, stream, _threads: Fault(stream))
    with caplog.at_level(logging.INFO, "ecgedge_device"):
        run_source(desk, source)
    assert desk.failures == [] and source.opened == 1
    assert [done.kind for _, done in source.heard] == ["judged", "refused", "refused", "refused", "judged"]
    ends = {result.content["recording"]: result.content for result in results_of(desk, ("recording",))}
    assert ends["slow"]["reason"] == "sampling rate 10 Hz; record faster" and ends["slow"]["refused"] is True
    assert "internal error (ZeroDivisionError)" in str(ends["broken"]["reason"])
    assert ends["empty.csv"]["reason"] == "empty.csv: 0 bytes"
    assert ends["one"]["seconds"] == ends["two"]["seconds"] == 10
    sources = desk.health.snapshot()["sources"]
    assert isinstance(sources, dict) and isinstance(state := sources["live"], dict)
    assert (state["refused"], state["state"]) == (3, "ended")


def test_the_same_recordings_again_are_known_or_refused_once(tmp_path: Path) -> None:
    for _ in range(2):
        source = ListSource([[recording_work(10, name=name) for name in ("one", "broken")]])
        desk = made_desk(tmp_path, make_engine=lambda _bundle, stream, _threads: Fault(stream))
        run_source(desk, source)
    assert [done.kind for _, done in source.heard] == ["known", "refused"]
    assert len(results_of(desk, ("recording",))) == 2
    samples = [(result.content["recording"], result.content["sample"]) for result in results_of(desk, ("beat",))]
    assert len(samples) == len(set(samples))


def test_a_source_without_end_keeps_no_recordings_in_memory(tmp_path: Path) -> None:
    desk = made_desk(tmp_path)
    run_source(desk, ListSource([[recording_work(10, name=f"r{k}") for k in range(5)]]))
    assert desk.outcomes == [] and len(results_of(desk, ("recording",))) == 5


def test_what_a_recording_comes_to_does_not_depend_on_the_source_that_brings_it(tmp_path: Path) -> None:
    found = []
    for lasting in (True, False):
        desk = made_desk(tmp_path / str(lasting), alarms=ALARMS)
        run_source(desk, ListSource([[recording_work(150)]]), lasting=lasting)
        found.append(told(desk, ("beat", "minute", "alarm", "recording")))
    assert found[0] == found[1] and np.isfinite(float(str(found[0][-1]["heart_rate_bpm"])))
