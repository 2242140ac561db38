"""Which layers of a variant lose most by rounding, on inputs of the training side."""

from dataclasses import dataclass

from ecgedge_convert.conversion import Workbench, float_twin
from ecgedge_convert.quantise import by_tensor
from ecgedge_convert.tensor_errors import MOST_INPUTS, TensorError, tensor_errors, worst
from ecgedge_convert.variant import Variant


@dataclass(frozen=True, slots=True)
class LayerErrors:
    """What was found."""

    inputs: int
    """How many were run."""
    worst: tuple[TensorError, ...]
    """The ten that take away most, the worst first."""


def layer_errors(bench: Workbench, variant: Variant, quantised: bytes) -> LayerErrors:
    """Hold the tensors of a variant against those of its float twin.

    Raises
    ------
    InputError
        A network that was trained with rounding in view has no twin.
    """
    drawn = bench.calibration
    inputs = drawn.apart or drawn.inputs
    plain = float_twin(bench, variant)
    own = {bench.source.own_inputs.get(name, name): values for name, values in inputs.items()}
    n = min(MOST_INPUTS, drawn.n_apart or drawn.count)
    return LayerErrors(n, worst(tensor_errors(plain, quantised, by_tensor(plain, own))))
