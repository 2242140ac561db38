"""How many pictures a labelled collection really holds: files, pages and copies by class, and pages in two classes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecgedge.duplicates import Copies


@dataclass(frozen=True, slots=True)
class Count:
    """Files of a class; `files` is the sum of the other three."""

    files: int
    pictures: int
    """Different pages."""
    exact_copies: int
    """Files whose bytes another file of the class has, the first not counted."""
    near_copies: int
    """Files of other bytes that show a page of the class once more."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What is in a labelled collection of pictures."""

    classes: dict[str, Count]
    total: Count
    """Over all classes together: a page in two of them counts once."""
    near: tuple[tuple[int, ...], ...]
    """Indices of the files of each page that has near copies, one for each different file."""
    crossing: tuple[tuple[int, ...], ...]
    """Indices of the files of each page that lies in more than one class."""


def audit(labels: Sequence[str], copies: Copies, *, classes: Sequence[str]) -> Audit:
    """Count the files, pages and copies of each class.

    Parameters
    ----------
    labels : class of each file
    classes : order of the classes; one without files is counted too
    """
    groups = copies.groups()
    different = [sorted({copies.same_bytes[index] for index in group}) for group in groups]
    return Audit(
        classes={name: _count([i for i, label in enumerate(labels) if label == name], copies) for name in classes},
        total=_count(range(len(labels)), copies),
        near=tuple(tuple(firsts) for firsts in different if len(firsts) > 1),
        crossing=tuple(group for group in groups if len({labels[index] for index in group}) > 1),
    )


def _count(indices: Sequence[int], copies: Copies) -> Count:
    by_bytes = len({copies.same_bytes[index] for index in indices})
    pages = len({copies.same_page[index] for index in indices})
    return Count(len(indices), pages, exact_copies=len(indices) - by_bytes, near_copies=by_bytes - pages)
