"""The image families: as published, maps that are the logits before their mean, ImageNet weights in their places."""

from pathlib import Path

import numpy as np
import pytest

from ecgedge.catalogue import data_roots
from ecgedge.errors import SettingsError
from ecgedge.page_images import PageImageSettings
from ecgedge_train.models.custom_cnn import custom_cnn
from ecgedge_train.models.freezing import HEAD, block_of, blocks_of, train_from
from ecgedge_train.models.imagenet import stem_for
from ecgedge_train.models.mobilenet import lay_backbone, mobilenet
from ecgedge_train.models.optimised_cnn import optimised_cnn
from ecgedge_train.models.page_models import page_model
from ecgedge_train.pages.recipe import read_page_recipe
from ecgedge_train.quiet import start_keras

start_keras()
import keras  # noqa: E402 - only after it was started quietly

RECIPES = Path(__file__).parents[2] / "train" / "recipes"
GREY = {"page": (64, 96, 1)}
FAMILIES = [
    (custom_cnn, {"width": 0.25}),
    (optimised_cnn, {"width": 0.125}),
    (mobilenet, {"version": 1, "width": 0.25, "blocks": 5}),
    (mobilenet, {"version": 2, "width": 0.35, "blocks": 5}),
]


@pytest.mark.parametrize(("family", "options"), FAMILIES)
def test_maps_are_the_logits_before_their_mean(family, options):
    model = family(GREY, options, keras=keras)
    pages = np.random.default_rng(0).random((3, 64, 96, 1), np.float32)
    found = {name: np.asarray(values) for name, values in model({"page": pages}).items()}
    logits = found["maps"].mean(axis=(1, 2))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)


@pytest.mark.parametrize(("family", "options"), FAMILIES)
def test_every_graph_is_flat_and_every_block_can_be_frozen(family, options):
    model = family(GREY, options, keras=keras)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    blocks = blocks_of(model)
    assert blocks[-1] == HEAD and len(blocks) >= 5
    train_from(model, blocks[2])
    frozen = {block_of(layer.name) for layer in model.layers if layer.weights and not layer.trainable}
    assert frozen == set(blocks[:2])
    train_from(model, blocks[0])
    assert all(layer.trainable for layer in model.layers)


def test_parameters_are_those_published():
    page = {"page": (384, 384, 1)}
    assert custom_cnn(page, {"head": "dense"}, keras=keras).count_params() == 423_172
    assert optimised_cnn(page, {"head": "dense"}, keras=keras).count_params() == 5_902_052
    assert set(custom_cnn(page, {"head": "dense"}, keras=keras).output) == {"probabilities"}


@pytest.mark.parametrize("path", sorted(RECIPES.glob("page-image*.toml")), ids=lambda path: path.stem)
def test_every_image_recipe_builds_its_model(path: Path):
    recipe = read_page_recipe(path)
    image = recipe.pipeline.inputs
    assert isinstance(image, PageImageSettings)
    options = {key: value for key, value in recipe.options.items() if key != "weights"}  # other tests load them
    shape = (image.height_px, image.width_px, image.channels)
    model = page_model(recipe.family)({"page": shape}, options, keras=keras)
    for stage in recipe.fit.unfreeze:
        train_from(model, stage.train_from)


def test_an_impossible_recipe_is_refused():
    with pytest.raises(SettingsError, match="did you mean 'width'"):
        custom_cnn(GREY, {"widht": 0.5}, keras=keras)
    with pytest.raises(SettingsError, match="choose one of cam, dense"):
        optimised_cnn(GREY, {"head": "attention"}, keras=keras)
    with pytest.raises(SettingsError, match="above 0"):
        custom_cnn(GREY, {"width": 0.0}, keras=keras)
    with pytest.raises(SettingsError, match="choose 1 or 2"):
        mobilenet(GREY, {"version": 3}, keras=keras)
    with pytest.raises(SettingsError, match="choose 1 to 17"):
        mobilenet(GREY, {"blocks": 18}, keras=keras)
    with pytest.raises(SettingsError, match=r"no ImageNet weights for MobileNet v2 of width 0\.4"):
        mobilenet(GREY, {"width": 0.4, "weights": "imagenet"}, keras=keras)
    with pytest.raises(SettingsError, match="no such file"):
        mobilenet(GREY, {"weights": "nowhere.h5"}, keras=keras)
    with pytest.raises(SettingsError, match="takes one page"):
        mobilenet({"leads": (12, 240, 2)}, {}, keras=keras)
    with pytest.raises(SettingsError, match="no block 'block_9'"):
        train_from(custom_cnn(GREY, {"width": 0.25}, keras=keras), "block_9")


