"""The agent as a process: stopped, killed and started again, it gives what an undisturbed run gives.

The engine here is simple and deterministic; `test_cli.py` has the shipped bundle's.
"""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ecgedge.errors import StoreError
from ecgedge.records import Beat, SignalChunk
from ecgedge_device.agent import Agent, Served
from ecgedge_device.desk import Outcome
from ecgedge_device.reporters import Reporter, ReportError
from ecgedge_device.reporters.memory import MemoryReporter
from ecgedge_device.results import KINDS, Result
from ecgedge_device.runs import minutes
from ecgedge_device.settings_file import read_settings
from ecgedge_device.sources import SignalWork
from ecgedge_device.store import Store
from ecgedge_device.store_errors import sole_agent
from tests.device.simple_agent import FS_HZ, make_bundle, make_folder, make_recording, maker, serve_simple

ROOT = Path(__file__).parents[2]
PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "device"), os.environ.get("PYTHONPATH", "")])
SECONDS = 60.0
CHUNK_SAMPLES = round(0.5 * FS_HZ)


def agent_of(config: Path, *, stop: threading.Event | None = None, again: bool = False) -> Agent:
    return Agent(read_settings(config), stop=stop or threading.Event(), again=again, make_engine=maker())


def only(served: Served) -> Outcome:
    """Of the only recording."""
    (outcome,) = served.outcomes
    return outcome


def served(config: Path, *, again: bool = False) -> Outcome:
    found = agent_of(config, again=again).run()
    assert found.trouble is None and found.unsent == 0
    return only(found)


def stored(config: Path, *, run: int | None = None) -> list[Beat]:
    """Beats of the latest run, or of another."""
    with Store(config.with_name("ecgedge.sqlite")) as store:
        found = store.last_run(str(config.with_name("ecg.npy"))) if run is None else store.run(run)
        assert found is not None
        return store.beats(found)


def findings(config: Path) -> list[str]:
    """All that is stored beside beats, oldest first, without what differs from run to run."""
    with Store(config.with_name("ecgedge.sqlite")) as store:
        return [f"{one.kind} {dict(one.content)}" for one in reversed(store.recent(limit=10_000))]


def whole(config: Path) -> str:
    """Everything that a run came to."""
    return repr((stored(config), findings(config)))


def ids_in_store(config: Path, kinds: Sequence[str] = KINDS) -> list[str]:
    """In the order of storing."""
    with Store(config.with_name("ecgedge.sqlite")) as store:
        select = "SELECT number, id, 'beat' AS kind FROM beats UNION ALL SELECT number, id, kind FROM results"
        rows = store.connection.execute(f"SELECT id, kind FROM ({select}) ORDER BY number").fetchall()
        return [uid for uid, kind in rows if kind in kinds]


def lines(config: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in config.with_name("results.jsonl").read_text().splitlines()]


