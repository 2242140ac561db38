"""Put a converted page model and all that is known about it into a bundle."""

from collections.abc import Mapping
from dataclasses import dataclass

from ecgedge import __version__
from ecgedge.bundle import Bundle
from ecgedge.card import render_card
from ecgedge.decide import Decision
from ecgedge.errors import InputError
from ecgedge.golden import with_golden
from ecgedge.labels import REPORT
from ecgedge.manifest import Json, Manifest
from ecgedge.page_pipeline import PagePipeline
from ecgedge.runtime import Model, TensorSpec
from ecgedge_convert.export import LICENCE, NO_NAMES, spec_of, tensor_of

ATTRIBUTION = (
    "Trained on the ECG Images dataset of Cardiac Patients, version 2 (Khan and Hussain 2021, Mendeley Data, "
    "10.17632/gwbz3fsgp8.2), Creative Commons Attribution 4.0"
)

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class PageModelFacts:
    """What the workshop knows about a trained page model."""

    name: str
    pipeline: PagePipeline
    decision: Decision
    training: dict[str, Json]
    output_shapes: Shapes
    """Name of each output -> its shape without the leading axis."""


def page_bundle(model: bytes, facts: PageModelFacts, *, own: Mapping[str, str] = NO_NAMES) -> Bundle:
    """A complete page bundle, golden vectors included, in memory; arguments and errors are those of `bare_bundle`."""
    return with_golden(bare_bundle(model, facts, own=own))


def bare_bundle(model: bytes, facts: PageModelFacts, *, own: Mapping[str, str] = NO_NAMES) -> Bundle:
    """The same without golden vectors, for a fold of a cross-validation: it cannot prove itself elsewhere.

    Parameters
    ----------
    own : what the network calls an input, where that is not our name

    Raises
    ------
    InputError
        The model lacks an input or output, or two outputs have one shape and cannot be told apart.
    """
    loaded = Model(model)
    inputs = {name: spec_of(own.get(name, name), loaded.inputs) for name in _input_names(facts.pipeline)}
    if missing := sorted(name for name, spec in inputs.items() if spec is None):
        raise InputError(f"{facts.name}: the converted model has no input {missing[0]!r}; every input must be used")
    manifest = Manifest(
        name=facts.name,
        version=__version__,
        task="page",
        labels=REPORT.names,
        label_titles=REPORT.titles,
        label_source=REPORT.source,
        inputs=tuple(tensor_of(name, spec) for name, spec in inputs.items() if spec is not None),
        outputs=tuple(tensor_of(name, spec) for name, spec in outputs_of(loaded.outputs, facts.output_shapes).items()),
        preprocessing=facts.pipeline.to_manifest(),
        decision=facts.decision.to_manifest(),
        figures=(),
        training=facts.training,
        licence=LICENCE,
        attribution=ATTRIBUTION,
        model_bytes=len(model),
        model_sha256="",
    )
    return Bundle(manifest, model, render_card(manifest), b"")


def outputs_of(specs: tuple[TensorSpec, ...], shapes: Shapes) -> dict[str, TensorSpec]:
    """Name -> tensor of a converted model; the converter loses the names, so that shapes must tell.

    Raises
    ------
    InputError
        Two outputs have one shape, or the converted model has others.
    """
    if len(set(shapes.values())) < len(shapes):
        raise InputError(f"outputs {dict(shapes)}: two have one shape; change the size of one input by a few samples")
    found = {spec.shape[1:]: spec for spec in specs}
    if set(found) != set(shapes.values()) or len(found) != len(specs):
        raise InputError(f"the converted model has outputs {sorted(found)}; {dict(shapes)} are expected; convert again")
    return {name: found[shape] for name, shape in shapes.items()}


def _input_names(pipeline: PagePipeline) -> tuple[str, ...]:
    return ("leads", "strip") if pipeline.takes_leads else ("page",)
