"""Features only, for microcontrollers: two dense layers, laid as 1x1 convolutions. About 5,400 parameters.

TensorFlow Lite Micro and LiteRT's reference kernels round a convolution alike, but not a dense layer (see
`ecgedge_convert.target.micro`), and its older releases have no dense layer with a scale per channel.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import types

    import keras

_UNITS = (64, 32)


def beat_micro(
    beat: "keras.KerasTensor", features: "keras.KerasTensor", *, prefix: str, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """Lay the tower, see `Tower`; the window is not looked at."""
    del beat
    layers = keras.layers
    hidden = layers.Reshape((1, 1, features.shape[1]), name=f"{prefix}laid")(features)
    hidden = layers.GaussianNoise(0.05, name=f"{prefix}noise")(hidden)
    for number, units in enumerate(_UNITS):
        hidden = layers.Conv2D(units, 1, activation="relu", name=f"{prefix}dense{number}")(hidden)
    logits = layers.Conv2D(4, 1, name=f"{prefix}logits")(hidden)
    return layers.Reshape((4,), name=f"{prefix}flat")(logits)
