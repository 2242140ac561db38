"""The webcam source: a real MJPEG stream on loopback that is cut and comes back, a video file, what is no camera."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import cv2
import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.paper.page import Pixels
from ecgedge_device.source_settings import WebcamSettings
from ecgedge_device.sources import PictureWork, Reason, SourceError, Triggered, open_source
from ecgedge_device.sources.video import LiveFrames, plain_address, refused_device
from ecgedge_device.sources.webcam import WebcamSource
from tests.device.camera_frames import page_frame, table_frame, with_hand
from tests.device.mjpeg_server import MjpegServer

DEADLINE_S = 60.0


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def pixels_of(work: object) -> Pixels:
    assert isinstance(work, PictureWork)
    return work.read().pixels


def alike(one: Pixels, other: Pixels) -> bool:
    """Equal but for the losses of JPEG."""
    return one.shape == other.shape and float(np.mean(cv2.absdiff(one, other))) < 6


def numbered(number: int) -> Pixels:
    """A frame that tells its number: 16 squares, black or white."""
    frame = np.full((120, 160, 3), 128, np.uint8)
    for bit in range(16):
        frame[40:80, 10 * bit : 10 * bit + 10] = 255 * (number >> bit & 1)
    return frame


def number_of(frame: Pixels) -> int:
    return sum(int(frame[60, 10 * bit + 5].mean() > 127) << bit for bit in range(16))


def test_a_stream_is_cut_and_comes_back(stop: threading.Event, tmp_path: Path) -> None:
    server = MjpegServer(lambda _: page_frame(1))
    settings = WebcamSettings(device=server.address, trigger="command", silence_s=5.0, rotate_deg=180)
    source = open_source(settings, files=tmp_path, stop=stop)
    assert isinstance(source, WebcamSource)
    assert isinstance(source, Triggered)
    source.trigger()
    works = iter(source)
    assert alike(pixels_of(next(works)), np.ascontiguousarray(page_frame(1)[::-1, ::-1]))

    threading.Timer(0.5, server.cut).start()
    with pytest.raises(SourceError, match=r"127\.0\.0\.1") as lost:
        next(works)
    assert lost.value.reason is Reason.LOST
    with pytest.raises(SourceError, match="nothing answers") as missing:
        next(iter(source))
    assert missing.value.reason is Reason.NOT_FOUND

    back = MjpegServer(lambda _: page_frame(2), port=server.port)
    source.trigger()
    assert alike(pixels_of(next(iter(source))), np.ascontiguousarray(page_frame(2)[::-1, ::-1]))
    back.cut()


def test_pages_in_a_stream_are_seen_and_each_is_taken_once(stop: threading.Event) -> None:
    shown = [table_frame()]
    server = MjpegServer(lambda _: shown[0])
    source = WebcamSource(WebcamSettings(device=server.address, trigger="seeing"), stop=stop)
    works: list[PictureWork] = []
    thread = threading.Thread(target=lambda: works.extend(w for w in source if isinstance(w, PictureWork)), daemon=True)
    thread.start()
    deadline = monotonic() + DEADLINE_S
    for count, patient in enumerate((1, 2), start=1):
        shown[0] = with_hand(shown[0], 0.8)
        stop.wait(1.0)
        shown[0] = page_frame(patient)
        while len(works) < count and monotonic() < deadline:
            stop.wait(0.1)
    stop.wait(2.0)
    stop.set()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    server.cut()
    assert [alike(pixels_of(work), page_frame(patient)) for work, patient in zip(works, (1, 2), strict=True)]


def test_a_frame_is_the_newest_however_long_nobody_looked(stop: threading.Event) -> None:
    server = MjpegServer(numbered, rate_hz=25)
    frames = LiveFrames(WebcamSettings(device=server.address), stop=stop)
    first = frames.look(wanted=True)
    assert first is not None
    for _ in range(2):
        asleep = server.sent
        while server.sent < asleep + 75:
            stop.wait(0.1)
        sent = server.sent
        frame = frames.look(wanted=True)
        assert frame is not None
        assert number_of(frame.pixels) > sent - 25
    frames.close()
    server.cut()


def test_a_stream_that_falls_silent_is_lost(stop: threading.Event) -> None:
    silent = threading.Event()

    def scene(number: int) -> Pixels:
        if number > 30:
            silent.wait(DEADLINE_S)
        return page_frame(1)

    server = MjpegServer(scene)
    source = WebcamSource(WebcamSettings(device=server.address, trigger="command", silence_s=1.0), stop=stop)
    with pytest.raises(SourceError, match=r"127\.0\.0\.1") as lost:
        next(iter(source))
    assert lost.value.reason is Reason.LOST
    silent.set()
    server.cut()


def test_a_stop_ends_the_wait_for_a_stream(stop: threading.Event) -> None:
    silent = threading.Event()
    server = MjpegServer(lambda _: page_frame(1) if silent.wait(DEADLINE_S) else page_frame(2))
    source = WebcamSource(WebcamSettings(device=server.address), stop=stop)
    threading.Timer(0.3, stop.set).start()
    begun_s = monotonic()
    assert list(source) == []
    assert monotonic() - begun_s < DEADLINE_S / 2
    silent.set()
    server.cut()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """An empty table, a hand, a page for three seconds, a hand, another page: eight frames a second."""
    path = tmp_path / "table.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 8.0, (640, 480))
    assert writer.isOpened()
    table = table_frame()
    scenes = [(table, 8), (with_hand(table, 0.8), 4), (page_frame(1), 24), (with_hand(page_frame(1), 0.8), 4)]
    for frame, count in [*scenes, (page_frame(2), 24)]:
        for _ in range(count):
            writer.write(frame)
    writer.release()
    return path


def test_a_video_is_seen_to_its_end(video: Path, stop: threading.Event) -> None:
    works = list(WebcamSource(WebcamSettings(device=str(video), trigger="seeing"), stop=stop))
    assert [alike(pixels_of(work), page_frame(patient)) for work, patient in zip(works, (1, 2), strict=True)]


def test_a_video_that_nobody_asks_a_picture_of_ends_without_one(video: Path, stop: threading.Event) -> None:
    source = WebcamSource(WebcamSettings(device=str(video), trigger="command"), stop=stop)
    source.trigger()
    works = list(source)
    assert len(works) == 1
    assert alike(pixels_of(works[0]), table_frame())


def refusal(device: str, stop: threading.Event) -> SourceError:
    with pytest.raises(SourceError) as refused:
        list(WebcamSource(WebcamSettings(device=device), stop=stop))
    return refused.value


def test_what_is_no_camera_is_named(tmp_path: Path, stop: threading.Event) -> None:
    missing = refusal(str(tmp_path / "none.avi"), stop)
    assert (missing.reason, "no such file" in str(missing)) == (Reason.NOT_FOUND, True)
    text = tmp_path / "text.avi"
    text.write_text("no video\n" * 100)
    with pytest.raises(InputError, match="no video"):
        list(WebcamSource(WebcamSettings(device=str(text)), stop=stop))
    if not Path("/dev/video63").exists():
        absent = refusal("63", stop)
        assert (absent.reason, "/dev/video63" in str(absent)) == (Reason.NOT_FOUND, True)
    assert refusal("/dev/null", stop).reason is Reason.BUSY


def test_a_pipeline_needs_gstreamer(stop: threading.Event) -> None:
    if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        source = WebcamSource(WebcamSettings(device="videotestsrc ! videoconvert ! appsink"), stop=stop)
        source.trigger()
        assert pixels_of(next(iter(source))).ndim == 3
    else:
        assert "GStreamer" in str(refusal("videotestsrc ! videoconvert ! appsink", stop))


def test_passwords_are_not_told(stop: threading.Event) -> None:
    assert plain_address("rtsp://user:p4ss@10.0.0.2:554/a@b") == "rtsp://10.0.0.2:554/a@b"
    refused = refusal("http://user:p4ss@127.0.0.1:1/stream.mjpg", stop)
    assert refused.reason is Reason.NOT_FOUND
    assert "127.0.0.1" in str(refused)
    assert "p4ss" not in str(refused)


def test_a_camera_that_may_not_be_read_is_denied() -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # pytest's own folders are closed to others, who would find nothing there
        path = Path(folder) / "video0"
        assert refused_device(path).reason is Reason.NOT_FOUND
        path.touch(0o000)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            assert refused_device(path).reason is Reason.DENIED
        finally:
            if root:
                os.seteuid(0)
