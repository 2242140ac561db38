"""Pages held back inside the training side: by group, stratified, for early stopping and calibration."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecgedge.labels import REPORT
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.page_split import split_pages
from ecgedge_train.pages.pool import IntArray, PagePool
from ecgedge_train.pages.recipe import Calibration


def held_back(pool: PagePool, rows: IntArray, settings: Calibration, *, seed: int) -> list[IntArray]:
    """Which pages are held back: one array per inner fold, or a single part, or nothing.

    Parameters
    ----------
    rows : pages of the training side that were read

    Returns
    -------
    Parts of the rows. With inner folds every row is in exactly one part; groups are never parted.
    """
    if settings.inner_folds:
        folds = _dealt(pool, rows, k=settings.inner_folds, seed=seed)
        return [rows[folds == fold] for fold in range(settings.inner_folds)]
    if not settings.inner_share:
        return []
    folds = _dealt(pool, rows, k=max(2, round(1 / settings.inner_share)), seed=seed)
    return [rows[folds == 0]]


def without(rows: IntArray, part: IntArray) -> IntArray:
    """Those of the rows that are not in the part."""
    return rows[~np.isin(rows, part)]


def _dealt(pool: PagePool, rows: IntArray, *, k: int, seed: int) -> IntArray:
    split = split_pages(_images(pool, rows.tolist()), k=k, seed=seed)
    return np.asarray(split.fold_of, dtype=np.int64)


def _images(pool: PagePool, rows: Sequence[int]) -> list[ReportImage]:
    return [
        ReportImage(pool.names[row], Path(), REPORT.names[int(pool.classes[row])], pool.groups[row], pool.groups[row])
        for row in rows
    ]
