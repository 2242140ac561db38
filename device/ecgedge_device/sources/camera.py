"""A Raspberry Pi camera through picamera2: idle or a small preview between pictures, full-size stills in focus.

A call that hangs, as libcamera's do when a cable is loose, is left to itself, and the camera counts as lost.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import TypeVar, cast

import numpy as np

from ecgedge.paper.page import Pixels
from ecgedge_device.source_settings import CameraSettings
from ecgedge_device.sources import Done, PictureWork, Reason, SourceError, Work
from ecgedge_device.sources.camera_device import CameraDevice, open_picamera
from ecgedge_device.sources.deadline import Stopped, within
from ecgedge_device.sources.shutter import Preview, Shutter, picture_work

T = TypeVar("T")

HANG_S = 20.0
"""Longest time that one call may take; the slowest, a still of 64 megapixels, takes 3 s."""
SETTLE_MORE_S = 5.0
"""Longest time that exposure and focus may take beyond `settle_s`; then the picture is taken as it is."""

_PREVIEW_PX = 640
_PREVIEW_CONTROLS = {"FrameDurationLimits": (100_000, 100_000)}  # us; ten frames a second are enough, and cool
_FORMAT = "RGB888"  # libcamera names it from the highest byte down: blue-green-red in memory
_CLOSE_S = 2.0
# Numbers of libcamera's controls, the same in all its versions.
_AF_AUTO, _AF_CONTINUOUS, _AF_START = 1, 2, 0
_AF_DONE = (2, 3)  # focused, failed
_AE_SEARCHING = 1


class CameraSource:
    """Takes pictures when asked to, or when a page is seen.

    Parameters
    ----------
    make_camera : opens the camera with a number
    hang_s : longest time that one call may take, s
    """

    def __init__(
        self,
        settings: CameraSettings,
        *,
        stop: threading.Event,
        make_camera: Callable[[int], CameraDevice] = open_picamera,
        hang_s: float = HANG_S,
    ) -> None:
        self._settings, self._stop = settings, stop
        self._make_camera, self._hang_s = make_camera, hang_s
        self._shutter = Shutter(settings.trigger, gpio_pin=settings.gpio_pin, stop=stop)

    def trigger(self) -> None:
        """Ask for a picture; from any thread."""
        self._shutter.ask()

    def __iter__(self) -> Iterator[Work]:
        try:
            camera = self._open()
            try:
                yield from self._shutter.pictures(camera.look, camera.take)
            finally:
                camera.close()
        except Stopped:
            return

    def done(self, work: Work, done: Done) -> None:
        """Nothing is to be done: the camera keeps no pictures."""

    def _open(self) -> "_OpenCamera":
        what = f"{self._settings.name}: opening camera {self._settings.number}"
        try:
            device = within(
                self._hang_s,
                lambda: self._make_camera(self._settings.number),
                what=what,
                stop=self._stop,
                late=_close,
            )
        except (SourceError, Stopped):
            raise
        except Exception as error:  # RuntimeError, and whatever else picamera2 and libcamera raise
            raise SourceError(
                f"{what} failed ({error}); look at its cable, at `number`, and whether another program has it",
                reason=Reason.NOT_FOUND,
            ) from error
        return _OpenCamera(device, self._settings, stop=self._stop, sees=self._shutter.sees, hang_s=self._hang_s)


def _close(device: CameraDevice | None) -> None:
    if device is not None:
        device.close()


class _OpenCamera:
    """A camera at work; none of its calls hangs."""

    def __init__(
        self, device: CameraDevice, settings: CameraSettings, *, stop: threading.Event, sees: bool, hang_s: float
    ) -> None:
        self._device, self._settings, self._stop = device, settings, stop
        self._sees, self._hang_s = sees, hang_s
        self._hangs = self._previews = False

    def look(self) -> Preview | None:
        """A small frame, where pages are looked for."""
        if not self._sees:
            return None
        if not self._previews:
            self._call("the preview", self._start_preview)
            self._previews = True
        return Preview(self._capture("the preview"), monotonic())

    def take(self) -> PictureWork:
        """A still, after exposure and focus have settled."""
        self._call("starting a picture", self._start_still)
        self._settle()
        pixels = self._capture("taking a picture")
        self._call("ending a picture", self._device.stop)
        return picture_work(pixels, source=self._settings.name, rotate_deg=self._settings.rotate_deg)

    def close(self) -> None:
        """Give the camera free, unless it hangs: then that is done when it comes back."""
        if self._hangs:
            return
        never = threading.Event()  # a stop must not leave the camera open
        try:
            within(_CLOSE_S, self._device.close, what=f"{self._settings.name}: closing", stop=never)
        except Exception:
            return  # it is lost already, or the agent stops; the next opening tells

    def _call(self, doing: str, call: Callable[[], T]) -> T:
        what = f"{self._settings.name}: {doing}"
        self._hangs = True
        result = self._answer(what, call)
        self._hangs = False
        return result

    def _answer(self, what: str, call: Callable[[], T]) -> T:
        try:
            return within(self._hang_s, call, what=what, stop=self._stop, late=lambda _: self._device.close())
        except (SourceError, Stopped):
            raise
        except Exception as error:  # whatever picamera2 and libcamera raise
            self._hangs = False
            raise SourceError(f"{what} failed ({error}); look at the camera's cable", reason=Reason.LOST) from error

    def _capture(self, doing: str) -> Pixels:
        return np.ascontiguousarray(self._call(doing, lambda: self._device.capture_array("main")), np.uint8)

    def _sensor_px(self) -> tuple[int, int]:
        return cast(tuple[int, int], self._device.camera_properties["PixelArraySize"])

    def _has_lens(self) -> bool:
        """One that can be moved."""
        return "AfMode" in self._device.camera_controls

    def _start_preview(self) -> None:
        width, height = self._sensor_px()
        size = (_PREVIEW_PX, max(2, round(_PREVIEW_PX * height / width / 2) * 2))
        # Half the sensor's size is a mode that sees as far as a still; smaller modes see the middle only.
        mode = (width // 4 * 2, height // 4 * 2)
        self._start(size, mode, buffer_count=2, controls=dict(_PREVIEW_CONTROLS))
        if self._has_lens():
            self._device.set_controls({"AfMode": _AF_CONTINUOUS})

    def _start_still(self) -> None:
        if self._previews:
            self._device.stop()
            self._previews = False
        sensor = self._sensor_px()
        size = (self._settings.width_px or sensor[0], self._settings.height_px or sensor[1])
        self._start(size, sensor, buffer_count=1, controls={})
        if self._has_lens():
            self._device.set_controls({"AfMode": _AF_AUTO, "AfTrigger": _AF_START})

    def _start(
        self, size: tuple[int, int], mode: tuple[int, int], *, buffer_count: int, controls: dict[str, object]
    ) -> None:
        device = self._device
        main: dict[str, object] = {"size": size, "format": _FORMAT}
        device.configure(
            device.create_still_configuration(main, raw={"size": mode}, buffer_count=buffer_count, controls=controls)
        )
        device.start()

    def _settle(self) -> None:
        focuses = self._has_lens()
        self._stop.wait(self._settings.settle_s)
        deadline = monotonic() + SETTLE_MORE_S
        while monotonic() < deadline:
            if settled(self._call("focusing", self._device.capture_metadata), focuses=focuses):
                return


def settled(metadata: Mapping[str, object], *, focuses: bool) -> bool:
    """Whether exposure and focus are found, as a frame's metadata tell; those that they do not tell are."""
    exposed = metadata.get("AeLocked", metadata.get("AeState", None) != _AE_SEARCHING)
    return bool(exposed) and (not focuses or metadata.get("AfState", _AF_DONE[0]) in _AF_DONE)
