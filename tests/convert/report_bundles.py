"""Small real bundles, variants of one network each, trained in seconds, and the invented data they are judged on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from ecgedge.bundle import write_bundle
from ecgedge.cli import ecgedge, run_command
from ecgedge.manifest import Json
from ecgedge.records import Recording
from ecgedge.simulate import simulate_ecg
from ecgedge_convert.commands.report import report
from ecgedge_convert.export import beat_bundle
from ecgedge_convert.page_export import page_bundle
from ecgedge_convert.page_run import page_facts
from ecgedge_convert.quantise import to_float32, to_int8
from ecgedge_convert.run import load_model, run_facts
from ecgedge_train.datasets import DATASETS
from ecgedge_train.split import split_hash
from tests.convert.small_models import simulated_beats, trained_run
from tests.convert.small_runs import invented_pages, page_recipe
from tests.train.page_pools import REFUSED, arrays

PAGES = 180
PRUNED: dict[str, Json] = {"variant": {"name": "pruned", "kind": "float32", "target": "pi", "seed": 0, "prune": 0.9}}
"""What conversion writes of a variant whose weights were set to zero."""


def run(*arguments: str | Path) -> int:
    """Run an `ecgedge` command."""
    if "report" not in ecgedge.commands:
        ecgedge.add_command(report)
    return run_command(ecgedge, [str(word) for word in arguments], program="ecgedge")


def pruned(model: "keras.Model", share: float) -> "keras.Model":
    """The same network with its smallest weights at zero, not trained on: it must lose."""
    other = keras.models.clone_model(model)
    weights = [np.where(np.abs(w) < np.quantile(np.abs(w), share), 0, w) for w in model.get_weights()]
    other.set_weights(weights)
    return other


def beat_folder(folder: Path) -> Path:
    """Bundles of one small beat network: float32, int8 and pruned; their training facts name DS1."""
    facts: dict[str, Json] = {"split_sha256": split_hash(), "training_records": ["101", "106"]}
    made = trained_run(keras, folder / "run", training=facts)
    out = folder / "beats"
    loaded = load_model(made)
    converted = {
        "small-float32": (to_float32(loaded), {}),
        "small-int8": (to_int8(loaded, simulated_beats(0)[0]), {}),
        "small-pruned": (to_float32(pruned(loaded, 0.9)), {"conversion": PRUNED}),
    }
    for name, (content, conversion) in converted.items():
        known = run_facts(made, name=name)
        write_bundle(beat_bundle(content, replace(known, training=known.training | conversion)), out / f"{name}.tflite")
    return out


def simulated(name: str, *, seed: int) -> Recording:
    """Four minutes with ectopic beats of both kinds."""
    return simulate_ecg(240, fs_hz=360, seed=seed, sveb_rate=10.0, veb_rate=10.0, leads=("MLII",), name=name)


def read_simulated(records: Sequence[str], *, root: Path | None = None) -> Iterator[Recording]:
    """Stands for MIT-BIH: a short simulated recording for each record."""
    assert root is None
    for name in records:
        yield simulated(name, seed=int(name))


@contextmanager
def invented_data(folder: Path) -> Iterator[None]:
    """Both data sets replaced by invented ones; the pages are in the cache, as if they had been read before."""
    patch = pytest.MonkeyPatch()
    folder.mkdir(parents=True, exist_ok=True)
    invented_pages(folder, patch, n=PAGES, refused=REFUSED)
    patch.setitem(DATASETS, "mitdb", read_simulated)
    yield
    patch.undo()


def page_folder(folder: Path) -> Path:
    """Bundles of one small page network: float32, int8 and pruned."""
    (folder / "toy.toml").write_text(page_recipe("inner_folds = 2", filters=6, epochs=12))
    assert run("train", folder / "toy.toml", "-o", folder / "toy") == 0
    model, out = load_model(folder / "toy"), folder / "pages"
    inputs = [arrays(k % 4, k) for k in range(120)]
    representative = {name: np.concatenate([one[name] for one in inputs]) for name in ("leads", "strip")}
    converted = {
        "toy-float32": (to_float32(model), {}),
        "toy-int8": (to_int8(model, representative), {}),
        "toy-pruned": (to_float32(pruned(model, 0.9)), {"conversion": PRUNED}),
    }
    for name, (content, conversion) in converted.items():
        facts = page_facts(folder / "toy", model, name=name)
        bundle = page_bundle(content, replace(facts, training=facts.training | conversion))
        write_bundle(bundle, out / f"{name}.tflite")
    return out
