"""`ecgedge report` over real small bundles of beats and pages: what it writes, what it keeps, what it refuses."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from math import nan
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from ecgedge import NOTICE
from ecgedge.bundle import read_bundle, write_bundle
from ecgedge.energy import find_meter
from ecgedge.errors import DataError
from ecgedge.labels import REPORT
from ecgedge.manifest import Json
from ecgedge_train.datasets import DATASETS, PAGE_DATASETS
from ecgedge_train.evaluate import evaluate_bundle
from ecgedge_train.pages.evaluate import Question, evaluate_page_bundle
from ecgedge_train.pages.figures import page_figures
from ecgedge_train.split import DS1
from tests.convert.report_bundles import beat_folder, invented_data, page_folder, read_simulated, run

QUICK = ("--seconds", "0.05", "--threads", "1,2")


@pytest.fixture(name="place", scope="module")
def place_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("place")
    with invented_data(folder):
        beat_folder(folder)
        page_folder(folder)
        yield folder


@pytest.fixture(name="reported", scope="module")
def reported_fixture(place: Path) -> dict[str, Any]:
    """Values of a report on the beats and one on the pages."""
    assert run("report", place / "beats", "--split", "ds1", *QUICK) == 0
    assert run("report", place / "pages", *QUICK) == 0
    return {name: values(place / name) for name in ("beats", "pages")}


def values(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def variants(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (model,) = report["models"]
    return {one["name"]: one for one in model["variants"]}


def test_figures_are_those_of_evaluate(place: Path, reported: dict[str, Any]) -> None:
    """Figure for figure and interval for interval what `ecgedge evaluate` gives."""
    for name, row in variants(reported["beats"]).items():
        measured = evaluate_bundle(read_bundle(place / f"beats/{name}.tflite"), read_simulated(DS1), peaks="annotated")
        for figure, limits in measured.intervals().items():
            assert shown(row, figure)[1:] == pytest.approx(limits, abs=1e-6, nan_ok=True)
        assert shown(row, "jk")[0] == pytest.approx(measured.figures.jk, abs=1e-6, nan_ok=True)
        assert shown(row, "macro_f1")[0] == pytest.approx(measured.figures.macro_f1, abs=1e-6, nan_ok=True)
        assert row["confusion"]["counts"] == measured.total.tolist()
    for name, row in variants(reported["pages"]).items():
        bundle = read_bundle(place / f"pages/{name}.tflite")
        found = page_figures(evaluate_page_bundle(bundle, PAGE_DATASETS["ecg_images"](), Question()).judged)
        names = {"accuracy", "macro_f1", "balanced_accuracy", "ece"}
        for figure in names:
            assert shown(row, figure)[0] == pytest.approx(found.classes.scalars()[figure], abs=1e-6)
            assert shown(row, figure)[1:] == pytest.approx(found.intervals[figure], abs=1e-6)
        assert shown(row, "covered")[0] == pytest.approx(found.sets.coverage, abs=1e-6)
        assert shown(row, "set_size")[0] == pytest.approx(found.sets.mean_size, abs=1e-6)
        assert shown(row, "no_answer")[0] == pytest.approx(1 - found.classes.answered / found.classes.pages, abs=1e-6)
        for k, label in enumerate(REPORT.names):
            assert shown(row, f"recall {k}")[1:] == pytest.approx(found.intervals[f"recall: {label}"], abs=1e-6)


def shown(row: Any, figure: str) -> tuple[float, float, float]:
    """A figure with its limits; NaN where the report has null."""
    found = row["figures"][figure]
    value, low, high = (nan if found[key] is None else found[key] for key in ("value", "low", "high"))
    return value, low, high


def test_a_loss_is_told_from_noise(reported: dict[str, Any]) -> None:
    for kind, stem in (("beats", "small"), ("pages", "toy")):
        found = variants(reported[kind])
        assert found[f"{stem}-float32"]["state"] == "reference"
        assert found[f"{stem}-pruned"]["state"] == "lost"
        assert found[f"{stem}-int8"]["state"] == "alike"
        agreement = found[f"{stem}-int8"]["agreement_with_float32"]
        if kind == "beats" and agreement["value"] == 1:
            assert agreement["low"] is agreement["high"] is None
        else:
            assert agreement["low"] <= agreement["value"] <= agreement["high"] <= 1
        assert found[f"{stem}-pruned"]["agreement_with_float32"]["value"] < agreement["value"]


def test_costs_and_times_are_there(reported: dict[str, Any]) -> None:
    for report in reported.values():
        for name, row in variants(report).items():
            assert row["gzip_bytes"] < row["model_bytes"] and row["macs"] > 0 and row["peak_tensor_bytes"] > 0
            assert set(row["latency"]) == {"1", "2"}
            times = row["latency"]["1"]
            assert 0 < times["least_ms"] <= times["p50_ms"] <= times["p99_ms"] <= times["most_ms"]
            assert (row["times_float32"] == {}) == name.endswith("float32")
            assert (row["energy_mj"] is None) == (find_meter() is None)
    pruned, whole = (variants(reported["pages"])[f"toy-{name}"] for name in ("pruned", "float32"))
    assert pruned["gzip_bytes"] < whole["gzip_bytes"] and pruned["macs"] == whole["macs"]


def test_it_says_how_it_was_made(reported: dict[str, Any]) -> None:
    made = reported["pages"]["made"]
    assert isinstance(made, dict)
    assert {"command", "made", "machine", "interpreter", "versions", "seeds", "timing"} <= set(made)
    assert made["command"].startswith("ecgedge report ") and made["command"].endswith("--threads 1,2 --seconds 0.05")
    assert "cores" in made["machine"] and "python 3" in made["versions"]


class Outline(HTMLParser):
    """Headings, ids and everything that a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "data", "action", "poster") and value and not value.startswith(("#", "data:")):
                self.fetched.append(value)
        assert tag != "script"


