"""The page path, stage by stage and whole, on one 12-megapixel photo and one core."""

from pathlib import Path

import cv2
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ecgedge.digitise import digitise, recording_of
from ecgedge.pages import find_page
from ecgedge.paper.ink import find_ink
from ecgedge.paper.overlay import draw_overlay
from ecgedge.paper.page import Page, Picture, Traces
from ecgedge.paper.pictures import read_picture
from ecgedge.traces import read_traces


@pytest.fixture(scope="module")
def file(twelve_megapixels: Path) -> Path:
    cv2.setNumThreads(1)
    return twelve_megapixels


@pytest.fixture(scope="module")
def picture(file: Path) -> Picture:
    return read_picture(file)


@pytest.fixture(scope="module")
def page(picture: Picture) -> Page:
    return find_page(picture)


@pytest.fixture(scope="module")
def traces(page: Page) -> Traces:
    return read_traces(page)


@pytest.mark.benchmark(group="page, stage by stage")
def test_resize_whole_photo(benchmark: BenchmarkFixture, picture: Picture) -> None:
    """The floor: every pixel of the photo read once by OpenCV."""
    benchmark(cv2.resize, picture.pixels, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)


@pytest.mark.benchmark(group="page, stage by stage")
def test_decode(benchmark: BenchmarkFixture, file: Path) -> None:
    benchmark(read_picture, file)


@pytest.mark.benchmark(group="page, stage by stage")
def test_find_page(benchmark: BenchmarkFixture, picture: Picture) -> None:
    benchmark(find_page, picture)


@pytest.mark.benchmark(group="page, stage by stage")
def test_find_ink(benchmark: BenchmarkFixture, page: Page) -> None:
    benchmark(find_ink, page)


@pytest.mark.benchmark(group="page, stage by stage")
def test_read_traces(benchmark: BenchmarkFixture, page: Page) -> None:
    benchmark(read_traces, page)


@pytest.mark.benchmark(group="page, stage by stage")
def test_recording(benchmark: BenchmarkFixture, traces: Traces) -> None:
    benchmark(recording_of, traces)


@pytest.mark.benchmark(group="page, stage by stage")
def test_overlay(benchmark: BenchmarkFixture, page: Page, traces: Traces) -> None:
    benchmark(draw_overlay, page, traces)


@pytest.mark.benchmark(group="page, whole way")
def test_digitise(benchmark: BenchmarkFixture, picture: Picture) -> None:
    benchmark(digitise, picture)
