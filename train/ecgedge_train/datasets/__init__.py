"""Public data sets, by name: each is a function that yields recordings lazily."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ecgedge.records import Recording
from ecgedge_train.datasets.mitdb import mitdb


class RecordReader(Protocol):
    """Yields the named records of a data set, with their reference beats."""

    def __call__(self, records: Sequence[str], *, root: Path | None = None) -> Iterator[Recording]: ...


DATASETS: dict[str, RecordReader] = {"mitdb": mitdb}
