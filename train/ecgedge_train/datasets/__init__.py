"""Public data sets, by name: of recordings, which are yielded lazily, and of pictures of report pages."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ecgedge.records import Recording
from ecgedge_train.datasets.ecg_images import ReportImage, ecg_images
from ecgedge_train.datasets.mitdb import mitdb


class RecordReader(Protocol):
    """Yields the named records of a data set, with their reference beats."""

    def __call__(self, records: Sequence[str], *, root: Path | None = None) -> Iterator[Recording]: ...


class PageReader(Protocol):
    """Names every picture of a data set of pages, with its class and with the pictures that it is a copy of."""

    def __call__(self, *, root: Path | None = None) -> Sequence[ReportImage]: ...


DATASETS: dict[str, RecordReader] = {"mitdb": mitdb}
PAGE_DATASETS: dict[str, PageReader] = {"ecg_images": ecg_images}
