"""The beat path, stage by stage and whole, on 30 minutes of one lead."""

from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from threading import Event

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ecgedge.beats import BeatBatch, cut_beats
from ecgedge.bundle import Bundle, read_bundle
from ecgedge.engine import BeatJudge, judge_recording
from ecgedge.formats import write_wfdb
from ecgedge.preprocess import pipeline_of
from ecgedge.records import IntArray, Recording
from ecgedge.rpeaks import detect_rpeaks
from ecgedge.runtime import load_interpreter
from ecgedge_device.agent import Agent
from ecgedge_device.settings import Settings
from ecgedge_device.settings_file import read_settings


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle("beat")


@pytest.fixture(scope="module")
def r_peaks(half_hour: Recording) -> IntArray:
    return detect_rpeaks(half_hour.signal[:, 0], half_hour.fs_hz)


@pytest.fixture(scope="module")
def batch(bundle: Bundle, half_hour: Recording, r_peaks: IntArray) -> BeatBatch:
    return cut_beats(half_hour.signal, r_peaks, pipeline_of(bundle.manifest).beats)


def raw_invokes(bundle: Bundle, batch: BeatBatch, *, threads: int, beats: int) -> Callable[[], None]:
    """A function that does nothing but set, invoke and get, beat by beat: the floor."""
    interpreter = load_interpreter(bundle.model, threads=threads)
    interpreter.allocate_tensors()
    quantised = BeatJudge(bundle).quantised(batch)
    inputs = [(int(str(d["index"])), quantised[str(d["name"])]) for d in interpreter.get_input_details()]
    output = int(str(interpreter.get_output_details()[0]["index"]))

    def run() -> None:
        for k in range(beats):
            for index, values in inputs:
                interpreter.set_tensor(index, values[k : k + 1])
            interpreter.invoke()
            interpreter.get_tensor(output)

    return run


@pytest.mark.benchmark(group="windows and features of 30 minutes")
def test_windows(benchmark: BenchmarkFixture, bundle: Bundle, half_hour: Recording, r_peaks: IntArray) -> None:
    benchmark(cut_beats, half_hour.signal, r_peaks, pipeline_of(bundle.manifest).beats)


@pytest.mark.benchmark(group="inference, one beat")
@pytest.mark.parametrize("threads", [1, 2])
def test_raw_invoke_one_beat(benchmark: BenchmarkFixture, bundle: Bundle, batch: BeatBatch, threads: int) -> None:
    benchmark(raw_invokes(bundle, batch, threads=threads, beats=1))


@pytest.mark.benchmark(group="inference, one beat")
def test_judge_one_beat(benchmark: BenchmarkFixture, bundle: Bundle, batch: BeatBatch) -> None:
    benchmark(BeatJudge(bundle).decided, batch[:1])


@pytest.mark.benchmark(group="30 minutes, whole way")
def test_raw_invoke_all_beats(benchmark: BenchmarkFixture, bundle: Bundle, batch: BeatBatch) -> None:
    benchmark(raw_invokes(bundle, batch, threads=1, beats=len(batch.r_peak)))


@pytest.mark.benchmark(group="30 minutes, whole way")
@pytest.mark.parametrize("threads", [1, 2])
def test_judge_all_beats(benchmark: BenchmarkFixture, bundle: Bundle, batch: BeatBatch, threads: int) -> None:
    benchmark(BeatJudge(bundle, threads=threads).decided, batch)


@pytest.mark.benchmark(group="30 minutes, whole way")
def test_engine(benchmark: BenchmarkFixture, bundle: Bundle, half_hour: Recording) -> None:
    benchmark(judge_recording, bundle, half_hour)


@pytest.mark.benchmark(group="30 minutes, whole way")
def test_agent(benchmark: BenchmarkFixture, half_hour: Recording, tmp_path: Path) -> None:
    """File -> store (durable, chunk by chunk of a minute) -> JSON lines, a new store each time."""
    write_wfdb(half_hour, tmp_path)

    def fresh() -> tuple[tuple[Settings], dict[str, object]]:
        folder = Path(mkdtemp(dir=tmp_path))
        (folder / "agent.toml").write_text(
            f'[source]\nkind = "replay"\npath = "{tmp_path / half_hour.name}"\nchunk_s = 60.0\n'
            '[report]\nkind = "json-lines"\npath = "beats.jsonl"\n'
        )
        return (read_settings(folder / "agent.toml"),), {}

    def whole(settings: Settings) -> None:
        served = Agent(settings, stop=Event()).run()
        assert served.outcomes[0].run.finished_utc and served.unsent == 0

    benchmark.pedantic(whole, setup=fresh, rounds=5, warmup_rounds=1)
