"""The grid's homography is found whatever the perspective, and nothing regular but a grid is taken for one."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgedge.paper.bend import follow_lines
from ecgedge.paper.grid import faint_signal, find_grid, line_signal, reduce
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.scenes import STRENGTHS
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from tests.paper.grid_pictures import TILTED, photo


def test_spacing_is_that_of_the_page() -> None:
    pixels, to_photo = photo(TILTED)
    grid = find_grid(pixels)
    assert grid is not None and grid.line_mm == 5
    points = np.array([[[40.0, 40], [240, 40], [240, 160], [40, 160]]])
    seen = cv2.perspectiveTransform(cv2.perspectiveTransform(points, to_photo), grid.to_mm)[0]
    sides = np.hypot(*(np.roll(seen, -1, axis=0) - seen).T)
    assert sides == pytest.approx([200, 120, 200, 120], rel=0.015)


def test_fine_lines_do_not_change_the_scale() -> None:
    coarse, fine = (find_grid(photo(TILTED, fine=fine)[0]) for fine in (False, True))
    assert coarse is not None and fine is not None
    assert coarse.size_mm() == pytest.approx(fine.size_mm(), rel=0.1)


def test_strong_multiples_do_not_change_the_scale() -> None:
    """A coarse grid of thin dark lines under curves: its 2.5-mm multiple is the clearest frequency of all."""
    drawn = draw_page(simulate_twelve_leads(seed=20036), layout="6x2", seed=20036, px_per_mm=6.0)
    shot = photograph(
        drawn.pixels, px_per_mm=drawn.px_per_mm, seed=20036, strength=STRENGTHS["moderate"], size_px=(2000, 1500)
    )
    grid = find_grid(shot.picture.pixels)
    assert grid is not None
    points = np.array([[300, 300], [1500, 300], [1500, 900], [300, 900]], dtype=np.float32)
    seen = cv2.perspectiveTransform(shot.to_photo(points)[None].astype(np.float64), grid.to_mm)[0]
    sides = np.hypot(*(np.roll(seen, -1, axis=0) - seen).T)
    assert sides == pytest.approx([200, 100, 200, 100], rel=0.02)


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_moderate_view_is_found(seed: int) -> None:
    corners = TILTED + np.random.default_rng(seed).uniform(-70, 70, (4, 2))
    grid = find_grid(photo(corners.astype(np.float32))[0])
    assert grid is not None and grid.line_mm == 5 and grid.share > 0.2


@pytest.mark.parametrize("kind", ["noise", "stripes", "white", "tiny"])
def test_no_grid_is_none(kind: str) -> None:
    rng = np.random.default_rng(3)
    pictures = {
        "noise": rng.integers(0, 256, (700, 900, 3)).astype(np.uint8),
        "stripes": np.where(np.arange(900)[None, :, None] % 15 < 2, 100, 240)
        .repeat(700, 0)
        .repeat(3, 2)
        .astype(np.uint8),
        "white": np.full((700, 900, 3), 255, dtype=np.uint8),
        "tiny": np.zeros((40, 30, 3), dtype=np.uint8),
    }
    assert find_grid(pictures[kind]) is None


def test_line_signal_knows_no_light() -> None:
    pixels = photo(TILTED)[0]
    dim = (pixels * 0.6).astype(np.uint8)
    inner = (slice(400, 800), slice(500, 1000))
    assert np.corrcoef(line_signal(pixels)[inner].ravel(), line_signal(dim)[inner].ravel())[0, 1] > 0.97


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5])
def test_reduce_keeps_the_middle_of_pixels(times: int) -> None:
    ramp = np.arange(240, dtype=np.uint8)[None, :, None].repeat(120, 0).repeat(3, 2)
    small = reduce(ramp, times)
    expected = (np.arange(small.shape[1]) + 0.5) * times - 0.5
    assert np.abs(small[5, :, 0] - expected).max() <= 1


def test_bent_lines_are_followed() -> None:
    """A sine of 2 mm in the paper is known to 0.15 mm."""
    pixels, to_photo = photo(TILTED, wave_mm=2.0)
    grid = find_grid(pixels)
    assert grid is not None
    bent = follow_lines(grid)
    assert bent is not None
    rows, columns = bent.printed.shape
    squares = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1) * bent.shifts.step_mm
    flat = np.add(squares, (bent.shifts.left_mm, bent.shifts.top_mm))
    on_photo = bent.surface.to_picture(flat).astype(np.float64)
    true = cv2.perspectiveTransform(on_photo, np.linalg.inv(to_photo))
    true[..., 0] -= 2.0 * np.sin(2 * np.pi * true[..., 1] / 120)
    inner = bent.printed & ((true > 15) & (true < [265, 185])).all(-1)
    known = np.concatenate([flat[inner], np.ones((inner.sum(), 1))], 1)
    straight = known @ np.linalg.lstsq(known, true[inner], rcond=None)[0]
    assert np.percentile(np.hypot(*(true[inner] - straight).T), 95) < 0.15


def test_curves_count_no_more_than_faint_lines() -> None:
    """Among faint lines a curve as dark as ink weighs no more than they, and leaves no light rim on the paper."""
    pixels, _ = photo(TILTED)
    faint = np.asarray(cv2.addWeighted(pixels, 0.3, np.full_like(pixels, 240), 0.7, 0), dtype=np.uint8)
    inked = faint.copy()
    rows = slice(600, 604)
    inked[rows, 300:1300] = 20
    plain, with_curve = (faint_signal(one)[400:800, 300:1300] for one in (faint, inked))
    assert with_curve.max() <= 1.2 * plain.max()
    away = np.r_[150:190, 214:250]
    assert np.abs(with_curve - plain)[away].max() < 0.03
    assert np.abs(line_signal(inked) - line_signal(faint))[550:590, 300:1300].max() > 0.1


@pytest.mark.parametrize(("seed", "layout"), [(10033, "3x4+1"), (10088, "6x2")])
def test_a_grid_of_faint_dots_is_found(seed: int, layout: str) -> None:
    """Windows in which the rhythm of the curves is stronger than lines of dots, each of whose multiples is clear."""
    drawn = draw_page(simulate_twelve_leads(seed=seed), layout=layout, seed=seed)
    shot = photograph(drawn.pixels, px_per_mm=drawn.px_per_mm, seed=seed, turned_deg=270, size_px=(1333, 1000))
    grid = find_grid(shot.picture.pixels)
    assert grid is not None
    true_mm = np.stack(np.meshgrid(np.linspace(40, 240, 9), np.linspace(60, 180, 7)), -1).reshape(-1, 2)
    on_photo = shot.to_photo((true_mm * drawn.px_per_mm).astype(np.float32))
    found = cv2.perspectiveTransform(on_photo[None].astype(np.float64), grid.to_mm)[0]
    known = np.concatenate([true_mm, np.ones((len(true_mm), 1))], 1)
    scales = np.linalg.svd(np.linalg.lstsq(known, found, rcond=None)[0][:2], compute_uv=False)
    assert scales == pytest.approx([1, 1], abs=0.02)


def test_a_faint_grid_far_from_the_camera_is_found_under_curves() -> None:
    """Where no window shows its lines beside the curves, curves count no more than these."""
    drawn = draw_page(simulate_twelve_leads(seed=20000), layout="3x4+1", seed=20000)
    shot = photograph(
        drawn.pixels, px_per_mm=drawn.px_per_mm, seed=20000, strength=STRENGTHS["moderate"], turned_deg=270
    )
    grid = find_grid(shot.picture.pixels)
    assert grid is not None
    assert sorted(grid.size_mm()) == pytest.approx([235, 310], abs=60)
