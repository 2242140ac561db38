"""Pages are read once, as the device reads them; what is kept is never stale and never half."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgedge.errors import DataError, InputError
from ecgedge.lead_arrays import LeadArraySettings
from ecgedge.page_images import PageImageSettings
from ecgedge.page_pipeline import PagePipeline
from ecgedge.page_reading import read_page
from ecgedge.paper.pictures import read_picture
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.pages.cache import default_cache_dir, page_inputs, reader_files
from ecgedge_train.pages.pool import PagePool

LEADS = PagePipeline(LeadArraySettings(), ("3x4+1",))
IMAGE = PagePipeline(PageImageSettings(width_px=96, height_px=48), ("3x4+1",))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportImage, ...]:
    """A page, a copy of it, another name for the same file, and a picture without an ECG."""
    folder = tmp_path_factory.mktemp("pages")
    drawn = draw_page(simulate_twelve_leads(10.0, seed=1), layout="3x4+1", seed=1, px_per_mm=4.0)
    assert cv2.imwrite(str(folder / "a.png"), drawn.pixels)
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes())
    assert cv2.imwrite(str(folder / "cat.png"), np.full((300, 400, 3), 90, np.uint8))
    first = ReportImage("a", folder / "a.png", "normal", "a", "a")
    return (
        first,
        replace(first, name="b", path=folder / "b.png"),
        replace(first, name="c"),
        ReportImage("cat", folder / "cat.png", "mi", "cat", "cat"),
    )


def test_as_the_device_reads_it_and_each_picture_once(files: tuple[ReportImage, ...], tmp_path: Path) -> None:
    said: list[tuple[int, int]] = []
    pool = page_inputs(files, LEADS, cache_dir=tmp_path, advance=lambda done, total: said.append((done, total)))
    assert said == [(1, 2), (2, 2)] and len(list(tmp_path.rglob("*.npz"))) == 2
    assert pool.read.tolist() == [True, True, True, False]
    assert "no ECG page found" in pool.reasons[3] and pool.reasons[:3] == ("", "", "")
    reading = read_page(read_picture(files[0].path), LEADS)
    for name, values in LEADS.inputs_of(reading.page, reading.traces).items():
        np.testing.assert_array_equal(pool.take([0, 1, 2])[name], np.repeat(values, 3, axis=0))
    with pytest.raises(InputError, match="cat: this page was refused"):
        pool.take([0, 3])
    again = page_inputs(files, LEADS, cache_dir=tmp_path)
    assert _equal(pool, again)


def test_images_lose_nothing_in_a_fourth_of_the_memory(files: tuple[ReportImage, ...], tmp_path: Path) -> None:
    pool = page_inputs(files[:1], IMAGE, cache_dir=tmp_path)
    reading = read_page(read_picture(files[0].path), IMAGE)
    assert pool.pictures["page"].dtype == np.uint8
    np.testing.assert_array_equal(pool.take([0])["page"], IMAGE.inputs_of(reading.page, reading.traces)["page"])


def test_what_is_kept_is_named_by_the_pipeline(files: tuple[ReportImage, ...], tmp_path: Path) -> None:
    for pipeline in (LEADS, IMAGE, replace(LEADS, layouts=("6x2",)), LEADS):
        page_inputs(files[3:], pipeline, cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_folder_is_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "ecgedge" / "pages"


def test_all_code_that_reads_pages_is_part_of_the_name() -> None:
    """A module that page reading begins to use must make what was kept before stale."""
    code = (
        "import sys, ecgedge.page_reading\nprint(*(m.__file__ for n, m in sys.modules.items() if n[:8] == 'ecgedge.'))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert len(loaded) > 30
    values_only = {"errors", "labels", "manifest", "plain", "records", "__init__"}
    assert {Path(name).resolve() for name in loaded if Path(name).stem not in values_only} <= {
        path.resolve() for path in reader_files()
    }


def test_a_damaged_file_is_read_anew(files: tuple[ReportImage, ...], tmp_path: Path) -> None:
    page_inputs(files[3:], LEADS, cache_dir=tmp_path)
    (kept,) = tmp_path.rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:40])
    assert "no ECG page" in page_inputs(files[3:], LEADS, cache_dir=tmp_path).reasons[0]


def test_a_file_that_is_gone_is_named(files: tuple[ReportImage, ...], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png: cannot be read"):
        page_inputs([replace(files[0], path=tmp_path / "gone.png")], LEADS, cache_dir=tmp_path)


def _equal(one: PagePool, other: PagePool) -> bool:
    same = all(np.array_equal(one.pictures[name], other.pictures[name]) for name in one.pictures)
    return same and one.reasons == other.reasons and one.picture.tolist() == other.picture.tolist()
