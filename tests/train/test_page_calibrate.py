"""Temperature and conformal quantile do what they promise, on probabilities whose truth is drawn from themselves."""

import numpy as np
import pytest

from ecgedge.class_metrics import expected_calibration_error
from ecgedge.decide import Decision, decide, prediction_set
from ecgedge.errors import InputError
from ecgedge_train.pages.calibrate import calibrated, conformal_quantile, fit_temperature


def drawn(n: int, *, sharpened: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities raised to a power, and truths drawn from them as they were before."""
    rng = np.random.default_rng(seed)
    honest = rng.dirichlet([0.7] * 4, n)
    truth = np.array([rng.choice(4, p=row) for row in honest], np.int64)
    said = honest**sharpened
    return (said / said.sum(1, keepdims=True)).astype(np.float32), truth


@pytest.mark.parametrize("sharpened", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_what_was_sharpened(sharpened: float) -> None:
    said, truth = drawn(4000, sharpened=sharpened, seed=0)
    assert fit_temperature(said, truth) == pytest.approx(sharpened, rel=0.12)


def test_calibration_mends_sureness_on_pages_not_seen() -> None:
    decision = calibrated(*drawn(3000, sharpened=2.5, seed=0), coverage=0.9)
    said, truth = drawn(3000, sharpened=2.5, seed=1)
    after = decide(said, decision)[1]
    before = expected_calibration_error(said.astype(np.float64), truth)
    assert expected_calibration_error(after.astype(np.float64), truth) < min(0.03, before / 3)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_hold_the_truth_as_often_as_promised(coverage: float) -> None:
    decision = calibrated(*drawn(3000, sharpened=1.5, seed=0), coverage=coverage)
    said, truth = drawn(3000, sharpened=1.5, seed=1)
    kept = prediction_set(decide(said, decision)[1], decision)
    assert kept[np.arange(len(truth)), truth].mean() == pytest.approx(coverage, abs=0.02)


def test_the_quantile_by_hand() -> None:
    """Scores .05, .10 ... .95: of 19 pages, (19 + 1) * .9 is the 18th smallest."""
    said = np.zeros((19, 4), np.float32)
    said[:, 0] = 1 - 0.05 * np.arange(1, 20)
    assert conformal_quantile(said, np.zeros(19, np.int64), coverage=0.9) == pytest.approx(0.90, abs=1e-6)
    assert conformal_quantile(said[:5], np.zeros(5, np.int64), coverage=0.9) == 1.0


def test_too_few_pages_are_refused() -> None:
    with pytest.raises(InputError, match="19 pages to calibrate with; at least 20"):
        calibrated(*drawn(19, sharpened=1.0, seed=0), coverage=0.9)


def test_what_the_recipe_says_of_abstention_is_kept() -> None:
    found = calibrated(*drawn(50, sharpened=1.0, seed=0), coverage=0.9, abstain_below=0.4)
    assert isinstance(found, Decision) and found.abstain_below == 0.4
