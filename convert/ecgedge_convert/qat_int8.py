"""From a model that was trained with rounding to int8 bytes: its ranges are in it, no representative data is needed."""

from typing import TYPE_CHECKING

from ecgedge.errors import InputError
from ecgedge_convert.changing.qat import RANGED, ROUNDED
from ecgedge_convert.quantise import converted, tensorflow
from ecgedge_convert.tflite_file import read_graph

if TYPE_CHECKING:
    import keras as keras_3


def qat_to_int8(model: "keras_3.Model") -> bytes:
    """Full-integer model of what `qat.rounded` made: int8 weights, tensors, inputs and outputs.

    Layers that it left in float stay so, and the ends of the model are float where they are next to them.

    Raises
    ------
    InputError
        Something else stayed in float.
    """
    tf = tensorflow()
    specs = {tensor.name: tf.TensorSpec((None, *tensor.shape[1:]), tf.float32, tensor.name) for tensor in model.inputs}
    called = tf.function(lambda inputs: model(inputs, training=False)).get_concrete_function(specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([called], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    made = _named_inputs(converted(converter), list(specs))
    stayed = [tensor.name for tensor in read_graph(made).tensors if tensor.is_float]
    if stayed and not _left(model):
        raise InputError(
            f"tensor {stayed[0]} and {len(stayed) - 1} more stayed in float after QAT; convert without --qat"
        )
    return made


def _left(model: "keras_3.Model") -> bool:
    """Whether a layer was left in float on purpose: `rounded` says why."""
    return any(type(layer).__name__ in RANGED for layer in model.layers)


def _named_inputs(model: bytes, names: list[str]) -> bytes:
    """The inputs named as in Keras again: the converter gives them the names of their rounding."""
    from tensorflow.lite.tools import flatbuffer_utils

    parsed = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    graph = parsed.subgraphs[0]
    for at in graph.inputs:
        tensor = graph.tensors[at]
        for name in names:
            if f"{name}{ROUNDED}/" in tensor.name.decode():
                tensor.name = name.encode()
    return bytes(flatbuffer_utils.convert_object_to_bytearray(parsed))
