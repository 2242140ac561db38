"""From a model to .tflite bytes of any kind. The one place that calls the TFLite converter.

A model is a Keras 3 or tf_keras model, or the folder of a SavedModel. Knows nothing of runs, bundles or variants.
"""

import importlib
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ecgedge.chatter import without_chatter
from ecgedge.errors import InputError
from ecgedge.records import FloatArray
from ecgedge_convert.bias_correction import with_corrected_biases
from ecgedge_convert.changing.fusion import fused_model
from ecgedge_convert.refused_ops import refusal
from ecgedge_convert.tflite_file import read_graph
from ecgedge_convert.variant import Kind
from ecgedge_train.quiet import CHATTER

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Representative = Mapping[str, FloatArray]
"""Model input name -> (n, ...) float32, drawn from the training side only."""
Convertible: TypeAlias = "keras.Model | Path"
"""A Keras 3 or tf_keras model, or the folder of a SavedModel."""

FEWEST = 100
"""Representative inputs below which ranges are guesses."""
CALIBRATED: tuple[Kind, ...] = ("int8", "int16x8")
"""Kinds that need representative data."""


def convert(
    model: Convertible,
    kind: Kind,
    representative: Representative | None = None,
    *,
    keep_float: Sequence[str] = (),
    dense_per_channel: bool = True,
    correct: bool = True,
) -> bytes:
    """The model as a .tflite; the same model and data give the same bytes.

    Parameters
    ----------
    representative : inputs whose range sets the scales and zero points of int8 and int16x8; at least 100 of them
    keep_float : layers whose ops stay in float32; int8 only
    dense_per_channel : a scale for each unit of a dense layer; one for the whole layer is smaller, and all that
        releases of TensorFlow Lite Micro before autumn 2024 read
    correct : take the mean shift of rounding out of the biases, see `bias_correction`; not for a network that
        was trained with the rounding in view

    Raises
    ------
    InputError
        An op that the kind does not have (the message names layer, op and remedy), a layer to be kept in float that is
        not in the model, or representative data that is missing, has NaN, is too little, or of another shape.
    """
    if keep_float and kind != "int8":
        raise InputError(f"--keep-float {keep_float[0]}: {kind} has no int8 layers to keep it from; use it with --int8")
    if kind in CALIBRATED:
        if representative is None:
            raise InputError(f"{kind} needs representative data; name it with --calibrate DATA:N")
        check_representative(model, representative)
    if kind == "int8":
        model = _laid_for_int8(model)
    converter = _converter(model)
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not dense_per_channel
    _set_kind(converter, kind, representative)
    if representative is None or kind not in CALIBRATED:
        return converted(converter, kind=kind)
    plain = converted(_converter(model))
    if keep_float:
        from ecgedge_convert.kept_layers import quantise_without

        quantised = quantise_without(converter, keep_float)
    else:
        quantised = converted(converter, kind=kind, float_model=plain)
    return with_corrected_biases(plain, quantised, by_tensor(plain, representative)) if correct else quantised


def by_tensor(model: bytes, inputs: Representative) -> dict[str, FloatArray]:
    """Inputs by the names that the converter gave their tensors; those that it left out are left out."""
    tensors = {tensor.name for tensor in read_graph(model).inputs}
    names = {name: {name, f"serving_default_{name}:0", f"{name}:0"} & tensors for name in inputs}
    return {found.pop(): inputs[name] for name, found in names.items() if found}


def to_float32(model: Convertible) -> bytes:
    """The model as it is, as a float32 .tflite: the reference of every parity check."""
    return convert(model, "float32")


def to_int8(model: Convertible, representative: Representative) -> bytes:
    """Full-integer quantisation: int8 weights, activations, inputs and outputs; raises as `convert` does."""
    return convert(model, "int8", representative)


def tensorflow() -> ModuleType:
    """TensorFlow, without its notes on this processor."""
    with without_chatter(*CHATTER):
        return importlib.import_module("tensorflow")


def converted(
    converter: "tf.lite.TFLiteConverter", *, kind: Kind = "float32", float_model: bytes | None = None
) -> bytes:
    """Convert; the paths of temporary files that Keras prints, and notes on deprecation, are not for our users.

    Parameters
    ----------
    float_model : the same network as float32, to name the layer of an op that is refused

    Raises
    ------
    InputError
        An op that the kind does not have.
    """
    spoken = io.StringIO()
    try:
        with without_chatter(*CHATTER), redirect_stdout(spoken), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bytes(converter.convert())
    except Exception as error:  # the converter raises bare exceptions, among them RuntimeError and ConverterError
        raise refusal(error, kind=kind, float_model=float_model) from error


def _laid_for_int8(model: Convertible) -> Convertible:
    """The same network with its layers where int8 kernels take them together, where it is one of Keras 3.

    What cannot be rebuilt is converted as it stands: its answers are the same, only slower.
    """
    import keras

    if not isinstance(model, keras.Model):
        return model
    try:
        return fused_model(model)
    except InputError:
        return model


def _converter(model: Convertible) -> "tf.lite.TFLiteConverter":
    tf = tensorflow()
    if isinstance(model, Path):
        with without_chatter(*CHATTER):
            return tf.lite.TFLiteConverter.from_saved_model(str(model))
    return tf.lite.TFLiteConverter.from_keras_model(model)


def _set_kind(converter: "tf.lite.TFLiteConverter", kind: Kind, representative: Representative | None) -> None:
    tf = tensorflow()
    if kind == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind not in CALIBRATED or representative is None:
        return
    ops, number = tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8
    if kind == "int16x8":
        ops, number = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8, tf.int16
    converter.representative_dataset = lambda: _one_by_one(representative)
    converter.target_spec.supported_ops = [ops]
    converter.inference_input_type = converter.inference_output_type = number


def _one_by_one(representative: Representative) -> Iterator[dict[str, FloatArray]]:
    n = len(next(iter(representative.values())))
    for k in range(n):
        yield {name: values[k : k + 1] for name, values in representative.items()}


def check_representative(model: Convertible, representative: Representative) -> None:
    """Refuse representative data that would set wrong scales.

    Raises
    ------
    InputError
        Of another shape than the model's inputs, fewer than 100, or not finite.
    """
    found = {name: values.shape[1:] for name, values in representative.items()}
    if not isinstance(model, Path):
        wanted = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
        if wanted != found:
            raise InputError(
                f"representative data of shape {found}; the model takes {wanted}; calibrate with its own data"
            )
    for name, values in representative.items():
        if len(values) < FEWEST:
            raise InputError(
                f"{len(values)} representative inputs; at least {FEWEST} are needed; raise N of --calibrate DATA:N"
            )
        if not np.isfinite(values).all():
            raise InputError(f"representative data: {name} holds NaN or infinite values; verify the data set")
