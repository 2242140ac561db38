"""The steps of a page model survive the manifest, and nothing else passes."""

from dataclasses import replace

import numpy as np
import pytest

from ecgedge.bundle import read_bundle
from ecgedge.errors import BundleError, InputError
from ecgedge.lead_arrays import LeadArraySettings
from ecgedge.manifest import Json, Manifest, dump_manifest, parse_manifest
from ecgedge.page_images import PageImageSettings
from ecgedge.page_pipeline import PagePipeline, page_pipeline_of
from ecgedge.paper.layouts import LEADS as TWELVE
from ecgedge.paper.page import LeadTrace, Page, Traces

LEADS = PagePipeline(LeadArraySettings(full_scale_mv=1.5), ("3x4+1",))
IMAGE = PagePipeline(PageImageSettings(96, 64, channels=3, fit="pad", equalise_clip=2.0), ("3x4+1", "6x2"))


def manifest_of(steps: tuple[dict[str, Json], ...]) -> Manifest:
    return replace(read_bundle("beat").manifest, task="page", preprocessing=steps)


@pytest.mark.parametrize("pipeline", [LEADS, IMAGE], ids=["leads", "image"])
def test_round_trip_through_the_manifest(pipeline: PagePipeline) -> None:
    text = dump_manifest(manifest_of(pipeline.to_manifest()))
    assert page_pipeline_of(parse_manifest(text, source="test")) == pipeline


@pytest.mark.parametrize(
    ("step", "change", "said"),
    [
        (0, {"speed": 1}, "find_page has parameters speed"),
        (2, {"layouts": []}, r"layouts \[\] names no layout"),
        (2, {"layouts": ["5x5"]}, "layouts 5x5 are not known here"),
        (3, {"fs_hz": "fast"}, "lead_arrays: fs_hz is 'fast'"),
        (3, {"fs_hz": -1.0}, "fs_hz -1"),
        (3, {"surprise": 1}, "unknown key 'surprise'"),
        (3, {"step": "wavelets"}, "no preprocessing step 'page_image'"),
        (1, {"step": "skipped"}, "no preprocessing step 'quality'"),
    ],
)
def test_a_bad_step_is_named(step: int, change: dict[str, Json], said: str) -> None:
    steps = [dict(entry) for entry in LEADS.to_manifest()]
    steps[step].update(change)
    with pytest.raises(BundleError, match=said):
        page_pipeline_of(manifest_of(tuple(steps)))


def test_layouts_it_does_not_know_are_doubted() -> None:
    assert LEADS.doubt_about("3x4+1") == ""
    assert "layout 6x2 is not one the model was trained on (3x4+1)" in LEADS.doubt_about("6x2")
    assert "layout not recognised" in LEADS.doubt_about("")


def blank_page() -> Page:
    return Page(
        np.full((80, 120, 3), 255, np.uint8), 4, 4, np.zeros((4, 2), np.float32), "picture", 0,
        np.zeros((2, 2, 2), np.float32), 16.0,
    )  # fmt: skip


def traces_of(shares: dict[str, float]) -> Traces:
    """Curves of 250 columns, of each lead the share that was read; the rest is NaN."""
    leads = []
    for lead, share in shares.items():
        y_px = np.full(250, np.nan, np.float32)
        y_px[: round(250 * share)] = 40
        leads.append(LeadTrace(lead, 0, False, 0.0, np.arange(250, dtype=np.float32), y_px, 40.0, 1.0))
    return Traces(tuple(leads), "3x4+1", 1.0, 4.0, 4.0, 25.0, 10.0, "pulse", "page")


def test_a_page_with_too_few_leads_gets_no_answer() -> None:
    whole = dict.fromkeys(TWELVE, 1.0)
    assert LEADS.inputs_of(blank_page(), traces_of(whole))["leads"].shape == (1, 12, 240, 2)
    one_lost = LEADS.inputs_of(blank_page(), traces_of(whole | {"V3": 0.0}))["leads"]
    assert not one_lost[0, TWELVE.index("V3")].any()
    with pytest.raises(InputError, match=r"10 of 12 leads read, needs 11 \(missing V3, V5\)"):
        LEADS.inputs_of(blank_page(), traces_of(whole | {"V3": 0.0, "V5": 0.4}))


def test_a_lead_model_needs_curves_and_an_image_model_does_not() -> None:
    page = blank_page()
    assert IMAGE.inputs_of(page, None)["page"].shape == (1, 64, 96, 3)
    aligned = PagePipeline(PageImageSettings(96, 64, aligned=True), ("3x4+1",))
    assert [pipeline.needs_traces for pipeline in (LEADS, IMAGE, aligned)] == [True, False, True]
    for pipeline in (LEADS, aligned):
        with pytest.raises(InputError, match="its curves were not read, and the model needs them"):
            pipeline.inputs_of(page, None)
