"""Rows are counted and placed, whatever stands above and below them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.paper.ink import Ink, find_ink
from ecgedge.paper.rows import find_rows
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads

from .test_ink import page_of


def ink_of(levels: list[int], *, header: bool, seed: int) -> Ink:
    """Beats along each level, and a header with a rule."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((800, 1100), np.uint8)
    for level in levels:
        x = np.arange(60, 1060)
        wander = np.cumsum(rng.normal(0, 0.1, x.size))
        beat = 30 * np.exp(-(((x % 100) - 50.0) ** 2) / 12) * rng.uniform(0.2, 1.5)
        points = np.stack([x, np.round(level + wander - wander.mean() - beat)], -1).astype(np.int32)
        cv2.polylines(mask, [points.reshape(-1, 1, 2)], False, 1, 2)
    if header:
        cv2.putText(mask, "ID 12345   Name: somebody   12-12-2012", (60, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 1, 2)
        cv2.line(mask, (40, 45), (1080, 45), 1, 3)
    return Ink(mask > 0, mask * np.uint8(255))


@given(count=st.sampled_from([4, 6, 12]), offset=st.integers(0, 30), header=st.booleans(), seed=st.integers(0, 1000))
@settings(max_examples=12, deadline=None)
def test_rows_are_where_they_were_drawn(count: int, offset: int, header: bool, seed: int) -> None:
    levels = [int(y) + offset for y in np.linspace(120, 730, count)]
    rows = find_rows(ink_of(levels, header=header, seed=seed), px_per_mm_x=4.0, px_per_mm_y=4.0)
    assert len(rows.baselines_px) == count
    assert np.abs(rows.baselines_px - levels).max() < 3 * 4.0
    assert rows.confidence > 0.5
    assert abs(rows.left_px - 60) < 8
    assert abs(rows.right_px - 1060) < 8


def test_a_blank_page_has_no_rows() -> None:
    blank = Ink(np.zeros((300, 400), np.bool_), np.zeros((300, 400), np.uint8))
    rows = find_rows(blank, px_per_mm_x=4.0, px_per_mm_y=4.0)
    assert not len(rows.baselines_px)
    assert rows.confidence == 0


@pytest.mark.parametrize("layout", ["3x4+1", "3x4+1-ticks", "6x2", "12x1"])
@pytest.mark.parametrize("px_per_mm", [4.0, 8.0])
def test_rows_of_drawn_pages(layout: str, px_per_mm: float) -> None:
    drawn = draw_page(simulate_twelve_leads(10.0, seed=7), layout=layout, seed=7, px_per_mm=px_per_mm)
    rows = find_rows(find_ink(page_of(drawn.pixels, px_per_mm)), px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)
    expected = np.array(sorted({curve.baseline_px for curve in drawn.curves}))
    assert len(rows.baselines_px) == len(expected)
    assert np.abs(rows.baselines_px - expected).max() < 5 * px_per_mm
