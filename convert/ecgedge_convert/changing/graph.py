"""A network as plain values (nodes, settings, weights), read from a Keras model and built again from it.

Works with Keras 3 and with tf_keras in both directions, so that a network can cross from one to the other, or be
rebuilt with fewer channels. Nested models are laid flat. Knows nothing of training: regularisers and initialisers are
left behind.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError

if TYPE_CHECKING:
    import types

    import keras

FloatArray = NDArray[np.float32]
Setting = str | float | int | bool | None | tuple["Setting", ...]

INPUT = "InputLayer"
MAX = "Max"
"""The largest value along an axis: an operation and no layer in Keras 3, another one in tf_keras."""
SHAPED = "Shaped"
"""A Reshape as an operation of Keras 3: the shape is a constant, where the layer asks a batch for its size. For
conversion; read back it is a Reshape."""
_CONV = ("trainable", "kernel_size", "strides", "padding", "dilation_rate", "activation", "use_bias")
_POOL = ("pool_size", "strides", "padding")
_KEPT: dict[str, tuple[str, ...]] = {
    "Activation": ("activation",),
    "Add": (),
    "Average": (),
    "AveragePooling1D": _POOL,
    "AveragePooling2D": _POOL,
    "BatchNormalization": ("trainable", "axis", "momentum", "epsilon", "center", "scale"),
    "Concatenate": ("axis",),
    "Conv1D": (*_CONV, "filters", "groups"),
    "Conv2D": (*_CONV, "filters", "groups"),
    "Cropping1D": ("cropping",),
    "Cropping2D": ("cropping",),
    "Dense": ("trainable", "units", "activation", "use_bias"),
    "DepthwiseConv2D": (*_CONV, "depth_multiplier"),
    "Dropout": ("rate",),
    "Flatten": (),
    "GaussianDropout": ("rate",),
    "GaussianNoise": ("stddev",),
    "GlobalAveragePooling1D": ("keepdims",),
    "GlobalAveragePooling2D": ("keepdims",),
    "GlobalMaxPooling1D": ("keepdims",),
    "GlobalMaxPooling2D": ("keepdims",),
    "Maximum": (),
    "MaxPooling1D": _POOL,
    "MaxPooling2D": _POOL,
    "Minimum": (),
    "Multiply": (),
    "Permute": ("dims",),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Rescaling": ("scale", "offset"),
    "Reshape": ("target_shape",),
    "SeparableConv2D": (*_CONV, "filters", "depth_multiplier"),
    "Softmax": ("axis",),
    "SpatialDropout1D": ("rate",),
    "SpatialDropout2D": ("rate",),
    "Subtract": (),
    "UpSampling1D": ("size",),
    "UpSampling2D": ("size", "interpolation"),
    "ZeroPadding1D": ("padding",),
    "ZeroPadding2D": ("padding",),
}
"""Layer class -> its settings that both Kerases have."""
_MERGES = frozenset({"Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"})
"""Layers that take a list of inputs."""


@dataclass(frozen=True)
class Node:
    """One layer at its place."""

    name: str
    kind: str
    """Class of the layer."""
    config: dict[str, Setting]
    """Its settings; an input's are its `shape` without the leading axis."""
    inputs: tuple[str, ...]
    """Nodes that feed it, in order."""
    weights: tuple[FloatArray, ...]
    """In the order of the layer's `get_weights()`, which is that of both Kerases."""


@dataclass(frozen=True)
class Graph:
    """A whole network."""

    nodes: tuple[Node, ...]
    """Every node after those that feed it."""
    inputs: tuple[str, ...]
    outputs: dict[str, str] | str
    """Name of an output -> the node that gives it; or the one node."""
    name: str = "model"

    @property
    def by_name(self) -> dict[str, Node]:
        """Name -> node."""
        return {node.name: node for node in self.nodes}

    @property
    def ends(self) -> tuple[str, ...]:
        """The nodes that give outputs."""
        return (self.outputs,) if isinstance(self.outputs, str) else tuple(self.outputs.values())


class _Tensor(Protocol):
    """What both Kerases' symbolic tensors have."""

    shape: tuple[int | None, ...]


class _Call(Protocol):
    """A layer at one place of a model: what both Kerases call a node."""

    is_input: bool
    outputs: object


