"""All networks of a page model: an ensemble is the mean of its members, and nothing sees a page it must not see."""

from dataclasses import replace

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="training needs the extra [train]")
pytest.importorskip("tensorflow", reason="training needs the extra [train]")

from ecgedge_train.models.page_models import PAGE_MODELS  # noqa: E402
from ecgedge_train.pages.crew import joined, networks, train_crew  # noqa: E402
from ecgedge_train.pages.fit import predict  # noqa: E402
from ecgedge_train.pages.pool import PagePool  # noqa: E402
from ecgedge_train.pages.recipe import Calibration, Distillation, PageFit  # noqa: E402
from tests.train.page_pools import REFUSED, pool, recipe, toy_model  # noqa: E402

FIT = PageFit(epochs=3, batch=16, learning_rate=0.01)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PAGE_MODELS, "toy", toy_model)


def spoilt_outside(pages: PagePool, rows: np.ndarray) -> PagePool:
    """Pages beyond the rows become NaN, so that a network that touches one is found out."""
    beyond = np.setdiff1d(pages.picture[pages.read], pages.picture[rows])
    pictures = {name: values.copy() for name, values in pages.pictures.items()}
    for values in pictures.values():
        values[beyond] = np.nan
    return replace(pages, pictures=pictures)


def test_nothing_but_the_training_rows_is_touched_by_teachers_students_and_calibration() -> None:
    asked = replace(recipe(FIT, Calibration(inner_folds=2)), distil=Distillation(teachers=1, share=0.5, epochs=2))
    rows = np.arange(60)
    pages = pool(80)
    found = train_crew(spoilt_outside(pages, pages.readable(rows)), rows, asked, seed=1)
    assert all(np.isfinite(values).all() for values in found.model.get_weights())
    assert sorted(found.unseen.tolist()) == [row for row in rows if row != REFUSED]
    assert np.isfinite(found.unseen_probabilities).all()
    assert found.decision.temperature > 0 and 0 < found.decision.conformal_quantile <= 1
    assert {name: len(history) for name, history in found.history.items()} == dict(networks(asked))


def test_members_answer_together_and_learn_from_all_teachers() -> None:
    asked = replace(
        recipe(FIT, Calibration(inner_share=0.4)),
        members=2,
        distil=Distillation(teachers=2, share=1.0, temperature=2.0),
    )
    pages = pool(80)
    found = train_crew(pages, np.arange(70), asked)
    assert list(found.history) == ["teacher0", "teacher1", "member0", "member1"]
    assert all("held_back_loss" in rows[0] for rows in found.history.values())
    assert set(found.model.output) == {"probabilities", "maps", "strip_maps"}
    assert found.model.count_params() == 2 * toy_model(pages.input_shapes, {}, keras=keras).count_params()


def test_an_ensemble_is_the_mean_of_its_members() -> None:
    pages = pool(20)
    inputs = pages.take(pages.readable(np.arange(20)))
    members = []
    for seed in (1, 2, 3):
        keras.utils.set_random_seed(seed)
        members.append(toy_model(pages.input_shapes, {}, keras=keras))
    mean = np.mean([predict(member, inputs) for member in members], axis=0)
    np.testing.assert_allclose(predict(joined(members), inputs), mean, atol=1e-6)
    assert joined(members[:1]) is members[0]


def test_with_inner_folds_the_last_network_trains_as_long_as_the_inner_ones_needed() -> None:
    fit = PageFit(epochs=20, batch=16, learning_rate=0.5, schedule="constant", patience=1)
    found = train_crew(pool(60), np.arange(60), recipe(fit, Calibration(inner_folds=2)))
    best = [
        1 + int(np.argmin([row["held_back_loss"] for row in rows]))
        for name, rows in found.history.items()
        if name.startswith("inner")
    ]
    assert len(found.history["member0"]) == max(1, round(float(np.median(best))))
    assert "held_back_loss" not in found.history["member0"][0]
    assert found.calibrated_on.startswith("2 inner folds")


def test_without_pages_held_back_nothing_is_calibrated() -> None:
    found = train_crew(pool(40), np.arange(40), recipe(replace(FIT, epochs=1), Calibration(inner_share=0.0)))
    assert len(found.unseen) == 0 and found.decision.temperature == 1 and found.decision.conformal_quantile == 1
    assert "nothing" in found.calibrated_on
