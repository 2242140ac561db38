"""The camera source with a stand-in for the hardware that serves simulated photos, in focus only once it was told."""

import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

import cv2
import numpy as np
import pytest

from ecgedge.paper.page import Pixels
from ecgedge_device.source_settings import CameraSettings
from ecgedge_device.sources import PictureWork, Reason, Source, SourceError, Triggered, open_source
from ecgedge_device.sources.camera import CameraSource, settled
from ecgedge_device.sources.camera_device import CameraDevice
from ecgedge_device.sources.seeing import WIDEST_EDGE_PX, edge_width_px
from tests.device.camera_frames import STILL, page_photo, table_frame, with_hand

DEADLINE_S = 60.0
Scene = Callable[[int], Pixels]


class BenchCamera:
    """Behaves as picamera2 does: frames only while it runs, of the configured size; out of focus until focused.

    Parameters
    ----------
    scene : the photo that lies before it, by the number of the frame
    fault : raised by `capture_array`
    hang : waited for by `capture_array`
    """

    def __init__(
        self,
        scene: Scene,
        *,
        has_lens: bool = True,
        fault: Exception | None = None,
        hang: threading.Event | None = None,
    ) -> None:
        self._scene, self._fault, self._hang = scene, fault, hang
        self.camera_properties: Mapping[str, object] = {"PixelArraySize": STILL, "Model": "bench"}
        lens: dict[str, object] = {"AfMode": (0, 2, 0), "AfTrigger": (0, 1, 0)} if has_lens else {}
        self.camera_controls: Mapping[str, object] = {"ExposureTime": (1, 1, 1), **lens}
        self._blurs = has_lens
        self._size: tuple[int, int] | None = None
        self._running = False
        self._mode: object = 0
        self._scanning, self.frames = -1, 0
        self.closed = threading.Event()

    def create_still_configuration(
        self, main: dict[str, object], *, raw: dict[str, object], buffer_count: int, controls: dict[str, object]
    ) -> object:
        assert buffer_count >= 1
        assert raw["size"] in (STILL, (STILL[0] // 2, STILL[1] // 2)), "other modes of a sensor see its middle only"
        assert main["format"] == "RGB888"
        return {"main": main, "controls": controls}

    def configure(self, camera_config: object) -> object:
        assert not self._running, "picamera2 refuses to be configured while it runs"
        assert isinstance(camera_config, dict)
        self._size = camera_config["main"]["size"]
        return camera_config

    def start(self) -> None:
        assert self._size is not None
        self._running = True

    def set_controls(self, controls: dict[str, object]) -> None:
        assert controls.keys() <= self.camera_controls.keys()
        self._mode = controls.get("AfMode", self._mode)
        self._scanning = 3 if controls.get("AfTrigger") == 0 else -1  # frames until it is in focus

    def capture_array(self, name: str) -> Pixels:
        assert name == "main"
        assert self._running, "picamera2 waits for ever for a frame of a camera that does not run"
        if self._hang is not None:
            self._hang.wait(DEADLINE_S)
        if self._fault is not None:
            raise self._fault
        self.frames += 1
        assert self._size is not None
        photo = self._scene(self.frames)
        if self._blurs and self._scanning != 0 and self._mode != 2:
            photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), 6.0), np.uint8)
        return np.asarray(cv2.resize(photo, self._size, interpolation=cv2.INTER_AREA), np.uint8)

    def capture_metadata(self) -> Mapping[str, object]:
        assert self._running
        self._scanning = max(self._scanning - 1, 0) if self._scanning > 0 else self._scanning
        return {"AeLocked": True, "AfState": 2 if self._scanning == 0 else 1}

    def stop(self) -> None:
        self._running = False

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def source_of(camera: CameraDevice, stop: threading.Event, settings: CameraSettings | None = None) -> CameraSource:
    chosen = settings or CameraSettings(settle_s=0.0)
    return CameraSource(chosen, stop=stop, make_camera=lambda _: camera, hang_s=DEADLINE_S)


def pixels_of(work: object) -> Pixels:
    assert isinstance(work, PictureWork)
    assert work.content is None
    return work.read().pixels


def sharpness_px(pixels: Pixels) -> float:
    return edge_width_px(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8))


@pytest.mark.parametrize("has_lens", [True, False])
def test_a_picture_is_taken_in_focus_at_full_size(stop: threading.Event, has_lens: bool) -> None:
    camera = BenchCamera(lambda _: page_photo(1), has_lens=has_lens)
    source: Source = source_of(camera, stop)
    assert isinstance(source, Triggered)
    source.trigger()
    source.trigger()
    works = iter(source)
    work = next(works)
    found = pixels_of(work)
    assert found.shape[:2] == STILL[::-1]
    assert sharpness_px(found) < WIDEST_EDGE_PX
    assert isinstance(work, PictureWork)
    assert (len(work.id), work.taken_utc[-1], work.name[:7]) == (36, "Z", "camera ")
    source.trigger()
    again = next(works)
    assert isinstance(again, PictureWork)
    assert again.id != work.id
    threading.Timer(0.3, stop.set).start()
    assert list(works) == []
    assert camera.closed.wait(DEADLINE_S)
    assert camera.frames == 2, "idle between pictures"


def test_size_and_turn_are_those_of_the_settings(stop: threading.Event) -> None:
    settings = CameraSettings(settle_s=0.0, width_px=800, height_px=600, rotate_deg=90)
    source = source_of(BenchCamera(lambda _: page_photo(1)), stop, settings)
    source.trigger()
    assert pixels_of(next(iter(source))).shape == (800, 600, 3)


