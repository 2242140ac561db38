"""The page path, stage by stage and whole, on one 12-megapixel photo and one core."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from uuid import UUID

import cv2
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ecgedge import NOTICE
from ecgedge.bundle import Bundle, read_bundle
from ecgedge.decide import Decision, decide, prediction_set
from ecgedge.digitise import digitise, recording_of
from ecgedge.lead_arrays import Inputs
from ecgedge.page_engine import PROBABILITIES, PageAnswer, PageEngine
from ecgedge.page_reading import PageReading, read_page
from ecgedge.page_words import draw_answer, plain_answer
from ecgedge.pages import find_page, flat_page
from ecgedge.paper.crop import cut_to_traces
from ecgedge.paper.grid import find_grid
from ecgedge.paper.ink import find_ink
from ecgedge.paper.overlay import draw_overlay
from ecgedge.paper.page import Page, Picture, Traces
from ecgedge.paper.page_quality import measure_quality
from ecgedge.paper.pictures import read_picture
from ecgedge.paper.second_page import require_one_page
from ecgedge.traces import read_traces
from ecgedge_device.results import Finding
from ecgedge_device.store import Store

STAGES, WHOLE = "page, stage by stage", "page, whole way"
BUNDLES = ("page", "page-image")


@pytest.fixture(scope="module")
def file(twelve_megapixels: Path) -> Path:
    return twelve_megapixels


@pytest.fixture(scope="module")
def picture(file: Path) -> Picture:
    return read_picture(file)


@pytest.fixture(scope="module")
def flat(picture: Picture) -> Page:
    """With header and footer."""
    return flat_page(picture)


@pytest.fixture(scope="module")
def page(picture: Picture) -> Page:
    return find_page(picture)


@pytest.fixture(scope="module")
def traces(page: Page) -> Traces:
    return read_traces(page)


@pytest.fixture(scope="module", params=BUNDLES)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return read_bundle(request.param)


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> PageEngine:
    return PageEngine(bundle)


@pytest.fixture(scope="module")
def reading(engine: PageEngine, picture: Picture) -> PageReading:
    return read_page(picture, engine.pipeline)


@pytest.fixture(scope="module")
def inputs(engine: PageEngine, reading: PageReading) -> Inputs:
    return engine.pipeline.inputs_of(reading.page, reading.traces)


@pytest.fixture(scope="module")
def answer(engine: PageEngine, reading: PageReading) -> PageAnswer:
    return engine.judge_reading(reading)


@pytest.mark.benchmark(group=STAGES)
def test_resize_whole_photo(benchmark: BenchmarkFixture, picture: Picture) -> None:
    """The floor: every pixel of the photo read once by OpenCV."""
    benchmark(cv2.resize, picture.pixels, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)


@pytest.mark.benchmark(group=STAGES)
def test_decode(benchmark: BenchmarkFixture, file: Path) -> None:
    benchmark(read_picture, file)


@pytest.mark.benchmark(group=STAGES)
def test_find_grid(benchmark: BenchmarkFixture, picture: Picture) -> None:
    benchmark(find_grid, picture.pixels)


@pytest.mark.benchmark(group=STAGES)
def test_flatten(benchmark: BenchmarkFixture, picture: Picture) -> None:
    """Finding the grid is in it."""
    benchmark(flat_page, picture)


@pytest.mark.benchmark(group=STAGES)
def test_cut(benchmark: BenchmarkFixture, flat: Page) -> None:
    benchmark(cut_to_traces, flat)


@pytest.mark.benchmark(group=STAGES)
def test_quality(benchmark: BenchmarkFixture, page: Page, picture: Picture) -> None:
    benchmark(measure_quality, page, picture)


@pytest.mark.benchmark(group=STAGES)
def test_find_page(benchmark: BenchmarkFixture, picture: Picture) -> None:
    """Grid, flat page, cut and quality together."""
    benchmark(find_page, picture)


@pytest.mark.benchmark(group=STAGES)
def test_find_ink(benchmark: BenchmarkFixture, page: Page) -> None:
    benchmark(find_ink, page)


@pytest.mark.benchmark(group=STAGES)
def test_read_traces(benchmark: BenchmarkFixture, page: Page) -> None:
    """Ink is in it."""
    benchmark(read_traces, page)


@pytest.mark.benchmark(group=STAGES)
def test_one_page(benchmark: BenchmarkFixture, picture: Picture, page: Page) -> None:
    benchmark(require_one_page, picture, page)


@pytest.mark.benchmark(group=STAGES)
def test_recording(benchmark: BenchmarkFixture, traces: Traces) -> None:
    benchmark(recording_of, traces)


@pytest.mark.benchmark(group=STAGES)
def test_preprocess(benchmark: BenchmarkFixture, engine: PageEngine, reading: PageReading) -> None:
    """Model inputs of the page as it was read."""
    benchmark(engine.pipeline.inputs_of, reading.page, reading.traces)


@pytest.mark.benchmark(group=STAGES)
def test_quantise_page(benchmark: BenchmarkFixture, engine: PageEngine, inputs: Inputs) -> None:
    benchmark(engine.quantised, inputs)


@pytest.mark.benchmark(group=STAGES)
def test_invoke_page(benchmark: BenchmarkFixture, engine: PageEngine, inputs: Inputs) -> None:
    benchmark(engine.raw, engine.quantised(inputs))


@pytest.mark.benchmark(group=STAGES)
def test_decide_page(benchmark: BenchmarkFixture, bundle: Bundle, engine: PageEngine, inputs: Inputs) -> None:
    """Class, calibrated probabilities, and what cannot be excluded."""
    found, decision = engine.outputs(inputs)[PROBABILITIES], Decision.from_manifest(bundle.manifest.decision)
    benchmark(lambda: prediction_set(decide(found, decision)[1], decision))


@pytest.mark.benchmark(group=STAGES)
def test_heat_map(benchmark: BenchmarkFixture, engine: PageEngine, answer: PageAnswer, bundle: Bundle) -> None:
    """The page with what the model looked at."""
    benchmark(draw_answer, engine, answer, titles(bundle))


@pytest.mark.benchmark(group=STAGES)
def test_overlay(benchmark: BenchmarkFixture, page: Page, traces: Traces) -> None:
    """The page with its curves, to be checked by eye."""
    benchmark(draw_overlay, page, traces)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "ecgedge.sqlite") as opened:
        yield opened


@pytest.fixture
def finding(answer: PageAnswer, bundle: Bundle) -> Finding:
    content = {"name": "photo.jpg", "bundle": "page", "refused": False, **plain_answer(answer, titles(bundle))}
    return Finding(str(UUID(int=0)), "page", "bench", "2026-01-01T00:00:00.000Z", content)


def titles(bundle: Bundle) -> dict[str, str]:
    return dict(zip(bundle.manifest.labels, bundle.manifest.label_titles, strict=True))


@pytest.mark.benchmark(group=STAGES)
def test_store_page(benchmark: BenchmarkFixture, store: Store, finding: Finding) -> None:
    """One page in one durable transaction; its pictures are not in it."""
    numbers = count(1)

    def another() -> tuple[tuple[Finding], dict[str, object]]:
        return (replace(finding, id=str(UUID(int=next(numbers)))),), {}

    benchmark.pedantic(
        lambda one: store.add([one]),
        setup=another,
        rounds=30,
        warmup_rounds=2,
    )


@pytest.mark.benchmark(group=STAGES)
def test_pdf_report(benchmark: BenchmarkFixture, store: Store, finding: Finding, tmp_path: Path, page: Page) -> None:
    """The PDF that the web page gives of a result, with the page's picture."""
    pytest.importorskip("reportlab", reason="reportlab comes with [device]")
    from ecgedge_device.web.pdf_report import make_report

    (tmp_path / "page.jpg").write_bytes(cv2.imencode(".jpg", page.pixels)[1].tobytes())
    result = store.add([replace(finding, files={"picture": "page.jpg"})])[0]
    made = benchmark(make_report, result, files=tmp_path, device="bench", model=NOTICE)
    assert made.startswith(b"%PDF")


@pytest.mark.benchmark(group=WHOLE)
def test_digitise(benchmark: BenchmarkFixture, picture: Picture) -> None:
    """Decoded picture to signals."""
    benchmark(digitise, picture)


@pytest.mark.benchmark(group=WHOLE)
def test_judge_photo(benchmark: BenchmarkFixture, engine: PageEngine, file: Path) -> None:
    """File to answer; the layout of this page is one that the model is not tested on, which costs the same."""
    answer = benchmark(lambda: engine.judge(read_picture(file), any_layout=True))
    assert answer.probabilities


@pytest.mark.benchmark(group=WHOLE)
def test_judge_and_draw(benchmark: BenchmarkFixture, engine: PageEngine, file: Path, bundle: Bundle) -> None:
    """File to answer and the picture of what the model looked at, as a JPEG."""

    def whole() -> np.ndarray:
        drawn = draw_answer(engine, engine.judge(read_picture(file), any_layout=True), titles(bundle))
        assert drawn is not None
        return np.asarray(cv2.imencode(".jpg", drawn)[1])

    assert benchmark(whole).size
