"""The protocols by which page models are measured, and the guard that no page is on both sides.

`by-number`: each different page once, 5 folds, pages with one printed number on one side: ecgedge's own figure.
`leak-free`: the same without a look at the number. `as-published`: all 928 files in 3 folds, copies on both sides, only
to compare with papers that did so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecgedge.errors import DataError, InputError
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.page_split import PageSplit, as_published, by_number, leak_free, split_pages
from ecgedge_train.pages.recipe import ProtocolName

Images = tuple[ReportImage, ...]

PROTOCOLS: dict[ProtocolName, tuple[Callable[[Sequence[ReportImage]], Images], int]] = {
    "by-number": (by_number, 5),
    "leak-free": (leak_free, 5),
    "as-published": (as_published, 3),
}
"""Name -> how it sees a data set, and its usual number of folds."""
EXPLAINED: dict[ProtocolName, str] = {
    "by-number": "each different page once, pages with one printed number on one side",
    "leak-free": "each different page once",
    "as-published": "every file, copies on both sides: only to compare with papers that did so",
}


@dataclass(frozen=True)
class DealtPages:
    """Pages of a data set, dealt into folds by a protocol."""

    protocol: ProtocolName
    seed: int
    images: Images
    """As the protocol sees them: a group is what it never parts."""
    pages: tuple[str, ...]
    """Of each image, what intervals are drawn over: its group, or the page it shows where the protocol parts copies."""
    split: PageSplit

    @property
    def title(self) -> str:
        """Protocol, folds and seed in words."""
        return f"{self.protocol}, {self.split.k} folds, seed {self.seed}"


def deal(images: Sequence[ReportImage], protocol: ProtocolName, *, seed: int, folds: int | None = None) -> DealtPages:
    """Deal the files of a data set by a protocol, and make sure that it keeps what it promises.

    Parameters
    ----------
    folds : None for the usual number of the protocol

    Raises
    ------
    InputError
        An unknown protocol, or fewer groups than folds.
    DataError
        A page in two classes, or a group in two folds.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol {protocol!r}; choose one of {', '.join(PROTOCOLS)}")
    view, usual = PROTOCOLS[protocol]
    seen = view(images)
    split = split_pages(seen, k=folds or usual, seed=seed)
    require_no_leak(split, seen)
    if protocol != "as-published":
        require_no_leak(split, images)
    page_of = {image.name: image.group for image in images}
    pages = tuple(page_of[image.name] if protocol == "as-published" else image.group for image in seen)
    return DealtPages(protocol, seed, seen, pages, split)


def require_no_leak(split: PageSplit, images: Sequence[ReportImage]) -> None:
    """Refuse a split that has pictures of one group in two folds.

    Parameters
    ----------
    images : with the groups that must not be parted; the split may hold some of them

    Raises
    ------
    DataError
        A group is parted, or a picture of the split is not among the images; the message names both folds.
    """
    group_of = {image.name: image.group for image in images}
    first_of_group: dict[str, tuple[int, str]] = {}
    for name, fold in zip(split.names, split.fold_of, strict=True):
        if name not in group_of:
            raise DataError(f"{name}: in the split but not in the data set; deal the pages again")
        first, other = first_of_group.setdefault(group_of[name], (fold, name))
        if first != fold:
            raise DataError(
                f"leak: group {group_of[name]} is in fold {first} ({other}) and in fold {fold} ({name}); figures would "
                "be of pages that were trained on; deal the pages with split_pages(by_number(images))"
            )
