"""One network of a page model: killed and resumed is as uninterrupted; it stops early, thaws, learns from teachers."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="training needs the extra [train]")
pytest.importorskip("tensorflow", reason="training needs the extra [train]")

from ecgedge.errors import SettingsError  # noqa: E402
from ecgedge_train.models.page_models import PAGE_MODELS, page_model  # noqa: E402
from ecgedge_train.pages.augment_leads import LeadAugmentation  # noqa: E402
from ecgedge_train.pages.fit import fit_page_model, has_ended, predict_rows  # noqa: E402
from ecgedge_train.pages.lesson import PageLesson  # noqa: E402
from ecgedge_train.pages.recipe import PageFit, UnfreezeStage  # noqa: E402
from tests.train.page_pools import pool, toy_model  # noqa: E402

POOL = pool(60)
ROWS = POOL.readable(np.arange(48))
HELD_BACK = np.arange(48, 60)
FAST = PageFit(epochs=4, batch=16, learning_rate=0.01, warm_up_epochs=0.5, mixup=0.2)


def lesson(fit: PageFit = FAST, **changes: object) -> PageLesson:
    return replace(PageLesson(POOL, ROWS, HELD_BACK, fit, LeadAugmentation()), **changes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PAGE_MODELS, "toy", toy_model)


class Killed(Exception):
    """Stands for a kill."""


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole, history = fit_page_model(lesson(), "toy", {}, seed=3)
    epochs = iter(range(2))

    def advance(loss: float) -> None:
        assert loss > 0
        if next(epochs, None) is None:
            raise Killed

    with pytest.raises(Killed):
        fit_page_model(lesson(), "toy", {}, seed=3, checkpoint=tmp_path / "one.npz", advance=advance)
    said: list[float] = []
    again, same = fit_page_model(lesson(), "toy", {}, seed=3, checkpoint=tmp_path / "one.npz", advance=said.append)
    assert said[:3] == [0.0, 0.0, 0.0] and len(said) == 4
    assert [row["loss"] for row in same] == pytest.approx([row["loss"] for row in history], abs=1e-5)
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


PROGRAM = """
import sys
from pathlib import Path
from tests.train.test_page_fit import FAST, PAGE_MODELS, lesson, toy_model
from ecgedge_train.pages.fit import fit_page_model
from dataclasses import replace
PAGE_MODELS["toy"] = toy_model
fit, said = replace(FAST, epochs=10_000), lambda loss: print(flush=True)
fit_page_model(lesson(fit), "toy", {}, seed=3, checkpoint=Path(sys.argv[1]), advance=said)
"""


def test_a_process_that_is_killed_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "one.npz"
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    program = [sys.executable, "-c", PROGRAM, str(checkpoint)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"\n", b"\n"]
        process.send_signal(signal.SIGKILL)
    with np.load(checkpoint, allow_pickle=False) as kept:
        done = len(json.loads(str(kept["history"])))
    assert done >= 2
    fit = replace(FAST, epochs=done + 1)
    said: list[float] = []
    fit_page_model(lesson(fit), "toy", {}, seed=3, checkpoint=checkpoint, advance=said.append)
    assert said[:-1] == [0.0] * done and said[-1] > 0


def test_a_damaged_checkpoint_begins_again(tmp_path: Path) -> None:
    (tmp_path / "one.npz").write_bytes(b"PK\x03\x04 nothing")
    _, history = fit_page_model(lesson(replace(FAST, epochs=1)), "toy", {}, seed=0, checkpoint=tmp_path / "one.npz")
    assert [row["epoch"] for row in history] == [0]


def test_a_checkpoint_of_another_network_begins_again(tmp_path: Path) -> None:
    fit = replace(FAST, epochs=1)
    for filters in (4, 8):
        _, history = fit_page_model(lesson(fit), "toy", {"filters": filters}, seed=0, checkpoint=tmp_path / "one.npz")
        assert history[0]["loss"] > 0
    said: list[float] = []
    fit_page_model(lesson(fit), "toy", {"filters": 4}, seed=0, checkpoint=tmp_path / "one.npz", advance=said.append)
    assert said[0] > 0


def test_it_learns_what_there_is_to_learn() -> None:
    fit = PageFit(epochs=40, batch=16, learning_rate=0.02, schedule="constant", class_weights="balanced")
    model, history = fit_page_model(lesson(fit, augment=None), "toy", {}, seed=0)
    found = predict_rows(model, POOL, HELD_BACK).argmax(axis=1)
    assert (found == POOL.classes[HELD_BACK]).mean() > 0.9
    assert history[-1]["held_back_accuracy"] > 0.9 > history[0]["held_back_accuracy"]


def test_it_stops_early_and_takes_the_best() -> None:
    fit = PageFit(epochs=30, batch=16, learning_rate=0.5, schedule="constant", patience=2)
    model, history = fit_page_model(lesson(fit), "toy", {}, seed=0)
    losses = [row["held_back_loss"] for row in history]
    assert len(history) < 30 and len(losses) - 1 - int(np.argmin(losses)) == 2
    said = predict_rows(model, POOL, HELD_BACK)
    loss = -np.log(np.maximum(said[np.arange(12), POOL.classes[HELD_BACK]], 1e-7)).mean()
    assert loss == pytest.approx(min(losses), rel=1e-3)
    assert not has_ended(history[:2], 2) and has_ended(history, 2) and not has_ended(history, 0)


def test_frozen_blocks_stand_still_until_their_epoch() -> None:
    stages = (UnfreezeStage(0, "head"), UnfreezeStage(2, "block_1"))
    keras.utils.set_random_seed(0)
    fresh = toy_model(POOL.input_shapes, {}, keras=keras)
    moved = []
    for epochs in (2, 3):
        fit = replace(FAST, epochs=epochs, schedule="constant", unfreeze=stages)
        model, _ = fit_page_model(lesson(fit), "toy", {}, seed=0)
        layers = [(model.get_layer(name), fresh.get_layer(name)) for name in ("block_1_conv", "head_maps")]
        moved.append([not np.array_equal(one.get_weights()[0], twin.get_weights()[0]) for one, twin in layers])
    assert moved == [[False, True], [True, True]]


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "focal"},
        {"class_weights": "none", "class_copies": (1, 3, 1, 0)},
        {"weight_decay": 0.0, "label_smoothing": 0.0},
    ],
)
def test_every_way_of_training_runs(changes: dict[str, object]) -> None:
    fit = replace(FAST, epochs=1, **changes)  # type: ignore[arg-type]
    model, history = fit_page_model(lesson(fit), "toy", {}, seed=0)
    assert np.isfinite(history[0]["loss"])
    assert np.allclose(predict_rows(model, POOL, HELD_BACK).sum(axis=1), 1, atol=1e-5)


def test_copies_weights_and_teachers_in_the_batches() -> None:
    fit = PageFit(batch=10, class_weights="balanced", class_copies=(1, 2, 1, 0))
    teach = lesson(fit, augment=None, teach=lambda inputs: np.full((len(inputs["leads"]), 4), 0.25), teach_share=0.5)
    batches = list(teach.batches(seed=0, epoch=0))
    assert len(batches) == teach.steps_per_epoch == -(-(12 + 24 + 12) // 10)
    targets = np.concatenate([targets for _, targets, _ in batches])
    assert sorted({round(float(v), 3) for v in targets.ravel()}) == [0.125, 0.625]
    shown = np.bincount(targets.argmax(1), minlength=4)
    assert shown[3] == 0 and shown[1] > shown[0]
    weights = np.concatenate([weights for _, _, weights in batches])
    assert weights[targets.argmax(1) == 0][0] == pytest.approx(2 * weights[targets.argmax(1) == 1][0])
    assert weights.mean() == pytest.approx(1, abs=0.1)
    once, twice = (next(teach.batches(seed=0, epoch=epoch))[0]["leads"] for epoch in (1, 1))
    np.testing.assert_array_equal(once, twice)
    assert not np.array_equal(once, next(teach.batches(seed=0, epoch=2))[0]["leads"])


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(SettingsError, match=f"choose one of {', '.join(sorted(PAGE_MODELS))}"):
        page_model("resnet")
