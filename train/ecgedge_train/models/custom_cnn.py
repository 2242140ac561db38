"""Rizvi's custom CNN: four blocks of one convolution. 423,172 parameters with its own head on a grey page.

Rizvi 2025 (design/SYSTEMS.md, section 2): Conv(32, 64, 128, 256; 3x3), batch norm, max pooling; global average pooling,
Dense 128 ReLU, dropout 0.5. Departures: our head is the default (see `image_head`); the order within a block is
convolution, norm, ReLU, so that the norm is folded into the convolution; any width.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecgedge_train.models.image_head import (
    MOMENTUM,
    Head,
    InputShapes,
    Options,
    lay_head,
    page_shape,
    read_options,
    require_width,
    scaled,
)

if TYPE_CHECKING:
    import types

    import keras

_FILTERS = (32, 64, 128, 256)
_DENSE = 128


@dataclass(frozen=True, slots=True)
class CustomCnnOptions:
    """What a recipe may set."""

    width: float = 1.0
    """Share of the published filters."""
    head: Head = "cam"
    dropout: float = 0.5


def custom_cnn(input_shapes: InputShapes, options: Options, *, keras: "types.ModuleType") -> "keras.Model":
    """Build it.

    Input shape
    -----------
    page : (n, height_px, width_px, 1 or 3) float32, 0 for paper to 1 for ink

    Output shape
    ------------
    See `lay_head`; maps are a sixteenth of the page's height and width.

    Raises
    ------
    SettingsError
        An unknown option, an impossible value, or another input.
    """
    shape = page_shape(input_shapes, family="custom_cnn")
    chosen = read_options(CustomCnnOptions, options, family="custom_cnn")
    require_width(chosen.width, family="custom_cnn")
    layers = keras.layers
    page = layers.Input(shape, name="page")
    features = page
    for number, filters in enumerate(_FILTERS):
        name = f"block_{number}"
        filters = scaled(filters, chosen.width)
        features = layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv")(features)
        features = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(features)
        features = layers.ReLU(name=f"{name}_relu")(features)
        features = layers.MaxPooling2D(2, name=f"{name}_pool")(features)
    units = (scaled(_DENSE, chosen.width),)
    outputs = lay_head(features, head=chosen.head, dropout=chosen.dropout, dense_units=units, keras=keras)
    return keras.Model({"page": page}, outputs, name="custom_cnn")
