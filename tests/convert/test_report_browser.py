"""The report in a real browser, offline: light, dark, on a phone, on paper, and what axe-core finds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

from ecgedge import NOTICE  # noqa: E402
from tests.convert.report_bundles import beat_folder, invented_data, run  # noqa: E402

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt install chromium")
DEADLINE_MS = 60_000


@pytest.fixture(name="report", scope="module")
def report_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    with invented_data(folder):
        assert run("report", beat_folder(folder), "--split", "ds1", "--seconds", "0.05", "-o", folder / "out") == 0
    return folder / "out/report.html"


@pytest.fixture(name="browser", scope="module")
def browser_fixture() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # tests may run as root
        yield browser
        browser.close()


@pytest.fixture(name="opened", params=[("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)], ids=str)
def opened_fixture(
    browser: "playwright.Browser", report: Path, request: pytest.FixtureRequest
) -> Iterator["playwright.Page"]:
    """The page, offline; anything that it complains of or asks for fails the test."""
    scheme, width = request.param
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}, offline=True)
    page, faults = context.new_page(), []
    page.set_default_timeout(DEADLINE_MS)
    page.on("console", lambda one: faults.append(one.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda one: None if one.url.startswith(("file:", "data:")) else faults.append(one.url))
    page.goto(report.as_uri())
    yield page
    context.close()
    assert faults == []


def test_it_fits_and_axe_finds_nothing(opened: "playwright.Page") -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it can be scrolled sideways"
    found = axe.Axe().run(opened).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in found] == []


def test_everything_is_seen(opened: "playwright.Page") -> None:
    expect = playwright.expect
    expect(opened.locator("header .notice")).to_have_text(NOTICE)
    expect(opened.locator(".verdict")).to_have_count(3)
    expect(opened.locator(".warning")).to_contain_text("trained on patients of the split ds1")
    for table in opened.locator("table").all():
        expect(table.locator("caption")).not_to_be_empty()
    shown = opened.locator("svg[role=img]:visible")
    assert shown.count() == 2 + 1 + 1 + 3  # two fronts, differences, recalls, a reliability diagram each
    for picture in shown.all():
        assert picture.get_attribute("aria-label")
        box = picture.bounding_box()
        assert box is not None and box["width"] > 100 and box["height"] > 60
    names = [text for text in opened.locator("svg text.name:visible").all_text_contents() if text == "int8"]
    assert len(names) == 2 + 1 + 4  # in each front, in the differences, in the recalls of four classes


def test_names_in_plots_do_not_overlap(opened: "playwright.Page") -> None:
    """Measured by the browser, in its own type."""
    overlaps = opened.evaluate(
        """() => [...document.querySelectorAll("svg.plot")].flatMap(svg => {
            const boxes = [...svg.querySelectorAll("text.name")].map(t => [t.textContent, t.getBoundingClientRect()])
                .filter(([, b]) => b.width > 0);
            return boxes.flatMap(([name, a], k) => boxes.slice(k + 1).filter(([, b]) =>
                Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3).map(([other]) => `${name} on ${other}`));
        })"""
    )
    assert overlaps == []


def test_tables_scroll_with_the_keyboard(opened: "playwright.Page") -> None:
    regions = opened.locator(".scroll")
    labels = [one.get_attribute("aria-label") for one in regions.all()]
    assert len(labels) == len(set(labels)) and all(labels)
    first = regions.first
    first.focus()
    playwright.expect(first).to_be_focused()
    if opened.viewport_size == {"width": 360, "height": 800}:
        opened.keyboard.press("ArrowRight")
        opened.wait_for_function("element => element.scrollLeft > 0", arg=first.element_handle())


def test_it_prints(browser: "playwright.Browser", report: Path, tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
    context = browser.new_context()
    page = context.new_page()
    page.goto(report.as_uri())
    page.pdf(path=tmp_path / "report.pdf", format="A4", print_background=True)
    context.close()
    sheets = pypdf.PdfReader(tmp_path / "report.pdf").pages
    text = " ".join(" ".join(sheet.extract_text().split()) for sheet in sheets)
    assert len(sheets) > 1 and NOTICE in text and "Recall of each class" in text and "peak tensor memory" in text
