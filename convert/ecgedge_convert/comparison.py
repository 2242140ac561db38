"""Do two bundles of one model answer alike? On given inputs, through their own integers and their decision."""

from dataclasses import dataclass

import numpy as np

from ecgedge.batched_model import BatchedModel
from ecgedge.bundle import Bundle
from ecgedge.decide import Decision, decide
from ecgedge.records import FloatArray
from ecgedge_convert.quantise import Representative

_BATCHES = {"beat": (1, 8, 64, 512), "page": (1,)}


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one bundle answers beside the float32 one."""

    inputs: int
    agreement: float
    """Share with the same class, 0 to 1."""
    largest_difference: float
    """Of any calibrated probability, 0 to 1."""


def answers_of(bundle: Bundle, inputs: Representative) -> FloatArray:
    """Calibrated probabilities, (n, n_classes) float32.

    Parameters
    ----------
    inputs : by our names, n > 0; those that the bundle does not take are passed over
    """
    manifest = bundle.manifest
    model = BatchedModel(bundle, task=manifest.task, batches=_BATCHES[manifest.task])
    said = model.real(model.raw(model.quantised(inputs)))["probabilities"]
    return decide(said, Decision.from_manifest(manifest.decision))[1]


def compared(reference: FloatArray, found: FloatArray) -> Comparison:
    """Compare what `answers_of` gave for two bundles."""
    same = reference.argmax(axis=1) == found.argmax(axis=1)
    return Comparison(len(found), float(same.mean()), float(np.abs(reference - found).max()))
