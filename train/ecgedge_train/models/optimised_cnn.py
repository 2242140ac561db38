"""Rizvi's optimised CNN: five blocks of two convolutions, with dropout. 5.90 M parameters with its own head.

Rizvi 2025 (design/SYSTEMS.md, section 2) says "deeper, with dropout, about 5.9 M parameters" and no more: 32, 64, 128,
256 and 512 filters of 3x3, dropout growing from block to block, and Dense 1024, 512, 256 are our reading of it.
Departures: our head is the default (4.72 M parameters); any width.
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

_BLOCKS = ((32, 0.0), (64, 0.05), (128, 0.1), (256, 0.15), (512, 0.2))
"""Filters, and the share of whole filters dropped in training."""
_DENSE = (1024, 512, 256)


@dataclass(frozen=True, slots=True)
class OptimisedCnnOptions:
    """What a recipe may set."""

    width: float = 1.0
    """Share of the filters; a quarter gives 296,000 parameters."""
    head: Head = "cam"
    dropout: float = 0.5


def optimised_cnn(input_shapes: InputShapes, options: Options, *, keras: "types.ModuleType") -> "keras.Model":
    """Build it.

    Input shape
    -----------
    page : (n, height_px, width_px, 1 or 3) float32, 0 for paper to 1 for ink

    Output shape
    ------------
    See `lay_head`; maps are a thirty-second of the page's height and width.

    Raises
    ------
    SettingsError
        An unknown option, an impossible value, or another input.
    """
    shape = page_shape(input_shapes, family="optimised_cnn")
    chosen = read_options(OptimisedCnnOptions, options, family="optimised_cnn")
    require_width(chosen.width, family="optimised_cnn")
    layers = keras.layers
    page = layers.Input(shape, name="page")
    features = page
    for number, (filters, dropped) in enumerate(_BLOCKS):
        for half in ("a", "b"):
            name = f"block_{number}_{half}"
            conv = layers.Conv2D(scaled(filters, chosen.width), 3, padding="same", name=f"{name}_conv")
            features = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(conv(features))
            features = layers.ReLU(name=f"{name}_relu")(features)
        features = layers.MaxPooling2D(2, name=f"block_{number}_pool")(features)
        features = layers.SpatialDropout2D(dropped, name=f"block_{number}_dropout")(features)
    units = [scaled(each, chosen.width) for each in _DENSE]
    outputs = lay_head(features, head=chosen.head, dropout=chosen.dropout, dense_units=units, keras=keras)
    return keras.Model({"page": page}, outputs, name="optimised_cnn")
