"""One variant of a model: changed, quantised, put into a bundle, proven by its own golden vectors and compared."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from time import perf_counter
from typing import cast

from ecgedge.bundle import Bundle
from ecgedge.errors import BundleError, InputError
from ecgedge.extras import versions
from ecgedge.golden import selftest
from ecgedge.manifest import Json
from ecgedge_convert.calibration import Calibration
from ecgedge_convert.changing.changes import Changed, changed
from ecgedge_convert.litert_quantise import convert_tflite
from ecgedge_convert.qat_int8 import qat_to_int8
from ecgedge_convert.quantise import CALIBRATED, Convertible, Representative, convert
from ecgedge_convert.refused_ops import require_int8
from ecgedge_convert.source import Source
from ecgedge_convert.tflite_graph import ModelFacts, graph_facts
from ecgedge_convert.variant import Variant

_LIBRARIES = ("tensorflow", "keras", "tf_keras", "tensorflow-model-optimization", "ai-edge-litert", "numpy")
_ALWAYS = ("name", "kind", "target", "seed")
Advance = Callable[[str, int, int, float], None]
"""Called while a variant is trained on, with the change, the epoch from 1, how many there will be, and the loss."""


def _tell_nobody(_change: str, _epoch: int, _epochs: int, _loss: float) -> None:
    pass


@dataclass(frozen=True)
class Converted:
    """One variant, made."""

    bundle: Bundle
    facts: ModelFacts
    seconds: float
    decided: str = ""
    """Whose temperature and sets a changed network has, in words; empty for one that was not changed."""

    def to_json(self) -> dict[str, Json]:
        """As plain values."""
        facts = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self.facts).items()}
        return {
            "model_sha256": hashlib.sha256(self.bundle.model).hexdigest(),
            "seconds": round(self.seconds, 2),
            "model": cast(Json, facts),
            "conversion": self.bundle.manifest.training["conversion"],
        }


@dataclass(frozen=True)
class Workbench:
    """What all variants of one call share."""

    source: Source
    calibration: Calibration
    root: Path | None = None
    """Folder of the data sets."""
    kept: dict[Variant, Changed] = field(default_factory=dict)
    """The network that was changed last, since another kind of it needs no second training."""


def convert_variant(bench: Workbench, variant: Variant, *, name: str, advance: Advance = _tell_nobody) -> Converted:
    """Make one variant, in memory.

    Parameters
    ----------
    name : of the bundle

    Raises
    ------
    InputError
        An op or layer that the kind does not have, representative data that does not fit, a change that cannot be made.
    BundleError
        The bundle does not reproduce its own golden vectors.
    """
    start_s = perf_counter()
    source = bench.source
    network = _changed(bench, variant, advance) if variant.changes_weights else None
    converted = _quantised(bench, variant, network)
    bundle = source.bundle(
        converted,
        name=name,
        conversion=conversion_facts(variant, bench.calibration, network),
        decision=network.decided.decision if network and network.decided else None,
    )
    if failed := [check.name for check in selftest(bundle) if not check.passed]:
        raise BundleError(f"{name}: self-test failed in {', '.join(failed)}; report this, with the model")
    words = network.decided.words if network and network.decided else ""
    return Converted(bundle, graph_facts(converted), perf_counter() - start_s, words)


def float_twin(bench: Workbench, variant: Variant) -> bytes:
    """The network of a variant as float32, which its tensors are held against.

    Raises
    ------
    InputError
        A network that was trained with rounding has none.
    """
    network = _changed(bench, variant, _tell_nobody, decide=False) if variant.changes_weights else None
    if network is not None and network.rounded:
        raise InputError(
            f"variant {variant.name}: trained with rounding in view, it has no float twin to be held against"
        )
    return _quantised(bench, replace(variant, kind="float32", keep_float=()), network)


def conversion_facts(variant: Variant, calibration: Calibration, network: Changed | None) -> dict[str, Json]:
    """How a bundle's bytes came about: the variant, the libraries, the calibration data, what was changed and decided.

    Parameters
    ----------
    network : None where nothing was changed
    """
    plain = Variant(variant.name)
    stated = {
        entry.name: getattr(variant, entry.name)
        for entry in fields(Variant)
        if entry.name in _ALWAYS or getattr(variant, entry.name) != getattr(plain, entry.name)
    }
    listed = {key: list(value) if isinstance(value, tuple) else value for key, value in stated.items()}
    found: dict[str, Json] = {"variant": cast(Json, listed), "libraries": versions(_LIBRARIES)}
    if variant.kind in CALIBRATED:
        found["calibration"] = calibration.facts()
        found["bias correction"] = not variant.qat
    if network is not None:
        found["changes"] = network.facts
        if network.decided is not None:
            found["decision"] = network.decided.facts
    return found


def _changed(bench: Workbench, variant: Variant, advance: Advance, *, decide: bool = True) -> Changed:
    """The network with its weights changed; the same changes for another kind are not made again."""
    key = replace(variant, name="", kind="int8", target="pi", keep_float=variant.keep_float if variant.qat else ())
    if key not in bench.kept or (decide and bench.kept[key].decided is None):
        found = changed(bench.source.model, variant, bench.source.run, root=bench.root, decide=decide, advance=advance)
        bench.kept.clear()
        bench.kept[key] = found
    return bench.kept[key]


def _quantised(bench: Workbench, variant: Variant, network: Changed | None) -> bytes:
    source = bench.source
    if network is not None and network.rounded:
        return _all_int8(qat_to_int8(network.model), variant)
    representative: Representative | None = None
    if variant.kind in CALIBRATED:
        inputs = bench.calibration.inputs
        representative = {own: inputs[name] for name, own in source.own_inputs.items()}
    if source.network.tflite is not None:
        if variant.keep_float:
            raise InputError("--keep-float needs the Keras model or a SavedModel; a .tflite is quantised as a whole")
        return convert_tflite(source.network.tflite, variant.kind, representative)
    model = source.network.model if network is None else network.model
    what: Convertible | None = model if model is not None else source.network.saved_model
    assert what is not None
    converted = convert(
        what,
        variant.kind,
        representative,
        keep_float=variant.keep_float,
        dense_per_channel=variant.target != "mcu",
    )
    return _all_int8(converted, variant)


def _all_int8(converted: bytes, variant: Variant) -> bytes:
    if variant.kind == "int8":
        require_int8(converted, keep_float=variant.keep_float)
    return converted
