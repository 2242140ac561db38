"""What is used of picamera2, which comes with Raspberry Pi OS and is imported only when a camera is opened."""

from collections.abc import Mapping
from typing import Protocol

from ecgedge.paper.page import Pixels
from ecgedge_device.sources import Reason, SourceError


class CameraDevice(Protocol):
    """The calls of picamera2 that are used here."""

    @property
    def camera_properties(self) -> Mapping[str, object]:
        """Among them PixelArraySize: width and height, px."""
        ...

    @property
    def camera_controls(self) -> Mapping[str, object]:
        """By name; AfMode is there where the lens can be moved."""
        ...

    def create_still_configuration(
        self, main: dict[str, object], *, raw: dict[str, object], buffer_count: int, controls: dict[str, object]
    ) -> object:
        """A configuration: size and format of the main stream; the raw stream's size chooses the sensor's mode."""
        ...

    def configure(self, camera_config: object) -> object:
        """Use it; the camera must not be running."""
        ...

    def start(self) -> None:
        """Begin to deliver frames."""
        ...

    def set_controls(self, controls: dict[str, object]) -> None:
        """Set these from one of the next frames on."""
        ...

    def capture_array(self, name: str) -> Pixels:
        """The next frame of a stream."""
        ...

    def capture_metadata(self) -> Mapping[str, object]:
        """How the next frame was taken."""
        ...

    def stop(self) -> None:
        """Deliver no more frames."""
        ...

    def close(self) -> None:
        """Give the camera free."""
        ...


def open_picamera(number: int) -> CameraDevice:
    """The camera with this number.

    Raises
    ------
    SourceError
        picamera2 is not installed.
    RuntimeError
        There is no such camera, or another program has it.
    """
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise SourceError(
            "a camera source needs picamera2; apt install python3-picamera2, and make the environment with "
            "--system-site-packages",
            reason=Reason.NOT_FOUND,
        ) from error
    camera: CameraDevice = Picamera2(number)
    return camera
