"""The manifest of a bundle: everything a device must know about its model, as typed values.

Knows nothing of ZIP files or interpreters. Schema 1:
`preprocessing` is a list of named steps with all their parameters, `decision` how outputs become an answer,
`figures` what was measured, on what, with which split, `training` how the weights came about.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TypeAlias

from ecgedge.errors import BundleError

SCHEMA = 1
TASKS = ("beat", "page")

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of the model part."""

    name: str
    """What ecgedge calls it."""
    tensor: str
    """What the model file calls it."""
    shape: tuple[int, ...]
    dtype: str
    scale: float
    """Real value of one quantisation step; 0 where the tensor is float."""
    zero_point: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that is known about a model, apart from its weights."""

    name: str
    version: str
    task: str
    labels: tuple[str, ...]
    label_titles: tuple[str, ...]
    label_source: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    preprocessing: tuple[dict[str, Json], ...]
    decision: dict[str, Json]
    figures: tuple[dict[str, Json], ...]
    training: dict[str, Json]
    licence: str
    attribution: str
    model_bytes: int
    model_sha256: str
    members_sha256: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    def step(self, name: str) -> dict[str, Json]:
        """Parameters of the preprocessing step called `name`.

        Raises
        ------
        BundleError
            There is no such step.
        """
        for entry in self.preprocessing:
            if entry.get("step") == name:
                return {key: value for key, value in entry.items() if key != "step"}
        raise BundleError(f"bundle {self.name}: no preprocessing step {name!r}; convert the model again")


def dump_manifest(manifest: Manifest) -> str:
    """The manifest as indented JSON, keys in the order of the dataclass."""
    return json.dumps(asdict(manifest), indent=1) + "\n"


def parse_manifest(text: str, *, source: str) -> Manifest:
    """Read and check a manifest.

    Raises
    ------
    BundleError
        Not JSON, another schema, a key too few or too many, or a value of the wrong kind.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise BundleError(f"{source}: manifest.json is not JSON ({error}); fetch or convert the bundle again") from None
    _check_keys(raw, source)
    try:
        return Manifest(**{**raw, **_typed(raw)})
    except (TypeError, KeyError, AttributeError) as error:
        raise BundleError(f"{source}: manifest.json has a value of the wrong kind ({error}); convert again") from None


def _check_keys(raw: object, source: str) -> None:
    if not isinstance(raw, dict):
        raise BundleError(f"{source}: manifest.json holds a {type(raw).__name__}, not an object; convert again")
    if raw.get("schema") != SCHEMA:
        raise BundleError(
            f"{source}: schema {raw.get('schema')!r}; this ecgedge reads {SCHEMA}; update ecgedge or convert again"
        )
    known = {entry.name for entry in fields(Manifest)}
    if wrong := sorted(known.symmetric_difference(raw)):
        raise BundleError(f"{source}: manifest.json has missing or unknown keys: {', '.join(wrong)}; convert again")
    if raw["task"] not in TASKS:
        raise BundleError(f"{source}: task {raw['task']!r}; known are {', '.join(TASKS)}; update ecgedge")


def _typed(raw: Mapping[str, list[dict[str, Json]]]) -> dict[str, object]:
    """JSON has lists only: make tuples and tensors of what the dataclass holds as such."""
    return {
        "labels": tuple(raw["labels"]),
        "label_titles": tuple(raw["label_titles"]),
        "inputs": tuple(_tensor(entry) for entry in raw["inputs"]),
        "outputs": tuple(_tensor(entry) for entry in raw["outputs"]),
        "preprocessing": tuple(dict(entry) for entry in raw["preprocessing"]),
        "figures": tuple(dict(entry) for entry in raw["figures"]),
    }


def _tensor(raw: Mapping[str, Json]) -> Tensor:
    shape = raw["shape"]
    if not isinstance(shape, list):
        raise TypeError(f"shape {shape!r}")
    return Tensor(
        name=str(raw["name"]),
        tensor=str(raw["tensor"]),
        shape=tuple(int(str(n)) for n in shape),
        dtype=str(raw["dtype"]),
        scale=float(str(raw["scale"])),
        zero_point=int(str(raw["zero_point"])),
    )
