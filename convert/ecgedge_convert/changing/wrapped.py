"""A network laid in tf_keras with tfmot's wrappers around its layers, and its weights taken out again.

tfmot would wrap a whole model only where it knows every layer of it, and refuses several outputs; laid one by one, the
layers that it does not know stay as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ecgedge.extras import require
from ecgedge.manifest import Json
from ecgedge_convert.changing.fine_tune import Callback, Course, History, fine_tune
from ecgedge_convert.changing.graph import _MERGES as MERGES
from ecgedge_convert.changing.graph import INPUT, MAX, FloatArray, Graph, Node
from ecgedge_convert.changing.graph import _lay as lay

if TYPE_CHECKING:
    import keras as keras_3

Wrap = Callable[["keras_3.Layer", Node], "keras_3.Layer"]
"""A built layer of tf_keras, weights set, and its node -> the layer to be laid: its wrapper, or itself."""


@dataclass(frozen=True)
class Wrapped:
    """A model of tf_keras."""

    graph: Graph
    model: "keras_3.Model"
    layers: dict[str, "keras_3.Layer"]
    """Node -> its layer, or the wrapper around it."""

    def with_weights(self, weights_of: Callable[["keras_3.Layer"], list[FloatArray]]) -> Graph:
        """The network with the weights that its layers have now."""
        nodes = [
            replace(node, weights=tuple(weights_of(self.layers[node.name]))) if node.weights else node
            for node in self.graph.nodes
        ]
        return replace(self.graph, nodes=tuple(nodes))


def wrapped(graph: Graph, wrap: Wrap, *, behind_inputs: Callable[[str], "keras_3.Layer"] | None = None) -> Wrapped:
    """Lay a network.

    Parameters
    ----------
    behind_inputs : name of an input -> a layer that everything it feeds sees instead of it

    Raises
    ------
    MissingDependency
        tf_keras or tfmot is not installed.
    """
    require("tf_keras")
    require("tensorflow_model_optimization")
    import tf_keras

    tensors: dict[str, keras_3.KerasTensor] = {}
    inputs: dict[str, keras_3.KerasTensor] = {}
    layers: dict[str, keras_3.Layer] = {}
    for node in graph.nodes:
        fed = [tensors[name] for name in node.inputs]
        if node.kind == INPUT:
            inputs[node.name] = tf_keras.layers.Input(node.config["shape"], name=node.name)
            tensors[node.name] = behind_inputs(node.name)(inputs[node.name]) if behind_inputs else inputs[node.name]
        elif node.kind == MAX:
            tensors[node.name] = lay(node, fed, keras=tf_keras)
        else:
            layers[node.name] = wrap(_built(node, fed), node)
            tensors[node.name] = layers[node.name](fed if node.kind in MERGES else fed[0])
    outputs = graph.outputs
    said = tensors[outputs] if isinstance(outputs, str) else {key: tensors[name] for key, name in outputs.items()}
    model = tf_keras.Model({name: inputs[name] for name in graph.inputs}, said, name=graph.name)
    return Wrapped(graph, model, layers)


@dataclass(frozen=True)
class Tuned:
    """A network that learnt with wrappers around its layers, taken out of them."""

    graph: Graph
    history: History
    facts: dict[str, Json]
    """Of its layers, for the manifest."""


def tuned(
    graph: Graph,
    wrap: Wrap,
    course: Course,
    *,
    weights_of: Callable[["keras_3.Layer"], list[FloatArray]],
    callbacks: Sequence[Callback] = (),
) -> tuple[Graph, History]:
    """Lay a network, train it on and take its weights out again."""
    import tf_keras

    network = wrapped(graph, wrap)
    history = fine_tune(network.model, course, keras=tf_keras, callbacks=callbacks)
    return network.with_weights(weights_of), history


def _built(node: Node, fed: list["keras_3.KerasTensor"]) -> "keras_3.Layer":
    import tf_keras

    layer = getattr(tf_keras.layers, node.kind)(name=node.name, **node.config)
    layer.build([each.shape for each in fed] if node.kind in MERGES else fed[0].shape)
    if node.weights:
        layer.set_weights(list(node.weights))
    return layer


def weights_inside(layer: "keras_3.Layer") -> list[FloatArray]:
    """Weights of a layer, or of the one that a wrapper holds."""
    inner = getattr(layer, "layer", layer)
    return [np.asarray(values, np.float32) for values in inner.get_weights()]
