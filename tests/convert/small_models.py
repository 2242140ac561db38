"""Small real networks for the tests of conversion, with the run folder or bundle that belongs to them."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ecgedge.beats import BeatSettings, cut_beats
from ecgedge.manifest import Json
from ecgedge.simulate import simulate_ecg

FEATURES = ("before/q50_30", "after/q50_30", "qrs_correlation", "width")
SETTINGS = BeatSettings(FEATURES, (0.0, 0.0, 0.5, 1.0), (0.3, 0.3, 0.5, 1.0))
N_CLASSES = 4


def beat_network(
    keras: ModuleType, *, classes: int = N_CLASSES, wave: object = None, names: tuple[str, str] = ("beat", "features")
):  # type: ignore[no-untyped-def]
    """A beat model in Keras 3 or tf_keras; `wave` is laid behind its first convolution."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    beat, features = layers.Input((1, 96, 2), name=names[0]), layers.Input((len(FEATURES),), name=names[1])
    x = layers.Conv2D(4, (1, 9), strides=(1, 4), activation="relu", name="first")(beat)
    x = x if wave is None else wave(x)  # type: ignore[operator]
    x = layers.Conv2D(4, (1, 5), activation="relu", name="second")(x)
    x = layers.Concatenate(name="both")([layers.GlobalAveragePooling2D(name="pool")(x), features])
    x = layers.Dense(16, activation="relu", name="hidden")(x)
    model = keras.Model([beat, features], layers.Dense(classes, activation="softmax", name="probabilities")(x))
    rng = np.random.default_rng(0)
    model.set_weights([0.1 * rng.normal(size=w.shape) if w.ndim == 1 else w for w in model.get_weights()])
    return model


def repeating_model() -> bytes:
    """A `beat_network` in int8 that repeats its values (op TILE) and asks for the size of a batch (op SHAPE)."""
    keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
    pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")
    from ecgedge_convert.quantise import convert

    class Repeated(keras.layers.Layer):
        def call(self, inputs):  # type: ignore[no-untyped-def]
            rows = keras.layers.Reshape((2, -1, 4))(inputs)
            return keras.ops.tile(rows, (1, 1, 2, 1))

    return convert(beat_network(keras, wave=Repeated(name="repeated")), "int8", beat_inputs())


def beat_inputs(n: int = 160) -> dict[str, np.ndarray]:
    """Inputs of `beat_network` that are no beats, but fill its ranges."""
    rng = np.random.default_rng(1)
    return {
        "beat": rng.normal(size=(n, 1, 96, 2)).astype(np.float32),
        "features": rng.uniform(-1, 1, (n, len(FEATURES))).astype(np.float32),
    }


def write_run(folder: Path, model, *, training: dict[str, Json] | None = None) -> Path:  # type: ignore[no-untyped-def]
    """The folder of a training run."""
    folder.mkdir(parents=True)
    model.save(folder / "model.keras")
    (folder / "settings.json").write_text(json.dumps({"beats": SETTINGS.to_manifest(), "decision": {}}))
    (folder / "training.json").write_text(json.dumps({"recipe": "small", **(training or {})}))
    return folder


def simulated_beats(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Inputs and classes of four simulated minutes with ectopic beats of both kinds."""
    recording = simulate_ecg(240, fs_hz=360, seed=seed, sveb_rate=10.0, veb_rate=10.0, leads=("MLII",))
    assert recording.beats is not None
    inputs = cut_beats(recording.signal, recording.beats.sample, SETTINGS).inputs
    return inputs, np.array(["NAVF".index(symbol) for symbol in recording.beats.symbol])


def trained_run(keras: ModuleType, folder: Path, *, training: dict[str, Json] | None = None) -> Path:
    """A run of a network that learnt simulated beats, in seconds."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    beat, features = layers.Input((1, 96, 2), name="beat"), layers.Input((len(FEATURES),), name="features")
    x = layers.Conv2D(4, (1, 9), strides=(1, 4), activation="relu")(beat)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), features])
    x = layers.Dense(16, activation="relu")(x)
    model = keras.Model([beat, features], layers.Dense(N_CLASSES, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(*simulated_beats(0), epochs=15, verbose=0)
    return write_run(folder, model, training=training)
