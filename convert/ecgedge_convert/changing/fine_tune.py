"""Train a changed model a little further, on what its run was trained on: Keras 3 and tf_keras models alike.

It knows nothing of what was changed: masks and roundings are in the layers that it is given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ecgedge_convert.changing.tuning_data import FloatArray, HeldBack, Inputs, TuningData

if TYPE_CHECKING:
    import keras as keras_3

Teach = Callable[[Inputs], FloatArray]
"""What teachers say of a batch: (n, classes) float32, rows sum to 1."""
History = list[dict[str, float]]
Advance = Callable[[int, float], None]
"""Called after each epoch with its number from 1 and its loss."""

TEACH_SHARE = 0.9
"""Of the teachers in the targets; the rest is the label."""
_WARM_UP = 0.1
"""Share of the steps in which the learning rate rises from 0; then it falls to 0 as half a cosine."""
_PREDICT_BATCH = 64


@dataclass(frozen=True)
class Course:
    """How a changed model is trained on, and what on."""

    data: TuningData
    epochs: int
    learning_rate: float
    """At its height."""
    teach: Teach | None = None
    """Usually the model before it was changed, see `teachers`; None learns from labels alone."""
    teach_share: float = TEACH_SHARE
    """Of the teachers in the targets; the rest is the label."""
    seed: int = 0
    """Of dropout and noise; what is drawn is the data's."""
    advance: Advance = lambda _epoch, _loss: None

    def rate(self, done: float) -> float:
        """Learning rate when a share of all steps is done."""
        if done < _WARM_UP:
            return self.learning_rate * done / _WARM_UP
        return self.learning_rate * 0.5 * (1 + float(np.cos(np.pi * (done - _WARM_UP) / (1 - _WARM_UP))))

    def targets(self, labels: FloatArray, inputs: Inputs) -> FloatArray:
        """What is to be said of a batch."""
        smoothing = self.data.label_smoothing
        smooth = labels * (1 - smoothing) + smoothing / labels.shape[1]
        if self.teach is not None:
            smooth = smooth + self.teach_share * (self.teach(inputs) - smooth)
        return np.asarray(smooth, np.float32)


class Callback(Protocol):
    """The part of a Keras callback that pruning needs."""

    def set_model(self, model: "keras_3.Model") -> None: ...
    def on_train_begin(self, logs: None = None) -> None: ...
    def on_train_batch_begin(self, batch: int, logs: None = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: None = None) -> None: ...


def fine_tune(
    model: "keras_3.Model", course: Course, *, keras: ModuleType, callbacks: Sequence[Callback] = ()
) -> History:
    """Train all of a model's trainable weights, in place.

    Parameters
    ----------
    keras : the Keras that the model is of: `keras` or `tf_keras`

    Returns
    -------
    A row per epoch: loss, learning rate, accuracy on what is held back, and with a teacher the share of it that is
    called as the teacher calls it.
    """
    keras.utils.set_random_seed(course.seed)
    learner = keras.Model(model.inputs, probabilities_of(model))
    learner.compile(
        keras.optimizers.Adam(course.learning_rate), keras.losses.CategoricalCrossentropy(), jit_compile=False
    )
    learner.optimizer.build(learner.trainable_variables)
    return _trained(learner, course, callbacks)


def probabilities_of(model: "keras_3.Model") -> "keras_3.KerasTensor":
    """The output that says the classes, of a model with one output or several."""
    return model.output["probabilities"] if isinstance(model.output, dict) else model.output


def answers_of(model: "keras_3.Model", inputs: Inputs, *, keras: ModuleType) -> FloatArray:
    """Class probabilities, (n, classes) float32."""
    only = keras.Model(model.inputs, probabilities_of(model))
    only.compile(jit_compile=False)
    return said_of(only, inputs)


def said_of(learner: "keras_3.Model", inputs: Inputs) -> FloatArray:
    """What a model with one output says, in batches of one size, since every other size is traced anew."""
    n = len(next(iter(inputs.values())))
    parts = []
    for start in range(0, n, _PREDICT_BATCH):
        at = np.minimum(np.arange(start, start + _PREDICT_BATCH), n - 1)
        parts.append(np.asarray(learner.predict_on_batch({k: v[at] for k, v in inputs.items()}))[: n - start])
    return np.concatenate(parts).astype(np.float32)


def _trained(learner: "keras_3.Model", course: Course, callbacks: Sequence[Callback]) -> History:
    for callback in callbacks:
        callback.set_model(learner)
        callback.on_train_begin()
    held_back = course.data.held_back
    called = None if course.teach is None else _taught(course.teach, held_back.inputs).argmax(axis=1)
    history: History = []
    for epoch in range(course.epochs):
        loss = _epoch(learner, course, callbacks, epoch)
        for callback in callbacks:
            callback.on_epoch_end(epoch)
        history.append({"epoch": epoch, "loss": loss, **_held_back(learner, held_back, called)})
        course.advance(epoch + 1, loss)
    return history


def _epoch(learner: "keras_3.Model", course: Course, callbacks: Sequence[Callback], epoch: int) -> float:
    """Train an epoch; its mean loss."""
    _seed_layers(learner, course.seed, epoch)
    losses, steps = [], course.data.steps_per_epoch
    for step, (inputs, labels, weights) in enumerate(course.data.batches(epoch)):
        for callback in callbacks:
            callback.on_train_batch_begin(step)
        learner.optimizer.learning_rate = course.rate((epoch + (step + 0.5) / steps) / course.epochs)
        learner.reset_metrics()
        losses.append(float(learner.train_on_batch(inputs, course.targets(labels, inputs), sample_weight=weights)))
    return float(np.mean(losses))


def _held_back(learner: "keras_3.Model", part: HeldBack, called: NDArray[np.int64] | None) -> dict[str, float]:
    found = said_of(learner, part.inputs).argmax(axis=1)
    row = {"held_back_accuracy": float((found == part.classes).mean())}
    return row if called is None else row | {"called_as_teacher": float((found == called).mean())}


def _taught(teach: Teach, inputs: Inputs) -> FloatArray:
    n = len(next(iter(inputs.values())))
    starts = range(0, n, 512)
    return np.concatenate([teach({k: v[start : start + 512] for k, v in inputs.items()}) for start in starts])


def _seed_layers(model: "keras_3.Model", seed: int, epoch: int) -> None:
    """Dropout and noise of an epoch of a Keras 3 model depend on seed, epoch and layer only."""
    for number, layer in enumerate(model.layers):
        if generator := getattr(layer, "seed_generator", None):
            generator.state.assign([1000 * seed + number, epoch])
