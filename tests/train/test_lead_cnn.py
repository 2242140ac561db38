"""The lead network: its maps are its answer, its size, and that it looks at every lead by itself."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from ecgedge.errors import SettingsError  # noqa: E402
from ecgedge_train.models.lead_cnn import lead_cnn  # noqa: E402

SHAPES = {"leads": (12, 240, 2), "strip": (1, 960, 2)}


@pytest.fixture(scope="module")
def model() -> "keras.Model":
    keras.utils.set_random_seed(0)
    return lead_cnn(SHAPES, {}, keras=keras)


def pages(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.3, (n, *shape)).astype(np.float32) for name, shape in SHAPES.items()}


def test_the_means_of_the_maps_are_the_logits(model: "keras.Model") -> None:
    found = {name: np.asarray(values) for name, values in model.predict(pages(3), verbose=0).items()}
    logits = found["maps"].mean((1, 2)) + found["strip_maps"].mean((1, 2))
    odds = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(odds / odds.sum(1, keepdims=True), found["probabilities"], atol=1e-5)


def test_maps_run_over_time_leads_and_classes(model: "keras.Model") -> None:
    found = model.predict(pages(1), verbose=0)
    assert found["maps"].shape == (1, 30, 12, 4)
    assert found["strip_maps"].shape[:2] == (1, 1) and found["strip_maps"].shape[3] == 4


def test_two_leads_exchanged_are_another_page() -> None:
    keras.utils.set_random_seed(1)
    model = lead_cnn(SHAPES, {}, keras=keras)
    scales = model.get_layer("lead_scales")  # all 1 before training
    scales.set_weights([np.random.default_rng(2).normal(1, 0.5, weights.shape) for weights in scales.get_weights()])
    inputs = pages(1)
    inputs["leads"][:, 0] = 0  # two leads of like noise would look alike
    before = model.predict(inputs, verbose=0)["maps"].mean((1, 2))
    inputs["leads"] = inputs["leads"][:, [1, 0, *range(2, 12)]]
    after = model.predict(inputs, verbose=0)["maps"].mean((1, 2))
    assert np.abs(after - before).max() > 2e-4 * np.ptp(before)


def test_width_scales_its_size() -> None:
    sizes = [lead_cnn(SHAPES, {"width": width}, keras=keras).count_params() for width in (0.5, 1.0, 2.0)]
    assert sizes[0] < sizes[1] < 30_000 < sizes[2] < 200_000


def test_an_option_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match="unknown key 'widht'"):
        lead_cnn(SHAPES, {"widht": 0.5}, keras=keras)
    with pytest.raises(SettingsError, match="model lead_cnn: width 0; it must be above 0"):
        lead_cnn(SHAPES, {"width": 0.0}, keras=keras)
