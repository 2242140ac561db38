"""Small training runs, of beats and of pages, made in seconds by the trainers themselves."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ecgedge.records import Recording
from ecgedge.simulate import simulate_ecg
from ecgedge_train.datasets import DATASETS, PAGE_DATASETS
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.models.page_models import PAGE_MODELS
from ecgedge_train.pages import cache
from tests.train.page_pools import LEAD_SAMPLES, PIPELINE, STRIP_SAMPLES, arrays, images, toy_model

PATIENTS = ("a", "b", "c")
BEAT_RECIPE = """
name = "tiny"
[pool]
virtual_copies = 1
noise = "invented"
features = ["before/q50_30", "qrs_correlation", "p_match"]
[[members]]
model = "beat_cnn"
seeds = [2]
epochs = 4
beats_per_epoch = 1024
batch = 64
"""
N_PAGES = 150


def simulated(records: Sequence[str], *, root: Path | None = None) -> Iterator[Recording]:
    """Patients whose beats come from their names."""
    assert root is None
    for record in records:
        seed = sum(record.encode())
        ecg = simulate_ecg(90, fs_hz=360, seed=seed, sveb_rate=6.0, veb_rate=6.0, leads=("MLII", "V1"))
        yield Recording(ecg.signal, 360.0, ecg.leads, record, ecg.beats)


def beat_run(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """A run of three simulated patients."""
    from ecgedge_train.workshop import train_recipe

    patch.setitem(DATASETS, "mitdb", simulated)
    recipe = folder / "tiny.toml"
    recipe.write_text(BEAT_RECIPE)
    return train_recipe(recipe, folder / "beat", data_root=None, records=PATIENTS).folder


def page_recipe(calibrate: str, *, filters: int = 8, epochs: int = 16) -> str:
    """A recipe for `invented_pages`; `calibrate` are the lines of that table."""
    return f"""
task = "page"
name = "toy"
[model]
family = "toy"
filters = {filters}
[inputs]
kind = "leads"
lead_samples = {LEAD_SAMPLES}
strip_samples = {STRIP_SAMPLES}
[augment]
[fit]
epochs = {epochs}
batch = 16
learning_rate = 0.02
[calibrate]
{calibrate}
"""


def invented_pages(
    folder: Path,
    patch: pytest.MonkeyPatch,
    *,
    n: int = N_PAGES,
    refused: int | None = None,
    alike: int = 1,
    wrong: int = 1_000_000,
) -> None:
    """A data set of files whose pages were read before: the cache holds them.

    Parameters
    ----------
    refused : number of the page that was refused
    alike : pages of one printed number
    wrong : one in so many pages has the label of another class, so that nobody can be sure
    """
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    files = tuple(
        replace(image, path=folder / image.name, number=f"{k // alike}.png") for k, image in enumerate(images(n))
    )
    for k, image in enumerate(files):
        image.path.write_bytes(f"picture {k}".encode())
        read = cache.ReadPage(dict(arrays((k + (k % wrong == 1)) % 4, k)))
        cache.keep_page(image.path, cache.ReadPage({}, "too blurred") if k == refused else read, PIPELINE)

    def listed(*, root: Path | None = None) -> tuple[ReportImage, ...]:
        assert root is None
        return files

    patch.setitem(PAGE_DATASETS, "ecg_images", listed)
    patch.setitem(PAGE_MODELS, "toy", toy_model)


def page_run(
    folder: Path, patch: pytest.MonkeyPatch, *, calibrate: str = "inner_share = 0.2", wrong: int = 1_000_000
) -> Path:
    """A run on invented pages, two of them with one printed number."""
    from ecgedge_train.pages.workshop import train_page_recipe

    invented_pages(folder, patch, alike=2, wrong=wrong)
    recipe = folder / "toy.toml"
    recipe.write_text(page_recipe(calibrate))
    return train_page_recipe(recipe, folder / "page", data_root=None).folder
