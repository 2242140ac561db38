"""The beat path, stage by stage and whole, on 30 minutes of one lead, one thread."""

from collections.abc import Callable, Iterator
from itertools import count
from math import isfinite
from pathlib import Path
from tempfile import mkdtemp
from threading import Event

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ecgedge.beats import BeatBatch, cut_beats
from ecgedge.bundle import Bundle, read_bundle
from ecgedge.decide import Decision, decide
from ecgedge.engine import BeatJudge, judge_recording
from ecgedge.formats import read_recording, write_wfdb
from ecgedge.latency import model_call
from ecgedge.manifest import Json
from ecgedge.preprocess import pipeline_of
from ecgedge.records import Beat, IntArray, Recording
from ecgedge.rpeaks import detect_rpeaks
from ecgedge.signals import butterworth_bandpass, filter_once, resample
from ecgedge_device.agent import Agent
from ecgedge_device.reporters.json_lines import JsonLinesReporter
from ecgedge_device.results import BundleId, Result, Run, Stream
from ecgedge_device.settings import Settings
from ecgedge_device.settings_file import read_settings
from ecgedge_device.store import Store

STAGES = "beats of 30 minutes, stage by stage"
WHOLE = "beats of 30 minutes, whole way"
BATCH = 512
AAMI = "NSVF"
OTHER_HZ = 250.0
"""A rate that has to be resampled; that of the file has not."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle("beat")


@pytest.fixture(scope="module")
def judge(bundle: Bundle) -> BeatJudge:
    return BeatJudge(bundle)


@pytest.fixture(scope="module")
def r_peaks(half_hour: Recording) -> IntArray:
    return detect_rpeaks(half_hour.signal[:, 0], half_hour.fs_hz)


@pytest.fixture(scope="module")
def batch(bundle: Bundle, half_hour: Recording, r_peaks: IntArray) -> BeatBatch:
    return cut_beats(half_hour.signal, r_peaks, pipeline_of(bundle.manifest).beats)


@pytest.fixture(scope="module")
def file(half_hour: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording as a WFDB record."""
    folder = tmp_path_factory.mktemp("record")
    write_wfdb(half_hour, folder)
    return folder / half_hour.name


@pytest.fixture(scope="module")
def beats(bundle: Bundle, half_hour: Recording) -> list[Beat]:
    return judge_recording(bundle, half_hour)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "ecgedge.sqlite") as opened:
        yield opened


