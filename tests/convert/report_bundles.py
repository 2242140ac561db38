"""Small real bundles, variants of one network each, trained in seconds, and the invented data they are judged on."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from ecgedge.beats import BeatSettings, cut_beats
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
from ecgedge_train.datasets import DATASETS, PAGE_DATASETS
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.models.page_models import PAGE_MODELS
from ecgedge_train.pages import cache
from ecgedge_train.split import split_hash
from tests.train.page_pools import LEAD_SAMPLES, PIPELINE, REFUSED, STRIP_SAMPLES, arrays, images, toy_model

SETTINGS = BeatSettings(
    ("before/q50_30", "after/q50_30", "qrs_correlation", "width"), (0.0, 0.0, 0.5, 1.0), (0.3, 0.3, 0.5, 1.0)
)
PAGES = 180
RECIPE = f"""
task = "page"
name = "toy"
[model]
family = "toy"
filters = 6
[inputs]
kind = "leads"
lead_samples = {LEAD_SAMPLES}
strip_samples = {STRIP_SAMPLES}
[augment]
[fit]
epochs = 12
batch = 16
learning_rate = 0.02
[calibrate]
inner_folds = 2
"""
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
    made = folder / "run"
    made.mkdir(parents=True)
    keras.utils.set_random_seed(0)
    beat, features = keras.Input((1, 96, 2), name="beat"), keras.Input((len(SETTINGS.features),), name="features")
    x = keras.layers.Conv2D(4, (1, 9), strides=(1, 4), activation="relu")(beat)
    x = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(x), features])
    x = keras.layers.Dense(16, activation="relu")(x)
    model = keras.Model([beat, features], keras.layers.Dense(4, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    recording = simulated("trained", seed=0)
    assert recording.beats is not None
    inputs = cut_beats(recording.signal, recording.beats.sample, SETTINGS).inputs
    model.fit(inputs, np.array(["NAVF".index(one) for one in recording.beats.symbol]), epochs=15, verbose=0)
    model.save(made / "model.keras")
    (made / "settings.json").write_text(json.dumps({"beats": SETTINGS.to_manifest(), "decision": {}}))
    facts = {"recipe": "small", "split_sha256": split_hash(), "training_records": ["101", "106"]}
    (made / "training.json").write_text(json.dumps(facts))
    out = folder / "beats"
    loaded = load_model(made)
    converted = {
        "small-float32": (to_float32(loaded), {}),
        "small-int8": (to_int8(loaded, inputs), {}),
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
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(replace(image, path=folder / image.name) for image in images(PAGES))
    for k, image in enumerate(files):
        image.path.write_bytes(f"picture {k}".encode())
        page = cache.ReadPage({}, "too blurred") if k == REFUSED else cache.ReadPage(dict(arrays(k % 4, k)))
        cache.keep_page(image.path, page, PIPELINE)

    def read_pages(*, root: Path | None = None) -> tuple[ReportImage, ...]:
        assert root is None
        return files

    patch.setitem(PAGE_DATASETS, "ecg_images", read_pages)
    patch.setitem(PAGE_MODELS, "toy", toy_model)
    patch.setitem(DATASETS, "mitdb", read_simulated)
    yield
    patch.undo()


def page_folder(folder: Path) -> Path:
    """Bundles of one small page network: float32, int8 and pruned."""
    (folder / "toy.toml").write_text(RECIPE)
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
