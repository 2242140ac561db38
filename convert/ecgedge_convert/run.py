"""From the folder of a training run to a bundle."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ecgedge.beats import BeatSettings
from ecgedge.decide import Decision
from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge.preprocess import BeatPipeline
from ecgedge_convert.export import BeatModelFacts
from ecgedge_train.quiet import start_keras

if TYPE_CHECKING:
    import keras


def load_model(model: Path) -> "keras.Model":
    """The Keras 3 model of a run."""
    start_keras()
    import keras

    path = run_file(model, "model.keras")
    try:
        loaded: keras.Model = keras.models.load_model(path, compile=False)
    except (ValueError, OSError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: no Keras 3 model ({reason}); train it again with ecgedge train") from None
    return loaded


def run_facts(model: Path, *, name: str) -> BeatModelFacts:
    """What the run says about its preprocessing, its decision and its training."""
    settings, training = run_json(model, "settings.json"), run_json(model, "training.json")
    path = run_file(model, "settings.json")
    try:
        beats = BeatSettings.from_manifest(_object(settings["beats"]))
        decision = Decision.from_manifest(_object(settings["decision"]))
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: {error}; train the model again with ecgedge train") from None
    return BeatModelFacts(name, BeatPipeline(beats), decision.to_manifest(), training)


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no object")
    return value


def run_json(model: Path, name: str) -> dict[str, Json]:
    """A JSON file of a run."""
    path = run_file(model, name)
    try:
        return _object(json.loads(path.read_text()))
    except ValueError as error:
        raise InputError(f"{path}: not the JSON of a training run ({error}); train the model again") from None


def run_file(model: Path, name: str) -> Path:
    """A file of a run, given its folder or the model.keras in it."""
    if not model.exists():
        raise InputError(
            f"{model}: no such file or folder; give the folder that ecgedge train wrote, such as runs/beat"
        )
    path = (model if model.is_dir() else model.parent) / name
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the folder that ecgedge train wrote, with {name} in it")
    return path
