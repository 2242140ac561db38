"""A picture without a 12-lead ECG is refused by name, in one line, and never answered with signals."""

import cv2
import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.pages import find_page
from ecgedge.paper.pictures import read_picture
from ecgedge.traces import read_traces
from tests.paper.not_ecg_pictures import PICTURES, Pixels, photographed


def refusal(pixels: Pixels) -> str:
    """What the whole chain says, from the file on; fails when there is an answer."""
    _, png = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    picture = read_picture(png.tobytes(), name="holiday.png")
    with pytest.raises(InputError) as refused:
        read_traces(find_page(picture))
    return str(refused.value)


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_without_an_ecg_is_refused(kind: str) -> None:
    """Every other kind as a photo; benchmarks/pages_table.py runs all, both ways, with many seeds."""
    number = list(PICTURES).index(kind)
    rng = np.random.default_rng([7, number])
    pixels = PICTURES[kind](rng)
    message = refusal(photographed(pixels, rng) if number % 2 else pixels)
    assert "\n" not in message
    assert message.startswith("holiday.png: ")
    assert ";" in message, "a refusal says what helps"
