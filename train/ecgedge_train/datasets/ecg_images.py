"""ECG Images dataset of Cardiac Patients: 928 scans of 12-lead reports in four classes, of which 491 are different.

Khan & Hussain 2021, Mendeley Data, 10.17632/gwbz3fsgp8.2. Departure: every file carries the group of files that show
the same page, found from the pictures, so that no split can separate them.
"""

from dataclasses import dataclass
from pathlib import Path

from ecgedge.report_images import report_copies, report_files


@dataclass(frozen=True, slots=True)
class ReportImage:
    """A picture of a report page, for training or testing."""

    name: str
    """Folder and file as published, with `/` between."""
    path: Path
    label: str
    """A class of `ecgedge.labels.REPORT`."""
    group: str
    """Name of the first file that shows the same page; the same for all its copies."""


def ecg_images(*, root: Path | None = None) -> tuple[ReportImage, ...]:
    """All 928 files, in the published order, from the published tree or a reduced copy of it.

    Hashes every picture: some seconds for the originals.

    Raises
    ------
    DataError
        The data set is not on this machine, a file is missing, one too many, or corrupt.
    """
    files = report_files(root=root)
    copies = report_copies(files)
    return tuple(
        ReportImage(name=file.name, path=file.path, label=file.label, group=files[first].name)
        for file, first in zip(files, copies.same_page, strict=True)
    )
