"""The benchmark over folds: every fold in every way, judged on what it had not seen, and taken up where it was left."""

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from ecgedge_convert.page_crossval import CrossvalPlan, cross_validate
from ecgedge_train.datasets import PAGE_DATASETS
from ecgedge_train.pages.recipe import read_page_recipe
from tests.convert.small_runs import page_run

FOLDS = (0, 1)
VARIANTS = """
[[variant]]
name = "int8"

[[variant]]
name = "half"
channels = 0.5
epochs = 1

[[variant]]
name = "none"
teachers = ["nowhere"]
"""


Main = Callable[[list[str]], int]


@pytest.fixture(scope="module")
def main() -> Iterator[Main]:
    """Of the benchmark, which is a script beside others."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    yield importlib.import_module("convert_folds").main
    patch.undo()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder, patch = tmp_path_factory.mktemp("folds"), pytest.MonkeyPatch()
    request.addfinalizer(patch.undo)
    page_run(folder, patch)
    recipe = folder / "half_held_back.toml"
    recipe.write_text((folder / "toy.toml").read_text().replace("inner_share = 0.2", "inner_share = 0.5"))
    plan = CrossvalPlan("leak-free", folds=4, only=FOLDS)
    images = PAGE_DATASETS["ecg_images"](root=None)
    cross_validate(read_page_recipe(recipe), images, plan, folder / "cross")
    (folder / "variants.toml").write_text(VARIANTS)
    return folder


def test_folds_are_converted_once_and_pooled(place: Path, main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(place / "cross"), str(place / "variants.toml"), "-o", str(place / "out"), "--seconds", "0.05"]
    assert main([*arguments, "--json", str(place / "first.json")]) == 0
    said = capsys.readouterr().out
    assert all(f"leak-free-4-s0-f{fold}: half" in said for fold in FOLDS)
    found = json.loads((place / "first.json").read_text())
    rows = {row["name"]: row for row in found["variants"]}
    assert set(rows) == {"float32", "int8", "half", "none"}
    assert "nowhere" in rows["none"]["refused"]
    assert rows["float32"]["agreement"][0] == 1.0 and rows["float32"]["accuracy lost"] == [0.0, 0.0, 0.0]
    assert rows["int8"]["accuracy lost to int8"] == [0.0, 0.0, 0.0]
    lost = [rows["half"][f"accuracy lost{to}"][0] for to in ("", " to int8")]
    assert lost[0] - lost[1] == pytest.approx(rows["int8"]["accuracy lost"][0], abs=2e-4)
    assert rows["half"]["macs"][0] < rows["int8"]["macs"][0]
    assert rows["int8"]["latency to int8"][0] == 1.0
    for figure in ("accuracy", "macro_f1", "mi_recall", "ece", "covered", "set_size"):
        value, low, high = rows["int8"][figure]
        assert low <= value <= high and value > 0, figure
    assert rows["int8"]["no_answer"][0] == 0

    assert main([*arguments, "--json", str(place / "again.json")]) == 0
    said = capsys.readouterr().out
    assert ": half" not in said and ": int8" not in said
    again = {row["name"]: row for row in json.loads((place / "again.json").read_text())["variants"]}
    assert again["half"]["accuracy"] == rows["half"]["accuracy"]


def test_what_is_no_crossvalidation_is_named(tmp_path: Path, main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v.toml").write_text(VARIANTS)
    assert main([str(tmp_path), str(tmp_path / "v.toml"), "-o", str(tmp_path / "out")]) == 1
    assert "no folder of a fold" in capsys.readouterr().err


def test_folds_of_two_protocols_are_not_taken_together(
    place: Path, main: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They hold out the same pages, which would count twice."""
    for protocol, fold in (("leak-free", 0), ("by-number", 0)):
        (tmp_path / f"{protocol}-4-s0-f{fold}").symlink_to(place / "cross" / f"leak-free-4-s0-f{fold}")
    (tmp_path / "v.toml").write_text('[[variant]]\nname = "float32"\nkind = "float32"\n')
    arguments = [str(tmp_path), str(tmp_path / "v.toml"), "-o", str(tmp_path / "out"), "--seconds", "0.05"]
    assert main(arguments) == 1
    assert "folds of by-number, leak-free" in capsys.readouterr().err
    assert main([*arguments, "--protocol", "leak-free"]) == 0
    assert "1 folds" in capsys.readouterr().out


def test_a_fold_that_is_not_trained_yet_is_named(
    tmp_path: Path, main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leak-free-4-s0-f0").mkdir()
    (tmp_path / "v.toml").write_text(VARIANTS)
    assert main([str(tmp_path), str(tmp_path / "v.toml"), "-o", str(tmp_path / "out")]) == 1
    assert "leak-free-4-s0-f0: no model.keras; its training has not ended" in capsys.readouterr().err
