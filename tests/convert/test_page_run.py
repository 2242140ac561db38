"""A page model from its recipe to a bundle, its figures through the bundle, and its cross-validation, in seconds."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from ecgedge.bundle import Bundle, read_bundle, write_bundle  # noqa: E402
from ecgedge.cli import ecgedge, run_command  # noqa: E402
from ecgedge.decide import Decision  # noqa: E402
from ecgedge.errors import DataError, InputError  # noqa: E402
from ecgedge.golden import selftest  # noqa: E402
from ecgedge.page_engine import PageEngine  # noqa: E402
from ecgedge.runtime import TensorSpec  # noqa: E402
from ecgedge_convert.commands.crossval import crossval  # noqa: E402
from ecgedge_convert.page_crossval import CrossvalPlan, cross_validate, crossval_json  # noqa: E402
from ecgedge_convert.page_export import PageModelFacts, bare_bundle, outputs_of  # noqa: E402
from ecgedge_convert.page_run import output_shapes  # noqa: E402
from ecgedge_convert.quantise import to_int8  # noqa: E402
from ecgedge_train.datasets import PAGE_DATASETS  # noqa: E402
from ecgedge_train.datasets.ecg_images import ReportImage  # noqa: E402
from ecgedge_train.pages import cache  # noqa: E402
from ecgedge_train.pages.crew import joined  # noqa: E402
from ecgedge_train.pages.deletion import deletion_curves  # noqa: E402
from ecgedge_train.pages.evaluate import Question, evaluate_page_bundle  # noqa: E402
from ecgedge_train.pages.figures import page_figures  # noqa: E402
from ecgedge_train.pages.fit import predict  # noqa: E402
from ecgedge_train.pages.recipe import read_page_recipe  # noqa: E402
from ecgedge_train.pages.stamp import card_entry, with_figures  # noqa: E402
from tests.convert.small_runs import invented_pages, page_recipe  # noqa: E402
from tests.train.page_pools import PIPELINE, REFUSED, pool, toy_model  # noqa: E402

N = 180
RECIPE = page_recipe("inner_folds = 2", filters=6, epochs=12)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data set of files whose pages were read before: the cache holds them; the recipe lies beside."""
    folder = tmp_path_factory.mktemp("place")
    patch = pytest.MonkeyPatch()
    invented_pages(folder, patch, n=N, refused=REFUSED)
    (folder / "toy.toml").write_text(RECIPE)
    yield folder
    patch.undo()


def run(*arguments: str | Path) -> int:
    if "crossval" not in ecgedge.commands:
        ecgedge.add_command(crossval)
    return run_command(ecgedge, [str(word) for word in arguments], program="ecgedge")


@pytest.fixture(scope="module")
def bundle(place: Path) -> Bundle:
    """Trained and converted by the commands."""
    assert run("train", place / "toy.toml", "-o", place / "run") == 0
    assert run("convert", place / "run", "--int8", "--calibrate", "ecg_images:120", "-o", place / "toy.tflite") == 0
    return read_bundle(place / "toy.tflite")


def test_a_run_leaves_what_must_be_known(bundle: Bundle, place: Path) -> None:
    folder = place / "run"
    facts = json.loads((folder / "training.json").read_text())
    assert facts["protocol"] == "by-number" and facts["held_out_fold"] == 4 and facts["refused_training_pages"] == 1
    assert sum(facts["training_pages"].values()) == 143
    assert facts["networks"] == {"inner0-member0": 12, "inner1-member0": 12, "member0": 12}
    assert facts["calibrated_on"].startswith("2 inner folds")
    assert (folder / "recipe.toml").read_text() == RECIPE
    trained = set(json.loads((folder / "pages.json").read_text())["trained_on"])
    assert len(trained) == 143 and f"{REFUSED}.png" not in trained
    assert all((folder / name).stat().st_size > 1000 for name in ("curves.png", "calibration.png"))
    conversion = bundle.manifest.training["conversion"]
    assert bundle.manifest.training == facts | {"conversion": conversion}
    assert conversion["variant"] == {"name": "int8", "kind": "int8", "target": "pi", "seed": 0}  # type: ignore[index,call-overload]
    assert conversion["calibration"]["data"] == "ecg_images" and conversion["calibration"]["count"] == 120  # type: ignore[index,call-overload]
    report = (folder / "report.md").read_text()
    assert "fold 4 of by-number, 5 folds, seed 0 was not opened" in report and "inner0-member0 12 epochs in" in report
    assert [tensor.name for tensor in bundle.manifest.outputs] == ["probabilities", "maps", "strip_maps"]
    assert all(check.passed for check in selftest(bundle))
    decision = Decision.from_manifest(bundle.manifest.decision)
    assert decision.conformal_quantile < 1 and decision.temperature != 1