def graph_of(model: "keras.Model") -> Graph:
    """Read a functional or sequential model of either Keras; nested models are laid flat.

    Raises
    ------
    InputError
        The model is not functional, or has a layer that is not known here.
    """
    reader = _Reader({}, [], set())
    functional = _functional(model)
    ends = reader.lay(functional, prefix="")
    inputs = tuple(node.name for node in reader.nodes if node.kind == INPUT)
    order = {_layer_name(tensor): place for place, tensor in enumerate(functional.inputs)}
    inputs = tuple(sorted(inputs, key=lambda name: order.get(name, len(order))))
    return Graph(tuple(reader.nodes), inputs, _named_outputs(functional, ends), model.name)


def build(graph: Graph, *, keras: "types.ModuleType") -> "keras.Model":
    """Lay the network with the given Keras, weights set.

    The inputs are a dict by name; outputs are as the graph has them.
    """
    tensors: dict[str, object] = {}
    for node in graph.nodes:
        tensors[node.name] = _lay(node, [tensors[name] for name in node.inputs], keras=keras)
    outputs = (
        tensors[graph.outputs]
        if isinstance(graph.outputs, str)
        else {name: tensors[node] for name, node in graph.outputs.items()}
    )
    # By name: the TFLite converter calls a model with a list in that order, and Keras takes it for the dict only so.
    model = keras.Model({name: tensors[name] for name in sorted(graph.inputs)}, outputs, name=graph.name)
    for node in graph.nodes:
        if node.weights:
            model.get_layer(node.name).set_weights(list(node.weights))
    return model


def _lay(node: Node, inputs: list[object], *, keras: "types.ModuleType") -> object:
    if node.kind == INPUT:
        return keras.layers.Input(node.config["shape"], name=node.name)
    if node.kind == MAX:
        return _largest(inputs[0], node, keras=keras)
    if node.kind == SHAPED:
        return keras.ops.reshape(inputs[0], (-1, *cast(tuple[int, ...], node.config["target_shape"])))
    layer = getattr(keras.layers, node.kind)(name=node.name, **node.config)
    return layer(inputs if node.kind in _MERGES else inputs[0])


def _largest(tensor: object, node: Node, *, keras: "types.ModuleType") -> object:
    axis, keepdims = node.config["axis"], node.config["keepdims"]
    if hasattr(keras, "ops"):
        return keras.ops.max(tensor, axis=axis, keepdims=keepdims)
    import tensorflow as tf

    return tf.reduce_max(tensor, axis=axis, keepdims=keepdims)


@dataclass(frozen=True)
class _Reader:
    """What has been read so far."""

    names: dict[int, str]
    """Identity of a symbolic tensor -> the node that gives it."""
    nodes: list[Node]
    read: set[int]
    """Identities of the layers read."""

    def lay(self, model: "keras.Model", *, prefix: str) -> list[str]:
        """Read all nodes of a model; the nodes that give its outputs are returned."""
        for call in _calls(model):
            self._take(call, prefix)
        return [self.names[id(tensor)] for tensor in _flat(model.outputs)]

    def _take(self, call: _Call, prefix: str) -> None:
        layer, inputs, outputs = _layer_of(call), _inputs_of(call), _flat(call.outputs)
        if id(outputs[0]) in self.names:  # an input of a nested model, which the outer one feeds
            return
        kind = type(layer).__name__
        name = prefix + layer.name
        if id(layer) in self.read:
            raise InputError(f"layer {name} ({kind}) is used at two places; give each place a layer of its own")
        self.read.add(id(layer))
        if hasattr(layer, "outputs") and hasattr(layer, "inputs"):
            self._nested(layer, inputs, outputs, f"{name}_")
            return
        if len(outputs) != 1:
            raise InputError(f"layer {name} ({kind}) has {len(outputs)} outputs; only layers with one can be converted")
        feeding = tuple(self.names[id(tensor)] for tensor in inputs)
        node = _node(layer, call, outputs[0], replace_name=name, feeding=feeding)
        self.names[id(outputs[0])] = node.name
        self.nodes.append(node)

    def _nested(self, model: "keras.Model", inputs: list[_Tensor], outputs: list[_Tensor], prefix: str) -> None:
        inner = _functional(model)
        for inside, outside in zip(inner.inputs, inputs, strict=True):
            self.names[id(inside)] = self.names[id(outside)]
        for outside, end in zip(outputs, self.lay(inner, prefix=prefix), strict=True):
            self.names[id(outside)] = end


