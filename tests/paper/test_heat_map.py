"""The colours lie on the piece of curve that the model looked at, and say for or against."""

import numpy as np
import pytest

from ecgedge.errors import InputError
from ecgedge.lead_arrays import LeadArraySettings
from ecgedge.page_images import PageImageSettings
from ecgedge.paper.heat_map import draw_attention
from ecgedge.paper.layouts import LEADS, layouts
from ecgedge.paper.page import LeadTrace, Page, Pixels, Traces

PX_PER_MM, WIDTH, HEIGHT, LEFT = 4.0, 1040, 640, 20
LEADS_OF = LeadArraySettings()
MARGIN, TOP = 24, 42  # of the picture around the page


def blank_page() -> Page:
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    lattice = np.zeros((2, 2, 2), np.float32)
    return Page(white, PX_PER_MM, PX_PER_MM, np.zeros((4, 2), np.float32), "picture", 0, lattice, 16.0)


def flat_traces() -> Traces:
    plan, found = layouts()["3x4+1"], []
    for row, names in enumerate(plan.rows):
        for column, name in enumerate(names):
            length_px = 1000 if name == "*" else 250
            x_px = np.arange(length_px, dtype=np.float32) + LEFT + 250 * column
            level_px = 80.0 + 160 * row
            lead, strip = ("II", True) if name == "*" else (name, False)
            y_px = np.full(length_px, level_px, np.float32)
            found.append(LeadTrace(lead, row, strip, 2.5 * column, x_px, y_px, level_px, 1.0))
    return Traces(tuple(found), "3x4+1", 1.0, PX_PER_MM, PX_PER_MM, 25.0, 10.0, "pulse")


def drawn(maps: dict[str, np.ndarray], inputs: LeadArraySettings | PageImageSettings, class_index: int) -> Pixels:
    """The page's part of the picture, at the page's own size."""
    picture = draw_attention(
        blank_page(),
        flat_traces(),
        maps,
        inputs=inputs,
        class_index=class_index,
        title="t",
        width_px=WIDTH + 2 * MARGIN,
    )
    return picture[TOP : TOP + HEIGHT, MARGIN : MARGIN + WIDTH]


def coloured(picture: Pixels) -> tuple[np.ndarray, np.ndarray]:
    """Where it is orange and where it is blue."""
    blue, red = picture[..., 0].astype(int), picture[..., 2].astype(int)
    return red - blue > 40, blue - red > 40


def lead_maps() -> dict[str, np.ndarray]:
    """Class 1 in lead V2, from 1.2 s to 1.6 s of its array."""
    maps = np.zeros((30, 12, 4), np.float32)
    maps[15:20, LEADS.index("V2"), 1] = 4.0
    return {"maps": maps, "strip_maps": np.zeros((1, 60, 4), np.float32)}


def test_orange_lies_on_the_piece_that_speaks_for_the_class() -> None:
    orange, blue = coloured(drawn(lead_maps(), LEADS_OF, 1))
    rows, columns = np.nonzero(orange)
    assert not blue.any()
    left_px = LEFT + 250 * 2 + 5  # V2 is in the third column; its array begins 0.05 s after it
    assert columns.min() == pytest.approx(left_px + 15 * 8, abs=5)
    assert columns.max() == pytest.approx(left_px + 20 * 8, abs=5)
    assert rows.min() > 160 and rows.max() < 320  # the second row of the page alone


def test_for_one_class_is_against_the_others() -> None:
    orange, blue = coloured(drawn(lead_maps(), LEADS_OF, 0))
    assert not orange.any() and blue.any()


def test_what_all_classes_share_is_not_drawn() -> None:
    maps = {name: values + 7.0 for name, values in lead_maps().items()}
    assert np.array_equal(drawn(maps, LEADS_OF, 1), drawn(lead_maps(), LEADS_OF, 1))


def test_the_strip_has_its_own_colours() -> None:
    maps = lead_maps() | {"strip_maps": np.zeros((1, 60, 4), np.float32)}
    maps["maps"][:] = 0
    maps["strip_maps"][0, 30:, 1] = 1.0
    rows, columns = np.nonzero(coloured(drawn(maps, LEADS_OF, 1))[0])
    assert rows.min() > 480 and columns.min() == pytest.approx(LEFT + 20 + 480, abs=12)


def test_the_map_of_an_image_model_covers_the_page() -> None:
    maps = np.zeros((4, 8, 4), np.float32)
    maps[0, 7, 2] = 1.0
    orange, _ = coloured(drawn({"maps": maps}, PageImageSettings(320, 160), 2))
    rows, columns = np.nonzero(orange)
    assert rows.max() < HEIGHT / 4 + 60 and columns.min() > WIDTH * 7 / 8 - 60
    assert orange[:80, -80:].all()


def test_padding_is_left_out() -> None:
    """A square image of this page has white above and below: the map's first row lies outside the page."""
    maps = np.zeros((8, 8, 4), np.float32)
    maps[0, :, 2] = 1.0
    assert not coloured(drawn({"maps": maps}, PageImageSettings(64, 64, fit="pad"), 2))[0].any()
    maps[3:5, :, 2] = 1.0
    orange = coloured(drawn({"maps": maps}, PageImageSettings(64, 64, fit="pad"), 2))[0]
    assert orange[HEIGHT // 2 - 40 : HEIGHT // 2 + 40].all()


def test_the_notice_and_the_words_are_written() -> None:
    def picture(*words: str) -> Pixels:
        return draw_attention(
            blank_page(), flat_traces(), lead_maps(), inputs=LEADS_OF, class_index=1, title="normal", words=words
        )

    assert picture().shape[1] == 1600
    assert picture("one", "two").shape[0] == picture().shape[0] + 60
    assert (picture()[-25:] < 200).any()


def test_a_model_without_maps_and_a_page_without_curves_are_named() -> None:
    with pytest.raises(InputError, match="does not say what it looked at"):
        drawn({}, LEADS_OF, 0)
    with pytest.raises(InputError, match="no curves were read"):
        draw_attention(blank_page(), None, lead_maps(), inputs=LEADS_OF, class_index=0, title="t")
