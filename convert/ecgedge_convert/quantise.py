"""From a Keras 3 model to .tflite bytes, float32 or int8. The one place that calls the TFLite converter."""

import importlib
import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ecgedge.chatter import without_chatter
from ecgedge.errors import InputError
from ecgedge.records import FloatArray
from ecgedge_train.quiet import CHATTER

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Representative = Mapping[str, FloatArray]
"""Model input name -> (n, ...) float32, drawn from the training side only."""


def to_float32(model: "keras.Model") -> bytes:
    """The model as it is, as a float32 .tflite: the reference of every parity check."""
    tf = tensorflow()
    return _converted(tf.lite.TFLiteConverter.from_keras_model(model))


def to_int8(model: "keras.Model", representative: Representative) -> bytes:
    """Full-integer quantisation: int8 weights, activations, inputs and outputs.

    Parameters
    ----------
    representative : inputs whose range sets the scales and zero points; at least 100 of them.

    Raises
    ------
    InputError
        Representative data with NaN, too few, or of another shape than the model's inputs.
    """
    tf = tensorflow()
    _check_representative(model, representative)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _one_by_one(representative)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return _converted(converter)


def tensorflow() -> ModuleType:
    """TensorFlow, without its notes on this processor."""
    with without_chatter(*CHATTER):
        return importlib.import_module("tensorflow")


def _converted(converter: "tf.lite.TFLiteConverter") -> bytes:
    """Convert; the paths of temporary files that Keras prints, and notes on deprecation, are not for our users."""
    with without_chatter(*CHATTER), redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bytes(converter.convert())


def _one_by_one(representative: Representative) -> Iterator[dict[str, FloatArray]]:
    n = len(next(iter(representative.values())))
    for k in range(n):
        yield {name: values[k : k + 1] for name, values in representative.items()}


def _check_representative(model: "keras.Model", representative: Representative) -> None:
    wanted = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    found = {name: values.shape[1:] for name, values in representative.items()}
    if wanted != found:
        raise InputError(f"representative data of shape {found}; the model takes {wanted}; calibrate with its own data")
    for name, values in representative.items():
        if len(values) < 100:
            raise InputError(
                f"{len(values)} representative inputs; at least 100 are needed; raise N of --calibrate DATA:N"
            )
        if not np.isfinite(values).all():
            raise InputError(f"representative data: {name} holds NaN or infinite values; verify the data set")
