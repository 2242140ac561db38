"""Curves are followed through crossings, across gaps and past neighbours; the pen's width is undone."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgedge.paper.curves import follow
from ecgedge.paper.erase import erase_marks
from ecgedge.paper.page import FloatArray
from ecgedge.paper.pulses import Pulse
from ecgedge.paper.runs import find_runs
from ecgedge.paper.separators import Separator
from ecgedge.paper.strokes import centre_line, find_edges, over_gaps

PX_PER_MM = 6.0
COLUMNS = 800


def drawn(
    curves: list[FloatArray], width_px: int = 3, height: int = 500
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Darkness of curves drawn without steps at eight times the size."""
    large = np.zeros((height * 8, COLUMNS * 8), np.uint8)
    for curve in curves:
        at = np.stack([np.arange(curve.size) + 0.5, curve + 0.5], -1) * 8 - 0.5
        points = np.round(at * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(large, [points], False, 255, width_px * 8, cv2.LINE_AA, 4)
    return np.asarray(cv2.resize(large, (COLUMNS, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def beats(level: float, height_px: float, *, sigma_px: float = 4.0, first: int = 60) -> FloatArray:
    x = np.arange(COLUMNS)
    beat = np.exp(-((((x - first) % 120) - 60.0) ** 2) / (2 * sigma_px**2))
    return np.asarray(level - height_px * beat + 5 * np.sin(x / 50), dtype=np.float32)


def followed(
    darkness: np.ndarray[tuple[int, int], np.dtype[np.uint8]], levels: list[float], changes: list[int] | None = None
) -> list[FloatArray]:
    runs = find_runs(darkness > 84)
    paths = follow(
        runs,
        np.array(levels, np.float32),
        np.array([changes or [-1]] * len(levels)),
        left_px=0,
        right_px=COLUMNS - 1,
        px_per_mm_x=PX_PER_MM,
        px_per_mm_y=PX_PER_MM,
    )
    pen = find_edges(runs, paths.run, darkness)
    return [
        centre_line(upper, lower, width_px=pen.width_px, steep_px=pen.steep_px, px_per_mm_x=PX_PER_MM)
        for upper, lower in zip(pen.upper_px, pen.lower_px, strict=True)
    ]


def error_px(found: FloatArray, true: FloatArray) -> float:
    return float(np.sqrt(np.nanmean((found - true)[5:-5] ** 2)))


@given(height=st.floats(-100, 100), sigma=st.floats(3, 12), width=st.integers(2, 5), level=st.floats(190, 310))
@settings(max_examples=10, deadline=None)
def test_the_centre_line_is_the_curve(height: float, sigma: float, width: int, level: float) -> None:
    true = beats(level, height, sigma_px=sigma)
    (found,) = followed(drawn([true], width), [level])
    assert np.isfinite(found[10:-10]).all()
    assert error_px(found, true) < max(0.5, 0.04 * abs(height))


def test_a_deep_wave_that_reaches_the_next_row_stays_with_its_own() -> None:
    deep, calm = beats(150, -95, sigma_px=8), beats(250, 8, first=0)
    upper, lower = followed(drawn([deep, calm]), [150, 250])
    assert np.nanmax(upper) > 240
    assert error_px(upper, deep) < 3
    assert error_px(lower, calm) < 2


def test_a_row_does_not_stray_onto_its_neighbour() -> None:
    upper_true, lower_true = beats(150, 20), beats(240, 95, sigma_px=6)
    upper, lower = followed(drawn([upper_true, lower_true]), [150, 240])
    assert np.nanmax(np.abs(upper - upper_true)[5:-5]) < 12
    assert np.isfinite(lower).mean() > 0.9


def test_a_part_of_a_row_is_followed_as_in_the_whole_row() -> None:
    """Long rows are searched in pieces: beats, a gap and a neighbour's wave lie across their seams."""
    darkness = drawn([beats(150, -95, sigma_px=8), beats(250, 60, first=0)])
    darkness[:200, 300:340] = 0
    runs = find_runs(darkness > 84)

    def taken(left_px: int, right_px: int) -> NDArray[np.intp]:
        scale = {"px_per_mm_x": PX_PER_MM, "px_per_mm_y": PX_PER_MM}
        levels = np.array([150, 250], np.float32)
        return follow(runs, levels, np.full((2, 1), -1), left_px=left_px, right_px=right_px, **scale).run

    whole = taken(0, COLUMNS - 1)
    for left in range(0, 600, 75):
        np.testing.assert_array_equal(taken(left, left + 199)[:, 40:160], whole[:, left + 40 : left + 160])


def test_a_gap_is_not_filled_with_another_curve() -> None:
    true, other = beats(150, 40), beats(350, 40)
    darkness = drawn([true, other])
    darkness[:250, 300:340] = 0
    upper, _ = followed(darkness, [150, 350])
    assert np.isnan(upper[305:335]).all()
    assert np.isfinite(upper[:295]).all()
    assert np.isfinite(upper[345:]).all()


def test_a_curve_may_jump_where_its_lead_changes() -> None:
    true = beats(200, 40)
    true[400:] += 60
    darkness = drawn([true])
    darkness[:, 399:402] = 0  # the stroke from level to level is the separator's place
    (found,) = followed(darkness, [220.0], [400])
    assert error_px(found[410:], true[410:]) < 1


def test_short_gaps_are_bridged_and_long_ones_are_not() -> None:
    curve = np.full(100, 50.0, np.float32)
    curve[20:25] = np.nan
    curve[60:80] = np.nan
    bridged = over_gaps(curve, px_per_mm_x=PX_PER_MM, px_per_mm_y=PX_PER_MM)
    assert (bridged[20:25] == 50).all()
    assert np.isnan(bridged[60:80]).all()
    steep = curve.copy()
    steep[25:] += 30
    assert np.isnan(over_gaps(steep, px_per_mm_x=PX_PER_MM, px_per_mm_y=PX_PER_MM)[20:25]).all()


@pytest.mark.parametrize("kind", ["line", "tick"])
def test_separators_and_pulses_are_erased(kind: str) -> None:
    mask = np.zeros((200, 300), np.bool_)
    mask[20:180, 149:152] = True
    mask[40:100, 30:33] = mask[40:100, 59:62] = mask[40:43, 30:62] = True
    mask[99:102, 62:300] = True
    separator = Separator(150.0, 20.0, 179.0, 3.0, "line" if kind == "line" else "tick", (0,))
    pulse = Pulse(0, 31.0, 60.0, 41.0, 100.0, False, 10.0)
    left = erase_marks(mask, (pulse,), (separator,), (), px_per_mm_x=PX_PER_MM, px_per_mm_y=PX_PER_MM)
    assert not left[:, 148:153].any()
    assert not left[:95, :70].any()
    assert left[100, 70:147].all()
    assert left[100, 154:].all()
