"""Window and features: three strided convolutions beside a dense layer. About 14,000 parameters.

Convolutions are `Conv2D((1, k))`, every layer has an int8 kernel, and the graph is flat, so that it can be quantised,
pruned and fine-tuned.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import types

    import keras

_CONVOLUTIONS = ((16, 7), (24, 5), (32, 5))
"""Filters and their width in samples."""


def beat_cnn(
    beat: "keras.KerasTensor", features: "keras.KerasTensor", *, prefix: str, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """Lay the tower, see `Tower`."""
    layers = keras.layers
    context = layers.GaussianNoise(0.1, name=f"{prefix}feature_noise")(features)
    context = layers.Dense(64, activation="relu", name=f"{prefix}context")(context)
    both = layers.Concatenate(name=f"{prefix}both")([context, _shape(beat, prefix=prefix, keras=keras)])
    both = layers.Dropout(0.2, name=f"{prefix}dropout")(both)
    both = layers.Dense(32, activation="relu", name=f"{prefix}dense")(both)
    both = layers.Dropout(0.1, name=f"{prefix}last_dropout")(both)
    return layers.Dense(4, name=f"{prefix}logits")(both)


def _shape(beat: "keras.KerasTensor", *, prefix: str, keras: "types.ModuleType") -> "keras.KerasTensor":
    """16 numbers that describe the window."""
    layers = keras.layers
    shape = layers.GaussianNoise(0.03, name=f"{prefix}noise")(beat)
    for number, (filters, width) in enumerate(_CONVOLUTIONS):
        name = f"{prefix}conv{number}"
        shape = layers.Conv2D(filters, (1, width), strides=(1, 2), padding="same", use_bias=False, name=name)(shape)
        shape = layers.BatchNormalization(name=f"{prefix}norm{number}")(shape)
        shape = layers.ReLU(name=f"{prefix}relu{number}")(shape)
    shape = layers.Conv2D(8, (1, 1), activation="relu", name=f"{prefix}squeeze")(shape)
    shape = layers.Flatten(name=f"{prefix}flat")(shape)
    shape = layers.Dropout(0.3, name=f"{prefix}shape_dropout")(shape)
    return layers.Dense(16, activation="relu", name=f"{prefix}shape")(shape)
