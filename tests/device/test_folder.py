"""A watched folder: real files, real inotify; nothing half-written is judged, nothing bad holds up the next."""

import ctypes
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.formats import write_wfdb
from ecgedge.records import Recording
from ecgedge_device.source_settings import After, FolderSettings
from ecgedge_device.sources import (
    Done,
    FileWork,
    PictureWork,
    SignalWork,
    SourceError,
    UnreadableWork,
    Work,
    open_source,
)
from ecgedge_device.sources.folder import FolderSource
from tests.device.made_desk import wait_until
from tests.device.simple_agent import FS_HZ, make_recording

SETTLE_S = 0.2
Prepare = Callable[[], object]


class Reading(threading.Thread):
    """A thread that takes what a source offers and says that it is done."""

    def __init__(
        self, path: Path, *, after: After = "move", held: bool = False, prepare: Prepare = lambda: None
    ) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.settings = FolderSettings(path=path, settle_s=SETTLE_S, after=after, fs_hz=FS_HZ)
        self.offered: list[Work] = []
        self.read: dict[str, tuple[int, ...]] = {}
        """Name -> shape of the picture; () where it could not be read."""
        self.samples: dict[str, int] = {}
        """Name -> length of the recording."""
        self.error: SourceError | None = None
        self.hold = threading.Event()
        if not held:
            self.hold.set()
        self._prepare = prepare

    def run(self) -> None:
        self._prepare()
        source = open_source(self.settings, files=Path("files"), stop=self.stop)
        try:
            for work in source:
                self.offered.append(work)
                self.hold.wait(30)
                if isinstance(work, PictureWork):
                    self.read[work.name] = picture_of(work)
                refusal = self._refusal_of(work)
                source.done(work, Done("refused", refusal) if refusal else Done("judged"))
        except SourceError as error:
            self.error = error

    def _refusal_of(self, work: Work) -> str:
        """Why it is no recording; empty where it is one, or a picture."""
        if isinstance(work, UnreadableWork):
            return work.reason
        try:
            if isinstance(work, FileWork):
                self.samples[work.name] = work.read().stream.n_samples
        except InputError as error:
            return str(error)
        return ""

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.offered if not isinstance(one, SignalWork)]


def picture_of(work: PictureWork) -> tuple[int, ...]:
    try:
        return work.read().pixels.shape
    except InputError:
        return ()


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Callable[..., Reading]]:
    begun: list[Reading] = []

    def begin(**settings: object) -> Reading:
        begun.append(Reading(tmp_path / "in", **settings))  # type: ignore[arg-type]
        begun[-1].start()
        return begun[-1]

    yield begin
    for one in begun:
        one.stop.set()
        one.join(20)
        assert not one.is_alive()


def picture() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_files_are_offered_and_moved(tmp_path: Path, reading: Callable[..., Reading]) -> None:
    folder = tmp_path / "in"
    found = reading()
    wait_until(folder.is_dir)  # made where it was not
    (folder / "one.png").write_bytes(picture())
    wait_until(lambda: files(folder) == ["done/one.png"])
    write_wfdb(make_recording(3), folder)
    np.save(folder / "two.npy", make_recording(2).signal)
    wait_until(lambda: files(folder) == ["done/made.dat", "done/made.hea", "done/one.png", "done/two.npy"])
    assert sorted(found.names) == ["made.hea", "one.png", "two.npy"]


def test_a_file_that_grows_slowly_is_judged_when_it_is_whole(tmp_path: Path, reading: Callable[..., Reading]) -> None:
    folder, content = tmp_path / "in", picture()
    found = reading()
    wait_until(folder.is_dir)
    with (folder / "slow.png").open("wb", buffering=0) as file:
        for part in np.array_split(np.frombuffer(content, np.uint8), 12):
            file.write(part.tobytes())
            threading.Event().wait(SETTLE_S / 4)
    wait_until(lambda: found.read == {"slow.png": (64, 64, 3)})
    assert found.names == ["slow.png"]


