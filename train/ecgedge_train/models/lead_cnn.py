"""Twelve leads and a rhythm strip -> four classes, with class-activation maps over time and leads inside the graph.

Convolutions `(1, k)` are shared over leads; what several leads say together comes in through a depthwise kernel that
spans all twelve, and is handed back to each of them. The last layers are linear in every lead's own features, so that
the mean of the maps is the logit: no gradients are needed to see what was looked at. About 30,000 parameters.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import types

    import keras

_TRUNK = ((16, 9), (24, 7), (32, 5))
"""Filters at width 1 and kernel in samples of each block; every block halves the time resolution."""
_STRIP = ((12, 9, 3), (16, 7, 3), (24, 5, 2))
"""The same for the strip, with the pooling of each block."""
_JOINT = 48
_CLASSES = 4


def lead_cnn(
    input_shapes: Mapping[str, tuple[int, ...]],
    options: Mapping[str, float | int | str | bool],
    *,
    keras: "types.ModuleType",
) -> "keras.Model":
    """Build the network.

    Parameters
    ----------
    input_shapes : `leads` (12, n_samples, 2) and `strip` (1, n_samples, 2)
    options : `width` multiplies all filters (1.0), `dropout` is the share dropped before the maps (0.3)

    Returns
    -------
    Model with outputs `probabilities` (n, 4), `maps` (n, time, 12, 4) and `strip_maps` (n, 1, time, 4).
    """
    width, dropped = float(options.get("width", 1.0)), float(options.get("dropout", 0.3))
    layers = keras.layers
    leads, strip = (layers.Input(input_shapes[name], name=name) for name in ("leads", "strip"))
    maps = _lead_maps(leads, width=width, dropped=dropped, keras=keras)
    strip_maps = _strip_maps(strip, width=width, dropped=dropped, keras=keras)
    from_leads = layers.GlobalAveragePooling2D(name="lead_logits")(maps)
    from_strip = layers.GlobalAveragePooling2D(name="strip_logits")(strip_maps)
    logits = layers.Add(name="logits")([from_leads, from_strip])
    probabilities = layers.Softmax(name="probabilities")(logits)
    outputs = {"probabilities": probabilities, "maps": maps, "strip_maps": strip_maps}
    return keras.Model({"leads": leads, "strip": strip}, outputs, name="lead_cnn")


def _block(
    x: "keras.KerasTensor", filters: int, kernel: int, *, pool: int, name: str, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    layers = keras.layers
    x = layers.Conv2D(filters, (1, kernel), padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    x = layers.ReLU(name=f"{name}_relu")(x)
    return layers.MaxPool2D((1, pool), name=f"{name}_pool")(x)


def _lead_maps(
    leads: "keras.KerasTensor", *, width: float, dropped: float, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """(n, 12, samples, 2) -> (n, time, 12, 4)."""
    layers = keras.layers
    own = leads
    for number, (filters, kernel) in enumerate(_TRUNK):
        own = _block(own, _scaled(filters, width), kernel, pool=2, name=f"lead{number}", keras=keras)
    n_leads, features = own.shape[1], own.shape[3]
    joint = layers.DepthwiseConv2D((n_leads, 1), depth_multiplier=2, use_bias=False, name="across")(own)
    joint = layers.ReLU(name="across_relu")(layers.BatchNormalization(name="across_norm")(joint))
    joint = _block(joint, _scaled(_JOINT, width), 3, pool=1, name="joint", keras=keras)
    told = layers.Conv2D(features, (1, 1), name="told")(joint)
    told = layers.UpSampling2D((n_leads, 1), name="told_all")(told)
    both = layers.ReLU(name="both_relu")(layers.Add(name="both")([own, told]))
    both = layers.SpatialDropout2D(dropped, name="lead_dropout")(both)
    both = layers.Permute((2, 1, 3), name="time_first")(both)
    return _own_linear(both, keras=keras)


def _own_linear(x: "keras.KerasTensor", *, keras: "types.ModuleType") -> "keras.KerasTensor":
    """(n, time, leads, features) -> (n, time, leads, 4): a linear layer of its own for every lead."""
    layers = keras.layers
    time, leads, features = x.shape[1:]
    flat = layers.Reshape((1, time, leads * features), name="lead_features")(x)
    parts = layers.DepthwiseConv2D((1, 1), depth_multiplier=_CLASSES, name="lead_weights")(flat)
    parts = layers.Reshape((time * leads, features, _CLASSES), name="lead_parts")(parts)
    summed = layers.AveragePooling2D((1, features), name="lead_sum")(parts)
    return layers.Reshape((time, leads, _CLASSES), name="maps")(summed)


def _strip_maps(
    strip: "keras.KerasTensor", *, width: float, dropped: float, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """(n, 1, samples, 2) -> (n, 1, time, 4)."""
    layers = keras.layers
    x = strip
    for number, (filters, kernel, pool) in enumerate(_STRIP):
        x = _block(x, _scaled(filters, width), kernel, pool=pool, name=f"strip{number}", keras=keras)
    x = layers.SpatialDropout2D(dropped, name="strip_dropout")(x)
    return layers.Conv2D(_CLASSES, (1, 1), name="strip_maps")(x)


def _scaled(filters: int, width: float) -> int:
    """Filters at a width, a multiple of 4, at least 4."""
    return max(4, 4 * round(filters * width / 4))