@pytest.mark.parametrize("has_lens", [True, False])
def test_pages_are_seen_and_each_is_taken_once(stop: threading.Event, has_lens: bool) -> None:
    table = np.asarray(cv2.resize(table_frame(), STILL), np.uint8)
    shown = [table]

    def scene(_: int) -> Pixels:
        return shown[0]

    source = source_of(BenchCamera(scene, has_lens=has_lens), stop, CameraSettings(settle_s=0.0, trigger="seeing"))
    works: list[PictureWork] = []
    ended = threading.Event()

    def collect() -> None:
        works.extend(work for work in source if isinstance(work, PictureWork))
        ended.set()

    threading.Thread(target=collect, daemon=True).start()
    deadline = monotonic() + DEADLINE_S
    for count, patient in enumerate((1, 2), start=1):
        shown[0] = with_hand(table, 0.8)
        stop.wait(1.0)
        shown[0] = page_photo(patient)
        while len(works) < count and monotonic() < deadline:
            stop.wait(0.1)
    stop.wait(2.0)
    stop.set()
    assert ended.wait(DEADLINE_S)
    assert len(works) == 2
    for work, patient in zip(works, (1, 2), strict=True):
        np.testing.assert_array_equal(pixels_of(work), page_photo(patient))


def test_a_camera_that_is_not_there_is_named_and_tried_again(stop: threading.Event) -> None:
    cameras = [None, BenchCamera(lambda _: page_photo(1))]

    def make(number: int) -> CameraDevice:
        camera = cameras.pop(0)
        if camera is None:
            raise RuntimeError(f"Camera {number} did not complete.")
        return camera

    source = CameraSource(CameraSettings(number=3, settle_s=0.0), stop=stop, make_camera=make)
    with pytest.raises(SourceError, match=r"opening camera 3 failed.*cable") as missing:
        next(iter(source))
    assert missing.value.reason is Reason.NOT_FOUND
    source.trigger()
    assert len(pixels_of(next(iter(source))))


def test_without_picamera2_the_remedy_is_named(stop: threading.Event, tmp_path: Path) -> None:
    if find_spec("picamera2") is not None:
        pytest.skip("picamera2 is installed here")
    source = open_source(CameraSettings(), files=tmp_path, stop=stop)
    with pytest.raises(SourceError, match="apt install python3-picamera2"):
        next(iter(source))


def test_a_camera_that_fails_is_lost_and_closed(stop: threading.Event) -> None:
    camera = BenchCamera(lambda _: page_photo(1), fault=RuntimeError("frontend timed out"))
    source = source_of(camera, stop)
    source.trigger()
    with pytest.raises(SourceError, match=r"taking a picture failed.*frontend timed out") as lost:
        next(iter(source))
    assert lost.value.reason is Reason.LOST
    assert camera.closed.is_set()


def test_a_camera_that_hangs_is_lost_and_closed_when_it_comes_back(stop: threading.Event) -> None:
    hang = threading.Event()
    camera = BenchCamera(lambda _: page_photo(1), hang=hang)
    source = CameraSource(CameraSettings(settle_s=0.0), stop=stop, make_camera=lambda _: camera, hang_s=0.5)
    source.trigger()
    with pytest.raises(SourceError, match=r"taking a picture took longer than 0\.5 s") as lost:
        next(iter(source))
    assert lost.value.reason is Reason.LOST
    assert not camera.closed.is_set()
    hang.set()
    assert camera.closed.wait(DEADLINE_S)


def test_a_camera_whose_opening_hangs_is_closed_when_it_comes_back(stop: threading.Event) -> None:
    hang = threading.Event()
    camera = BenchCamera(lambda _: page_photo(1))

    def make(_: int) -> CameraDevice:
        hang.wait(DEADLINE_S)
        return camera

    source = CameraSource(CameraSettings(), stop=stop, make_camera=make, hang_s=0.3)
    with pytest.raises(SourceError, match="opening camera 0 took longer"):
        next(iter(source))
    hang.set()
    assert camera.closed.wait(DEADLINE_S)


@pytest.mark.parametrize("trigger", ["command", "seeing"])
def test_a_stop_ends_a_camera_that_hangs(stop: threading.Event, trigger: str) -> None:
    hang = threading.Event()
    camera = BenchCamera(lambda _: page_photo(1), hang=hang)
    source = source_of(camera, stop, CameraSettings(settle_s=0.0, trigger=trigger))  # type: ignore[arg-type]
    source.trigger()
    threading.Timer(0.3, stop.set).start()
    begun_s = monotonic()
    assert list(source) == []
    assert monotonic() - begun_s < DEADLINE_S
    hang.set()
    assert camera.closed.wait(DEADLINE_S)


@pytest.mark.parametrize(
    ("metadata", "focuses", "done"),
    [
        ({}, True, True),
        ({"AeLocked": False}, False, False),
        ({"AeLocked": True, "AfState": 1}, True, False),
        ({"AeLocked": True, "AfState": 1}, False, True),
        ({"AeState": 1}, False, False),
        ({"AeState": 2, "AfState": 3}, True, True),
    ],
)
def test_exposure_and_focus_are_waited_for(metadata: dict[str, object], focuses: bool, done: bool) -> None:
    assert settled(metadata, focuses=focuses) is done
