"""Features only: two dense layers. About 5,500 parameters."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import types

    import keras

_LAYERS = ((64, 0.2), (32, 0.1))
"""Units, and the share of them dropped in training."""


def beat_mlp(
    beat: "keras.KerasTensor", features: "keras.KerasTensor", *, prefix: str, keras: "types.ModuleType"
) -> "keras.KerasTensor":
    """Lay the tower, see `Tower`; the window is not looked at."""
    del beat
    layers = keras.layers
    hidden = layers.GaussianNoise(0.1, name=f"{prefix}noise")(features)
    for number, (units, dropped) in enumerate(_LAYERS):
        hidden = layers.Dense(units, activation="relu", name=f"{prefix}dense{number}")(hidden)
        hidden = layers.Dropout(dropped, name=f"{prefix}dropout{number}")(hidden)
    return layers.Dense(4, name=f"{prefix}logits")(hidden)