def ids_in_lines(config: Path, kinds: Sequence[str] = KINDS) -> list[object]:
    return [line["id"] for line in lines(config) if line["kind"] in kinds]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a run comes to that nobody disturbed."""
    config = make_folder(tmp_path_factory.mktemp("undisturbed"), seconds=SECONDS)
    served(config)
    beats = stored(config)
    assert len(beats) > 60 and {beat.label for beat in beats} == {"N", "S", "Q"}
    kinds = [finding.split()[0] for finding in findings(config)]
    assert kinds.count("minute") == 1 and kinds.count("recording") == 1 and kinds.count("alarm") >= 2
    return whole(config)


def assert_whole(config: Path, undisturbed: str) -> None:
    """Nothing of any kind lost, nothing doubled, in the store and in the lines."""
    assert whole(config) == undisturbed
    told = ids_in_lines(config)
    assert told == ids_in_store(config)
    assert len(told) == len(set(told))
    with Store(config.with_name("ecgedge.sqlite")) as store:
        assert store.count_unsent("json-lines", KINDS) == 0


def test_a_run_stores_and_reports_every_result(tmp_path: Path, undisturbed: str) -> None:
    config = make_folder(tmp_path, seconds=SECONDS)
    outcome = served(config)
    assert outcome.run.finished_utc and outcome.run.next_sample == outcome.run.stream.n_samples
    assert outcome.notice == ""
    assert outcome.latency is not None and outcome.latency.beats == len(stored(config))
    assert_whole(config, undisturbed)


def test_a_finished_recording_is_said_to_be_finished(tmp_path: Path) -> None:
    config = make_folder(tmp_path, seconds=10)
    served(config)
    outcome = served(config)
    assert "nothing new; use --again" in outcome.notice and outcome.latency is None
    assert len(ids_in_lines(config, ["beat"])) == len(stored(config))
    again = served(config, again=True)
    assert again.run.number == 2 and again.notice == "judged once more"
    assert repr(stored(config)) == repr(stored(config, run=1))
    assert len(set(ids_in_lines(config, ["beat"]))) == 2 * len(stored(config))
    assert [line["kind"] for line in lines(config)].count("recording") == 2


def test_another_bundle_begins_a_new_run_and_says_so(tmp_path: Path) -> None:
    config = make_folder(tmp_path, seconds=10)
    served(config)
    make_bundle(tmp_path / "simple.tflite", version="1.1.0")
    outcome = served(config)
    assert outcome.notice == "the bundle has changed from simple 1.0.0 to simple 1.1.0; a new run begins"
    assert outcome.run.number == 2 and outcome.run.finished_utc


def test_another_recording_at_the_same_place_begins_a_new_run(tmp_path: Path) -> None:
    config = make_folder(tmp_path, seconds=10)
    served(config)
    np.save(tmp_path / "ecg.npy", make_recording(10, seed=2).signal)
    outcome = served(config)
    assert outcome.notice == "the recording has changed; a new run begins"
    assert repr(stored(config)) != repr(stored(config, run=1))


def test_a_stop_before_the_start_judges_nothing_and_loses_nothing(tmp_path: Path, undisturbed: str) -> None:
    config = make_folder(tmp_path, seconds=SECONDS)
    stop = threading.Event()
    stop.set()
    found = agent_of(config, stop=stop).run()
    assert found.outcomes == () and found.trouble is None and ids_in_store(config) == []
    served(config)
    assert_whole(config, undisturbed)


def test_stops_after_every_few_chunks_change_nothing(tmp_path: Path, undisturbed: str) -> None:
    config = make_folder(tmp_path, seconds=SECONDS)
    starts = [only(stopped_after(config, chunks=9))]
    while not starts[-1].run.finished_utc:
        starts.append(only(stopped_after(config, chunks=9)))
    assert len(starts) == 14  # 120 chunks, nine at a time, and the end
    assert_whole(config, undisturbed)


def stopped_after(config: Path, *, chunks: int) -> Served:
    """A start that is stopped while a chunk is being handled."""
    stop = threading.Event()

    def watch(work: SignalWork) -> Iterator[SignalChunk]:
        for number, chunk in enumerate(work, start=1):
            if number == chunks:
                stop.set()
            yield chunk

    return Agent(read_settings(config), stop=stop, watch=watch, make_engine=maker()).run()


def served_to(config: Path, reporter: Reporter) -> Served:
    """A start with a reporter of our own."""
    reporters = {"json-lines": reporter}
    return Agent(read_settings(config), stop=threading.Event(), make_engine=maker(), reporters=reporters).run()


def test_a_program_can_bring_its_own_reporter(tmp_path: Path) -> None:
    config = make_folder(tmp_path, seconds=10)
    reporter = MemoryReporter()
    served_to(config, reporter)
    assert [result.id for result in reporter.results] == ids_in_store(config)
    beats = [result.content["sample"] for result in reporter.results if result.kind == "beat"]
    assert beats == [beat.sample for beat in stored(config)]
    assert not config.with_name("results.jsonl").exists()


def test_a_second_agent_on_the_same_store_is_refused(tmp_path: Path) -> None:
    config = make_folder(tmp_path, seconds=10)
    with sole_agent(tmp_path / "ecgedge.sqlite"), pytest.raises(StoreError, match="another agent is using it"):
        served(config)


def test_a_report_that_cannot_be_opened_does_not_stop_the_judging_and_is_the_error_at_the_end(
    tmp_path: Path, undisturbed: str
) -> None:
    config = make_folder(tmp_path, seconds=SECONDS)
    (tmp_path / "results.jsonl").mkdir()
    found = agent_of(config).run()
    assert isinstance(found.trouble, ReportError) and "results.jsonl" in str(found.trouble)
    assert only(found).run.finished_utc and found.unsent == len(ids_in_store(config)) > 60
    (tmp_path / "results.jsonl").rmdir()
    served(config)
    assert_whole(config, undisturbed)


def test_a_report_that_can_be_opened_later_gets_everything(tmp_path: Path, undisturbed: str) -> None:
    config = make_folder(tmp_path, seconds=SECONDS)
    place = tmp_path / "results.jsonl"
    place.mkdir()

    def mended(work: SignalWork) -> Iterator[SignalChunk]:
        for number, chunk in enumerate(work):
            if number == 100:
                wait_until(lambda: reporter_state(agent) == "failing")
                place.rmdir()
                wait_until(lambda: reporter_state(agent) == "well")
            yield chunk

    agent = Agent(read_settings(config), stop=threading.Event(), watch=mended, make_engine=maker())
    found = agent.run()
    assert found.trouble is None and found.unsent == 0
    assert_whole(config, undisturbed)


def reporter_state(agent: Agent) -> object:
    reporters = cast(dict[str, dict[str, object]], agent.health.snapshot()["reporters"])
    return reporters["json-lines"]["state"]


def wait_until(done: Callable[[], bool], *, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.01)


class BrokenReporter(MemoryReporter):
    """Cannot reach its receiver."""

    def send(self, results: Sequence[Result]) -> None:
        raise ReportError(f"receiver: {len(results)} refused")


def test_a_report_that_fails_does_not_stop_the_judging(tmp_path: Path, undisturbed: str) -> None:
    config = make_folder(tmp_path, seconds=SECONDS)
    found = served_to(config, BrokenReporter())
    assert only(found).run.finished_utc and found.unsent == len(ids_in_store(config))
    assert isinstance(found.trouble, ReportError)
    served(config)  # nothing new to judge, but much to report
    assert_whole(config, undisturbed)


def start(config: Path, pause_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).with_name("simple_agent.py")), str(config), str(pause_s)]
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for_beats(config: Path, number: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if config.with_name("ecgedge.sqlite").exists() and len(ids_in_store(config, ["beat"])) >= number:
            return
        time.sleep(0.02)
    raise AssertionError("no beats were stored within 30 s")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_the_next_start_goes_on(
    tmp_path: Path, undisturbed: str, number: signal.Signals
) -> None:
    config = make_folder(tmp_path, seconds=SECONDS)
    process = start(config, 0.03)
    wait_for_beats(config, 10)
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert output.split()[-1] == "0", "results were left unsent"
    some = len(stored(config))
    assert 10 <= some < 70 and len(ids_in_lines(config, ["beat"])) == some
    assert ids_in_lines(config) == ids_in_store(config)
    outcome = served(config)
    assert outcome.notice == f"goes on at {minutes(int(output.split()[0]) / FS_HZ)}"
    assert_whole(config, undisturbed)


@pytest.fixture(scope="module")
def forks() -> Iterator[ForkServerContext]:
    """Processes that start at once, since a server has imported everything before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PYTHONPATH)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.device.simple_agent"])
        warm = context.Process(target=int)
        warm.start()
        warm.join()
        yield context


