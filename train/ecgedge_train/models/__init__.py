"""Model families, by name. A family is a tower: from the inputs to logits; models are built flat from towers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ecgedge_train.models.beat_cnn import beat_cnn
from ecgedge_train.models.beat_micro import beat_micro
from ecgedge_train.models.beat_mlp import beat_mlp

if TYPE_CHECKING:
    import types

    import keras


class Tower(Protocol):
    """Lays the layers of a family between inputs and logits; `keras` is the Keras to build with.

    Parameters
    ----------
    beat : (n, 1, n_window, 2) symbolic, the window and the usual beat
    features : (n, n_features) symbolic, clipped
    prefix : begins the name of every layer, so that towers can stand in one graph

    Returns
    -------
    (n, 4) symbolic, logits of N, S, V, F
    """

    def __call__(
        self, beat: "keras.KerasTensor", features: "keras.KerasTensor", *, prefix: str, keras: "types.ModuleType"
    ) -> "keras.KerasTensor": ...


MODELS: dict[str, Tower] = {"beat_cnn": beat_cnn, "beat_micro": beat_micro, "beat_mlp": beat_mlp}


def build_model(names: Sequence[str], n_features: int, n_window: int, *, keras: "types.ModuleType") -> "keras.Model":
    """One flat model with a tower for each name; the mean of their logits goes into one softmax.

    Input shape
    -----------
    beat : (n, 1, n_window, 2) float32
    features : (n, n_features) float32

    Output shape
    ------------
    (n, 4) float32, probabilities of N, S, V, F

    Raises
    ------
    KeyError
        A name is not in `MODELS`.
    """
    beat = keras.layers.Input((1, n_window, 2), name="beat")
    features = keras.layers.Input((n_features,), name="features")
    logits = [MODELS[name](beat, features, prefix=prefix_of(number), keras=keras) for number, name in enumerate(names)]
    mean = keras.layers.Average(name="mean")(logits) if len(logits) > 1 else logits[0]
    probabilities = keras.layers.Softmax(name="probabilities")(mean)
    return keras.Model({"beat": beat, "features": features}, probabilities, name="_".join(dict.fromkeys(names)))


def prefix_of(number: int) -> str:
    """What the layers of a tower begin with: its place in the graph."""
    return f"tower{number}_"
