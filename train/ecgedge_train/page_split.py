"""Which pages are trained on and which are held out: stratified folds that never part a page from its copies.

Pages are dealt by class, the page with the most copies first, each to the fold that has the fewest files of the class
so far. A fold then has its share of every class to within the largest page of that class (in files). The order among
pages of one size comes from SHA-256 of seed and name, so that a split is the same under every version of numpy.

Three views of one data set: `leak_free`, each page once; `by_number`, the same with all pages of one printed number on
one side, since they may be of one person; and `as_published`, every file on its own, so that copies do fall on both
sides: only to compare with papers that did so.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecgedge.errors import DataError, InputError
from ecgedge_train.datasets.ecg_images import ReportImage


@dataclass(frozen=True, slots=True)
class PageSplit:
    """k folds of pictures, each held out once."""

    names: tuple[str, ...]
    fold_of: tuple[int, ...]
    """Fold of each picture, 0 to k - 1."""
    k: int

    def held_out(self, fold: int) -> tuple[int, ...]:
        """Indices of the pictures to test on."""
        self._require(fold)
        return tuple(index for index, own in enumerate(self.fold_of) if own == fold)

    def trained_on(self, fold: int) -> tuple[int, ...]:
        """Indices of the pictures to train on while `fold` is held out."""
        self._require(fold)
        return tuple(index for index, own in enumerate(self.fold_of) if own != fold)

    def split_hash(self) -> str:
        """SHA-256 of the split: the names in each fold, as sorted JSON; the order of the pictures is no part of it."""
        content = [sorted(self.names[index] for index in self.held_out(fold)) for fold in range(self.k)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _require(self, fold: int) -> None:
        if not 0 <= fold < self.k:
            raise InputError(f"fold {fold} of {self.k}; choose 0 to {self.k - 1}")


def split_pages(images: Sequence[ReportImage], *, k: int, seed: int) -> PageSplit:
    """Deal pictures into k folds; pictures of one group share a fold.

    A group in several classes counts for the one that most of its files have (of equals, the first by name). For every
    class that no such group touches, the files in a fold differ from a k-th of the class by at most its largest group.
    No fold is empty.

    Raises
    ------
    InputError
        k is below 2, there are fewer groups than folds, or a name occurs twice.
    """
    groups: dict[str, list[int]] = {}
    for index, image in enumerate(images):
        groups.setdefault(image.group, []).append(index)
    _require_dealable(images, len(groups), k)
    classes = {group: _main_class([images[index].label for index in indices]) for group, indices in groups.items()}
    fold_of_group = _deal({group: len(indices) for group, indices in groups.items()}, classes, k=k, seed=seed)
    return PageSplit(
        names=tuple(image.name for image in images),
        fold_of=tuple(fold_of_group[image.group] for image in images),
        k=k,
    )


def leak_free(images: Sequence[ReportImage]) -> tuple[ReportImage, ...]:
    """One picture of each group, the first.

    Raises
    ------
    DataError
        A group lies in more than one class, so that its picture has no label.
    """
    first: dict[str, ReportImage] = {}
    for image in images:
        chosen = first.setdefault(image.group, image)
        if chosen.label != image.label:
            raise DataError(
                f"one page in two classes: {chosen.name} is {chosen.label}, its copy {image.name} is {image.label}; "
                "leave both out"
            )
    return tuple(first.values())


def by_number(images: Sequence[ReportImage]) -> tuple[ReportImage, ...]:
    """One picture of each page, grouped by the printed number.

    Raises
    ------
    DataError
        As `leak_free`. That a number stands on pages of several classes is no error: it is so in ecg_images.
    """
    return tuple(replace(image, group=image.number) for image in leak_free(images))


def as_published(images: Sequence[ReportImage]) -> tuple[ReportImage, ...]:
    """Every file as if it were a page of its own. A split of these leaks: copies fall on both sides."""
    return tuple(replace(image, group=image.name) for image in images)


def _require_dealable(images: Sequence[ReportImage], n_groups: int, k: int) -> None:
    if k < 2:
        raise InputError(f"k = {k} folds; at least 2 are needed")
    if n_groups < k:
        raise InputError(f"{n_groups} different pages for k = {k} folds; choose k of at most {n_groups}")
    twice = [name for name, times in Counter(image.name for image in images).items() if times > 1]
    if twice:
        raise InputError(f"the picture {twice[0]!r} occurs twice; give each once")


def _main_class(labels: Sequence[str]) -> str:
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _deal(sizes: dict[str, int], classes: dict[str, str], *, k: int, seed: int) -> dict[str, int]:
    """Fold of each group: the one with the fewest files of its class, of equals the one with the fewest files."""
    files = [0] * k
    files_of_class = {label: [0] * k for label in classes.values()}
    fold_of: dict[str, int] = {}
    for group in sorted(sizes, key=lambda group: (classes[group], -sizes[group], _drawn(seed, group))):
        own = files_of_class[classes[group]]
        ranks = [(own[fold], files[fold], _drawn(seed, f"{fold} {group}")) for fold in range(k)]
        fold = min(range(k), key=ranks.__getitem__)
        own[fold] += sizes[group]
        files[fold] += sizes[group]
        fold_of[group] = fold
    return fold_of


def _drawn(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()
