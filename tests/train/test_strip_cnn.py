"""Cutting a page into rows inside the graph: what it reads, what it must not depend on, what it refuses."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="training needs the extra [train]")

from ecgedge.errors import SettingsError  # noqa: E402
from ecgedge_train.models.freezing import blocks_of, train_from  # noqa: E402
from ecgedge_train.models.strip_cnn import StripCnnOptions, strip_cnn  # noqa: E402

HEIGHT_PX, WIDTH_PX = 160, 256
SHAPE = {"page": (HEIGHT_PX, WIDTH_PX, 1)}
PLACES = StripCnnOptions()


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return strip_cnn(SHAPE, {"width": 0.25}, keras=keras)


def page(heights_px: np.ndarray) -> np.ndarray:
    """One page with a line 3 px thick in every row, `heights_px` (4, width) above its zero line."""
    drawn = np.zeros((1, HEIGHT_PX, WIDTH_PX, 1), np.float32)
    for row, heights in enumerate(heights_px):
        zero = round((PLACES.first_row + row * PLACES.row_distance) * HEIGHT_PX)
        for column, height in enumerate(heights.astype(int)):
            drawn[0, zero - height - 1 : zero - height + 2, column] = 1
    return drawn


def edges(model, drawn: np.ndarray) -> np.ndarray:
    return np.asarray(keras.Model(model.input, model.get_layer("stem_level").output)({"page": drawn}))[0]


def test_the_graph_reads_the_curves_heights(model):
    curves = np.round(np.random.default_rng(0).uniform(-9, 9, (4, 8))).repeat(WIDTH_PX // 8, axis=1)
    upper, lower = np.moveaxis(edges(model, page(curves)), -1, 0)
    step = 0.98 / (2 * round(PLACES.reach * HEIGHT_PX) - 1)  # of the ruler, from pixel to pixel
    level = curves - curves.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(upper, level * step, atol=1e-5)
    np.testing.assert_allclose(lower, -level * step, atol=1e-5)


def test_it_does_not_matter_how_high_the_rows_lie(model):
    curves = np.round(np.random.default_rng(1).uniform(-9, 0, (4, 8))).repeat(WIDTH_PX // 8, axis=1)
    np.testing.assert_allclose(edges(model, page(curves + 6)), edges(model, page(curves)), atol=1e-5)


def test_faint_ink_is_read_as_high_as_black_ink(model):
    curves = np.zeros((4, WIDTH_PX))
    curves[:, 100:120] = 8
    np.testing.assert_allclose(edges(model, page(curves) * 0.4), edges(model, page(curves)), atol=1e-5)


def test_maps_lie_where_the_leads_are_and_are_the_logits(model):
    drawn = np.random.default_rng(2).random((2, HEIGHT_PX, WIDTH_PX, 1), np.float32)
    found = {name: np.asarray(values) for name, values in model({"page": drawn}).items()}
    assert found["maps"].shape == (2, 4, WIDTH_PX // 8, 4)
    logits = found["maps"].mean(axis=(1, 2))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)


def test_beside_the_leads_maps_are_zero():
    margins = strip_cnn(SHAPE, {"width": 0.25, "left": 0.068, "right": 0.958}, keras=keras)
    maps = np.asarray(margins({"page": np.random.default_rng(2).random((1, HEIGHT_PX, WIDTH_PX, 1))})["maps"])
    beside = np.flatnonzero((maps == 0).all(axis=(0, 1, 3)))
    assert set(beside) == {0, 1, 30, 31}


def test_every_lead_is_told_from_the_others(model):
    """The same beats in another lead give another answer, which a CNN with plain pooling could not."""
    scale = model.get_layer("block_3_own_scale")
    kept = scale.get_weights()
    scale.set_weights([np.random.default_rng(3).normal(size=weight.shape) for weight in kept])
    curves = np.zeros((2, 4, WIDTH_PX))
    curves[0, 0, 20:24] = curves[1, 0, 84:88] = 9  # the same in the first lead of the row and in the second
    answers = np.asarray(model({"page": np.concatenate([page(each) for each in curves])})["maps"]).mean(axis=(1, 2))
    scale.set_weights(kept)
    assert np.abs(answers[0] - answers[1]).max() > 1e-3


def test_the_rulers_stay_as_they_are(model):
    frozen = {layer.name for layer in model.layers if layer.weights and not layer.trainable}
    assert frozen == {"stem_upper_ruler", "stem_lower_ruler"}
    train_from(model, "stem")
    assert frozen == {layer.name for layer in model.layers if layer.weights and not layer.trainable}
    assert blocks_of(model) == ("stem", "block_0", "block_1", "block_2", "block_3", "head")


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((160, 256, 3), {}, "3 channels of 256 px"),
        ((160, 250, 1), {}, "a width that 8 divides"),
        (SHAPE["page"], {"rows": 5}, "5 rows from"),
        (SHAPE["page"], {"reach": 0.0}, "reach 0"),
        (SHAPE["page"], {"left": 0.9, "right": 0.8}, "left below right"),
        (SHAPE["page"], {"left": 0.99}, "leads of 1 px"),
        (SHAPE["page"], {"row": 4}, "did you mean 'rows'"),
    ],
)
def test_impossible_places_are_refused(shape, options, message):
    with pytest.raises(SettingsError, match=message):
        strip_cnn({"page": shape}, options, keras=keras)
