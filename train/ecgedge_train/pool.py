"""The beats that a model is trained on: real and virtual patients through the device's own preprocessing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ecgedge.beats import BeatSettings, cut_beats
from ecgedge.labels import AAMI
from ecgedge.records import Recording
from ecgedge_train.augment import Labelled, Noise, as_recorded, noise_of, virtual_patient
from ecgedge_train.datasets import DATASETS
from ecgedge_train.datasets.mitdb import NO_BEAT, NOT_TRAINED
from ecgedge_train.recipe import PoolRecipe

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Inputs = dict[str, FloatArray]

_UNSCALED_CLIP = 1e9
_FEW_BEATS = 8  # a patient with fewer beats of a class counts less in it
_RANGE_PERCENT = (2, 50, 98)


@dataclass(frozen=True)
class Pool:
    """Labelled beats of many patients; all arrays have n_beats rows."""

    beat: NDArray[np.float16]
    """(n, 1, n_window, 2) float16: half the memory, and finer than an int8 input."""
    features: FloatArray
    """(n, n_features) float32, scaled once settings are fitted."""
    classes: IntArray
    source: IntArray
    """(n,) int64: number of the patient, real or virtual, that the beat is from."""
    record: IntArray
    """(n,) int64: number of the record behind it."""
    real: NDArray[np.bool_]

    def inputs(self, rows: NDArray[np.intp] | slice) -> Inputs:
        """Model inputs of some rows."""
        return {"beat": self.beat[rows].astype(np.float32), "features": self.features[rows]}


def unscaled(features: tuple[str, ...]) -> BeatSettings:
    """Settings that leave the features as they are, to fit centre and scale on."""
    n = len(features)
    return BeatSettings(features, (0.0,) * n, (1.0,) * n, clip=_UNSCALED_CLIP)


def build_pool(
    recipe: PoolRecipe,
    records: Sequence[str],
    *,
    data_root: Path | None,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> Pool:
    """Read the records, invent their virtual copies, cut the beats. `advance` is called once a record.

    The copies of a record depend on the seed and on the record alone, not on which others are in the pool.
    """
    settings, noise = unscaled(recipe.features), noise_of(recipe.noise, data_root)
    parts: list[Pool] = []
    for number, recording in enumerate(DATASETS["mitdb"](records, root=data_root)):
        patients = [as_recorded(recording), *_copies(recipe, recording, noise=noise, seed=seed)]
        parts += [_part(patient, settings, (len(parts) + k, number, k == 0)) for k, patient in enumerate(patients)]
        advance()
    return join_pools(parts)


def _copies(recipe: PoolRecipe, recording: Recording, *, noise: Noise, seed: int) -> list[Labelled]:
    fibrillates = recording.name in recipe.fibrillating
    generators = [np.random.default_rng([seed, _number(recording.name), k]) for k in range(recipe.virtual_copies)]
    share = recipe.detected_share
    return [
        virtual_patient(recording, rng, noise=noise, fibrillates=fibrillates, detected_share=share)
        for rng in generators
    ]


def _number(name: str) -> int:
    """A whole number for the name of a record, the same on every machine."""
    return int.from_bytes(name.encode(), "little")


def _part(patient: Labelled, settings: BeatSettings, origin: tuple[int, int, bool]) -> Pool:
    batch = cut_beats(patient.signal, patient.r_peaks, settings)
    classes = patient.classes[: len(batch.r_peak)]
    rows = np.flatnonzero(classes != NOT_TRAINED)
    source, record, real = (np.full(len(rows), value) for value in origin)
    beat = np.clip(batch.inputs["beat"][rows], -2, 2).astype(np.float16)
    return Pool(beat, batch.inputs["features"][rows], classes[rows], source, record, real)


def join_pools(parts: Sequence[Pool]) -> Pool:
    """One pool of several, in their order."""
    names = ("beat", "features", "classes", "source", "record", "real")
    return Pool(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def some_of(pool: Pool, rows: NDArray[np.intp]) -> Pool:
    """The pool with some of its rows."""
    names = ("beat", "features", "classes", "source", "record", "real")
    return Pool(*(getattr(pool, name)[rows] for name in names))


def targets(pool: Pool) -> FloatArray:
    """What the model is to say, (n, 4) float32; N where there is no beat."""
    said = np.where(pool.classes == NO_BEAT, AAMI.names.index("N"), pool.classes)
    return np.eye(len(AAMI.names), dtype=np.float32)[said]


def fit_settings(pool: Pool, features: tuple[str, ...]) -> BeatSettings:
    """Settings whose centre and scale bring the middle 96 % of each feature to plus or minus 1."""
    low, _, high = np.percentile(pool.features, _RANGE_PERCENT, axis=0)
    centre, scale = (low + high) / 2, np.maximum((high - low) / 2, 1e-3)
    return BeatSettings(features, tuple(map(float, centre.round(5))), tuple(map(float, scale.round(5))))


def scaled(pool: Pool, settings: BeatSettings) -> Pool:
    """The pool with its features as the fitted settings give them."""
    values = (pool.features - np.array(settings.centre)) / np.array(settings.scale)
    return replace(pool, features=np.clip(values, -settings.clip, settings.clip).astype(np.float32))


def draw_shares(pool: Pool, recipe: PoolRecipe) -> NDArray[np.float64]:
    """Probability of drawing each beat, (n,) float64: classes by share, patients alike within a class."""
    size = pool.source.max() + 1
    share = np.zeros(len(pool.classes))
    real_weight = recipe.real_share * max(1, recipe.virtual_copies)
    for index in range(len(recipe.class_shares)):
        rows = np.flatnonzero(pool.classes == index)
        if len(rows):
            count = np.bincount(pool.source[rows], minlength=size)[pool.source[rows]]
            weight = count ** (recipe.crowd_power - 1.0) * np.minimum(1, np.sqrt(count / _FEW_BEATS))
            weight *= np.where(pool.real[rows], real_weight, 1.0)
            share[rows] = recipe.class_shares[index] * weight / weight.sum()
    return np.asarray(share / share.sum())


def draw(shares: NDArray[np.float64], n: int, rng: Generator) -> NDArray[np.intp]:
    """Rows of `n` beats, with replacement."""
    edges = np.cumsum(shares)
    found = np.searchsorted(edges, rng.random(n) * edges[-1])
    return np.asarray(np.minimum(found, len(shares) - 1), dtype=np.intp)
