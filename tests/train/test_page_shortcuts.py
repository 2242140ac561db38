"""Shortcut changes do what they say: the heart stays as it was, everything else changes, or the other way round."""

import numpy as np
import pytest

from ecgedge.lead_arrays import LeadArraySettings
from ecgedge.page_images import PageImageSettings, page_image
from ecgedge.page_pipeline import PagePipeline
from ecgedge.page_reading import PageReading, read_page
from ecgedge.paper.page import Picture
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import PageStyle
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge_train.pages.shortcuts import CHANGES, curves_box, without_waveform

PIPELINE = PagePipeline(LeadArraySettings(), ("3x4+1",))


@pytest.fixture(scope="module")
def drawn() -> tuple[Picture, PageReading]:
    style = PageStyle(name="shortcut")
    page = draw_page(simulate_twelve_leads(10.0, seed=4), layout="3x4+1", seed=4, style=style, px_per_mm=4.0)
    picture = Picture(page.pixels, "drawn")
    return picture, read_page(picture, PIPELINE)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_the_heart_stays_where_only_the_page_changes(name: str, drawn: tuple[Picture, PageReading]) -> None:
    picture, reading = drawn
    changed = CHANGES[name](picture, reading, np.random.default_rng(0))
    assert changed.pixels.shape == picture.pixels.shape
    assert np.mean(changed.pixels != picture.pixels) > 0.01
    again = read_page(changed, PIPELINE)
    before = PIPELINE.inputs_of(reading.page, reading.traces)["leads"][0, :, :, 0]
    after = PIPELINE.inputs_of(again.page, again.traces)["leads"][0, :, :, 0]
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.98


def test_nothing_of_the_heart_is_left_where_the_waveform_is_erased(drawn: tuple[Picture, PageReading]) -> None:
    _, reading = drawn
    left, top, right, bottom = curves_box(reading)
    assert reading.traces is not None
    for trace in reading.traces.leads:
        seen = np.isfinite(trace.y_px)
        assert left <= trace.x_px[seen].min() and trace.x_px[seen].max() <= right
        assert top <= trace.y_px[seen].min() and trace.y_px[seen].max() <= bottom
    erased = without_waveform(reading.page, reading)
    assert np.all(erased.pixels[top:bottom, left:right] == 255)
    assert np.array_equal(erased.pixels[:top], reading.page.pixels[:top])
    image = page_image(erased, PageImageSettings(width_px=reading.page.pixels.shape[1], height_px=256))
    assert image["page"][0, 128, left + 2 : right - 2].max() == 0
