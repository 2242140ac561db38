"""Lead names are read from print: in several fonts and sizes, whatever the scale."""

import numpy as np
import pytest

from ecgedge.paper.layouts import LEADS
from ecgedge.paper.lead_names import LeadName, Site, Style, read_lead_names
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import random_style
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.paper.small_ink import shrink
from tests.paper.marked_pages import ink_of, page_marks


def read(
    seed: int, px_per_mm: float, layout: str = "12x1", *, off_mm: float = 0.0
) -> tuple[list[str], tuple[LeadName, ...], Style]:
    """Leads as drawn and as read; each is expected up to `off_mm` beside its place, as on paper that is not flat."""
    page = draw_page(
        simulate_twelve_leads(10.0, seed=seed), layout=layout, seed=seed, style=random_style(seed), px_per_mm=px_per_mm
    )
    marks = page_marks(page.pixels, px_per_mm)
    curves = [curve for curve in page.curves if not curve.strip]
    off_px = np.random.default_rng(seed).uniform(-off_mm, off_mm, (len(curves), 2)) * px_per_mm
    sites = [
        Site(curve.row, 0, float(np.nanmin(curve.points_px[:, 0])) + x, curve.baseline_px + y, curve.lead)
        for curve, (x, y) in zip(curves, off_px, strict=True)
    ]
    small = shrink(marks.ink, px_per_mm_x=px_per_mm, px_per_mm_y=px_per_mm)
    names, style = read_lead_names(small, sites, marks.separators)
    return [curve.lead for curve in curves], names, style


@pytest.mark.parametrize(("seed", "px_per_mm"), [(1, 6.0), (3, 4.0), (4, 6.0), (7, 8.0)])
def test_names_of_random_prints_are_read(seed: int, px_per_mm: float) -> None:
    drawn, names, style = read(seed, px_per_mm)

    assert style.support > 0.4
    assert sum(name.text == lead for name, lead in zip(names, drawn, strict=True)) >= 10


@pytest.mark.parametrize(("seed", "px_per_mm"), [(4, 6.0), (7, 8.0)])
def test_names_that_stand_a_little_off_are_read(seed: int, px_per_mm: float) -> None:
    drawn, names, style = read(seed, px_per_mm, off_mm=1.0)

    assert style.support > 0.5
    assert sum(name.text == lead for name, lead in zip(names, drawn, strict=True)) >= 10


def test_the_letters_lie_on_the_ink_that_they_explain() -> None:
    page_px_per_mm = 6.0
    _, names, _ = read(4, page_px_per_mm)
    heights = {name.glyph.shape[0] for name in names}

    assert len(heights) == 1
    assert all(name.glyph.any() and name.glyph.mean() < 0.6 for name in names)
    assert all(name.margin >= 0 and name.scores.shape == name.attainable.shape == (len(LEADS),) for name in names)


def test_blank_paper_supports_no_names() -> None:
    small = shrink(ink_of(np.zeros((600, 1200), np.uint8)), px_per_mm_x=5.0, px_per_mm_y=5.0)
    sites = [Site(row, 0, 100.0, 40.0 + 40 * row, lead) for row, lead in enumerate(LEADS)]

    names, style = read_lead_names(small, sites, ())

    assert style.support < 0.1
    assert all(name.scores.max() <= 0 for name in names)


def test_sites_at_the_very_edge_of_a_page_do_no_harm() -> None:
    grey = np.random.default_rng(5).integers(0, 256, (200, 300)).astype(np.uint8)
    small = shrink(ink_of(grey), px_per_mm_x=4.0, px_per_mm_y=4.0)
    sites = [Site(0, 0, x, y, "aVR") for x in (-50.0, 0.0, 299.0, 400.0) for y in (-50.0, 0.0, 199.0, 300.0)]

    names, _ = read_lead_names(small, sites, ())

    assert len(names) == len(sites)
