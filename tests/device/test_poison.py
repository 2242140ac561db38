"""A picture or recording that ends the whole process: it is refused at the third start, and those behind it judged."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import numpy as np
import pytest

from ecgedge.bundle import read_bundle
from ecgedge_device.results import Kind, Result
from ecgedge_device.settings_file import read_settings
from ecgedge_device.source_settings import HttpSettings
from ecgedge_device.sources import FileWork, SignalWork
from ecgedge_device.sources.inbox import InboxSource
from ecgedge_device.sources.recording_work import RecordingWork
from ecgedge_device.store import Store
from tests.device.made_desk import ListSource, made_desk, results_of, run_source, wait_until
from tests.device.poisoned_agent import DIED, serve_poisoned
from tests.device.simple_agent import FS_HZ, make_bundle, make_recording

ROOT = Path(__file__).parents[2]
CHUNK_S = 600.0
"""Of recordings from folder and inbox."""


@pytest.fixture(scope="module")
def forks() -> Iterator[ForkServerContext]:
    """Processes that start at once, since a server has imported everything before."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "device"), os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", paths)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.device.poisoned_agent"])
        yield context


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings with an inbox and a folder."""
    make_bundle(tmp_path / "simple.tflite")
    config = tmp_path / "agent.toml"
    config.write_text(
        '[agent]\nbundle = "simple.tflite"\nstore = "ecgedge.sqlite"\n'
        f'[[source]]\nkind = "http"\nfs_hz = {FS_HZ}\n'
        f'[[source]]\nkind = "folder"\npath = "in"\nsettle_s = 0.1\nfs_hz = {FS_HZ}\n'
    )
    return config


def inbox(config: Path) -> InboxSource:
    settings = read_settings(config)
    files = settings.agent.store.with_suffix("")
    http = next(each for each in settings.sources if isinstance(each, HttpSettings))
    return InboxSource(http, folder=files / "inbox" / http.name, stop=threading.Event())


def started(forks: ForkServerContext, config: Path, deadly: str = "") -> ForkServerProcess:
    process = forks.Process(target=serve_poisoned, args=(config, deadly))
    process.start()
    return process


def died(forks: ForkServerContext, config: Path, deadly: str = "") -> None:
    """A start in which the process ends itself."""
    process = started(forks, config, deadly)
    process.join(60)
    assert process.exitcode == DIED


def served(forks: ForkServerContext, config: Path, *, until: int, kind: Kind, deadly: str = "") -> list[Result]:
    """A start that lives until there are so many results of a kind, and is then stopped."""
    process = started(forks, config, deadly)
    try:
        wait_until(lambda: len(results(config, kind)) == until or not process.is_alive(), seconds=60)
        wait_until(lambda: not waiting(config) or not process.is_alive())
    finally:
        process.terminate()
        process.join(60)
    assert process.exitcode == 0
    return results(config, kind)


def results(config: Path, kind: Kind) -> list[Result]:
    """The oldest first."""
    with Store(config.with_name("ecgedge.sqlite")) as store:
        return list(reversed(store.recent([kind])))


def waiting(config: Path) -> list[Path]:
    """Files that are still to be judged."""
    uploads = config.with_name("ecgedge") / "inbox" / "upload"
    files = list(config.with_name("in").glob("*.npy"))
    return files + (list(uploads.iterdir()) if uploads.exists() else [])


def attempts(config: Path) -> list[tuple[str, int]]:
    with Store(config.with_name("ecgedge.sqlite")) as store:
        return store.connection.execute("SELECT * FROM attempts").fetchall()


def save(path: Path, *, chunks: float) -> None:
    """A recording of so many chunks."""
    path.parent.mkdir(exist_ok=True)
    signal = np.tile(make_recording(60).signal, (round(chunks * CHUNK_S / 60), 1))
    with path.with_suffix(".part").open("wb") as file:
        np.save(file, signal)
    path.with_suffix(".part").rename(path)


def test_a_picture_that_ends_the_agent_is_refused_at_the_third_start(forks: ForkServerContext, config: Path) -> None:
    page = read_bundle("page").golden["page_png"].tobytes()
    ids = [inbox(config).put(name, page) for name in ("poison.png", "behind.png")]
    for count in (1, 2):
        died(forks, config, "poison.png")
        assert attempts(config) == [(ids[0], count)] and results(config, "page") == []
    poison, behind = served(forks, config, until=2, kind="page", deadly="poison.png")
    assert [poison.id, behind.id] == ids
    reason = "poison.png: the agent ended 2 times while it judged this picture; look at the log"
    assert (poison.content["refused"], poison.content["reason"]) == (True, reason)
    assert behind.content["refused"] is False and behind.content["probabilities"]
    assert waiting(config) == [] and attempts(config) == []


def test_a_recording_that_ends_the_agent_as_it_is_read_is_refused(forks: ForkServerContext, config: Path) -> None:
    save(config.with_name("made.npy"), chunks=0.1)
    content = config.with_name("made.npy").read_bytes()
    ids = [inbox(config).put(name, content) for name in ("poison.npy", "behind.npy")]
    for count in (1, 2):
        died(forks, config, "poison.npy")
        assert attempts(config) == [(f"upload:{ids[0]}", count)] and results(config, "recording") == []
    poison, behind = served(forks, config, until=2, kind="recording", deadly="poison.npy")
    assert poison.id == ids[0] and poison.content["refused"] is True
    assert "ended 2 times while it read or judged this recording" in str(poison.content["reason"])
    assert (behind.content["recording"], behind.content["seconds"]) == ("behind", 60.0)
    assert waiting(config) == [] and attempts(config) == []


def test_a_recording_that_ends_the_agent_as_it_is_judged_goes_to_quarantine(
    forks: ForkServerContext, config: Path
) -> None:
    folder = config.with_name("in")
    save(folder / "poison.npy", chunks=2)
    died(forks, config)  # in the second chunk: the first is stored, and attempts count from there
    assert attempts(config) == []
    for count in (1, 2):
        died(forks, config)
        assert [each for _, each in attempts(config)] == [count]
    save(folder / "behind.npy", chunks=0.1)
    poison, behind = served(forks, config, until=2, kind="recording")
    assert poison.content["refused"] is True and behind.content["recording"] == "behind"
    assert "poison.npy: the agent ended 2 times" in (folder / "quarantine" / "poison.npy.reason.txt").read_text()
    assert (folder / "quarantine" / "poison.npy").exists() and (folder / "done" / "behind.npy").exists()
    with Store(config.with_name("ecgedge.sqlite")) as store:
        assert store.run(1).next_sample == CHUNK_S * FS_HZ and len(store.beats(store.run(1))) > 500
    assert attempts(config) == []


def test_a_recording_that_gets_on_at_each_start_is_judged_to_its_end(forks: ForkServerContext, config: Path) -> None:
    save(config.with_name("in") / "slow.npy", chunks=4)
    for _ in range(3):
        died(forks, config)
    (recording,) = served(forks, config, until=1, kind="recording")
    assert recording.content["seconds"] == 4 * CHUNK_S and "refused" not in recording.content
    assert waiting(config) == [] and attempts(config) == []


def test_clean_stops_and_faults_that_do_not_end_the_agent_are_no_attempts(tmp_path: Path) -> None:
    for _ in range(4):
        desk = made_desk(tmp_path)

        def stopped(stop: threading.Event = desk.stop) -> SignalWork:
            stop.set()
            return RecordingWork(make_recording(10), address="live:x", stop=stop, source="live")

        source = ListSource([[FileWork("0b7e6f9e-7d38-4dd8-9f3c-c9f04e1d1f9e", "x.npy", "", "live:x", stopped)]])
        run_source(desk, source)
        assert desk.failures == [] and source.heard == []
        with Store(desk.settings.agent.store) as store:
            assert store.connection.execute("SELECT * FROM attempts").fetchall() == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(5, "Input/output error"), "x.npy: cannot be read (Input/output error); copy it again"),
        (ZeroDivisionError("a fault of ours"), "x.npy: internal error (ZeroDivisionError)"),
    ],
)
def test_a_recording_that_cannot_be_read_costs_that_recording_only(
    tmp_path: Path, error: Exception, words: str
) -> None:
    def read() -> SignalWork:
        raise error

    behind = RecordingWork(make_recording(10), address="live:y", stop=threading.Event(), source="live")
    uid = "0b7e6f9e-7d38-4dd8-9f3c-c9f04e1d1f9e"
    desk, source = made_desk(tmp_path), ListSource([[FileWork(uid, "x.npy", "", "live:x", read), behind]])
    run_source(desk, source)
    assert desk.failures == [] and [done.kind for _, done in source.heard] == ["refused", "judged"]
    first, _ = results_of(desk, ("recording",))
    assert first.id == uid and str(first.content["reason"]).startswith(words)
