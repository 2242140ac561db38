"""Drawing flat, taking light off, and turning: geometry exact, colours kept."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgedge.errors import InputError
from ecgedge.paper.bend import follow_lines
from ecgedge.paper.flatten import flatten
from ecgedge.paper.grid import find_grid
from ecgedge.paper.shading import PAPER, remove_shading
from ecgedge.paper.sheet import find_sheet
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.paper.surface import Surface, Window, draw, turned_back
from tests.paper.grid_pictures import page


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_drawing_without_change_gives_the_same_pixels(turned: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (300, 420, 3)).astype(np.uint8)
    expected = np.rot90(pixels, -turned // 90)
    to_mm = np.array([[0.25, 0, 0.125], [0, 0.25, 0.125], [0, 0, 1]])
    window = Window(0.0, 0.0, expected.shape[1], expected.shape[0], 4.0, turned)
    flat = draw(pixels, Surface(to_mm), window)
    assert np.abs(flat.astype(int) - expected).max() <= 8


def test_reduced_and_enlarged_are_inverse() -> None:
    surface = Surface(np.array([[0.2, 0.01, 3], [-0.01, 0.2, 5], [1e-5, 2e-5, 1]]))
    back = surface.of_reduced(3).of_enlarged(3)
    assert back.to_mm == pytest.approx(surface.to_mm)


@given(st.floats(0, 300), st.floats(0, 200), st.sampled_from([0, 90, 180, 270]))
def test_turning_back_undoes_a_turn(x: float, y: float, turned: int) -> None:
    size = (300.0, 200.0) if turned in (0, 180) else (200.0, 300.0)
    again = turned_back(turned_back(np.array([[x, y]]), *size, turned), 300.0, 200.0, (360 - turned) % 360)
    if turned in (90, 270):
        again = turned_back(turned_back(np.array([[x, y]]), 300.0, 200.0, turned), 200.0, 300.0, (360 - turned) % 360)
    assert again == pytest.approx(np.array([[x, y]]))


def test_shadow_and_tint_go_and_ink_stays() -> None:
    paper = page()
    paper[600:606, 200:1400] = 20
    light = np.linspace(0.5, 1.0, paper.shape[1])[None, :, None] * np.array([0.7, 0.85, 1.0])
    even = remove_shading((paper * light).astype(np.uint8), px_per_mm=6.0)
    blank = even[100:1100, 100:1600].reshape(-1, 3)
    assert np.abs(np.median(blank, axis=0) - PAPER).max() <= 4
    assert even[602, 300:1300].max() < 60
    line = even[690:710, 60 * 6 + 15].astype(int).min(axis=0)
    assert line[2] - line[1] > 40


def test_a_sheet_whose_edges_cross_is_refused() -> None:
    drawn = draw_page(simulate_twelve_leads(seed=2), layout="3x4+1", seed=2, px_per_mm=4.0)
    shot = photograph(drawn.pixels, px_per_mm=drawn.px_per_mm, seed=2, size_px=(1600, 1200))
    grid = find_grid(shot.picture.pixels)
    assert grid is not None
    bent = follow_lines(grid)
    assert bent is not None
    sheet = find_sheet(grid.reduced, bent, reduced_by=grid.reduced_by)
    crossed = replace(sheet, corners_mm=sheet.corners_mm * 0.01, seen=(True, True, True, True))
    with pytest.raises(InputError, match=r"a sheet of .* mm on its short side, needs 30; photograph one page"):
        flatten(shot.picture, grid, bent, crossed)