def test_a_file_that_changes_while_another_is_judged_is_waited_for(
    tmp_path: Path, reading: Callable[..., Reading]
) -> None:
    folder, content = tmp_path / "in", picture()
    folder.mkdir()
    (folder / "a.png").write_bytes(content)
    (folder / "b.png").write_bytes(content[:300])
    os.utime(folder / "a.png", (1, 1))
    found = reading(held=True)
    wait_until(lambda: found.names == ["a.png"])
    (folder / "b.png").write_bytes(content[:400])
    found.hold.set()
    threading.Event().wait(SETTLE_S / 4)
    (folder / "b.png").write_bytes(content)
    wait_until(lambda: len(found.read) == 2)
    assert found.read == {"a.png": (64, 64, 3), "b.png": (64, 64, 3)}


def test_the_file_of_a_wrong_clock_is_judged_all_the_same(tmp_path: Path, reading: Callable[..., Reading]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "future.png").write_bytes(picture())
    os.utime(folder / "future.png", (4_000_000_000, 4_000_000_000))
    found = reading()
    wait_until(lambda: found.names == ["future.png"])
    (work,) = found.offered
    assert isinstance(work, PictureWork) and work.taken_utc < "2090"


def test_bad_files_go_to_quarantine_with_the_reason(tmp_path: Path, reading: Callable[..., Reading]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "empty.png").write_bytes(b"")
    (folder / "letter.docx").write_bytes(b"text")
    (folder / "damaged.edf").write_bytes(b"0       " * 100)
    (folder / "lonely.dat").write_bytes(b"12")
    (folder / "lonely2.hea").write_text("lonely2 1 250 100\nlonely2.dat 16 200/mV 12 0 0 0 0 II\n")
    (folder / "copying.png.part").write_bytes(b"not yet")
    (folder / ".hidden.png").write_bytes(b"not for us")
    (folder / "good.png").write_bytes(picture())
    found = reading()
    bad = ["damaged.edf", "empty.png", "letter.docx", "lonely.dat", "lonely2.hea"]
    expected = [f"quarantine/{name}" for name in bad] + [f"quarantine/{name}.reason.txt" for name in bad]
    wait_until(lambda: files(folder) == sorted([*expected, ".hidden.png", "copying.png.part", "done/good.png"]))
    assert "0 bytes" in (folder / "quarantine/empty.png.reason.txt").read_text()
    assert ".docx is no picture or recording" in (folder / "quarantine/letter.docx.reason.txt").read_text()
    assert found.names.index("good.png") < found.names.index("empty.png")  # the bad ones did not hold it up


def test_a_record_whose_signal_comes_after_its_header_is_read_whole(
    tmp_path: Path, reading: Callable[..., Reading]
) -> None:
    folder = tmp_path / "in"
    recording = Recording(make_recording(20).signal, FS_HZ, ("II",), "pair")
    write_wfdb(recording, tmp_path / "made")
    found = reading()
    wait_until(folder.is_dir)
    shutil.copy(tmp_path / "made/pair.hea", folder)
    content = (tmp_path / "made/pair.dat").read_bytes()
    with (folder / "pair.dat").open("wb", buffering=0) as file:
        for at in range(0, len(content), 1000):
            file.write(content[at : at + 1000])
            threading.Event().wait(SETTLE_S / 3)
    wait_until(lambda: files(folder) == ["done/pair.dat", "done/pair.hea"])
    (work,) = found.offered
    assert isinstance(work, FileWork) and found.samples == {"pair.hea": len(recording.signal)}


def test_a_name_that_is_taken_gets_a_folder_of_its_own(tmp_path: Path, reading: Callable[..., Reading]) -> None:
    folder = tmp_path / "in"
    reading()
    for number, place in enumerate(("done/x.png", "done/2/x.png", "done/3/x.png"), start=1):
        wait_until(folder.is_dir)
        (folder / "x.png").write_bytes(picture())
        wait_until(lambda number=number: len(files(folder)) == number)  # type: ignore[misc]
        wait_until((folder / place).exists)


