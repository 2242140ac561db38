"""An interpreter whose tensors can all be read after a run: plain kernels, since fused ones keep nothing in between."""

from collections.abc import Iterator, Mapping

import numpy as np

from ecgedge.chatter import without_chatter
from ecgedge.records import FloatArray
from ecgedge.runtime import dequantise, quantise, tensor_spec
from ecgedge_convert.tflite_file import GraphTensor


class KeptTensors:
    """A .tflite model that is run one input at a time, for looking into.

    Parameters
    ----------
    model : its batch fixed at one (`batch_of_one`); kept tensors of a shape that is computed fail at the second run
    """

    def __init__(self, model: bytes) -> None:
        # Not through ecgedge.runtime: tflite-runtime cannot keep tensors, and devices never need it.
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        with without_chatter(b"INFO"):
            self._interpreter = Interpreter(
                model_content=model, experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True
            )
            self._interpreter.allocate_tensors()
        self._inputs = [tensor_spec(detail) for detail in self._interpreter.get_input_details()]
        self._details = {detail["index"]: detail for detail in self._interpreter.get_tensor_details()}

    def run(self, inputs: Mapping[str, FloatArray]) -> None:
        """Inputs by tensor name, leading axis 1."""
        for spec in self._inputs:
            self._interpreter.set_tensor(spec.index, quantise(inputs[spec.name], spec))
        self._interpreter.invoke()

    def real(self, tensor: GraphTensor) -> FloatArray:
        """The tensor's values as real numbers."""
        return dequantise(self._interpreter.get_tensor(tensor.index), tensor_spec(self._details[tensor.index]))


def spread_rows(inputs: Mapping[str, FloatArray], most: int) -> Iterator[dict[str, FloatArray]]:
    """At most so many of n inputs, evenly over them, one at a time."""
    n = len(next(iter(inputs.values())))
    for k in np.unique(np.linspace(0, n - 1, min(n, most)).astype(int)):
        yield {name: values[k : k + 1] for name, values in inputs.items()}
