"""One variant of a model: changed, quantised, put into a bundle, proven by its own golden vectors and compared."""

import hashlib
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, cast

from ecgedge.bundle import Bundle
from ecgedge.errors import BundleError, InputError
from ecgedge.golden import selftest
from ecgedge.manifest import Json
from ecgedge_convert.calibration import Calibration
from ecgedge_convert.comparison import Comparison
from ecgedge_convert.litert_quantise import convert_tflite
from ecgedge_convert.page_export import Shapes
from ecgedge_convert.quantise import CALIBRATED, Convertible, Representative, convert
from ecgedge_convert.refused_ops import require_int8
from ecgedge_convert.source import Source
from ecgedge_convert.tflite_graph import ModelFacts, graph_facts
from ecgedge_convert.variant import Variant

if TYPE_CHECKING:
    import keras

_LIBRARIES = ("tensorflow", "keras", "tf_keras", "tensorflow-model-optimization", "ai-edge-litert", "numpy")
_ALWAYS = ("name", "kind", "target", "seed")
Advance = Callable[[str, float], None]
"""Called while a variant is trained on, with what is done and the share that is done, 0 to 1."""


@dataclass(frozen=True)
class Converted:
    """What became of one variant."""

    variant: Variant
    bundle: Bundle | None
    """None where it was refused."""
    refused: str = ""
    """Why there is no bundle; else empty."""
    facts: ModelFacts | None = None
    comparison: Comparison | None = None
    """None where there were no inputs to compare on."""
    seconds: float = 0.0
    path: Path | None = None


@dataclass(frozen=True)
class Workbench:
    """What all variants of one call share."""

    source: Source
    calibration: Calibration
    root: Path | None = None
    """Folder of the data sets."""


def convert_variant(
    bench: Workbench, variant: Variant, *, name: str, advance: Advance = lambda _what, _share: None
) -> Converted:
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
    model, shapes, changes = _changed(bench, variant, advance)
    converted = _quantised(bench, variant, model)
    conversion = conversion_facts(variant, bench.calibration, changes)
    bundle = source.bundle(converted, name=name, conversion=conversion, shapes=shapes)
    if failed := [check.name for check in selftest(bundle) if not check.passed]:
        raise BundleError(f"{name}: self-test failed in {', '.join(failed)}; report this, with the model")
    return Converted(variant, bundle, facts=graph_facts(converted), seconds=perf_counter() - start_s)


def conversion_facts(variant: Variant, calibration: Calibration, changes: dict[str, Json]) -> dict[str, Json]:
    """How a bundle's bytes came about: the variant, what was changed, the libraries, the calibration data."""
    plain = Variant(variant.name)
    stated = {
        entry.name: getattr(variant, entry.name)
        for entry in fields(Variant)
        if entry.name in _ALWAYS or getattr(variant, entry.name) != getattr(plain, entry.name)
    }
    listed = {key: list(value) if isinstance(value, tuple) else value for key, value in stated.items()}
    found: dict[str, Json] = {"variant": cast(Json, listed), "libraries": _versions()}
    if variant.kind in CALIBRATED:
        found["calibration"] = calibration.facts()
        found["bias correction"] = not variant.qat
    if changes:
        found["changes"] = changes
    return found


def _versions() -> dict[str, Json]:
    found: dict[str, Json] = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _changed(
    bench: Workbench, variant: Variant, _advance: Advance
) -> tuple["keras.Model | None", Shapes | None, dict[str, Json]]:
    """The network with its weights changed; None where there is no Keras model and nothing to change."""
    if not variant.changes_weights:
        return bench.source.network.model, None, {}
    raise InputError(f"variant {variant.name}: pruning, clustering and training on are not there yet")


def _quantised(bench: Workbench, variant: Variant, model: "keras.Model | None") -> bytes:
    source = bench.source
    representative: Representative | None = None
    if variant.kind in CALIBRATED:
        inputs = bench.calibration.inputs
        representative = {own: inputs[name] for name, own in source.own_inputs.items()}
    if source.network.tflite is not None:
        if variant.keep_float:
            raise InputError("--keep-float needs the Keras model or a SavedModel; a .tflite is quantised as a whole")
        return convert_tflite(source.network.tflite, variant.kind, representative)
    what: Convertible | None = model if model is not None else source.network.saved_model
    assert what is not None
    batch = None if variant.target == "pi" else 1
    converted = convert(
        what, variant.kind, representative, keep_float=variant.keep_float, batch=batch, correct=not variant.qat
    )
    if variant.kind == "int8":
        require_int8(converted, keep_float=variant.keep_float)
    return converted


def converted_json(one: Converted) -> dict[str, Json]:
    """A row of the table as plain values."""
    row: dict[str, Json] = {"name": one.variant.name, "kind": one.variant.kind, "seconds": round(one.seconds, 2)}
    if one.refused or one.bundle is None:
        return {**row, "refused": one.refused}
    row["file"] = one.path.name if one.path else ""
    row["sha256"] = hashlib.sha256(one.bundle.model).hexdigest()
    if one.facts is not None:
        row["model"] = cast(Json, {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(one.facts).items()})
    if one.comparison is not None:
        row["comparison with float32"] = cast(Json, asdict(one.comparison))
    row["conversion"] = one.bundle.manifest.training["conversion"]
    return row