@pytest.mark.parametrize("seed", range(4))
def test_kills_at_random_moments_lose_and_double_nothing(
    tmp_path: Path, undisturbed: str, forks: ForkServerContext, seed: int
) -> None:
    config = make_folder(tmp_path, seconds=SECONDS)
    rng = random.Random(seed)
    reached = [0]
    while len(reached) < 10:
        process = forks.Process(target=serve_simple, args=(config, 0.004))
        process.start()
        # every third kill comes while it opens the store; the others somewhere in the next 20 chunks
        target = 0 if len(reached) % 3 == 0 else reached[-1] + rng.randrange(1, 20) * CHUNK_SAMPLES
        while process.is_alive() and position(config) < target:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.01))
        process.kill()
        process.join()
        reached.append(position(config))
        if process.exitcode == 0:
            break
    assert reached == sorted(reached)
    assert len({sample for sample in reached if 0 < sample < SECONDS * FS_HZ}) >= 4
    served(config)
    assert_whole(config, undisturbed)


def position(config: Path) -> int:
    """The next sample of the latest run; 0 before there is one."""
    with Store(config.with_name("ecgedge.sqlite")) as store:
        found = store.last_run(str(config.with_name("ecg.npy")))
        return 0 if found is None else found.next_sample


def test_it_starts_without_tensorflow_and_keras() -> None:
    code = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; import ecgedge_device.agent"
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (332.9, "5:32"), (3932.0, "1:05:32")])
def test_minutes(seconds: float, text: str) -> None:
    assert minutes(seconds) == text
