"""Uploads: durable before the sender is told so, judged once, whatever moment the agent is killed at."""

import multiprocessing
import random
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.formats import write_wfdb
from ecgedge_device.source_settings import HttpSettings
from ecgedge_device.sources import Done, FileWork, PictureWork, Work
from ecgedge_device.sources.inbox import InboxSource
from tests.device.simple_agent import FS_HZ, make_recording

PICTURE = cv2.imencode(".png", np.random.default_rng(1).integers(0, 255, (32, 32, 3), np.uint8))[1].tobytes()


def inbox(folder: Path, *, stop: threading.Event | None = None) -> InboxSource:
    return InboxSource(HttpSettings(fs_hz=FS_HZ, limit_mb=0.1), folder=folder / "in", stop=stop or threading.Event())


def taken(source: InboxSource, count: int) -> list[Work]:
    """The next works, each said to be done."""
    found = []
    works = iter(source)
    for _ in range(count):
        work = next(works)
        found.append(work)
        source.done(work, Done("judged"))
    return found


def test_what_is_put_is_offered_in_order_and_deleted_when_done(tmp_path: Path) -> None:
    source = inbox(tmp_path)
    ids = [source.put(f"{name}.png", PICTURE) for name in "abc"]
    works = taken(source, 3)
    assert [work.id for work in works if isinstance(work, PictureWork)] == ids
    assert [work.name for work in works if isinstance(work, PictureWork)] == ["a.png", "b.png", "c.png"]
    assert list((tmp_path / "in").iterdir()) == []


def test_a_wfdb_pair_is_one_work(tmp_path: Path) -> None:
    write_wfdb(make_recording(5), tmp_path)
    header, signal = ((tmp_path / f"made{suffix}").read_bytes() for suffix in (".hea", ".dat"))
    source = inbox(tmp_path)
    source.put("made.hea", header, companions={".dat": signal})
    work = next(iter(source))
    assert isinstance(work, FileWork) and work.read().stream.n_samples == round(5 * FS_HZ)
    source.done(work, Done("judged"))
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.gif", b"x", r"\.gif is no picture"),
        ("a.png", b"", "0 bytes; 1 to 100000"),
        ("a.png", bytes(100_001), "100001 bytes"),
        ("../..", b"x", "no suffix"),
        ("", b"x", "no suffix"),
    ],
)
def test_what_cannot_be_judged_is_refused_at_once(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        inbox(tmp_path).put(name, content)
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize(
    "name", [".hidden.png", "../../x.png", "a b\n/c.png", "é.png", "x" * 300 + ".png", "..png.png"]
)
def test_no_name_leaves_the_folder_or_holds_up_the_next(tmp_path: Path, name: str) -> None:
    source = inbox(tmp_path)
    ids = [source.put(name, PICTURE), source.put("next.png", PICTURE)]
    assert [work.id for work in taken(source, 2) if isinstance(work, PictureWork)] == ids
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_a_crash_left_half_deleted_or_half_handed_in_holds_up_nothing(tmp_path: Path) -> None:
    source = inbox(tmp_path)
    empty, half = tmp_path / "in" / "0-empty", tmp_path / "in" / "1-half"
    for folder in (empty, half, tmp_path / "in" / ".draft"):
        folder.mkdir(parents=True)
    (half / "made.dat").write_bytes(b"its header is gone")
    (tmp_path / "in" / ".draft" / "x.png").write_bytes(PICTURE)
    uid = source.put("next.png", PICTURE)
    (work,) = taken(source, 1)
    assert isinstance(work, PictureWork) and work.id == uid
    assert list((tmp_path / "in").iterdir()) == []


def test_the_content_is_there_after_a_restart_with_the_same_id(tmp_path: Path) -> None:
    uid = inbox(tmp_path).put("x.png", PICTURE)
    for _ in range(2):  # the first start was killed before it was judged
        work = next(iter(inbox(tmp_path)))
        assert isinstance(work, PictureWork) and work.id == uid and work.read().pixels.shape == (32, 32, 3)


def test_a_stop_ends_the_wait(tmp_path: Path) -> None:
    stop = threading.Event()
    source = inbox(tmp_path, stop=stop)
    threading.Timer(0.2, stop.set).start()
    assert list(source) == []


def hand_in(folder: Path, told: Path) -> None:
    """Hands in pictures and notes each id once it was told; until killed."""
    source = inbox(folder)
    with told.open("a", buffering=1) as file:
        for number in range(10_000):
            file.write(source.put(f"{number}.png", PICTURE) + "\n")


def test_a_kill_while_files_are_handed_in_loses_none_that_was_accepted(tmp_path: Path) -> None:
    rng = random.Random(1)
    context = multiprocessing.get_context("fork")
    told = tmp_path / "told"
    for _ in range(4):
        process = context.Process(target=hand_in, args=(tmp_path, told))
        process.start()
        before = told.stat().st_size if told.exists() else 0
        until = time.monotonic() + 20
        while (not told.exists() or told.stat().st_size == before) and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.join()
    accepted = {line for line in told.read_text().splitlines() if len(line) == 36}
    there = [path for path in (tmp_path / "in").iterdir() if not path.name.startswith(".")]
    works = taken(inbox(tmp_path), len(there))
    found = [work.id for work in works if isinstance(work, PictureWork)]
    assert len(found) == len(set(found)) == len(there) and accepted <= set(found) and len(accepted) >= 4
    assert all(isinstance(work, PictureWork) for work in works)
    assert list((tmp_path / "in").iterdir()) == []
