"""Put a converted model and all that is known about it into a bundle."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ecgedge import __version__
from ecgedge.bundle import Bundle
from ecgedge.card import render_card
from ecgedge.golden import with_golden
from ecgedge.labels import AAMI
from ecgedge.manifest import Json, Manifest, Tensor
from ecgedge.preprocess import BeatPipeline
from ecgedge.runtime import Model, TensorSpec

INPUTS = ("beat", "features")
"""What `ecgedge.beats` gives; a beat model takes one of them or both."""
NO_NAMES: Mapping[str, str] = MappingProxyType({})
LICENCE = "Apache-2.0 (weights and code)"
ATTRIBUTION = (
    "Trained on the MIT-BIH Arrhythmia Database 1.0.0 (Moody and Mark 2001, 10.1109/51.932724; Goldberger et al. 2000, "
    "10.1161/01.CIR.101.23.e215), Open Data Commons Attribution 1.0"
)


@dataclass(frozen=True, slots=True)
class BeatModelFacts:
    """What the workshop knows about a trained beat model."""

    name: str
    pipeline: BeatPipeline
    decision: dict[str, Json]
    training: dict[str, Json]


def beat_bundle(model: bytes, facts: BeatModelFacts, *, own: Mapping[str, str] = NO_NAMES) -> Bundle:
    """A complete beat bundle, golden vectors included, in memory.

    An input that a network does not look at, and that the converter therefore left out, is left out here too.

    Parameters
    ----------
    own : what the network calls an input, where that is not our name
    """
    loaded = Model(model)
    inputs = {name: spec for name in INPUTS if (spec := spec_of(own.get(name, name), loaded.inputs)) is not None}
    manifest = Manifest(
        name=facts.name,
        version=__version__,
        task="beat",
        labels=AAMI.names,
        label_titles=AAMI.titles,
        label_source=AAMI.source,
        inputs=tuple(tensor_of(name, spec) for name, spec in inputs.items()),
        outputs=(tensor_of("probabilities", loaded.outputs[0]),),
        preprocessing=facts.pipeline.to_manifest(),
        decision=facts.decision,
        figures=(),
        training=facts.training,
        licence=LICENCE,
        attribution=ATTRIBUTION,
        model_bytes=len(model),
        model_sha256="",
    )
    bundle = Bundle(manifest, model, render_card(manifest), b"")
    return with_golden(bundle)


def spec_of(name: str, specs: tuple[TensorSpec, ...]) -> TensorSpec | None:
    """The tensor that the converter made of the Keras input called `name`, if any."""
    for spec in specs:
        if spec.name in (name, f"serving_default_{name}:0", f"{name}:0"):
            return spec
    return None


def tensor_of(name: str, spec: TensorSpec) -> Tensor:
    """A tensor for the manifest, by our name."""
    return Tensor(name, spec.name, spec.shape, spec.dtype.name, spec.scale, spec.zero_point)
