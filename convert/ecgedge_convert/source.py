"""What is converted: the folder of a run, or a model file of another maker with `--like` for what it lacks.

A run holds preprocessing, labels and decision; a .keras, .h5, SavedModel or .tflite does not, and takes them from a
bundle or run that was made for the same inputs. Knows nothing of variants or calibration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ecgedge.beats import BeatSettings
from ecgedge.bundle import Bundle, find_bundle, read_bundle
from ecgedge.decide import Decision
from ecgedge.errors import InputError
from ecgedge.lead_arrays import LEADS_INPUT, STRIP_INPUT, LeadArraySettings
from ecgedge.manifest import Json
from ecgedge.page_pipeline import PagePipeline, page_pipeline_of
from ecgedge.preprocess import pipeline_of
from ecgedge_convert.export import BeatModelFacts, beat_bundle
from ecgedge_convert.model_file import Network, read_network
from ecgedge_convert.page_export import PageModelFacts, Shapes, page_bundle
from ecgedge_convert.page_run import is_page_run, page_facts
from ecgedge_convert.run import load_model, run_facts

if TYPE_CHECKING:
    import keras

MODEL, SETTINGS = "model.keras", "settings.json"
PROBABILITIES = "probabilities"
Facts = BeatModelFacts | PageModelFacts


@dataclass(frozen=True)
class Source:
    """A model with all that a bundle needs to know."""

    name: str
    network: Network
    facts: Facts
    own_inputs: Mapping[str, str]
    """What ecgedge calls an input -> what the network calls it."""
    run: Path | None = None
    """Folder of the training run; None for a model from elsewhere."""

    @property
    def task(self) -> Literal["beat", "page"]:
        """What it judges."""
        return "page" if isinstance(self.facts, PageModelFacts) else "beat"

    @property
    def model(self) -> "keras.Model":
        """The Keras model, for changes of its weights.

        Raises
        ------
        InputError
            There is none: a SavedModel or .tflite has no layers that could be changed.
        """
        if self.network.model is None:
            raise InputError(
                f"{self.name}: a {self.network.kind} can only be converted; to prune, cluster or train it on give the "
                ".keras or .h5 file"
            )
        return self.network.model

    def bundle(
        self, converted: bytes, *, name: str, conversion: Mapping[str, Json], decision: Decision | None = None
    ) -> Bundle:
        """A bundle of converted bytes, golden vectors included, in memory.

        Parameters
        ----------
        conversion : how the bytes came about, for the manifest
        decision : in place of the one that the source has
        """
        facts, training = self.facts, {**self.facts.training, "conversion": dict(conversion)}
        if isinstance(facts, BeatModelFacts):
            decided = facts.decision if decision is None else decision.to_manifest()
            known = replace(facts, name=name, training=training, decision=decided)
            return beat_bundle(converted, known, own=self.own_inputs)
        page = replace(facts, name=name, training=training, decision=decision or facts.decision)
        return page_bundle(converted, page, own=self.own_inputs)


def read_source(path: Path, *, like: Path | None = None) -> Source:
    """Read a model and what belongs to it.

    Parameters
    ----------
    path : folder of a run or its model.keras; or a .keras, .h5, SavedModel folder or float .tflite
    like : bundle (file or shipped name) or run that brings preprocessing, labels and decision to a model from elsewhere

    Raises
    ------
    InputError
        No such file, no model in it, inputs or classes that do not fit, or `like` is missing.
    """
    if like is None and (folder := _run_folder(path)) is not None:
        return _of_run(folder)
    network = read_network(path)
    return _from_elsewhere(network, path, _facts_like(_like_of(path, like)))


def _run_folder(path: Path) -> Path | None:
    folder = path if path.is_dir() else path.parent
    named = path.is_dir() or path.name == MODEL
    return folder if named and (folder / SETTINGS).exists() else None


def _of_run(folder: Path) -> Source:
    model = load_model(folder)
    network = Network("run", model=model)
    facts: Facts
    if is_page_run(folder):
        facts = page_facts(folder, model, name=folder.name)
        expected, every = _page_shapes(facts.pipeline), True
    else:
        facts = run_facts(folder, name=folder.name)
        expected, every = _beat_shapes(facts.pipeline.beats), False
    name = str(facts.training.get("recipe") or folder.name)
    own = fitted_inputs(expected, network.inputs, every=every)
    _require_classes(network)
    return Source(name, network, facts, own, run=folder)


def _like_of(path: Path, like: Path | None) -> Path:
    """A bundle brings its own."""
    if like is not None:
        return like
    if path.suffix == ".tflite" and _is_bundle(path):
        return path
    raise InputError(
        f"{path}: a model without a run says nothing of preprocessing, labels and decision; name a bundle or run made "
        "for the same inputs with --like, such as --like beat"
    )


def _is_bundle(path: Path) -> bool:
    import zipfile

    return zipfile.is_zipfile(path)


def _facts_like(like: Path) -> Facts:
    if (folder := _run_folder(like)) is not None:
        return _of_run(folder).facts
    manifest = read_bundle(find_bundle(str(like))).manifest
    if manifest.task == "beat":
        return BeatModelFacts(manifest.name, pipeline_of(manifest), manifest.decision, manifest.training)
    shapes = {tensor.name: tensor.shape[1:] for tensor in manifest.outputs}
    decision = Decision.from_manifest(manifest.decision)
    return PageModelFacts(manifest.name, page_pipeline_of(manifest), decision, manifest.training, shapes)


def _from_elsewhere(network: Network, path: Path, like: Facts) -> Source:
    name = path.stem if path.suffix else path.name
    training: dict[str, Json] = {
        "source": path.name,
        "format": network.kind,
        "preprocessing, labels and decision of": like.name,
        **{key: like.training[key] for key in _SPLIT_KEYS if key in like.training},
    }
    if isinstance(like, BeatModelFacts):
        own = fitted_inputs(_beat_shapes(like.pipeline.beats), network.inputs, every=False)
        _require_classes(network)
        return Source(name, network, replace(like, training=training), own)
    own = fitted_inputs(_page_shapes(like.pipeline), network.inputs, every=True)
    _require_classes(network)
    outputs = _named_outputs(network.outputs, like.output_shapes)
    return Source(name, network, replace(like, training=training, output_shapes=outputs), own)


_SPLIT_KEYS = ("data", "protocol", "folds", "split_seed", "held_out_fold", "split_sha256")
"""What says which pages are of the training side."""


def _beat_shapes(settings: BeatSettings) -> Shapes:
    return {"beat": (1, settings.n_window, 2), "features": (len(settings.features),)}


def _page_shapes(pipeline: PagePipeline) -> Shapes:
    inputs = pipeline.inputs
    if isinstance(inputs, LeadArraySettings):
        return {LEADS_INPUT: (12, inputs.lead_samples, 2), STRIP_INPUT: (1, inputs.strip_samples, 2)}
    return {"page": (inputs.height_px, inputs.width_px, inputs.channels)}


def fitted_inputs(expected: Shapes, found: Shapes, *, every: bool) -> dict[str, str]:
    """Our name of each input -> the network's own: by name, else by a shape that only one has.

    Parameters
    ----------
    every : whether the network must take all of them; a beat model takes one or both

    Raises
    ------
    InputError
        An input that the preprocessing does not give, or one too few.
    """
    fitted: dict[str, str] = {}
    for own, shape in found.items():
        same = [name for name, wanted in expected.items() if wanted == shape and name not in fitted]
        name = own if own in same else same[0] if len(same) == 1 else ""
        if not name:
            raise InputError(
                f"input {own} of shape {shape}; the preprocessing gives {dict(expected)}; train it for these"
            )
        fitted[name] = own
    if missing := [name for name in expected if every and name not in fitted]:
        raise InputError(
            f"no input {missing[0]!r} of shape {expected[missing[0]]} in the model; every input must be used"
        )
    return fitted


def _require_classes(network: Network) -> None:
    n_classes = 4  # AAMI beat classes as well as report classes
    shapes = network.outputs
    if not any(shape == (n_classes,) for shape in shapes.values()):
        raise InputError(
            f"outputs of shape {dict(shapes)}; the labels are {n_classes} classes; one output must be of shape (4,)"
        )


def _named_outputs(found: Shapes, like: Shapes) -> Shapes:
    """Outputs by the names that the device knows; a model that has no names gives them by their shapes."""
    named: dict[str, tuple[int, ...]] = {}
    for own, shape in found.items():
        same = [name for name, wanted in like.items() if wanted == shape]
        name = own if own in like else PROBABILITIES if shape == (4,) else same[0] if len(same) == 1 else ""
        if not name or name in named:
            raise InputError(f"output {own} of shape {shape}; expected are {dict(like)}; leave it out of the model")
        named[name] = shape
    return named