@pytest.mark.usefixtures("bundle")
def test_figures_through_the_bundle(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = place / "figures.json"
    assert run("evaluate", place / "toy.tflite", "--json", out, "--report", place / "report", "--stamp") == 0
    said = capfd.readouterr().out
    assert "fold 4" in said and "not a medical device" in said
    found = json.loads(out.read_text())
    assert found["pages"] == len(found["answers"]) == found["answered"] + (REFUSED in _fold(place))
    assert found["figures"]["accuracy"] > 0.85 and found["intervals_95"]["accuracy"][0] < found["figures"]["accuracy"]
    assert found["sets"]["coverage"] > 0.8
    report = (place / "report/report.md").read_text()
    assert "not a medical device" in report and all(
        (place / "report" / name).is_file() for name in ("confusion.png", "roc.png", "reliability.png", "coverage.png")
    )
    assert "by-number, 5 folds, seed 0, fold 4" in read_bundle(place / "toy.tflite").card


def _fold(place: Path) -> set[int]:
    answers = json.loads((place / "figures.json").read_text())["answers"]
    return {int(answer["name"].partition(".")[0]) for answer in answers}


def test_a_fold_that_was_trained_on_is_refused(bundle: Bundle) -> None:
    with pytest.raises(DataError, match=r"leak: .* was trained on as .*; choose the fold that the bundle held out"):
        evaluate_page_bundle(bundle, images_of(), Question(fold=3))
    with pytest.raises(DataError, match="leak"):
        evaluate_page_bundle(bundle, images_of(), Question(protocol="leak-free", seed=1))
    with pytest.raises(InputError, match="fold 5 of 5"):
        evaluate_page_bundle(bundle, images_of(), Question(fold=5))


def test_another_data_set_is_noticed(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="cannot be dealt again"):
        evaluate_page_bundle(bundle, images_of()[:-1], Question())


def images_of() -> tuple[ReportImage, ...]:
    return tuple(PAGE_DATASETS["ecg_images"]())


def test_a_refused_page_counts_as_wrong(bundle: Bundle) -> None:
    files = list(images_of())
    evaluation = evaluate_page_bundle(bundle, files, Question())
    judged = evaluation.judged
    none = np.full_like(judged.probabilities[:1], np.nan)
    worse = replace(judged, probabilities=np.concatenate([none, judged.probabilities[1:]]))
    right = int(judged.called[0] == "normal mi abnormal history_mi".split()[judged.truth[0]])
    before, after = page_figures(judged, draws=20).classes, page_figures(worse, draws=20).classes
    assert after.answered == before.answered - 1
    assert after.accuracy == pytest.approx(before.accuracy - right / len(judged.names))
    twice = with_figures(with_figures(bundle, card_entry(evaluation, page_figures(judged, draws=20))), {"title": "x"})
    assert len(twice.manifest.figures) == 2


def test_the_maps_tell_what_the_answer_hangs_on(bundle: Bundle) -> None:
    pages = cache.page_inputs(images_of(), PIPELINE)
    curves = deletion_curves(PageEngine(bundle), pages, np.arange(20))
    assert curves is not None
    areas = curves.areas()
    assert areas["insertion"] > areas["random insertion"] and areas["deletion"] < areas["random deletion"]


@pytest.mark.usefixtures("bundle")
def test_crossval_goes_on_where_it_was(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    quick = RECIPE.replace("inner_folds = 2", "inner_share = 0.25")
    (place / "quick.toml").write_text(quick)
    recipe = read_page_recipe(place / "quick.toml")
    plan = CrossvalPlan("by-number", 3, (0,), only=(0, 1))
    trained: list[str] = []

    def advance(fold: str, name: str, loss: float) -> None:
        if loss:
            trained.append(f"{fold} {name}")

    found = cross_validate(recipe, images_of(), plan, place / "cross", advance=advance)
    assert len(trained) == 24 and len(found.quantised.names) == N * 2 / 3
    full = crossval_json(found)
    assert full["int8_calls_as_float"] > 0.95  # type: ignore[operator]
    assert full["int8"]["figures"]["accuracy"] > 0.8  # type: ignore[index,call-overload,operator]
    assert full["int8"]["answered"] == N * 2 / 3 - (f"{REFUSED}.png" in found.quantised.names)  # type: ignore[index,call-overload]
    (place / "cross/by-number-3-s0-f1/judged.npz").write_bytes(b"cut short")
    trained.clear()
    again = cross_validate(recipe, images_of(), plan, place / "cross", advance=advance)
    assert trained == []
    np.testing.assert_allclose(again.quantised.probabilities, found.quantised.probabilities, atol=1e-5)
    arguments = (
        "crossval",
        place / "quick.toml",
        "--folds",
        "3",
        "--only",
        "0,1",
        "-o",
        place / "cross",
        "--json",
        place / "c.json",
    )
    assert run(*arguments, "--stamp", str(place / "toy.tflite")) == 0
    assert "cross-validated in 3 folds, seeds 0" in read_bundle(place / "toy.tflite").card
    assert "float" in capfd.readouterr().out
    assert json.loads((place / "c.json").read_text())["folds_done"] == [[0, 0], [0, 1]]
    assert (place / "cross/by-number/report.md").is_file()


def test_what_does_not_fit_is_named(bundle: Bundle, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_bundle(bundle, place / "b.tflite")
    for arguments, said in (
        (("evaluate", place / "b.tflite", "--data", "mitdb"), "the bundle judges pages"),
        (("evaluate", "beat", "--protocol", "by-number"), "--protocol is for bundles that judge pages"),
        (("convert", place / "run", "--calibrate", "mitdb", "-o", place / "x.tflite"), "was trained on ecg_images"),
        (("train", place / "toy.toml", "--folds"), "for pages write: ecgedge crossval"),
        (("crossval", "train/recipes/beat.toml"), "for beats write"),
        (("crossval", place / "toy.toml", "--seeds", "a"), "whole numbers"),
        (("crossval", place / "toy.toml", "--only", "7"), "fold 7 of 5"),
    ):
        assert run(*arguments) == 1
        assert said in capfd.readouterr().err


def test_an_ensemble_becomes_one_int8_graph() -> None:
    pages = pool(120, refused=False)
    members = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        members.append(toy_model(pages.input_shapes, {}, keras=keras))
    model, inputs = joined(members), pages.take(np.arange(120))
    facts = PageModelFacts("two", PIPELINE, Decision(), {}, output_shapes(model))
    engine = PageEngine(bare_bundle(to_int8(model, inputs), facts))
    found = engine.outputs({name: values[:20] for name, values in inputs.items()})
    assert set(found) == {"probabilities", "maps", "strip_maps"}
    expected = predict(model, inputs)[:20]
    np.testing.assert_allclose(found["probabilities"], expected, atol=0.05)


def test_outputs_that_cannot_be_told_apart_are_refused() -> None:
    specs = tuple(
        TensorSpec(f"t{k}", k, shape, np.dtype(np.int8), 1.0, 0) for k, shape in enumerate([(1, 4), (1, 5, 4)])
    )
    assert {name: spec.name for name, spec in outputs_of(specs, {"maps": (5, 4), "probabilities": (4,)}).items()} == {
        "maps": "t1",
        "probabilities": "t0",
    }
    with pytest.raises(InputError, match="two have one shape"):
        outputs_of(specs, {"maps": (5, 4), "strip_maps": (5, 4), "probabilities": (4,)})
    with pytest.raises(InputError, match="are expected"):
        outputs_of(specs, {"probabilities": (4,)})
