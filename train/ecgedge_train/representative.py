"""Representative data: what sets the scales of an int8 model. From the training side only, per class and patient."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgedge.beats import BeatSettings, cut_beats
from ecgedge.labels import AAMI
from ecgedge_train.augment import as_recorded
from ecgedge_train.datasets import DATASETS
from ecgedge_train.split import DS1

Inputs = dict[str, NDArray[np.float32]]


def representative_inputs(settings: BeatSettings, *, root: Path | None, n: int, seed: int = 0) -> Inputs:
    """Model inputs of at most `n` real beats of DS1: the classes in equal number, patients alike within a class.

    Returns
    -------
    `beat` (n, 1, n_window, 2) and `features` (n, n_features), float32
    """
    return drawn_apart(settings, root=root, n=n, n_apart=0, seed=seed)[0]


def drawn_apart(
    settings: BeatSettings, *, root: Path | None, n: int, n_apart: int, seed: int = 0
) -> tuple[Inputs, Inputs]:
    """What `representative_inputs` gives, and at most `n_apart` other beats of DS1, drawn alike."""
    inputs, classes, record = _all_beats(settings, root)
    rng, each = np.random.default_rng(seed), n // 4
    drawn = [_spread(np.flatnonzero(classes == k), record, each + n_apart // 4, rng) for k in range(4)]
    chosen, apart = (np.sort(np.concatenate(rows)) for rows in ([d[:each] for d in drawn], [d[each:] for d in drawn]))
    return tuple({name: values[rows] for name, values in inputs.items()} for rows in (chosen, apart))  # type: ignore[return-value]


def _all_beats(settings: BeatSettings, root: Path | None) -> tuple[Inputs, NDArray[np.int64], NDArray[np.int64]]:
    assert len(AAMI.names) == 4
    inputs: dict[str, list[NDArray[np.float32]]] = {"beat": [], "features": []}
    classes, record = [], []
    for number, recording in enumerate(DATASETS["mitdb"](DS1, root=root)):
        patient = as_recorded(recording)
        batch = cut_beats(patient.signal, patient.r_peaks, settings)
        for name, values in batch.inputs.items():
            inputs[name].append(values)
        classes.append(patient.classes[: len(batch.r_peak)])
        record.append(np.full(len(batch.r_peak), number))
    joined = {name: np.concatenate(parts) for name, parts in inputs.items()}
    return joined, np.concatenate(classes), np.concatenate(record)


def _spread(rows: NDArray[np.intp], record: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """At most `n` of the rows: one of each patient in turn, as long as it has any."""
    rows = rng.permutation(rows)
    order = np.argsort(record[rows], kind="stable")
    counted = np.arange(len(rows)) - np.searchsorted(record[rows][order], record[rows][order])
    return rows[order][np.argsort(counted, kind="stable")][:n]