@pytest.mark.usefixtures("reported")
def test_the_page_stands_alone(place: Path) -> None:
    for kind in ("beats", "pages"):
        text = (place / kind / "report.html").read_text()
        outline = Outline()
        outline.feed(text)
        assert outline.fetched == [] and "url(" not in text and "@import" not in text and NOTICE in text
        assert outline.headings[0] == "h1" and outline.headings.count("h1") == 1
        steps = [
            int(after[1]) - int(before[1])
            for before, after in zip(outline.headings, outline.headings[1:], strict=False)
        ]
        assert max(steps) == 1, "a heading level is left out"
        assert text.count("<svg") == text.count("<title>") - 1 + text.count('aria-hidden="true"')


@pytest.mark.usefixtures("reported")
def test_markdown_has_every_variant_in_whole_tables(place: Path) -> None:
    for kind, stem in (("beats", ("float32", "int8", "pruned")), ("pages", ("float32", "int8", "pruned"))):
        lines = (place / kind / "report.md").read_text().splitlines()
        assert f"**{NOTICE}**" in lines
        assert "| calibration error (ECE) |" in "".join(lines)
        assert ("| truth in its set | classes in a set | no answer |" in "".join(lines)) == (kind == "pages")
        for name in stem:
            assert any(line.startswith(f"| {name} ") or line.startswith(f"| {name}(") for line in lines), name
        widths: list[int] = []
        for line in lines:
            if line.startswith("|"):
                widths.append(len(re.findall(r"(?<!\\)\|", line)))
            else:
                assert len(set(widths)) <= 1
                widths = []


