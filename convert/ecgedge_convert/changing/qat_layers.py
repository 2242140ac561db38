"""Layers of tf_keras that round as int8 does, made of tfmot's wrapper: ranges of weights by channel, of tensors learnt.

tfmot's own quantisers start every tensor at -6 to 6 and move a thousandth a step, which needs tens of thousands of
steps, and round depthwise kernels with one range for all channels. Imports TensorFlow.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray
from tensorflow_model_optimization.quantization.keras import QuantizeConfig, QuantizeWrapperV2
from tensorflow_model_optimization.quantization.keras.quantizers import Quantizer

from ecgedge_convert.changing.qat_biases import LARGEST

_RETURNS = 0.003
"""Part of the way that a range goes back to that of a narrower batch; to that of a wider one it goes at once."""
_LEAST = 1e-8
_RELU6 = 6.0
_KERNELS = {"Conv2D": "kernel", "Dense": "kernel", "DepthwiseConv2D": "depthwise_kernel"}

Ranges = dict[str, tf.Variable]


class Kernel(Quantizer):  # type: ignore[misc]
    """Rounds weights symmetrically to -127..127 of the largest of their output channel.

    The gradient passes as if nothing were rounded. Written in plain operations and not as fake quantisation, because
    the converter folds them into the weights, and then finds these very steps; with fake quantisation of a depthwise
    kernel it fails.
    """

    def __init__(self, kind: str, mask: NDArray[np.float32] | None = None) -> None:
        self.kind, self.mask = kind, mask

    def build(self, *_: object) -> Ranges:
        """Nothing is kept: the range is that of the weights."""
        return {}

    def __call__(self, inputs: tf.Tensor, training: bool, **_: object) -> tf.Tensor:
        """The weights as int8 has them."""
        kernel = inputs if self.mask is None else inputs * self.mask
        axes = (0, 1) if self.kind == "DepthwiseConv2D" else tuple(range(len(kernel.shape) - 1))
        step = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=axes, keepdims=True), _LEAST) / LARGEST
        said = tf.round(kernel / step) * step
        return kernel + tf.stop_gradient(said - kernel) if training else said

    def get_config(self) -> dict[str, object]:
        """Not written to files."""
        return {"kind": self.kind}


class Tensor(Quantizer):  # type: ignore[misc]
    """Rounds a tensor to 256 steps of a range that holds 0 and follows the batches, or ends at a fixed height."""

    def __init__(self, ends_at: float | None = None) -> None:
        self.ends_at = ends_at

    def build(self, _shape: tf.TensorShape, name: str, layer: tf_keras.layers.Layer) -> Ranges:
        """Two variables of the wrapper, where the range is learnt."""
        if self.ends_at is not None:
            return {}
        zeros = tf_keras.initializers.Zeros()
        return {key: layer.add_weight(f"{name}_{key}", initializer=zeros, trainable=False) for key in ("min", "max")}

    def __call__(self, inputs: tf.Tensor, training: bool, weights: Ranges, **_: object) -> tf.Tensor:
        """The tensor as int8 has it."""
        if self.ends_at is not None:
            return tf.quantization.fake_quant_with_min_max_args(inputs, 0.0, self.ends_at)
        low, high = weights["min"], weights["max"]
        if training:
            least, most = tf.minimum(tf.reduce_min(inputs), 0.0), tf.maximum(tf.reduce_max(inputs), 0.0)
            low = low.assign(tf.minimum(least, low + _RETURNS * (least - low)))
            high = high.assign(tf.maximum(most, high + _RETURNS * (most - high)))
        return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high)

    def get_config(self) -> dict[str, object]:
        """Not written to files."""
        return {"ends_at": self.ends_at}


class Rounding(QuantizeConfig):  # type: ignore[misc]
    """What tfmot's wrapper rounds of a layer."""

    def __init__(self, kernel: Kernel | None, output: Tensor | None) -> None:
        self.kernel, self.output = kernel, output

    def get_weights_and_quantizers(self, layer: tf_keras.layers.Layer) -> list[tuple[tf.Variable, Quantizer]]:
        """The kernel; biases are int32 and lose nothing."""
        return [] if self.kernel is None else [(getattr(layer, _KERNELS[self.kernel.kind]), self.kernel)]

    def set_quantize_weights(self, layer: tf_keras.layers.Layer, quantize_weights: list[tf.Tensor]) -> None:
        """Called by the wrapper."""
        if self.kernel is not None:
            setattr(layer, _KERNELS[self.kernel.kind], quantize_weights[0])

    def get_activations_and_quantizers(self, _layer: tf_keras.layers.Layer) -> list[object]:
        """None: what a layer gives is rounded as its output."""
        return []

    def set_quantize_activations(self, layer: tf_keras.layers.Layer, quantize_activations: list[object]) -> None:
        """Nothing to set."""
        del layer, quantize_activations

    def get_output_quantizers(self, _layer: tf_keras.layers.Layer) -> list[Quantizer]:
        """Of what the layer gives."""
        return [] if self.output is None else [self.output]

    def get_config(self) -> Mapping[str, object]:
        """Not written to files."""
        return {}


def rounding_layer(
    layer: tf_keras.layers.Layer, kind: str, *, output: bool, keep_zeros: bool = False
) -> tf_keras.layers.Layer:
    """A built layer in tfmot's wrapper, called as the layer was."""
    limit = getattr(layer, "max_value", None)
    ends_at = None if limit is None or float(limit) == _RELU6 else float(limit)
    if ends_at is not None:  # no such op in int8: the range cuts it off
        layer, output = tf_keras.layers.ReLU(name=layer.name), True
    kernel = None
    if kind in _KERNELS:
        values = getattr(layer, _KERNELS[kind]).numpy()
        kernel = Kernel(kind, np.asarray(values != 0, np.float32) if keep_zeros else None)
    rounding = Rounding(kernel, Tensor(ends_at) if output else None)
    wrapper = QuantizeWrapperV2(layer, rounding, name=layer.name)
    wrapper.trainable = layer.trainable
    return wrapper


def rounding_of(name: str) -> tf_keras.layers.Layer:
    """A layer of that name that rounds what it is given."""
    layer = tf_keras.layers.Activation("linear", name=name)
    return QuantizeWrapperV2(layer, Rounding(None, Tensor()), name=layer.name)
