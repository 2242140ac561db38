"""Train one network: seeded, and after a kill it goes on with the next epoch as if nothing had happened."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ecgedge_train.models import build_model
from ecgedge_train.pool import Inputs, Pool, draw
from ecgedge_train.recipe import FitRecipe

FloatArray = NDArray[np.float32]
Advance = Callable[[float], None]
History = list[dict[str, float]]

_GAIN = (0.85, 1.18)  # of the window: the size of the usual QRS is never known exactly
_PREDICT_BATCH = 4096


@dataclass(frozen=True)
class Lesson:
    """What is to be learnt."""

    pool: Pool
    shares: NDArray[np.float64]
    """(n,) float64, probability of drawing each beat."""
    targets: FloatArray
    """(n, 4) float32, rows sum to 1."""


def fit(
    lesson: Lesson,
    recipe: FitRecipe,
    *,
    seed: int,
    checkpoint: Path | None = None,
    advance: Advance = lambda _loss: None,
) -> tuple[keras.Model, History]:
    """Train a network of `recipe.model`.

    Parameters
    ----------
    checkpoint : file stem of what is kept after each epoch, and taken up where it is there
    advance : called after each epoch with its loss

    Returns
    -------
    The model, and a row per epoch.
    """
    model, history = _resumed(checkpoint) or (_new_model(lesson, recipe, seed), [])
    for _ in history:
        advance(0.0)
    for epoch in range(len(history), recipe.epochs):
        history.append({"epoch": epoch, "loss": _fit_epoch(model, lesson, recipe, seed=seed, epoch=epoch)})
        if checkpoint is not None:
            _keep(model, history, checkpoint)
        advance(history[-1]["loss"])
    return model, history


def _new_model(lesson: Lesson, recipe: FitRecipe, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    pool = lesson.pool
    model = build_model([recipe.model], pool.features.shape[1], pool.beat.shape[2], keras=keras)
    steps = recipe.epochs * -(-recipe.beats_per_epoch // recipe.batch)
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay),
        keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
    )
    return model


def _fit_epoch(model: keras.Model, lesson: Lesson, recipe: FitRecipe, *, seed: int, epoch: int) -> float:
    """One epoch, in the order drawn; its chance depends on seed and epoch only."""
    _seed_layers(model, seed, epoch)
    inputs, targets = drawn_beats(lesson, recipe.beats_per_epoch, np.random.default_rng([seed, epoch]))
    done = model.fit(inputs, targets, batch_size=recipe.batch, shuffle=False, verbose=0)
    return float(done.history["loss"][0])


def drawn_beats(lesson: Lesson, n: int, rng: np.random.Generator) -> tuple[Inputs, FloatArray]:
    """Inputs and targets of `n` beats in the order drawn, each window larger or smaller by chance."""
    rows = draw(lesson.shares, n, rng)
    inputs = lesson.pool.inputs(rows)
    gain = rng.uniform(*_GAIN, (len(rows), 1, 1, 1)).astype(np.float32)
    inputs["beat"] = np.clip(inputs["beat"] * gain, -2, 2)
    return inputs, lesson.targets[rows]


def _seed_layers(model: keras.Model, seed: int, epoch: int) -> None:
    """Dropout and noise of an epoch depend on seed, epoch and layer only, not on what ran before."""
    for number, layer in enumerate(model.layers):
        if generator := getattr(layer, "seed_generator", None):
            generator.state.assign([1000 * seed + number, epoch])


def _keep(model: keras.Model, history: History, checkpoint: Path) -> None:
    """Write both files beside their final place first: a kill leaves the old pair or the new one."""
    made = checkpoint.with_suffix(".new.keras")
    model.save(made)
    folder = checkpoint.parent
    numbered = folder / f"{checkpoint.name}.{len(history)}.keras"
    made.replace(numbered)
    _write_json(checkpoint.with_suffix(".json"), {"epochs": len(history), "history": history})
    for old in set(folder.glob(f"{checkpoint.name}.*.keras")) - {numbered}:
        old.unlink()


def _write_json(path: Path, content: object) -> None:
    made = path.with_suffix(".new")
    made.write_text(json.dumps(content, indent=1) + "\n")
    made.replace(path)


def _resumed(checkpoint: Path | None) -> tuple[keras.Model, History] | None:
    """What an earlier run kept, if anything whole."""
    if checkpoint is None or not checkpoint.with_suffix(".json").is_file():
        return None
    kept = json.loads(checkpoint.with_suffix(".json").read_text())
    model = checkpoint.parent / f"{checkpoint.name}.{kept['epochs']}.keras"
    return (keras.models.load_model(model), kept["history"]) if model.is_file() else None


def predict(model: keras.Model, inputs: Inputs) -> FloatArray:
    """Class probabilities, (n, 4) float32."""
    return np.asarray(model.predict(inputs, batch_size=_PREDICT_BATCH, verbose=0), dtype=np.float32)


def predict_pool(model: keras.Model, pool: Pool) -> FloatArray:
    """Class probabilities of a whole pool, (n, 4) float32, in pieces that fit the memory."""
    piece = 16 * _PREDICT_BATCH
    starts = range(0, len(pool.classes), piece)
    return np.concatenate([predict(model, pool.inputs(slice(start, start + piece))) for start in starts])
