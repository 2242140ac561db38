"""What a network of a page model learns from, batch by batch: targets, weights, changed pages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgedge.labels import REPORT
from ecgedge.lead_arrays import Inputs
from ecgedge_train.pages.augment_images import ImageAugmentation, augment_images
from ecgedge_train.pages.augment_leads import LeadAugmentation, augment
from ecgedge_train.pages.pool import IntArray, PagePool
from ecgedge_train.pages.recipe import PageFit

FloatArray = NDArray[np.float32]
Teach = Callable[[Inputs], FloatArray]
"""What teachers say of a batch of pages: (n, 4) float32, rows sum to 1."""


@dataclass(frozen=True)
class PageLesson:
    """Pages to learn from, and pages held back to see when it is enough."""

    pool: PagePool
    rows: IntArray
    """Pages that are learnt from; all of them were read."""
    held_back: IntArray
    """Pages of other groups, never learnt from; may be none."""
    fit: PageFit
    augment: LeadAugmentation | ImageAugmentation | None
    teach: Teach | None = None
    teach_share: float = 0.0
    """Of the teachers in the targets; the rest is the label."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch; the last is filled up with pages of its beginning."""
        return -(-len(self._copies()) // self.fit.batch)

    def batches(self, *, seed: int, epoch: int) -> Iterator[tuple[Inputs, FloatArray, FloatArray]]:
        """Inputs, targets (n, 4) and weights (n,) of an epoch, which depends on seed and epoch only."""
        rng = np.random.default_rng([seed, epoch])
        order = np.resize(rng.permutation(self._copies()), self.steps_per_epoch * self.fit.batch)
        weights = self._weights()
        for rows in order.reshape(-1, self.fit.batch):
            inputs = _changed(self.pool.take(rows), rng, self.augment)
            targets = self._targets(rows, inputs)
            weight = weights[self.pool.classes[rows]]
            yield _mixed(inputs, targets, weight, rng, self.fit.mixup) if self.fit.mixup else (inputs, targets, weight)

    def without_held_back(self) -> "PageLesson":
        """The same with the pages held back among those to learn from."""
        nothing = np.zeros(0, np.int64)
        return replace(self, rows=np.concatenate([self.rows, self.held_back]), held_back=nothing)

    def _copies(self) -> IntArray:
        return np.repeat(self.rows, np.asarray(self.fit.class_copies)[self.pool.classes[self.rows]])

    def _weights(self) -> FloatArray:
        """Weight of each class, (4,) float32; their mean over the pages of an epoch is 1."""
        counts = np.bincount(self.pool.classes[self._copies()], minlength=len(REPORT.names))
        power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[self.fit.class_weights]
        weights = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
        normed: FloatArray = np.asarray(weights * counts.sum() / (weights * counts).sum(), np.float32)
        return normed

    def _targets(self, rows: IntArray, inputs: Inputs) -> FloatArray:
        labels: FloatArray = np.eye(len(REPORT.names), dtype=np.float32)[self.pool.classes[rows]]
        if self.teach is None:
            return labels
        mixed: FloatArray = labels + self.teach_share * (self.teach(inputs) - labels)
        return mixed


def _changed(inputs: Inputs, rng: np.random.Generator, settings: LeadAugmentation | ImageAugmentation | None) -> Inputs:
    if settings is None:
        return inputs
    if isinstance(settings, LeadAugmentation):
        return augment(inputs, rng, settings)
    return augment_images(inputs, rng, settings)


def _mixed(
    inputs: Inputs, targets: FloatArray, weights: FloatArray, rng: np.random.Generator, alpha: float
) -> tuple[Inputs, FloatArray, FloatArray]:
    """Pairs of pages in proportions drawn from a beta distribution (mixup)."""
    other = rng.permutation(len(targets))
    share = np.maximum(proportion := rng.beta(alpha, alpha, len(targets)), 1 - proportion).astype(np.float32)

    def mixed(values: FloatArray) -> FloatArray:
        own = share.reshape(-1, *[1] * (values.ndim - 1))
        return own * values + (1 - own) * values[other]

    return {name: mixed(values) for name, values in inputs.items()}, mixed(targets), mixed(weights)
