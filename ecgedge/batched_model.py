"""The model part of a bundle behind its manifest: named inputs of any number in, named outputs out.

Knows nothing of beats, pages or decisions.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ecgedge.bundle import Bundle
from ecgedge.errors import BundleError
from ecgedge.manifest import Tensor
from ecgedge.runtime import Model, TensorSpec, dequantise, quantise

Arrays = dict[str, NDArray[np.generic]]


class BatchedModel:
    """An interpreter that takes batches of any size.

    Parameters
    ----------
    task : what the bundle must be for: `beat` or `page`
    batches : sizes the interpreter is sized for, rising; a smaller batch is padded, since every resize costs an
        allocation

    Raises
    ------
    BundleError
        The bundle is for another task, or its model has other inputs or outputs than its manifest says.
    """

    def __init__(self, bundle: Bundle, *, task: str, batches: tuple[int, ...], threads: int = 1) -> None:
        if bundle.manifest.task != task:
            raise BundleError(f"{bundle.source}: a bundle for {bundle.manifest.task!r}; {task}s need one for {task!r}")
        self._model = Model(bundle.model, threads=threads)
        self._batches = batches
        self._inputs = _named(bundle.manifest.inputs, self._model.inputs, "inputs", bundle.source)
        self._outputs = _named(bundle.manifest.outputs, self._model.outputs, "outputs", bundle.source)

    def quantised(self, inputs: Mapping[str, NDArray[np.float32]]) -> Arrays:
        """Real inputs by name -> by tensor name, in the model's own integers."""
        return {spec.name: quantise(inputs[name], spec) for name, spec in self._inputs.items()}

    def raw(self, inputs: Arrays) -> Arrays:
        """Inputs by tensor name -> outputs by name, both in the model's own integers, leading axis n > 0."""
        n, step = len(next(iter(inputs.values()))), self._batches[-1]
        parts = [self._invoke(inputs, start, min(start + step, n)) for start in range(0, n, step)]
        return {name: np.concatenate([part[name] for part in parts]) for name in self._outputs}

    def real(self, outputs: Arrays) -> dict[str, NDArray[np.float32]]:
        """What `raw` gave, as float32."""
        return {name: dequantise(values, self._outputs[name]) for name, values in outputs.items()}

    def _invoke(self, inputs: Arrays, start: int, stop: int) -> Arrays:
        size = next(batch for batch in self._batches if batch >= stop - start)
        found = self._model.invoke({name: _padded(values[start:stop], size) for name, values in inputs.items()})
        by_tensor = dict(zip((spec.name for spec in self._model.outputs), found, strict=True))
        return {name: by_tensor[spec.name][: stop - start].copy() for name, spec in self._outputs.items()}


def _named(stated: tuple[Tensor, ...], found: tuple[TensorSpec, ...], kind: str, source: str) -> dict[str, TensorSpec]:
    """Our name -> what the model file says of that tensor."""
    specs = {spec.name: spec for spec in found}
    tensors = {tensor.name: tensor.tensor for tensor in stated}
    if set(tensors.values()) != set(specs):
        raise BundleError(f"{source}: {kind} {sorted(specs)}, manifest says {sorted(tensors.values())}; convert again")
    return {name: specs[tensor] for name, tensor in tensors.items()}


def _padded(values: NDArray[np.generic], size: int) -> NDArray[np.generic]:
    if len(values) == size:
        return values
    return np.concatenate([values, np.zeros((size - len(values), *values.shape[1:]), values.dtype)])