@pytest.mark.usefixtures("reported")
def test_what_was_measured_is_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second report needs no data and changes no figure; --again does need it."""
    before = {kind: values(place / kind)["models"] for kind in ("beats", "pages")}

    def gone(*_words: object, root: Path | None = None) -> Any:
        raise DataError(f"mitdb is not on this machine {root}; run: ecgedge data fetch mitdb")

    monkeypatch.setitem(DATASETS, "mitdb", gone)
    monkeypatch.setitem(PAGE_DATASETS, "ecg_images", gone)
    assert run("report", place / "beats", "--split", "ds1", *QUICK) == 0
    assert run("report", place / "pages", *QUICK) == 0
    assert {kind: values(place / kind)["models"] for kind in ("beats", "pages")} == before


@pytest.mark.usefixtures("reported")
def test_missing_data_is_named_with_its_remedy(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (place / "beats/report.json").read_bytes()

    def gone(*_words: object, root: Path | None = None) -> Any:
        raise DataError(f"{root or 'data'}: mitdb is not on this machine; run: ecgedge data fetch mitdb")

    monkeypatch.setitem(DATASETS, "mitdb", gone)
    assert run("report", place / "beats", "--split", "ds1", "--again", *QUICK) == 1
    assert "run: ecgedge data fetch mitdb" in capfd.readouterr().err
    assert (place / "beats/report.json").read_bytes() == before, "the report that was there stays"


def test_damaged_keepings_are_measured_anew(place: Path, reported: dict[str, Any]) -> None:
    for path in (place / "pages/.report-cache").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert run("report", place / "pages", *QUICK) == 0
    before, after = (
        {name: one["figures"] for name, one in variants(report).items()}
        for report in (reported["pages"], values(place / "pages"))
    )
    assert before == after


def test_a_split_that_was_trained_on_is_said(place: Path, reported: dict[str, Any]) -> None:
    (model,) = reported["beats"]["models"]
    assert "were trained on patients of the split ds1" in model["warning"]
    assert "were trained on patients of the split ds1" in (place / "beats/report.md").read_text()
    assert "were trained on patients" not in (place / "pages/report.md").read_text()


def test_json_goes_to_the_screen_or_a_file(
    place: Path, reported: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert run("report", place / "pages", *QUICK, "-o", tmp_path / "out", "--json", "-") == 0
    assert json.loads(capfd.readouterr().out)["notice"] == NOTICE
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "report.md", "report.json"}
    assert run("report", place / "pages", *QUICK, "-o", tmp_path / "out", "--json", tmp_path / "all.json") == 0
    assert "models" in json.loads((tmp_path / "all.json").read_text())
    said = capfd.readouterr().out
    assert NOTICE in said and "Smallest without a loss that shows" in said and len(reported) == 2


def test_models_of_both_tasks_have_a_chapter_each(place: Path, tmp_path: Path) -> None:
    for kind in ("beats", "pages"):
        for path in (place / kind).glob("*.tflite"):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / path.name).write_bytes(path.read_bytes())
    assert run("report", tmp_path, "--split", "ds1", *QUICK) == 0
    models = values(tmp_path)["models"]
    assert [(one["task"], one["model"]) for one in models] == [("beat", "small"), ("page", "toy")]
    assert "together" not in (tmp_path / "report.md").read_text()


def test_models_on_the_same_pages_are_drawn_together(place: Path, tmp_path: Path) -> None:
    for path in (place / "pages").glob("*.tflite"):
        bundle = read_bundle(path)
        write_bundle(bundle, tmp_path / path.name)
        training = bundle.manifest.training | {"recipe": "toy-wide"}
        write_bundle(
            replace(bundle, manifest=replace(bundle.manifest, training=training)), tmp_path / f"wide-{path.name}"
        )
    assert run("report", tmp_path, *QUICK) == 0
    text = (tmp_path / "report.md").read_text()
    assert "## All models for pages together" in text and "toy and toy-wide" in text


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("held_out_fold", 2, "held out fold 4 and 2"),
        ("split_seed", 5, "split seed 0 and 5"),
        ("split_sha256", "0" * 64, "split sha256"),
    ],
)
def test_bundles_that_held_out_different_data_are_refused(
    place: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], key: str, value: Json, said: str
) -> None:
    for path in (place / "pages").glob("*.tflite"):
        bundle = read_bundle(path)
        training = bundle.manifest.training | ({key: value} if "int8" in path.name else {})
        write_bundle(replace(bundle, manifest=replace(bundle.manifest, training=training)), tmp_path / path.name)
    assert run("report", tmp_path, *QUICK) == 1
    error = capfd.readouterr().err
    assert "did not hold out the same data" in error and said in error and "two folders" in error
    assert not (tmp_path / "report.html").exists()


def test_a_damaged_bundle_is_refused_by_name(place: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for path in (place / "pages").glob("*.tflite"):
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[: len(content) // 2] if "int8" in path.name else content)
    assert run("report", tmp_path, *QUICK) == 1
    assert "toy-int8.tflite" in capfd.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_folders_without_bundles_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("report", tmp_path) == 1
    assert "no bundle (*.tflite) in it; write some with ecgedge convert" in capfd.readouterr().err
    assert run("report", tmp_path / "nowhere") == 1
    assert "no such folder" in capfd.readouterr().err
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/x.tflite").write_bytes(b"x")
    assert run("report", tmp_path) == 1
    assert "no bundle" in capfd.readouterr().err
    assert run("report", tmp_path, "--threads", "0,2") == 1
    assert "--threads 0,2" in capfd.readouterr().err


def test_without_float32_no_loss_is_told(place: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("toy-int8", "toy-pruned"):
        (tmp_path / f"{name}.tflite").write_bytes((place / f"pages/{name}.tflite").read_bytes())
    assert run("report", tmp_path, *QUICK) == 0
    assert "There is no unchanged float32 bundle" in capfd.readouterr().out
    assert {one["state"] for one in variants(values(tmp_path)).values()} == {"unknown"}
    (tmp_path / "toy-int8.tflite").unlink()
    (tmp_path / "toy-pruned.tflite").write_bytes((place / "pages/toy-float32.tflite").read_bytes())
    assert run("report", tmp_path, *QUICK) == 0
    assert "only one bundle" in capfd.readouterr().out


def test_a_folder_that_cannot_be_written_is_named(
    place: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run("report", place / "pages", *QUICK, "-o", tmp_path / "file") == 1
    assert "cannot be written" in capfd.readouterr().err
