"""The decision of a changed network: fitted again on the pages of its run, or kept with the reason said."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow_model_optimization", reason="the workshop's extra [convert] is not installed")

from ecgedge.decide import Decision, decide, prediction_set  # noqa: E402
from ecgedge_convert.calibration import calibration_of  # noqa: E402
from ecgedge_convert.changing.changes import Changed, changed  # noqa: E402
from ecgedge_convert.changing.decided import AGAIN, KEPT, Decided  # noqa: E402
from ecgedge_convert.changing.page_side import page_side  # noqa: E402
from ecgedge_convert.conversion import Workbench, convert_variant  # noqa: E402
from ecgedge_convert.convert_plan import carry_out, make_plan  # noqa: E402
from ecgedge_convert.convert_table import remarks  # noqa: E402
from ecgedge_convert.run import load_model  # noqa: E402
from ecgedge_convert.source import read_source  # noqa: E402
from ecgedge_convert.variant import Variant  # noqa: E402
from tests.convert.small_runs import beat_run, page_run  # noqa: E402

PRUNED = Variant("pruned", prune=0.6, epochs=1)
CALIBRATED = {"share": "inner_share = 0.2\nabstain_below = 0.3", "folds": "inner_folds = 2", "none": "inner_share = 0"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    patch, found = pytest.MonkeyPatch(), {}
    for name, calibrate in CALIBRATED.items():
        found[name] = page_run(tmp_path_factory.mktemp(name), patch, calibrate=calibrate, wrong=7)
    yield found | {"beat": beat_run(tmp_path_factory.mktemp("beat"), patch)}
    patch.undo()


def change(run: Path, variant: Variant = PRUNED, told: list[str] | None = None) -> tuple[Changed, Decided]:
    names: list[str] = [] if told is None else told
    found = changed(load_model(run), variant, run, root=None, advance=lambda name, *_: names.append(name))
    assert found.decided is not None
    return found, found.decided


def stated(run: Path) -> Decision:
    return Decision.from_manifest(json.loads((run / "settings.json").read_text())["decision"])


def covered(probabilities: np.ndarray, truth: np.ndarray, decision: Decision) -> float:
    sets = prediction_set(decide(probabilities, decision)[1], decision)
    return float(sets[np.arange(len(truth)), truth].mean())


def test_pages_that_training_held_back_say_it_again(runs: dict[str, Path]) -> None:
    found, decided = change(runs["share"])
    side = page_side(runs["share"], root=None)
    inputs, truth = side.pool.take(side.parts[0]), side.pool.classes[side.parts[0]]
    assert decided.decision is not None and decided.decision.abstain_below == 0.3
    assert covered(found.answers(inputs), truth, decided.decision) >= 0.9
    assert decided.facts["of"] == AGAIN and decided.facts["temperature"][0] == stated(runs["share"]).temperature
    assert decided.facts["temperature"][1] == decided.decision.temperature != stated(runs["share"]).temperature
    assert "24 training pages, which neither training nor fine-tuning learnt from" in decided.facts["fitted_on"]
    drawn = {
        row.tobytes()
        for epoch in range(2)
        for batch in side.lesson(0).batches(seed=0, epoch=epoch)
        for row in batch[0]["leads"]
    }
    assert not drawn & {row.tobytes() for row in inputs["leads"]}


def test_networks_of_inner_folds_are_changed_too(runs: dict[str, Path]) -> None:
    run, told = runs["folds"], []
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    _, decided = change(run, told=told)
    assert told == ["prune", "prune, inner fold 1 of 2", "prune, inner fold 2 of 2"]
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert decided.decision is not None and decided.facts["temperature"][0] == stated(run).temperature
    assert "120 training pages, each judged by the network of an inner fold" in decided.facts["fitted_on"]
    again = change(run)[1]
    assert again == decided
    whole = load_model(run)
    side = page_side(run, root=None)
    networks = side.networks(whole)
    assert networks is not None and len(networks) == 2
    assert not any(np.array_equal(networks[k].get_weights()[0], whole.get_weights()[0]) for k in range(2))


def test_rounded_and_taught_networks_too(runs: dict[str, Path]) -> None:
    rounded, decided = change(runs["share"], Variant("qat", qat=True, epochs=1))
    assert rounded.rounded and decided.facts["of"] == AGAIN
    _, decided = change(runs["share"], Variant("taught", teachers=(str(runs["folds"]),), epochs=1))
    assert decided.facts["of"] == AGAIN and "may have learnt" in decided.facts["teachers"]


def test_what_cannot_be_fitted_again_is_kept_with_its_reason(runs: dict[str, Path], tmp_path: Path) -> None:
    def kept(run: Path, why: str) -> None:
        _, decided = change(run)
        assert decided.decision is None and decided.facts["of"] == KEPT and why in decided.facts["why"]

    kept(runs["beat"], "its run fitted none")
    kept(runs["none"], "held back no pages")
    without = shutil.copytree(runs["folds"], tmp_path / "without")
    (without / "checkpoints/inner1-member0.npz").unlink()
    kept(without, "not in the run's checkpoints")
    other = shutil.copytree(runs["share"], tmp_path / "other")
    settings = json.loads((other / "settings.json").read_text())
    settings["decision"]["temperature"] *= 1.1
    (other / "settings.json").write_text(json.dumps(settings))
    kept(other, "not found again: temperature")


def test_bundles_and_table_say_whose_it_is(runs: dict[str, Path], tmp_path: Path) -> None:
    source = read_source(runs["share"])
    bench = Workbench(source, calibration_of(source, "ecg_images:110", root=None))
    variants = (Variant("int8"), PRUNED, replace(PRUNED, name="pruned-float", kind="float32"))
    rows = carry_out(make_plan(variants, tmp_path, name="toy"), bench)
    whole, *pruned = (row.made.bundle.manifest for row in rows if row.made is not None)
    assert "decision" not in whole.training["conversion"]
    assert Decision.from_manifest(whole.decision) == stated(runs["share"])
    for manifest in pruned:
        facts = manifest.training["conversion"]["decision"]
        assert facts["of"] == AGAIN and manifest.decision["temperature"] == facts["temperature"][1]
        assert manifest.decision["abstain_below"] == 0.3
    assert pruned[0].decision == pruned[1].decision
    (words,) = (words for words in remarks(rows) if "fitted again" in words)
    assert words.startswith("pruned, pruned-float: temperature and sets fitted again on 24 training pages")
    source = read_source(runs["none"])
    one = convert_variant(
        Workbench(source, calibration_of(source, "ecg_images:110", root=None)), PRUNED, name="toy"
    ).bundle.manifest
    assert one.training["conversion"]["decision"] == {"of": KEPT, "why": "its run held back no pages to fit one on"}
    assert one.decision["temperature"] == 1.0
