"""Train one network of a page model: seeded, and after a kill it goes on with the next epoch as if nothing had been.

Keras 3 on any back end: batches are numpy arrays, and what a kill must not lose (weights, optimiser, history) is kept
as one .npz file.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from zipfile import BadZipFile

import keras
import numpy as np
from numpy.typing import NDArray

from ecgedge.lead_arrays import Inputs
from ecgedge_train.models.freezing import train_from
from ecgedge_train.models.page_models import Options, page_model
from ecgedge_train.pages.lesson import PageLesson
from ecgedge_train.pages.pool import IntArray, PagePool
from ecgedge_train.pages.recipe import PageFit

FloatArray = NDArray[np.float32]
Advance = Callable[[float], None]
History = list[dict[str, float]]
Weights = list[NDArray[np.float32]]

_PREDICT_BATCH = 32
_LEAST = 1e-7


@dataclass
class _State:
    """Where a training stands between two epochs."""

    model: keras.Model
    history: History
    best: Weights
    """Weights with the least loss on the pages held back; empty where none are."""


def fit_page_model(
    lesson: PageLesson,
    family: str,
    options: Options,
    *,
    seed: int,
    checkpoint: Path | None = None,
    advance: Advance = lambda _loss: None,
) -> tuple[keras.Model, History]:
    """Train a network of a family.

    Parameters
    ----------
    checkpoint : file (.npz) that is written after each epoch, and taken up where it is there
    advance : called after each epoch with its loss, also for epochs taken up, with 0

    Returns
    -------
    The whole model with its maps, and a row per epoch. Where pages are held back and `patience` is set, its weights
    are those of the epoch with the least loss on them.
    """
    state = _begun(lesson, family, options, seed)
    kept = None if checkpoint is None else _kept(checkpoint)
    if kept is not None and _fits(kept, state.model):
        learner, stage = _take_up(kept, state, lesson, seed)
    else:
        stage = _stage(lesson.fit, 0)
        learner = _learner(state.model, lesson, seed, stage=stage)
    for _ in state.history:
        advance(0.0)
    for epoch in range(len(state.history), lesson.fit.epochs):
        if has_ended(state.history, lesson.fit.patience):
            break
        if (now := _stage(lesson.fit, epoch)) != stage:
            learner, stage = _learner(state.model, lesson, seed, stage=now), now
        _epoch(state, learner, lesson, seed=seed, epoch=epoch)
        if checkpoint is not None:
            _keep(state, learner, checkpoint)
        advance(state.history[-1]["loss"])
    if state.best:
        state.model.set_weights(state.best)
    return state.model, state.history


def kept_network(
    input_shapes: Mapping[str, tuple[int, ...]], family: str, options: Options, checkpoint: Path
) -> keras.Model | None:
    """The network that an ended training kept, with the weights that it ended with; None where it is not there.

    Parameters
    ----------
    checkpoint : as for `fit_page_model`; it is only read
    """
    kept, model = _kept(checkpoint), page_model(family)(input_shapes, options, keras=keras)
    if kept is None or not _fits(kept, model):
        return None
    model.set_weights(_listed(kept, "best") or _listed(kept, "model"))
    return model


def has_ended(history: History, patience: int) -> bool:
    """Whether the loss on the pages held back has not become better for so many epochs."""
    losses = [row["held_back_loss"] for row in history if "held_back_loss" in row]
    return bool(patience and losses) and len(losses) - 1 - int(np.argmin(losses)) >= patience


def predict(model: keras.Model, inputs: Inputs) -> FloatArray:
    """Class probabilities of a whole model, (n, 4) float32."""
    return said_of(answering(model), inputs)


def answering(model: keras.Model) -> keras.Model:
    """The part of a whole model that gives probabilities. XLA is off: on small graphs it takes minutes to compile."""
    only = keras.Model(model.inputs, model.output["probabilities"])
    only.compile(jit_compile=False)
    return only


def said_of(learner: keras.Model, inputs: Inputs) -> FloatArray:
    """What a model with one output says, in batches of one size, since every other size is traced anew."""
    n = len(next(iter(inputs.values())))
    parts = [np.zeros((0, int(learner.output.shape[-1])), np.float32)]
    for start in range(0, n, _PREDICT_BATCH):
        at = np.minimum(np.arange(start, start + _PREDICT_BATCH), n - 1)
        found = learner.predict_on_batch({name: values[at] for name, values in inputs.items()})
        parts.append(np.asarray(found, np.float32)[: n - start])
    return np.concatenate(parts)


def predict_rows(model: keras.Model, pool: PagePool, rows: IntArray) -> FloatArray:
    """Class probabilities of pages of a pool, in pieces that fit the memory."""
    learner, piece = answering(model), 8 * _PREDICT_BATCH
    parts = [said_of(learner, pool.take(rows[start : start + piece])) for start in range(0, max(1, len(rows)), piece)]
    return np.concatenate(parts)


def _begun(lesson: PageLesson, family: str, options: Options, seed: int) -> _State:
    keras.utils.set_random_seed(seed)
    return _State(page_model(family)(lesson.pool.input_shapes, options, keras=keras), [], [])


def _stage(fit: PageFit, epoch: int) -> str:
    """The block from which on the network learns in an epoch; empty where all of it does."""
    begun = [stage for stage in fit.unfreeze if stage.epoch <= epoch]
    return max(begun, key=lambda stage: stage.epoch).train_from if begun else ""


def _learner(model: keras.Model, lesson: PageLesson, seed: int, *, stage: str) -> keras.Model:
    """The network from its inputs to its probabilities, with an optimiser for the layers that learn now."""
    if stage:
        train_from(model, stage)
    learner = keras.Model(model.inputs, model.output["probabilities"])
    keras.utils.set_random_seed(seed)
    learner.compile(_optimiser(lesson.fit), _loss(lesson.fit), jit_compile=False)
    learner.optimizer.build(learner.trainable_variables)
    return learner


def _optimiser(fit: PageFit) -> keras.optimizers.Optimizer:
    """The rate is set before each step (see `_rate`), so that it does not start again where layers are set free."""
    return keras.optimizers.AdamW(fit.learning_rate, weight_decay=fit.weight_decay)


def _loss(fit: PageFit) -> keras.losses.Loss:
    if fit.loss == "focal":
        return keras.losses.CategoricalFocalCrossentropy(1.0, fit.focal_gamma, label_smoothing=fit.label_smoothing)
    return keras.losses.CategoricalCrossentropy(label_smoothing=fit.label_smoothing)


def _rate(fit: PageFit, at_epoch: float) -> float:
    """Learning rate at a time in epochs: linear from 0 while it warms up, then constant or half a cosine to 0."""
    if at_epoch < fit.warm_up_epochs:
        return fit.learning_rate * at_epoch / fit.warm_up_epochs
    if fit.schedule == "constant":
        return fit.learning_rate
    done = (at_epoch - fit.warm_up_epochs) / max(fit.epochs - fit.warm_up_epochs, 1e-9)
    return fit.learning_rate * 0.5 * (1 + float(np.cos(np.pi * min(done, 1.0))))


def _epoch(state: _State, learner: keras.Model, lesson: PageLesson, *, seed: int, epoch: int) -> None:
    """Train an epoch and write its row of the history."""
    _seed_layers(learner, seed, epoch)
    steps, losses, start_s = lesson.steps_per_epoch, [], perf_counter()
    for step, (inputs, targets, weights) in enumerate(lesson.batches(seed=seed, epoch=epoch)):
        learner.optimizer.learning_rate = _rate(lesson.fit, epoch + (step + 0.5) / steps)
        learner.reset_metrics()
        losses.append(float(learner.train_on_batch(inputs, targets, sample_weight=weights)))
    row = {"epoch": epoch, "loss": float(np.mean(losses)), "learning_rate": _rate(lesson.fit, epoch + 0.5)}
    row["seconds"] = round(perf_counter() - start_s, 3)
    if len(lesson.held_back):
        row |= _held_back(state, learner, lesson)
    state.history.append(row)


def _held_back(state: _State, learner: keras.Model, lesson: PageLesson) -> dict[str, float]:
    """Loss and accuracy on the pages held back; the best weights so far are remembered."""
    truth = lesson.pool.classes[lesson.held_back]
    inputs = lesson.pool.take(lesson.held_back)
    found = said_of(learner, inputs)
    loss = float(-np.log(np.maximum(found[np.arange(len(truth)), truth], _LEAST)).mean())
    earlier = [row["held_back_loss"] for row in state.history]
    if lesson.fit.patience and loss < min(earlier, default=np.inf):
        state.best = state.model.get_weights()
    return {"held_back_loss": loss, "held_back_accuracy": float((found.argmax(axis=1) == truth).mean())}


def _seed_layers(model: keras.Model, seed: int, epoch: int) -> None:
    """Dropout and noise of an epoch depend on seed, epoch and layer only, not on what ran before."""
    for number, layer in enumerate(model.layers):
        if generator := getattr(layer, "seed_generator", None):
            generator.state.assign([1000 * seed + number, epoch])


def _keep(state: _State, learner: keras.Model, checkpoint: Path) -> None:
    """One file, written beside its place first: a kill leaves the old one or the new one."""
    arrays = {"history": np.array(json.dumps(state.history))}
    optimiser = [keras.ops.convert_to_numpy(value) for value in learner.optimizer.variables]
    for name, values in {"model": state.model.get_weights(), "optimiser": optimiser, "best": state.best}.items():
        arrays |= {f"{name}:{number}": np.asarray(value) for number, value in enumerate(values)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    made = checkpoint.with_suffix(".new")
    made.write_bytes(buffer.getvalue())
    made.replace(checkpoint)


def _kept(checkpoint: Path) -> dict[str, NDArray[np.generic]] | None:
    """What an earlier run kept, if it is whole."""
    try:
        with np.load(checkpoint, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, BadZipFile):
        return None


def _fits(kept: dict[str, NDArray[np.generic]], model: keras.Model) -> bool:
    """Whether the weights kept are of this network: its code may have changed since."""
    shapes = [value.shape for value in _listed(kept, "model")]
    return shapes == [value.shape for value in model.get_weights()]


def _take_up(
    kept: dict[str, NDArray[np.generic]], state: _State, lesson: PageLesson, seed: int
) -> tuple[keras.Model, str]:
    """Bring the state to where the file was written; the learner and its stage are returned."""
    state.history = json.loads(str(kept["history"]))
    state.model.set_weights(_listed(kept, "model"))
    state.best = _listed(kept, "best")
    stage = _stage(lesson.fit, len(state.history) - 1)
    learner = _learner(state.model, lesson, seed, stage=stage)
    for variable, value in zip(learner.optimizer.variables, _listed(kept, "optimiser"), strict=True):
        variable.assign(value)
    return learner, stage


def _listed(kept: dict[str, NDArray[np.generic]], name: str) -> Weights:
    count = sum(key.startswith(f"{name}:") for key in kept)
    return [np.asarray(kept[f"{name}:{number}"], np.float32) for number in range(count)]
