"""Networks in files of any make: Keras 3, tf_keras (Keras 2), SavedModel, .tflite. Knows nothing of ECG."""

import io
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ecgedge.chatter import without_chatter
from ecgedge.errors import InputError
from ecgedge.extras import require
from ecgedge_convert.quantise import tensorflow
from ecgedge_convert.tflite_file import read_graph
from ecgedge_convert.tflite_graph import kind_of
from ecgedge_train.quiet import CHATTER, start_keras

if TYPE_CHECKING:
    import keras

_PREFIXES, _SUFFIX = ("serving_default_",), ":0"


@dataclass(frozen=True)
class Network:
    """A network that can be converted: a Keras model, or a file that only the converter can read."""

    kind: str
    """What it is, in words."""
    model: "keras.Model | None" = None
    """Keras 3 or tf_keras."""
    saved_model: Path | None = None
    tflite: bytes | None = None

    @cached_property
    def inputs(self) -> Mapping[str, tuple[int, ...]]:
        """Own name of each input -> its shape without the leading axis."""
        return self._shapes[0]

    @cached_property
    def outputs(self) -> Mapping[str, tuple[int, ...]]:
        """The same of outputs; names are the model's where it has some."""
        return self._shapes[1]

    @cached_property
    def _shapes(self) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
        if self.model is not None:
            return _keras_shapes(self.model)
        if self.saved_model is not None:
            return _saved_shapes(self.saved_model)
        graph = read_graph(self.tflite or b"")
        return {t.name: t.shape[1:] for t in graph.inputs}, {t.name: t.shape[1:] for t in graph.outputs}


def read_network(path: Path) -> Network:
    """Read a model file.

    Raises
    ------
    InputError
        No such file, or none that holds a model; the message says what was looked for.
    MissingDependency
        A legacy Keras file without tf_keras.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give a run, a .keras, .h5 or .tflite file, or a SavedModel")
    if path.is_dir():
        return _of_folder(path)
    readers = {".keras": _of_keras, ".h5": _of_h5, ".hdf5": _of_h5, ".tflite": _of_tflite}
    if path.suffix.lower() not in readers:
        raise InputError(
            f"{path}: {path.suffix or 'no suffix'}; known are {', '.join(readers)}, a run, or a SavedModel"
        )
    return readers[path.suffix.lower()](path)


def _of_folder(path: Path) -> Network:
    if (path / "model.keras").is_file():
        return _of_keras(path / "model.keras")
    if not (path / "saved_model.pb").is_file():
        raise InputError(f"{path}: neither a run (no settings.json) nor a SavedModel (no saved_model.pb) is in it")
    if (path / "keras_metadata.pb").is_file():
        return Network("SavedModel of tf_keras", model=_loaded(path, tf_keras()))
    return Network("SavedModel", saved_model=path)


def _of_keras(path: Path) -> Network:
    start_keras()
    import keras

    return Network("Keras 3 .keras", model=_loaded(path, keras))


def _of_h5(path: Path) -> Network:
    import h5py  # type: ignore[import-untyped]

    try:
        with h5py.File(path) as file:
            version, whole = str(file.attrs.get("keras_version", "")), "model_config" in file.attrs
    except OSError as error:
        raise InputError(f"{path}: no HDF5 file, or cut short ({str(error).splitlines()[0]}); save it again") from None
    if not whole:
        raise InputError(f"{path}: weights without a network; save the whole model with model.save")
    if version.startswith("3"):
        start_keras()
        import keras

        return Network("Keras 3 .h5", model=_loaded(path, keras))
    return Network(f"Keras {version or '2'} .h5", model=_loaded(path, tf_keras()))


def _of_tflite(path: Path) -> Network:
    content = path.read_bytes()
    if (kind := kind_of(read_graph(content))) != "float32":
        raise InputError(f"{path}: a {kind} .tflite cannot be converted again; give the float32 one or the Keras model")
    return Network("float .tflite", tflite=content)


def tf_keras() -> ModuleType:
    """Legacy Keras.

    Raises
    ------
    MissingDependency
        It is not installed.
    """
    require("tf_keras")
    tensorflow()
    with without_chatter(*CHATTER), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tf_keras as found

    module: ModuleType = found
    return module


def _loaded(path: Path, keras: ModuleType) -> "keras.Model":
    try:
        with without_chatter(*CHATTER), redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = keras.models.load_model(path, compile=False)
    except (
        Exception
    ) as error:  # every Keras raises its own: ValueError, OSError, TypeError, KeyError, NotImplementedError
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{path}: no {keras.__name__} model can be loaded from it ({reason}); save it again") from None
    if not getattr(model, "inputs", None):
        raise InputError(f"{path}: a model whose inputs are not known; build it (call it once) and save it again")
    return model


def _keras_shapes(model: "keras.Model") -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    inputs = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    found = model.output
    outputs = found if isinstance(found, dict) else {f"output {k}": tensor for k, tensor in enumerate(model.outputs)}
    return inputs, {name: tuple(tensor.shape[1:]) for name, tensor in outputs.items()}


def _saved_shapes(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    tf = tensorflow()
    try:
        with without_chatter(*CHATTER):
            signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: no SavedModel with a serving_default signature ({error}); export it again") from None
    inputs = signature.structured_input_signature[1]
    return (
        {name: tuple(spec.shape[1:]) for name, spec in inputs.items()},
        {name: tuple(spec.shape[1:]) for name, spec in signature.structured_outputs.items()},
    )
