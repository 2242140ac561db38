"""What makes a camera take a picture: a request from anywhere, a button on a pin, or a page that is seen.

Knows no camera: it is handed one function that gives a preview and one that takes the picture.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from time import monotonic
from uuid import uuid4

import cv2
import numpy as np

from ecgedge.paper.page import Picture, Pixels
from ecgedge_device.migrations import utc_now
from ecgedge_device.source_settings import Trigger
from ecgedge_device.sources import PictureWork, Reason, SourceError
from ecgedge_device.sources.seeing import Seeing

TICK_S = 0.25
"""Time between two looks at the preview."""
FORGOTTEN_S = 30.0
"""A request that could not be met for so long, as the camera was lost, is met no more: nobody waits for it."""

_STOP_S = 0.1  # how soon a stop is seen
_BOUNCE_S = 0.05  # a button's contacts chatter for some ms
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True, slots=True)
class Preview:
    """A frame to decide by."""

    pixels: Pixels
    """(height, width, 3) uint8, blue-green-red."""
    time_s: float
    """By a clock that goes evenly."""


class Shutter:
    """Waits for reasons to take a picture.

    Parameters
    ----------
    gpio_pin : BCM number of a button's pin, used by trigger `gpio` only
    stop : ends the waiting
    """

    def __init__(self, trigger: Trigger, *, gpio_pin: int, stop: threading.Event) -> None:
        self.sees = trigger == "seeing"
        """Whether previews are looked at."""
        self._pin = gpio_pin if trigger == "gpio" else None
        self._stop = stop
        self._asked, self._asked_s = threading.Event(), 0.0
        self._seeing = Seeing()

    def ask(self) -> None:
        """Ask for a picture; from any thread. Several requests before it is taken count once."""
        self._asked_s = monotonic()
        self._asked.set()

    def pictures(self, look: Callable[[], Preview | None], take: Callable[[], PictureWork]) -> Iterator[PictureWork]:
        """Pictures, each taken when there is a reason, until the agent stops.

        Parameters
        ----------
        look : gives a preview, or None where none is needed or there; called every `TICK_S`
        take : takes the picture

        Raises
        ------
        SourceError
            What these two raise, and where the button's pin cannot be had.
        """
        with self._button():
            while not self._stop.is_set():
                if self._due(look()):
                    yield self._taken(take)
                else:
                    self._wait()

    def _wait(self) -> None:
        """Until the next look, a request or a stop."""
        deadline = monotonic() + TICK_S
        while not self._stop.is_set() and (left_s := deadline - monotonic()) > 0:
            if self._asked.wait(min(left_s, _STOP_S)):
                return

    def _due(self, preview: Preview | None) -> bool:
        frame = preview if self.sees else None
        if self._asked.is_set():
            if monotonic() - self._asked_s < FORGOTTEN_S:
                if frame is not None:
                    self._seeing.taken(frame.pixels)
                return True
            self._asked.clear()
        return frame is not None and self._seeing.step(frame.pixels, now_s=frame.time_s)

    def _taken(self, take: Callable[[], PictureWork]) -> PictureWork:
        try:
            return take()
        except BaseException:
            self._seeing = Seeing()  # the page that was seen has not been taken
            raise
        finally:
            self._asked.clear()

    def _button(self) -> AbstractContextManager[None]:
        return nullcontext() if self._pin is None else open_button(self._pin, self.ask)


@contextmanager
def open_button(pin: int, pressed: Callable[[], None]) -> Iterator[None]:
    """Listen to a button that pulls a pin to ground.

    Raises
    ------
    SourceError
        gpiozero or its pin library is missing, or the pin is in use.
    """
    try:
        from gpiozero import Button, GPIOPinInUse
        from gpiozero.exc import GPIOZeroError
    except ImportError as error:
        raise SourceError(
            "trigger = gpio needs gpiozero; pip install 'ecgedge[gpio]', or apt install python3-gpiozero",
            reason=Reason.NOT_FOUND,
        ) from error
    try:
        button = Button(pin, pull_up=True, bounce_time=_BOUNCE_S)
    except GPIOPinInUse as error:
        raise SourceError(f"GPIO {pin} is in use; choose another gpio_pin", reason=Reason.BUSY) from error
    except (GPIOZeroError, OSError, RuntimeError) as error:
        raise SourceError(
            f"GPIO {pin} cannot be used ({error}); apt install python3-lgpio, and let the user into group gpio",
            reason=Reason.NOT_FOUND,
        ) from error
    try:
        button.when_pressed = pressed
        yield
    finally:
        button.close()


def picture_work(pixels: Pixels, *, source: str, rotate_deg: int) -> PictureWork:
    """A picture that was taken just now, turned clockwise."""
    turned = pixels if rotate_deg == 0 else np.asarray(cv2.rotate(pixels, _TURNS[rotate_deg]), np.uint8)
    taken_utc = utc_now()
    name = f"{source} {taken_utc[:19].replace('T', ' ')}"
    return PictureWork(str(uuid4()), name, taken_utc, lambda: Picture(turned, name))
