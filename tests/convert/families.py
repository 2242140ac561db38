"""A network of every family, with weights as training would leave them, and how far two networks differ."""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from ecgedge_convert.changing.graph import FloatArray
from ecgedge_train.models import build_model
from ecgedge_train.models.page_models import PAGE_MODELS
from ecgedge_train.quiet import start_keras

start_keras()
import keras  # noqa: E402

Built = Callable[[ModuleType], "keras.Model"]
_LEADS = {"leads": (12, 240, 2), "strip": (1, 960, 2)}
_PAGE = {"page": (96, 160, 1)}
FAMILIES: dict[str, Built] = {
    "beat": lambda kit: build_model(("beat_mlp", "beat_mlp", "beat_cnn"), 49, 96, keras=kit),
    "beat_cnn": lambda kit: build_model(("beat_cnn",), 49, 96, keras=kit),
    "custom_cnn": lambda kit: PAGE_MODELS["custom_cnn"](_PAGE, {"width": 0.25}, keras=kit),
    "dense head": lambda kit: PAGE_MODELS["custom_cnn"](_PAGE, {"width": 0.25, "head": "dense"}, keras=kit),
    "lead_cnn": lambda kit: PAGE_MODELS["lead_cnn"](_LEADS, {}, keras=kit),
    "mobilenet": lambda kit: PAGE_MODELS["mobilenet"](_PAGE, {}, keras=kit),
    "mobilenet v1": lambda kit: PAGE_MODELS["mobilenet"](_PAGE, {"version": 1, "width": 0.25}, keras=kit),
    "optimised_cnn": lambda kit: PAGE_MODELS["optimised_cnn"](_PAGE, {"width": 0.125}, keras=kit),
    "strip_cnn": lambda kit: PAGE_MODELS["strip_cnn"](_PAGE, {}, keras=kit),
}


def with_norms_moved(model: "keras.Model") -> "keras.Model":
    """No weight at the value that a fresh layer has: what is lost on the way would not be seen."""
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if not layer.name.endswith("_ruler"):
            layer.set_weights([values + 0.1 * (rng.random(values.shape) - 0.4) for values in layer.get_weights()])
    return model


def difference(one: "keras.Model", other: "keras.Model") -> float:
    """Largest difference of any output, on noise, as a share of its largest value where that is above 1."""
    rng = np.random.default_rng(0)
    inputs = {tensor.name.split(":")[0]: rng.random((3, *tensor.shape[1:])).astype(np.float32) for tensor in one.inputs}
    found = [_said(model, inputs) for model in (one, other)]
    assert [each.shape for each in found[0]] == [each.shape for each in found[1]]
    return max(float(np.abs(a - b).max() / max(1, np.abs(a).max())) for a, b in zip(*found, strict=True))


def _said(model: "keras.Model", inputs: dict[str, FloatArray]) -> list[FloatArray]:
    said = model(next(iter(inputs.values())) if isinstance(model, keras.Sequential) else inputs, training=False)
    return [np.asarray(said[name]) for name in sorted(said)] if isinstance(said, dict) else [np.asarray(said)]
