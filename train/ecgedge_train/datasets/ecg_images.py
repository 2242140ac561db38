"""ECG Images dataset of Cardiac Patients: 928 scans of 12-lead reports in four classes, of which 491 are different.

Khan & Hussain 2021, Mendeley Data, 10.17632/gwbz3fsgp8.2. Departure: every file carries the group of files that show
the same page, found from the pictures, so that no split can separate them; and, as a second, wider group, the files
that carry the same printed number.
"""

from dataclasses import dataclass
from pathlib import Path

from ecgedge.printed_numbers import read_grey, same_number
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
    number: str
    """Name of the first file that carries the same printed number: perhaps of the same person or session."""


def ecg_images(*, root: Path | None = None) -> tuple[ReportImage, ...]:
    """All 928 files, in the published order, from the published tree or a reduced copy of it.

    Hashes every picture and looks at the number on every different page: half a minute for the originals.

    Raises
    ------
    DataError
        The data set is not on this machine, a file is missing, one too many, or corrupt.
    """
    files = report_files(root=root)
    same_page = report_copies(files).same_page
    pages = sorted(set(same_page))
    numbers = same_number([read_grey(files[page].path) for page in pages])
    number_of = {page: pages[first] for page, first in zip(pages, numbers, strict=True)}
    return tuple(
        ReportImage(file.name, file.path, file.label, group=files[page].name, number=files[number_of[page]].name)
        for file, page in zip(files, same_page, strict=True)
    )
