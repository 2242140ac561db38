"""What makes a camera take a picture: requests, a button on a (mock) pin, a page that is seen; and calls that hang."""

import threading
from collections.abc import Iterator
from time import monotonic

import numpy as np
import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from ecgedge_device.sources import PictureWork, Reason, SourceError
from ecgedge_device.sources import shutter as shutter_module
from ecgedge_device.sources.deadline import Stopped, within
from ecgedge_device.sources.shutter import Preview, Shutter, open_button, picture_work
from tests.device.camera_frames import page_frame

DEADLINE_S = 60.0


def take() -> PictureWork:
    return picture_work(np.zeros((2, 3, 3), np.uint8), source="bench", rotate_deg=0)


def nothing() -> None:
    return None


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def test_requests_before_the_picture_count_once(stop: threading.Event) -> None:
    shutter = Shutter("command", gpio_pin=17, stop=stop)
    pictures = shutter.pictures(nothing, take)
    for _ in range(3):
        threading.Thread(target=shutter.ask).start()
    first = next(pictures)
    shutter.ask()
    second = next(pictures)
    assert first.id != second.id
    threading.Timer(0.6, stop.set).start()
    assert list(pictures) == []


def test_a_request_that_nobody_could_meet_is_forgotten(stop: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    shutter = Shutter("command", gpio_pin=17, stop=stop)
    shutter.ask()
    monkeypatch.setattr(shutter_module, "FORGOTTEN_S", 0.0)
    threading.Timer(0.3, stop.set).start()
    assert list(shutter.pictures(nothing, take)) == []


def test_a_page_whose_picture_failed_is_taken_when_the_camera_is_back(stop: threading.Event) -> None:
    shutter, looks = Shutter("seeing", gpio_pin=17, stop=stop), iter(range(1000))

    def look() -> Preview:
        return Preview(page_frame(1), next(looks))

    def fail() -> PictureWork:
        raise SourceError("cable", reason=Reason.LOST)

    with pytest.raises(SourceError, match="cable"):
        next(shutter.pictures(look, fail))
    assert next(shutter.pictures(look, take)).name.startswith("bench ")


def test_pictures_are_turned_clockwise() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = 255
    corners = {0: (0, 0), 90: (0, -1), 180: (-1, -1), 270: (-1, 0)}
    for degrees, corner in corners.items():
        found = picture_work(pixels, source="bench", rotate_deg=degrees).read().pixels
        assert found.shape[:2] == ((2, 3) if degrees % 180 == 0 else (3, 2))
        assert found[corner].tolist() == [255, 255, 255]


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    before = Device.pin_factory
    Device.pin_factory = MockFactory()
    yield Device.pin_factory
    Device.pin_factory.close()
    Device.pin_factory = before


def test_a_button_takes_a_picture_and_lets_its_pin_go(pins: MockFactory, stop: threading.Event) -> None:
    shutter = Shutter("gpio", gpio_pin=23, stop=stop)
    taken: list[PictureWork] = []
    listens = threading.Event()
    thread = threading.Thread(target=lambda: taken.extend(shutter.pictures(listens.set, take)))
    thread.start()
    assert listens.wait(DEADLINE_S)
    deadline = monotonic() + DEADLINE_S
    while not taken and monotonic() < deadline:
        pins.pin(23).drive_low()
        stop.wait(0.1)
        pins.pin(23).drive_high()
        stop.wait(0.1)
    stop.set()
    thread.join(DEADLINE_S)
    assert taken
    with open_button(23, nothing):
        pass


def test_a_pin_in_use_is_busy(pins: MockFactory) -> None:
    assert pins is Device.pin_factory
    with open_button(23, nothing), pytest.raises(SourceError, match="GPIO 23") as refused, open_button(23, nothing):
        pass
    assert refused.value.reason is Reason.BUSY


def test_a_call_in_time_gives_its_result_or_its_error(stop: threading.Event) -> None:
    assert within(DEADLINE_S, lambda: 42, what="counting", stop=stop) == 42
    with pytest.raises(ZeroDivisionError):
        within(DEADLINE_S, lambda: 1 / 0, what="dividing", stop=stop)


def test_a_call_that_hangs_is_left_and_its_late_result_looked_after(stop: threading.Event) -> None:
    hang, late = threading.Event(), threading.Event()
    with pytest.raises(SourceError, match=r"waiting took longer than 0\.2 s") as lost:
        within(0.2, lambda: hang.wait(DEADLINE_S), what="waiting", stop=stop, late=lambda _: late.set())
    assert lost.value.reason is Reason.LOST
    assert not late.is_set()
    hang.set()
    assert late.wait(DEADLINE_S)


def test_a_stop_ends_the_wait_for_a_call(stop: threading.Event) -> None:
    hang = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Stopped):
        within(DEADLINE_S, lambda: hang.wait(DEADLINE_S), what="waiting", stop=stop)
    hang.set()
