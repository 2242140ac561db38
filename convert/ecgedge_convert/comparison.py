"""Do two bundles of one model answer alike? On given inputs, through their own integers and their decision."""

from dataclasses import dataclass

import numpy as np

from ecgedge.batched_model import BatchedModel
from ecgedge.bundle import Bundle
from ecgedge.decide import Decision, decide
from ecgedge.errors import InputError
from ecgedge.records import FloatArray
from ecgedge_convert.quantise import Representative

_MOST_OFF = 0.1
"""Probabilities of 8 bits add up to 1 within a few steps of 1/256; logits do not at all."""
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

    Raises
    ------
    InputError
        The outputs are no probabilities.
    """
    manifest = bundle.manifest
    model = BatchedModel(bundle, task=manifest.task, batches=_BATCHES[manifest.task])
    said = model.real(model.raw(model.quantised(inputs)))["probabilities"]
    if (off := float(np.abs(said.sum(axis=1) - 1).max())) > _MOST_OFF:
        raise InputError(
            f"{manifest.name}: answers add up to 1 only within {off:.2g}; the device needs probabilities, limit "
            f"{_MOST_OFF:g}; end the network with a softmax"
        )
    return decide(said, Decision.from_manifest(manifest.decision))[1]


def compared(reference: FloatArray, found: FloatArray) -> Comparison:
    """Compare what `answers_of` gave for two bundles."""
    same = reference.argmax(axis=1) == found.argmax(axis=1)
    return Comparison(len(found), float(same.mean()), float(np.abs(reference - found).max()))
