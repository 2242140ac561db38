"""From a model's probabilities to a decision: temperature, class bias, argmax; each beat by itself.

Knows nothing of signals; evidence from neighbouring beats is in the model's inputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import BundleError
from ecgedge.manifest import Json

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

_LEAST = 1 / 512
"""Stands for a probability of 0: half a step of an int8 softmax."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How probabilities become a class."""

    temperature: float = 1.0
    """Divides the log-probabilities; above 1 makes them less sure."""
    class_bias: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """Added to the log-probabilities, in the order of the labels."""

    def to_manifest(self) -> dict[str, Json]:
        """The parameters as a manifest holds them."""
        return {"temperature": self.temperature, "class_bias": list(self.class_bias)}

    @classmethod
    def from_manifest(cls, raw: Mapping[str, Json]) -> "Decision":
        """Read what `to_manifest` gave; an empty mapping gives the defaults.

        Raises
        ------
        BundleError
            An unknown key, a temperature that is not positive, or a value of the wrong kind.
        """
        if unknown := sorted(set(raw) - {"temperature", "class_bias"}):
            raise BundleError(f"decision has unknown keys {', '.join(unknown)}; convert the model again")
        bias = raw.get("class_bias", [0.0] * 4)
        try:
            found = cls(float(str(raw.get("temperature", 1.0))), tuple(float(str(value)) for value in _as_list(bias)))
        except ValueError as error:
            raise BundleError(f"decision cannot be read ({error}); convert the model again") from None
        if not found.temperature > 0:
            raise BundleError(f"decision: temperature {found.temperature}; it must be above 0; convert the model again")
        return found


def _as_list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise ValueError(f"class_bias {value!r} is no list")
    return value


def decide(probabilities: FloatArray, decision: Decision) -> tuple[IntArray, FloatArray]:
    """Class index and calibrated probabilities of each beat.

    Parameters
    ----------
    probabilities : (n_beats, n_classes) float32

    Returns
    -------
    (n_beats,) int64 and (n_beats, n_classes) float32
    """
    if not len(probabilities):
        return np.zeros(0, np.int64), probabilities.astype(np.float32)
    logits = np.log(np.maximum(probabilities, _LEAST)) / decision.temperature + np.asarray(decision.class_bias)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    calibrated = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return calibrated.argmax(axis=1).astype(np.int64), calibrated
