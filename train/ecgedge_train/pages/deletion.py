"""Does the model look at what its maps say? Deletion and insertion curves (Petsiuk et al. 2018, arXiv 1806.07421).

Deletion takes away what speaks most for the class first: its probability should fall soon. Insertion begins with
nothing and shows it first: it should rise soon. Beside both, the same in random order.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgedge.lead_arrays import Inputs
from ecgedge.page_engine import MAPS, PROBABILITIES, STRIP_MAPS, PageEngine
from ecgedge_train.pages.pool import IntArray, PagePool

FloatArray = NDArray[np.float32]
Evidence = Mapping[str, FloatArray]
"""Name of an input -> evidence for one class of each of its samples or pixels, without channels."""

SHARES = np.array([0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
"""Of the samples or pixels that are taken away or shown."""


@dataclass(frozen=True)
class DeletionCurves:
    """Mean probability of the class that each page was first called, over `SHARES`."""

    deletion: FloatArray
    insertion: FloatArray
    random_deletion: FloatArray
    random_insertion: FloatArray

    def areas(self) -> dict[str, float]:
        """Area under each curve: low is good for deletion, high for insertion, both against random order."""
        return {
            name.replace("_", " "): _area(getattr(self, name))
            for name in ("deletion", "random_deletion", "insertion", "random_insertion")
        }


def _area(heights: FloatArray) -> float:
    return float(np.sum(np.diff(SHARES) * (heights[1:] + heights[:-1]) / 2))


def deletion_curves(engine: PageEngine, pool: PagePool, rows: IntArray, *, seed: int = 0) -> DeletionCurves | None:
    """Curves over some pages of a pool; None where the model has no maps."""
    kept: list[list[FloatArray]] = []
    for row in pool.readable(rows).tolist():
        inputs = pool.take([row])
        outputs = engine.outputs(inputs)
        if MAPS not in outputs:
            return None
        called = int(outputs[PROBABILITIES][0].argmax())
        evidence = _evidence(outputs, inputs, called)
        rng = np.random.default_rng([seed, row])
        chance = {name: rng.random(values.shape).astype(np.float32) for name, values in evidence.items()}
        kept.append(
            [_curve(engine, inputs, by, called, show=show) for by in (evidence, chance) for show in (False, True)]
        )
    deletion, insertion, random_deletion, random_insertion = np.mean(kept, axis=0).astype(np.float32)
    return DeletionCurves(deletion, insertion, random_deletion, random_insertion)


def _evidence(outputs: Mapping[str, FloatArray], inputs: Inputs, called: int) -> Evidence:
    """Maps of one class at the size of the inputs; a cell's evidence is shared out over its samples."""
    maps = outputs[MAPS][0, :, :, called]
    if "page" in inputs:
        height, width = inputs["page"].shape[1:3]
        return {"page": np.asarray(cv2.resize(maps, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)}
    leads, strip = inputs["leads"].shape[1:3], inputs["strip"].shape[1:3]
    by_lead = cv2.resize(np.ascontiguousarray(maps.T), leads[::-1], interpolation=cv2.INTER_NEAREST)
    found = {"leads": np.asarray(by_lead, np.float32) / np.float32(np.prod(leads))}
    if STRIP_MAPS in outputs:
        row = cv2.resize(np.ascontiguousarray(outputs[STRIP_MAPS][0, :, :, called]), strip[::-1], interpolation=0)
        found["strip"] = np.asarray(row, np.float32).reshape(strip) / np.float32(np.prod(strip))
    return found


def _curve(engine: PageEngine, inputs: Inputs, order: Evidence, called: int, *, show: bool) -> FloatArray:
    """Probability of a class while the samples of highest order are taken away, or shown on an empty page."""
    ranks = _ranks(order)
    steps = []
    for share in SHARES:
        chosen = {name: values < share for name, values in ranks.items()}
        kept = {
            name: np.where((chosen[name] == show)[None, ..., None], values, 0).astype(np.float32)
            if name in chosen
            else values
            for name, values in inputs.items()
        }
        steps.append(kept)
    together = {name: np.concatenate([step[name] for step in steps]) for name in inputs}
    return engine.probabilities(together)[:, called]


def _ranks(order: Evidence) -> dict[str, NDArray[np.float64]]:
    """Place of every sample among those of all inputs, 0 for the highest order, below 1."""
    flat = np.concatenate([values.ravel() for values in order.values()])
    place = np.empty(len(flat))
    place[np.argsort(-flat, kind="stable")] = np.arange(len(flat)) / len(flat)
    found, start = {}, 0
    for name, values in order.items():
        found[name] = place[start : start + values.size].reshape(values.shape)
        start += values.size
    return found