@pytest.mark.parametrize(("version", "width", "channels"), [(1, 0.25, 3), (2, 0.35, 1)])
def test_weights_of_keras_applications_give_the_same_features(version, width, channels, tmp_path: Path):
    """Weights by chance, so that the test needs no network: every layer must land where it does over there."""
    theirs = _theirs(version, width)
    _shake(theirs)
    theirs.save_weights(str(tmp_path / "theirs.weights.h5"))
    options = {"version": version, "width": width, "weights": str(tmp_path / "theirs.weights.h5")}
    ours = _features(mobilenet({"page": (64, 96, channels)}, options, keras=keras))
    light = np.random.default_rng(1).random((1, 64, 96, channels), np.float32)
    colour = light if channels == 3 else np.repeat(light, 3, axis=3)
    expected = np.asarray(theirs(colour * 2 - 1))
    assert expected.std() > 0.01
    np.testing.assert_allclose(np.asarray(ours(1 - light)), expected, atol=1e-4)


def test_a_file_of_another_network_is_refused(tmp_path: Path):
    other = custom_cnn(GREY, {"width": 0.125}, keras=keras)
    other.save_weights(str(tmp_path / "other.weights.h5"))
    with pytest.raises(SettingsError, match=r"not the weights of mobilenet_v2_0\.35"):
        mobilenet(GREY, {"weights": str(tmp_path / "other.weights.h5"), "blocks": 1}, keras=keras)


def test_published_imagenet_weights_fit_layer_by_layer():
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
    found = next((path for root in data_roots() if (path := root / "weights" / name).is_file()), None)
    if found is None:
        pytest.skip(f"{name} is not on this machine")
    theirs = keras.applications.MobileNetV2(input_shape=(64, 96, 3), alpha=0.35, include_top=False, weights=str(found))
    ours = _features(mobilenet({"page": (64, 96, 3)}, {"weights": "imagenet"}, keras=keras))
    picture = np.random.default_rng(2).random((1, 64, 96, 3), np.float32)
    np.testing.assert_allclose(np.asarray(ours(1 - picture)), np.asarray(theirs(picture * 2 - 1)), atol=1e-3)


def test_the_stem_for_grey_is_the_sum_over_colours():
    kernel = np.arange(3 * 3 * 3 * 2, dtype=np.float32).reshape(3, 3, 3, 2)
    np.testing.assert_array_equal(stem_for(kernel, 1)[:, :, 0], kernel[:, :, 0] + kernel[:, :, 1] + kernel[:, :, 2])
    np.testing.assert_array_equal(stem_for(kernel, 3), kernel)


def test_the_backbone_keeps_as_many_blocks_as_asked():
    page = keras.layers.Input((64, 96, 1))
    whole = lay_backbone(page, version=2, width=0.35, keras=keras)
    assert tuple(whole.shape) == (None, 2, 3, 1280)
    assert tuple(lay_backbone(page, version=2, width=0.35, blocks=6, keras=keras).shape)[1:3] == (8, 12)


def _theirs(version: int, width: float) -> keras.Model:
    build = keras.applications.MobileNet if version == 1 else keras.applications.MobileNetV2
    return build(input_shape=(64, 96, 3), alpha=width, include_top=False, weights=None)


def _shake(model: keras.Model) -> None:
    """Statistics and offsets by chance too, or a norm in the wrong place would not be seen."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])


def _features(model: keras.Model) -> keras.Model:
    return keras.Model(model.input, model.get_layer("head_dropout").input)