def raw_invokes(bundle: Bundle, batch: BeatBatch, *, threads: int, beats: int, size: int = 1) -> Callable[[], None]:
    """A function that does nothing but set, invoke and get for so many beats: the floor."""
    quantised = BeatJudge(bundle).quantised(batch[:size])
    call = model_call(bundle.model, threads=threads, batch=size, inputs=quantised)

    def run() -> None:
        for _ in range(-(-beats // size)):
            call()

    return run


@pytest.mark.benchmark(group=STAGES)
def test_read_record(benchmark: BenchmarkFixture, file: Path) -> None:
    benchmark(read_recording, file)


@pytest.mark.benchmark(group=STAGES)
def test_resample(benchmark: BenchmarkFixture, half_hour: Recording) -> None:
    """To another rate and back to where beats are judged: what a recording of another rate costs."""
    benchmark(resample, half_hour.signal, half_hour.fs_hz, OTHER_HZ)


@pytest.mark.benchmark(group=STAGES)
def test_filter(benchmark: BenchmarkFixture, bundle: Bundle, half_hour: Recording) -> None:
    settings = pipeline_of(bundle.manifest).beats
    sos = butterworth_bandpass(settings.low_hz, settings.high_hz, settings.fs_hz, order=settings.order)
    benchmark(filter_once, sos, half_hour.signal)


@pytest.mark.benchmark(group=STAGES)
def test_detect_r_peaks(benchmark: BenchmarkFixture, half_hour: Recording) -> None:
    benchmark(detect_rpeaks, half_hour.signal[:, 0], half_hour.fs_hz)


@pytest.mark.benchmark(group=STAGES)
def test_windows(benchmark: BenchmarkFixture, bundle: Bundle, half_hour: Recording, r_peaks: IntArray) -> None:
    """The filter is in it."""
    benchmark(cut_beats, half_hour.signal, r_peaks, pipeline_of(bundle.manifest).beats)


@pytest.mark.benchmark(group=STAGES)
def test_quantise_beats(benchmark: BenchmarkFixture, judge: BeatJudge, batch: BeatBatch) -> None:
    benchmark(judge.quantised, batch)


@pytest.mark.benchmark(group=STAGES)
def test_invoke_beats(benchmark: BenchmarkFixture, judge: BeatJudge, batch: BeatBatch) -> None:
    benchmark(judge.raw, judge.quantised(batch))


@pytest.mark.benchmark(group=STAGES)
def test_decide_beats(benchmark: BenchmarkFixture, bundle: Bundle, judge: BeatJudge, batch: BeatBatch) -> None:
    benchmark(decide, judge.probabilities(batch), Decision.from_manifest(bundle.manifest.decision))


@pytest.mark.benchmark(group=STAGES)
def test_store_beats(benchmark: BenchmarkFixture, bundle: Bundle, beats: list[Beat], store: Store) -> None:
    """All beats and one position in one durable transaction."""
    numbers = count()
    manifest = bundle.manifest

    def begun() -> tuple[tuple[Run], dict[str, object]]:
        stream = Stream(f"/{next(numbers)}", "100", 360.0, ("MLII",), 0, "")
        run = store.begin(stream, BundleId(manifest.name, manifest.version, manifest.model_sha256, manifest.labels))
        return (run,), {}

    def keep(run: Run) -> None:
        store.append(run, beats, start=0, stop=1, state=b"")

    benchmark.pedantic(keep, setup=begun, rounds=15, warmup_rounds=2)


@pytest.mark.benchmark(group=STAGES)
def test_json_lines_of_beats(benchmark: BenchmarkFixture, beats: list[Beat], tmp_path: Path) -> None:
    """All beats as lines in a file, on the disk."""
    results = [as_result(beat, number) for number, beat in enumerate(beats)]
    reporters: list[JsonLinesReporter] = []

    def opened() -> tuple[tuple[JsonLinesReporter], dict[str, object]]:
        reporters.append(JsonLinesReporter(tmp_path / f"{len(reporters)}.jsonl"))
        return (reporters[-1],), {}

    benchmark.pedantic(lambda reporter: reporter.send(results), setup=opened, rounds=15, warmup_rounds=2)
    for reporter in reporters:
        reporter.close()


def as_result(beat: Beat, number: int) -> Result:
    """A beat as the store tells it."""
    content: dict[str, Json] = {
        "recording": "100",
        "sample": beat.sample,
        "time_s": beat.time_s,
        "label": beat.label,
        "probabilities": {label: beat.probabilities[k] for k, label in enumerate(AAMI[: len(beat.probabilities)])},
        "rr_ms": beat.rr_ms if isfinite(beat.rr_ms) else None,
        "reason": beat.reason,
    }
    return Result(number, f"00000000-0000-0000-0000-{number:012d}", "beat", "bench", "", "", content)


@pytest.mark.benchmark(group="inference, one beat")
@pytest.mark.parametrize("threads", [1, 2])
def test_raw_invoke_one_beat(benchmark: BenchmarkFixture, bundle: Bundle, batch: BeatBatch, threads: int) -> None:
    benchmark(raw_invokes(bundle, batch, threads=threads, beats=1))


@pytest.mark.benchmark(group="inference, one beat")
def test_judge_one_beat(benchmark: BenchmarkFixture, judge: BeatJudge, batch: BeatBatch) -> None:
    benchmark(judge.decided, batch[:1])


@pytest.mark.benchmark(group=WHOLE)
def test_raw_invoke_all_beats(benchmark: BenchmarkFixture, bundle: Bundle, batch: BeatBatch) -> None:
    benchmark(raw_invokes(bundle, batch, threads=1, beats=len(batch.r_peak)))


@pytest.mark.benchmark(group=WHOLE)
def test_raw_invoke_batches(benchmark: BenchmarkFixture, bundle: Bundle, batch: BeatBatch) -> None:
    benchmark(raw_invokes(bundle, batch, threads=1, beats=len(batch.r_peak), size=BATCH))


@pytest.mark.benchmark(group=WHOLE)
@pytest.mark.parametrize("threads", [1, 2])
def test_judge_all_beats(benchmark: BenchmarkFixture, bundle: Bundle, batch: BeatBatch, threads: int) -> None:
    benchmark(BeatJudge(bundle, threads=threads).decided, batch)


@pytest.mark.benchmark(group=WHOLE)
def test_engine(benchmark: BenchmarkFixture, bundle: Bundle, half_hour: Recording) -> None:
    benchmark(judge_recording, bundle, half_hour)


@pytest.mark.benchmark(group=WHOLE)
def test_file_to_beats(benchmark: BenchmarkFixture, bundle: Bundle, file: Path) -> None:
    """The file read, and all of its beats judged."""
    benchmark(lambda: judge_recording(bundle, read_recording(file)))


@pytest.mark.benchmark(group=WHOLE)
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
