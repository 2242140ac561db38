"""Twelve leads and a rhythm strip -> four classes, with class-activation maps over time and leads inside the graph.

Convolutions `(1, k)` are shared over leads; what several leads say together comes in through a depthwise kernel that
spans all twelve, and is handed back to each of them. Every lead then has a scale and an offset of its own for each
feature, since the same wave means another thing in V1 than in V6. What follows is linear, so that the mean of the maps
is the logit: no gradients are needed to see what was looked at. About 30,000 parameters.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecgedge_train.models.image_head import (
    MOMENTUM,
    N_CLASSES,
    InputShapes,
    Options,
    read_options,
    require_width,
    scaled,
)

if TYPE_CHECKING:
    import types

    import keras

_TRUNK = ((16, 9, 2), (24, 7, 2), (32, 5, 2))
"""Filters at width 1, kernel and stride in samples of each block."""
_STRIP = ((12, 9, 3), (16, 7, 3), (24, 5, 2))
"""The same for the strip."""
_JOINT = 48


@dataclass(frozen=True, slots=True)
class LeadCnnOptions:
    """What a recipe may set."""

    width: float = 1.0
    """Share of the filters."""
    dropout: float = 0.4
    """Share of the features dropped before the maps."""


def lead_cnn(input_shapes: InputShapes, options: Options, *, keras: "types.ModuleType") -> "keras.Model":
    """Build the network.

    Parameters
    ----------
    input_shapes : `leads` (12, n_samples, 2) and `strip` (1, n_samples, 2)
    options : see `LeadCnnOptions`

    Returns
    -------
    Model with outputs `probabilities` (n, 4), `maps` (n, time, 12, 4) and `strip_maps` (n, 1, time, 4).

    Raises
    ------
    SettingsError
        An unknown option, or an impossible value.
    """
    chosen = read_options(LeadCnnOptions, options, family="lead_cnn")
    require_width(chosen.width, family="lead_cnn")
    width, dropped = chosen.width, chosen.dropout
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


def _normed(x: "keras.KerasTensor", name: str, *, keras: "types.ModuleType") -> "keras.KerasTensor":
    x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _block(
    x: "keras.KerasTensor", filters: int, kernel: int, *, stride: int = 1, name: str, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    convolve = keras.layers.Conv2D(
        filters, (1, kernel), strides=(1, stride), padding="same", use_bias=False, name=f"{name}_conv"
    )
    return _normed(convolve(x), name, keras=keras)


def _lead_maps(
    leads: "keras.KerasTensor", *, width: float, dropped: float, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """(n, 12, samples, 2) -> (n, time, 12, 4)."""
    layers = keras.layers
    own = layers.BatchNormalization(momentum=MOMENTUM, name="leads_norm")(leads)
    for number, (filters, kernel, stride) in enumerate(_TRUNK):
        own = _block(own, scaled(filters, width), kernel, stride=stride, name=f"lead{number}", keras=keras)
    both = layers.Add(name="both")([own, _from_all(own, width=width, dropped=dropped, keras=keras)])
    both = layers.ReLU(name="both_relu")(both)
    both = layers.Permute((2, 1, 3), name="time_first")(both)
    both = _own_scales(both, keras=keras)
    both = layers.SpatialDropout2D(dropped, name="lead_dropout")(both)
    return layers.Conv2D(N_CLASSES, 1, name="maps")(both)


def _from_all(
    own: "keras.KerasTensor", *, width: float, dropped: float, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """What the twelve leads say together, (n, 12, time, features): the same for each of them."""
    layers = keras.layers
    n_leads, features = own.shape[1], own.shape[3]
    joint = layers.DepthwiseConv2D((n_leads, 1), depth_multiplier=2, use_bias=False, name="across")(own)
    joint = _normed(joint, "across", keras=keras)
    joint = layers.SpatialDropout2D(dropped / 2, name="across_dropout")(joint)
    joint = _block(joint, scaled(_JOINT, width), 3, name="joint", keras=keras)
    told = layers.Conv2D(features, 1, name="told")(joint)
    return layers.UpSampling2D((n_leads, 1), name="told_all")(told)


def _own_scales(x: "keras.KerasTensor", *, keras: "types.ModuleType") -> "keras.KerasTensor":
    """(n, time, leads, features): a scale and an offset of its own for every lead and feature, then ReLU."""
    layers = keras.layers
    time, leads, features = x.shape[1:]
    mixed = layers.Conv2D(features, 1, name="mixed")(x)
    flat = layers.Reshape((1, time, leads * features), name="lead_features")(mixed)
    flat = layers.DepthwiseConv2D(1, depthwise_initializer="ones", name="lead_scales")(flat)
    return layers.ReLU(name="lead_relu")(layers.Reshape((time, leads, features), name="scaled")(flat))


def _strip_maps(
    strip: "keras.KerasTensor", *, width: float, dropped: float, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """(n, 1, samples, 2) -> (n, 1, time, 4)."""
    layers = keras.layers
    x = layers.BatchNormalization(momentum=MOMENTUM, name="strip_norm")(strip)
    for number, (filters, kernel, stride) in enumerate(_STRIP):
        x = _block(x, scaled(filters, width), kernel, stride=stride, name=f"strip{number}", keras=keras)
    x = layers.SpatialDropout2D(dropped, name="strip_dropout")(x)
    return layers.Conv2D(N_CLASSES, 1, name="strip_maps")(x)
