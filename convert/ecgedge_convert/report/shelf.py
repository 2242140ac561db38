"""The bundles of a folder, each named by its file, grouped by the model that they are variants of.

Knows nothing of data sets or figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecgedge.bundle import Bundle, read_bundle
from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge_convert.report.changes import calibration_of, changes_of
from ecgedge_convert.tflite_graph import ModelFacts, graph_facts

ENDING = ".tflite"
_HELD_OUT = {
    "page": ("data", "protocol", "folds", "split_seed", "held_out_fold", "split_sha256"),
    "beat": ("split_sha256", "training_records"),
}
"""Facts of the training that say which data a bundle has not seen."""


@dataclass(frozen=True)
class Entry:
    """One bundle."""

    name: str
    """Path below the folder, without its ending."""
    bundle: Bundle
    facts: ModelFacts
    changes: tuple[str, ...]
    """What was done to the network before its numbers were rewritten, in words; empty where nothing was."""

    @property
    def calibration(self) -> str:
        """By whose answers temperature and sets were fitted."""
        return calibration_of(self.training)

    @property
    def training(self) -> Mapping[str, Json]:
        """How the weights came about."""
        return self.bundle.manifest.training


@dataclass(frozen=True)
class Family:
    """The variants of one model, the unchanged float32 one first."""

    name: str
    task: str
    entries: tuple[Entry, ...]
    reference: Entry | None
    """The unchanged float32 model, if it is there."""

    def short(self, entry: Entry) -> str:
        """An entry's name without what all names of the family begin with."""
        names = [one.name for one in self.entries]
        if len(names) == 1:
            return entry.name.rpartition("/")[2]
        return entry.name[len(common_start([f"{name}-" for name in names])) :] or entry.name


def read_shelf(folder: Path) -> tuple[Family, ...]:
    """Read and group every bundle in a folder and its subfolders.

    Raises
    ------
    InputError
        There is no such folder or no bundle in it, or the variants of one model are not comparable: they held out
        different data, or prepare it differently.
    BundleError
        A file is damaged or no bundle; the message names it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder that ecgedge convert MODEL --all wrote")
    paths = [path for path in sorted(folder.rglob(f"*{ENDING}")) if not _hidden(path.relative_to(folder))]
    if not paths:
        raise InputError(
            f"{folder}: no bundle (*{ENDING}) in it; write some with ecgedge convert MODEL --all -o {folder}"
        )
    entries = [_entry(path, folder) for path in paths]
    keys = sorted({(one.bundle.manifest.task, _model_of(one)) for one in entries}, key=lambda key: (key[0], key[1]))
    return tuple(
        _family(name, task, [one for one in entries if (one.bundle.manifest.task, _model_of(one)) == (task, name)])
        for task, name in keys
    )


def common_start(names: Sequence[str]) -> str:
    """What all names begin with, up to the end of a word."""
    first, last = min(names), max(names)
    length = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[: max(first[:length].rfind(mark) for mark in "-/_ ") + 1]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _entry(path: Path, folder: Path) -> Entry:
    bundle = read_bundle(path)
    name = path.relative_to(folder).with_suffix("").as_posix()
    return Entry(name, bundle, graph_facts(bundle.model), changes_of(bundle.manifest.training))


def _model_of(entry: Entry) -> str:
    return str(entry.training.get("recipe") or entry.bundle.manifest.name)


def _family(name: str, task: str, entries: Sequence[Entry]) -> Family:
    _require_comparable(entries, task)
    unchanged = [one for one in entries if one.facts.kind == "float32" and not one.changes]
    order = sorted(entries, key=lambda one: (one not in unchanged, bool(one.changes), -len(one.bundle.model), one.name))
    return Family(name, task, tuple(order), unchanged[0] if unchanged else None)


def _require_comparable(entries: Sequence[Entry], task: str) -> None:
    first = entries[0]
    for other in entries[1:]:
        for key in _HELD_OUT[task]:
            if (one := first.training.get(key)) != (two := other.training.get(key)):
                raise InputError(
                    f"{first.name} and {other.name} did not hold out the same data: {key.replace('_', ' ')} "
                    f"{_brief(one)} and {_brief(two)}; put them into two folders and report on each"
                )
        if first.bundle.manifest.preprocessing != other.bundle.manifest.preprocessing:
            raise InputError(
                f"{first.name} and {other.name} prepare their inputs differently though both are of the recipe "
                f"{_model_of(first)}; put them into two folders and report on each"
            )


def _brief(value: Json) -> str:
    text = str(value)
    return text if len(text) <= 20 else f"{text[:12]}..."
