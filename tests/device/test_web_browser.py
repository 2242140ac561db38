"""The web page in a real browser, over a real agent with real models: what people do, and what axe-core finds.

Playwright's driver with Debian's Chromium: pip installs it, and nothing is downloaded (its own browsers are not used).
"""

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pypdf
import pytest

from ecgedge import NOTICE
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import STYLES
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.simulate import simulate_ecg
from ecgedge_device.agent import Agent
from ecgedge_device.report_settings import JsonLinesSettings
from ecgedge_device.settings import AgentSettings, Settings, WebSettings
from ecgedge_device.source_settings import HttpSettings, ReplaySettings

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt install chromium")

DEADLINE_MS = 30_000
PATHS = ("/", "/picture", "/results", "/state", "/login")


@pytest.fixture(name="address", scope="module")
def address_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("agent")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    np.save(folder / "ecg.npy", simulate_ecg(600.0, seed=3, fs_hz=360.0, veb_rate=12.0).signal[:, :1])
    replay = ReplaySettings(path=folder / "ecg.npy", name="bed-1", fs_hz=360.0, lead=None, speed="real", chunk_s=0.25)
    settings = Settings(
        sources=(replay, HttpSettings(limit_mb=3.0)),
        reports=(JsonLinesSettings(path=folder / "results.jsonl"),),
        agent=AgentSettings(name="ward-3", store=folder / "state" / "ecgedge.sqlite"),
        web=WebSettings(port=port),
    )
    stop, ready = threading.Event(), threading.Event()
    agent = Agent(settings, stop=stop)
    judging = threading.Thread(target=lambda: agent.run(ready=ready.set))
    judging.start()
    assert ready.wait(60)
    yield f"http://127.0.0.1:{port}"
    stop.set()
    judging.join(60)


@pytest.fixture(name="browser", scope="module")
def browser_fixture() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # tests may run as root
        yield browser
        browser.close()


@pytest.fixture(name="photo", scope="module")
def photo_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    look = STYLES["ecg_images"](5)
    page = draw_page(simulate_twelve_leads(seed=5), layout="3x4+1", seed=5, style=look, px_per_mm=6.0, note="SIMULATED")
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    cv2.imwrite(str(path), page.pixels)
    return path


class Watched:
    """A page of the browser, and all that went wrong on it."""

    def __init__(self, context: "playwright.BrowserContext", address: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(DEADLINE_MS)
        self.faults: list[str] = []
        self.page.on("console", lambda one: self.faults.append(one.text) if one.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda one: None if one.url.startswith(address) else self.faults.append(one.url))


@pytest.fixture(name="watched", params=["light", "dark"])
def watched_fixture(browser: "playwright.Browser", address: str, request: pytest.FixtureRequest) -> Iterator[Watched]:
    context = browser.new_context(base_url=address, color_scheme=request.param, viewport={"width": 390, "height": 844})
    watched = Watched(context, address)
    yield watched
    context.close()
    assert watched.faults == []


def serious_faults(page: "playwright.Page") -> list[str]:
    found = axe.Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


def test_a_picture_is_read_with_the_keyboard_alone(watched: Watched, photo: Path, tmp_path: Path) -> None:
    page, expect = watched.page, playwright.expect
    page.on("filechooser", lambda _: None)  # from now on choosers come here, not first when one is awaited
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    focus_on(page, page.get_by_role("link", name="Read a page").first)
    page.keyboard.press("Enter")
    expect(page).to_have_title("Read a page · ward-3")
    chosen = page.locator("input[type=file]")
    focus_on(page, chosen)
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Enter")
    choosing.value.set_files(photo)
    focus_on(page, page.get_by_role("button", name="Read this page"))
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/progress/**")
    page.wait_for_url("**/results/**")
    expect(page.locator("h1")).to_contain_text("%")
    expect(page.locator("table.bars tbody tr")).to_have_count(4)
    expect(page.locator(".answer .advice")).not_to_be_empty()
    expect(page.locator(".answer .notice")).to_have_text(NOTICE)
    for picture in page.locator(".picture img").all():
        picture.scroll_into_view_if_needed()
        expect(picture).not_to_have_js_property("naturalWidth", 0)
    assert serious_faults(page) == []
    focus_on(page, page.get_by_role("link", name="Download PDF"))
    with page.expect_download() as loading:
        page.keyboard.press("Enter")
    loading.value.save_as(tmp_path / "report.pdf")
    text = " ".join(sheet.extract_text() for sheet in pypdf.PdfReader(tmp_path / "report.pdf").pages)
    assert page.locator("h1").inner_text() in text and NOTICE in text


def focus_on(page: "playwright.Page", wanted: "playwright.Locator") -> None:
    """Press Tab until it has the focus."""
    for _ in range(40):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached with Tab")


def test_the_live_trace_draws_and_beats_appear(watched: Watched) -> None:
    page, expect = watched.page, playwright.expect
    page.goto("/")
    panel = page.locator("section.trace")
    expect(panel.locator(".lead")).to_contain_text("lead ")
    expect(panel.locator(".letters .beat").nth(2)).to_be_visible()
    expect(panel.locator(".bpm")).to_have_text(re.compile(r"\d+"))
    assert 40 < int(panel.locator(".bpm").inner_text()) < 140
    pen = page.evaluate(
        """() => {
            const canvas = document.querySelector("canvas"), style = getComputedStyle(canvas);
            const probe = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
            probe.fillStyle = style.getPropertyValue("--pen");
            probe.fillRect(0, 0, 1, 1);
            const ink = probe.getImageData(0, 0, 1, 1).data;
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            const columns = new Set();
            for (let k = 0; k < data.length; k += 4)
                if ([0, 1, 2].every((c) => Math.abs(data[k + c] - ink[c]) < 40)) columns.add((k / 4) % canvas.width);
            return columns.size / canvas.width;
        }"""
    )
    assert pen > 0.3, "the trace covers little of the paper"
    assert not page.locator("#link").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than a phone"


def test_refusals_say_what_to_do(watched: Watched, tmp_path: Path) -> None:
    page, expect = watched.page, playwright.expect
    grey = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (900, 1200), np.uint8), (0, 0), 20)
    cv2.imwrite(str(tmp_path / "blank.jpg"), grey)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "huge.jpg").write_bytes(b"\xff" * 3_100_000)
    page.goto("/picture")
    said = page.locator(".upload .said")
    page.locator("input[type=file]").set_input_files(tmp_path / "huge.jpg")
    page.get_by_role("button", name="Read this page").click()
    expect(said).to_have_text("3.1 MB; at most 3 MB are taken. Send a smaller picture.")
    page.locator("input[type=file]").set_input_files(tmp_path / "notes.txt")
    page.get_by_role("button", name="Read this page").click()
    expect(said).to_contain_text("Notes.txt: .txt is no picture or recording")
    assert "415" in watched.faults.pop()  # the browser itself notes every refused request
    page.locator("input[type=file]").set_input_files(tmp_path / "blank.jpg")
    page.get_by_role("button", name="Read this page").click()
    page.wait_for_url("**/results/**")
    expect(page.locator("h1")).to_have_text("Refused")
    expect(page.locator(".remedy")).to_contain_text("What to do:")
    assert serious_faults(page) == []


def test_axe_finds_no_serious_fault(watched: Watched) -> None:
    for path in PATHS:
        watched.page.goto(path)
        assert serious_faults(watched.page) == [], path
