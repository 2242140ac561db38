"""A camera that OpenCV opens: USB, RTSP or MJPEG over the network, a GStreamer pipeline, or a video file."""

import threading
from collections.abc import Iterator

from ecgedge_device.source_settings import WebcamSettings
from ecgedge_device.sources import Done, PictureWork, Reason, SourceError, Work
from ecgedge_device.sources.deadline import Stopped
from ecgedge_device.sources.shutter import Preview, Shutter, picture_work
from ecgedge_device.sources.video import Ended, Frames, open_frames, plain_address


class WebcamSource:
    """Takes pictures when asked to, or when a page is seen; a video file ends, a camera does not."""

    def __init__(self, settings: WebcamSettings, *, stop: threading.Event) -> None:
        self._settings, self._stop = settings, stop
        self._shutter = Shutter(settings.trigger, gpio_pin=settings.gpio_pin, stop=stop)

    def trigger(self) -> None:
        """Ask for a picture; from any thread."""
        self._shutter.ask()

    def __iter__(self) -> Iterator[Work]:
        frames = open_frames(self._settings, stop=self._stop)
        try:
            yield from self._shutter.pictures(lambda: self._look(frames), lambda: self._take(frames))
        except (Ended, Stopped):
            return
        finally:
            frames.close()

    def done(self, work: Work, done: Done) -> None:
        """Nothing is to be done: the camera keeps no pictures."""

    def _look(self, frames: Frames) -> Preview | None:
        return frames.look(wanted=self._shutter.sees)

    def _take(self, frames: Frames) -> PictureWork:
        frame = frames.look(wanted=True)
        if frame is None:
            raise SourceError(f"{plain_address(self._settings.device)}: a damaged frame; try again", reason=Reason.LOST)
        return picture_work(frame.pixels, source=self._settings.name, rotate_deg=self._settings.rotate_deg)
