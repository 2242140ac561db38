"""MobileNet v1 and v2 of any width, laid flat layer by layer, with ImageNet weights where there are some.

Howard et al., 2017, arXiv:1704.04861; Sandler et al., 2018, 10.1109/CVPR.2018.00474. The layers, their order and their
sizes are those of `keras.applications`, so that its files fit; the graph is flat, because a backbone nested in a model
cannot be quantised in training. Departures: strided layers pad odd sides evenly; batch norm forgets faster (momentum
.9), because pages are few; the page comes as ink and is turned to -1..1 in the graph.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecgedge.errors import SettingsError
from ecgedge_train.models.image_head import (
    MOMENTUM,
    Head,
    InputShapes,
    Options,
    lay_head,
    page_shape,
    read_options,
    require_width,
)
from ecgedge_train.models.imagenet import load_imagenet, weight_file

if TYPE_CHECKING:
    import types

    import keras

_V1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
)  # fmt: skip
"""Filters and stride of blocks 1 to 13."""
_V2 = (
    (16, 1), (24, 2), (24, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (64, 1), (96, 1), (96, 1), (96, 1),
    (160, 2), (160, 1), (160, 1), (320, 1),
)  # fmt: skip
"""Filters and stride of blocks 0 to 16."""
_EXPANSION = 6
_LAST = 1280


@dataclass(frozen=True, slots=True)
class MobileNetOptions:
    """What a recipe may set."""

    version: int = 2
    """1 or 2."""
    width: float = 0.35
    """Share of the filters; ImageNet weights exist for .25, .5, .75, 1 (v1) and .35, .5, .75, 1, 1.3, 1.4 (v2)."""
    weights: str = ""
    """"imagenet" fetches them, else a file of `keras.applications` without its top; empty starts from chance."""
    blocks: int = 0
    """How many blocks are kept, the first ones; 0 keeps all. Fewer give finer maps and a smaller model."""
    head: Head = "cam"
    dropout: float = 0.5


def mobilenet(input_shapes: InputShapes, options: Options, *, keras: "types.ModuleType") -> "keras.Model":
    """Build it, and load weights if the options name some.

    Input shape
    -----------
    page : (n, height_px, width_px, 1 or 3) float32, 0 for paper to 1 for ink; three channels are red, green, blue

    Output shape
    ------------
    See `lay_head`; with all blocks maps are a thirty-second of the page's height and width.

    Raises
    ------
    SettingsError
        An unknown option, an impossible value, another input, or weights that do not fit.
    """
    shape = page_shape(input_shapes, family="mobilenet")
    chosen = read_options(MobileNetOptions, options, family="mobilenet")
    _require(chosen)
    page = keras.layers.Input(shape, name="page")
    light = keras.layers.Rescaling(-2.0, 1.0, name="stem_light")(
        page
    )  # ink 0..1 -> light 1..-1, as ImageNet's pictures
    features = lay_backbone(light, version=chosen.version, width=chosen.width, blocks=chosen.blocks, keras=keras)
    outputs = lay_head(features, head=chosen.head, dropout=chosen.dropout, keras=keras)
    model = keras.Model({"page": page}, outputs, name=f"mobilenet_v{chosen.version}")
    if chosen.weights:
        path = weight_file(chosen.weights, version=chosen.version, width=chosen.width, keras=keras)
        load_imagenet(model, _twin(chosen, keras=keras), path)
    return model


def lay_backbone(
    light: "keras.KerasTensor", *, version: int, width: float, blocks: int = 0, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """Lay everything before the head; the arguments are those of `MobileNetOptions`.

    Parameters
    ----------
    light : (n, h, w, channels) symbolic, -1 for black to 1 for white
    """
    laid = _v1 if version == 1 else _v2
    return laid(light, width=width, blocks=blocks, keras=keras)


def _twin(chosen: MobileNetOptions, *, keras: "types.ModuleType") -> "keras.Model":
    """The whole backbone on a picture in colour: what files hold the weights of."""
    picture = keras.layers.Input((None, None, 3))
    features = lay_backbone(picture, version=chosen.version, width=chosen.width, keras=keras)
    return keras.Model(picture, features, name=f"mobilenet_v{chosen.version}_{chosen.width:g}")


def _v1(light: "keras.KerasTensor", *, width: float, blocks: int, keras: "types.ModuleType") -> "keras.KerasTensor":
    features = _convolve(light, max(1, int(32 * width)), "stem", size=3, stride=2, keras=keras)
    for number, (filters, stride) in enumerate(_V1[: blocks or None], start=1):
        features = _depthwise(features, f"block_{number}_depthwise", stride=stride, keras=keras)
        features = _convolve(features, max(1, int(filters * width)), f"block_{number}_point", keras=keras)
    return features


def _v2(light: "keras.KerasTensor", *, width: float, blocks: int, keras: "types.ModuleType") -> "keras.KerasTensor":
    features = _convolve(light, _divisible(32 * width), "stem", size=3, stride=2, keras=keras)
    for number, (filters, stride) in enumerate(_V2[: blocks or None]):
        features = _inverted(features, _divisible(int(filters * width)), f"block_{number}", stride=stride, keras=keras)
    return _convolve(features, _divisible(_LAST * max(width, 1.0)), "last", keras=keras)


def _inverted(
    features: "keras.KerasTensor", filters: int, name: str, *, stride: int, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """Inverted residual: wide inside, narrow and linear outside. Block 0 does not widen."""
    channels, inner = features.shape[-1], features
    if name != "block_0":
        inner = _convolve(inner, _EXPANSION * channels, f"{name}_expand", keras=keras)
    inner = _depthwise(inner, f"{name}_depthwise", stride=stride, keras=keras)
    inner = _convolve(inner, filters, f"{name}_project", linear=True, keras=keras)
    return keras.layers.Add(name=f"{name}_add")([features, inner]) if stride == 1 and channels == filters else inner


def _convolve(
    features: "keras.KerasTensor",
    filters: int,
    name: str,
    *,
    size: int = 1,
    stride: int = 1,
    linear: bool = False,
    keras: "types.ModuleType",
) -> "keras.KerasTensor":
    layer = keras.layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False, name=f"{name}_conv")
    return _normalised(layer(features), name, linear=linear, keras=keras)


def _depthwise(
    features: "keras.KerasTensor", name: str, *, stride: int, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    layer = keras.layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=f"{name}_conv")
    return _normalised(layer(features), name, linear=False, keras=keras)


def _normalised(
    features: "keras.KerasTensor", name: str, *, linear: bool, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    features = keras.layers.BatchNormalization(epsilon=1e-3, momentum=MOMENTUM, name=f"{name}_norm")(features)
    return features if linear else keras.layers.ReLU(6.0, name=f"{name}_relu")(features)


def _divisible(filters: float) -> int:
    """To the nearest multiple of 8, never a tenth less (the paper's rule)."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def _require(chosen: MobileNetOptions) -> None:
    require_width(chosen.width, family="mobilenet")
    if chosen.version not in (1, 2):
        raise SettingsError(f"model mobilenet: version {chosen.version}; choose 1 or 2")
    most = len(_V1 if chosen.version == 1 else _V2)
    if not 0 <= chosen.blocks <= most:
        raise SettingsError(f"model mobilenet: {chosen.blocks} blocks; choose 1 to {most}, or 0 for all")