def _node(layer: "keras.Layer", call: _Call, output: _Tensor, *, replace_name: str, feeding: tuple[str, ...]) -> Node:
    kind = type(layer).__name__
    if kind == INPUT:
        return Node(replace_name, INPUT, {"shape": tuple(output.shape[1:])}, (), ())
    if largest := _largest_settings(layer, call):
        return Node(f"{feeding[0]}_max", MAX, largest, feeding, ())
    if kind == "Reshape":
        return Node(replace_name, kind, {"target_shape": tuple(output.shape[1:])}, feeding, ())
    if kind not in _KEPT:
        raise InputError(
            f"layer {replace_name} ({kind}) cannot be rebuilt; only float32 and the int8 of the model as it is can be "
            "made of it"
        )
    config = _settings(layer, kind, replace_name, rank=len(output.shape))
    weights = tuple(np.asarray(values, np.float32) for values in layer.get_weights())
    return Node(replace_name, kind, config, feeding, weights)


def _settings(layer: "keras.Layer", kind: str, name: str, *, rank: int) -> dict[str, Setting]:
    found = layer.get_config()
    if found.get("data_format", "channels_last") != "channels_last":
        raise InputError(f"layer {name} ({kind}) has channels first; build the model with channels last")
    config = {key: _plain(found[key]) for key in _KEPT[kind] if key in found}
    if not isinstance(config.get("activation", "linear"), str):
        raise InputError(f"layer {name} ({kind}) has an activation that is a layer; put that layer behind it")
    if kind in ("BatchNormalization", "Softmax", "Concatenate"):
        axis = config["axis"][0] if isinstance(config["axis"], tuple) else config["axis"]
        config["axis"] = -1 if axis == rank - 1 else axis
    return config


def _largest_settings(layer: "keras.Layer", call: _Call) -> dict[str, Setting]:
    """Settings of a maximum along an axis, nothing for all else."""
    if type(layer).__name__ == MAX:
        return {"axis": _one_axis(layer.axis), "keepdims": layer.keepdims}
    if type(layer).__name__ == "TFOpLambda" and layer.get_config().get("function") == "math.reduce_max":
        kwargs = call.call_kwargs  # type: ignore[attr-defined]
        return {"axis": _one_axis(kwargs.get("axis")), "keepdims": bool(kwargs.get("keepdims", False))}
    return {}


def _one_axis(axis: object) -> Setting:
    """A single axis as a number: Keras 3 keeps it as a tuple."""
    plain = _plain(axis)
    return plain[0] if isinstance(plain, tuple) and len(plain) == 1 else plain


def _plain(value: object) -> Setting:
    if isinstance(value, (list, tuple)):
        return tuple(_plain(each) for each in value)
    return value.item() if isinstance(value, np.generic) else cast(Setting, value)


def _functional(model: "keras.Model") -> "keras.Model":
    inner = getattr(model, "_functional", None) or model  # a sequential model of Keras 3 has its graph inside
    if not hasattr(inner, "_nodes_by_depth"):
        raise InputError(f"model {model.name} is no functional or sequential model; its layers cannot be followed")
    return inner


def _calls(model: "keras.Model") -> Iterator[_Call]:
    """Every layer at its place, after what feeds it."""
    by_depth = model._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        yield from by_depth[depth]


def _layer_of(call: _Call) -> "keras.Layer":
    return call.operation if hasattr(call, "operation") else call.layer  # type: ignore[attr-defined]


def _inputs_of(call: _Call) -> list[_Tensor]:
    if call.is_input:
        return []
    return list(call.input_tensors if hasattr(call, "operation") else call.keras_inputs)  # type: ignore[attr-defined]


def _flat(outputs: object) -> list[_Tensor]:
    if isinstance(outputs, dict):
        return [tensor for name in sorted(outputs) for tensor in _flat(outputs[name])]
    if isinstance(outputs, (list, tuple)):
        return [tensor for each in outputs for tensor in _flat(each)]
    return [cast(_Tensor, outputs)]


def _layer_name(tensor: object) -> str:
    return str(tensor._keras_history[0].name)  # type: ignore[attr-defined]


def _named_outputs(model: "keras.Model", ends: list[str]) -> dict[str, str] | str:
    if isinstance(model.output, dict):
        by_tensor = dict(zip([id(tensor) for tensor in _flat(model.outputs)], ends, strict=True))
        return {name: by_tensor[id(tensor)] for name, tensor in model.output.items()}
    return ends[0] if len(ends) == 1 else {end: end for end in ends}