def test_files_that_are_left_are_offered_once_and_again_when_they_change(
    tmp_path: Path, reading: Callable[..., Reading]
) -> None:
    folder = tmp_path / "in"
    found = reading(after="leave")
    wait_until(folder.is_dir)
    (folder / "x.png").write_bytes(picture())
    wait_until(lambda: found.names == ["x.png"])
    (folder / "y.png").write_bytes(picture())
    wait_until(lambda: found.names == ["x.png", "y.png"])
    (folder / "x.png").write_bytes(picture() + b" ")
    wait_until(lambda: found.names == ["x.png", "y.png", "x.png"])
    assert files(folder) == ["x.png", "y.png"]
    works = [work for work in found.offered if isinstance(work, PictureWork)]
    assert len({work.id for work in works}) == 3


def test_a_restart_gives_the_same_file_the_same_id(tmp_path: Path, reading: Callable[..., Reading]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "x.png").write_bytes(picture())
    ids = []
    for _ in range(2):
        found = reading(after="leave")
        wait_until(lambda found=found: found.names == ["x.png"])  # type: ignore[misc]
        ids.append([work.id for work in found.offered if isinstance(work, PictureWork)])
        found.stop.set()
        found.join(20)
    assert ids[0] == ids[1]


def test_files_can_be_deleted(tmp_path: Path, reading: Callable[..., Reading]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_wfdb(make_recording(3), folder)
    found = reading(after="delete")
    wait_until(lambda: files(folder) == [])
    assert found.names == ["made.hea"]


def test_a_file_that_cannot_be_moved_does_not_hold_up_the_next(tmp_path: Path, reading: Callable[..., Reading]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "done").write_text("a file where the folder should be")
    found = reading()
    (folder / "x.png").write_bytes(picture())
    wait_until(lambda: found.names.count("x.png") == 1)
    (folder / "y.png").write_bytes(picture())
    wait_until(lambda: found.names.count("y.png") == 1)
    assert found.names.count("x.png") == 1 and found.error is None


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's rights are taken on, which only root may")
def test_a_file_that_may_not_be_read_does_not_hold_up_the_next(tmp_path: Path, reading: Callable[..., Reading]) -> None:
    def as_nobody() -> None:
        ctypes.CDLL(None).setfsuid(65_534)  # of this thread alone

    folder = tmp_path / "in"
    for place in (folder, *list(folder.parents)[:-2]):  # all below the folder of temporary files
        place.mkdir(exist_ok=True)
        place.chmod(0o777)
    (folder / "secret.png").write_bytes(picture())
    (folder / "secret.png").chmod(0)
    os.utime(folder / "secret.png", (1, 1))
    (folder / "open.png").write_bytes(picture())
    found = reading(prepare=as_nobody)
    wait_until(lambda: found.names == ["open.png"])
    (folder / "secret.png").chmod(0o644)
    (folder / "another.png").write_bytes(picture())  # an event
    wait_until(lambda: "secret.png" in found.names)
    assert found.error is None


def test_a_folder_that_goes_away_is_a_lost_source_and_works_when_it_is_back(
    tmp_path: Path, reading: Callable[..., Reading]
) -> None:
    folder = tmp_path / "in"
    for _ in range(2):
        found = reading()
        wait_until(folder.is_dir)
        (folder / "x.png").write_bytes(picture())
        wait_until(lambda found=found: found.names == ["x.png"])  # type: ignore[misc]
        wait_until((folder / "done/x.png").exists)
        shutil.rmtree(folder)
        wait_until(lambda found=found: found.error is not None)  # type: ignore[misc]
        assert "folder" in str(found.error)


def test_a_folder_made_again_at_once_is_noticed(tmp_path: Path, reading: Callable[..., Reading]) -> None:
    folder = tmp_path / "in"
    found = reading()
    wait_until(folder.is_dir)
    (folder / "x.png").write_bytes(picture())
    wait_until((folder / "done/x.png").exists)
    folder.rename(tmp_path / "old")
    folder.mkdir()
    (tmp_path / "old" / "event").write_text("")  # what is watched is the old one
    wait_until(lambda: found.error is not None)
    assert "made again" in str(found.error)


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a file")
    source = FolderSource(FolderSettings(path=tmp_path / "in"), stop=threading.Event())
    with pytest.raises(SourceError, match="in: File exists"):
        next(iter(source))
