"""Who a model learns from while it is changed: itself as it was, another run, or the mean of several.

A teacher sees the same changed batch as its student, so it must take the same inputs.
"""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ecgedge.errors import InputError
from ecgedge_convert.changing.fine_tune import Teach, probabilities_of
from ecgedge_convert.changing.tuning_data import FloatArray, Inputs
from ecgedge_convert.run import load_model, run_json

if TYPE_CHECKING:
    import keras as keras_3


def taught_by(models: Sequence["keras_3.Model"], *, keras: ModuleType) -> Teach:
    """The mean of what models say, as they are now: copies are asked, so that a student may be one of them."""
    asked = [_copied(model, keras=keras) for model in models]

    def teach(inputs: Inputs) -> FloatArray:
        said = [np.asarray(model.predict_on_batch(inputs), np.float32) for model in asked]
        mean: FloatArray = np.mean(said, axis=0, dtype=np.float32)
        return mean

    return teach


def _copied(model: "keras_3.Model", *, keras: ModuleType) -> "keras_3.Model":
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    only = keras.Model(copy.inputs, probabilities_of(copy))
    only.compile(jit_compile=False)
    return only


def teachers_of(names: Sequence[str], student: "keras_3.Model") -> list["keras_3.Model"]:
    """Models of the runs called so.

    Raises
    ------
    InputError
        A run that cannot be read, or whose model takes other inputs or gives other classes than the student.
    """
    found = [load_model(Path(name)) for name in names]
    for name, model in zip(names, found, strict=True):
        _require_alike(name, model, student)
    return found


def called(names: Sequence[str]) -> list[str]:
    """Recipe and hash of each run, for a manifest: no path of this machine."""
    facts = [run_json(Path(name), "training.json") for name in names]
    return [f"{each.get('recipe', '?')} {str(each.get('recipe_sha256', ''))[:8]}".strip() for each in facts]


def _require_alike(name: str, teacher: "keras_3.Model", student: "keras_3.Model") -> None:
    for what, of in (("takes", _inputs), ("gives", _classes)):
        if of(teacher) != of(student):
            raise InputError(
                f"teacher {name} {what} {of(teacher)}, the student {of(student)}; a teacher sees the same batch: "
                "choose a run with the same inputs and classes"
            )


def _inputs(model: "keras_3.Model") -> dict[str, tuple[int, ...]]:
    return {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}


def _classes(model: "keras_3.Model") -> int:
    return int(probabilities_of(model).shape[-1])
