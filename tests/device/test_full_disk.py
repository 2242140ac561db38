"""A disk that is really full: a small file system of its own. Judging goes on; the oldest goes, counted and said."""

import logging
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ecgedge_device.agent import Agent
from ecgedge_device.reporters import ReportError
from ecgedge_device.reporters.memory import MemoryReporter
from ecgedge_device.results import Result
from ecgedge_device.retention import dropped
from ecgedge_device.settings import Settings
from ecgedge_device.settings_file import read_settings
from ecgedge_device.store import Store
from tests.device.simple_agent import FS_HZ, make_bundle, make_recording, maker

HOURS = 3


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 10 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is refused here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long recording with many alarms, and the bundle; on another disk."""
    place = tmp_path_factory.mktemp("long")
    make_bundle(place / "simple.tflite")
    np.save(place / "ecg.npy", np.tile(make_recording(600).signal, (HOURS * 6, 1)))
    return place


def settings_for(folder: Path, disk: Path) -> Settings:
    config = folder / "agent.toml"
    config.write_text(
        f'[agent]\nbundle = "simple.tflite"\nstore = "{disk}/ecgedge.sqlite"\ndrain_s = 1\n'
        f'[source]\nkind = "replay"\npath = "ecg.npy"\nfs_hz = {FS_HZ}\nchunk_s = 10\n'
        "[keep]\nfree_mb = 0\n"  # housekeeping, which may or may not look in time, would want more than the disk has
        "[alarms]\nrate_high_bpm = 95\nrate_beats = 5\nrefractory_s = 5\n"
        '[[report]]\nkind = "json-lines"\npath = "results.jsonl"\n'
        '[[report]]\nkind = "json-lines"\nname = "alarms"\nsend = ["alarm"]\n'
    )
    return read_settings(config)


class Deaf(MemoryReporter):
    """Its receiver takes nothing."""

    def send(self, results: Sequence[Result]) -> None:
        raise ReportError(f"{len(results)} not taken")


def fill(disk: Path, *, leave: int) -> None:
    """Another program's file."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with (disk / "other").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - leave)


def test_a_full_disk_drops_the_oldest_counts_it_says_so_and_judges_on(
    disk: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(folder, disk)
    fill(disk, leave=5_200_000)
    listener = MemoryReporter()
    agent = Agent(
        settings, stop=threading.Event(), make_engine=maker(), reporters={"json-lines": Deaf(), "alarms": listener}
    )
    with caplog.at_level(logging.INFO, "ecgedge_device"):
        served = agent.run()
    assert isinstance(served.trouble, ReportError)  # of the deaf one, and nothing else
    (outcome,) = served.outcomes
    assert outcome.run.finished_utc and outcome.run.next_sample == HOURS * 3600 * FS_HZ
    with Store(settings.agent.store) as store:
        beats = store.beats(outcome.run)
        counts = dropped(store)
        reporters = dict(store.connection.execute("SELECT name, dropped FROM reporters"))
        kinds = {result.kind for result in store.recent(limit=100_000)}
        assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert counts["file"] > 0
    assert len(beats) > 0 and counts.get("beat", 0) + len(beats) == outcome.latency.beats  # type: ignore[union-attr]
    assert beats[-1].time_s > HOURS * 3600 - 5, "the newest stay"
    assert kinds == {"minute", "alarm", "recording"}
    assert reporters["json-lines"] == counts.get("beat", 0) + counts.get("result", 0)
    assert reporters["alarms"] <= counts.get("result", 0)
    assert len([result for result in listener.results if result.kind == "alarm"]) > 100
    said = [record.getMessage() for record in caplog.records]
    assert "disk full, oldest removed" in said
    assert ("removed before it was sent" in said) == (sum(reporters.values()) > 0)
    assert agent.health.snapshot()["facts"]["disk_full"] is None  # type: ignore[index,call-overload]


def test_a_disk_that_others_fill_to_the_last_byte_is_lived_with(disk: Path, folder: Path) -> None:
    settings = settings_for(folder, disk)
    filled = threading.Event()

    def watch(work):  # type: ignore[no-untyped-def]
        for chunk in work:
            if chunk.start == 600 * FS_HZ:
                fill(disk, leave=0)
                filled.set()
            yield chunk

    reporters = {"json-lines": MemoryReporter(), "alarms": MemoryReporter()}
    agent = Agent(settings, stop=threading.Event(), make_engine=maker(), reporters=reporters, watch=watch)
    served = agent.run()
    (outcome,) = served.outcomes
    assert filled.is_set() and served.trouble is None and served.unsent == 0
    assert outcome.run.finished_utc
    told = [result for result in reporters["json-lines"].results if result.kind == "beat"]
    with Store(settings.agent.store) as store:
        lost = dict(store.connection.execute("SELECT name, dropped FROM reporters"))["json-lines"]
    assert len(told) <= outcome.latency.beats <= len(told) + lost  # type: ignore[union-attr]  # all are accounted for


def test_the_agent_starts_on_a_full_disk(disk: Path, folder: Path) -> None:
    settings = settings_for(folder, disk)
    reporters = {"json-lines": MemoryReporter(), "alarms": MemoryReporter()}
    stop = threading.Event()

    def some(work):  # type: ignore[no-untyped-def]
        for chunk in work:
            if chunk.start > 300 * FS_HZ:
                stop.set()
            yield chunk

    Agent(settings, stop=stop, make_engine=maker(), reporters=reporters, watch=some).run()
    fill(disk, leave=0)
    served = Agent(settings, stop=threading.Event(), make_engine=maker(), reporters=reporters).run()
    assert served.trouble is None and served.outcomes[0].run.finished_utc
