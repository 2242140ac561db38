"""The report pages of ecg_images, file by file: the tree as Mendeley gives it, or the reduced copy of it.

The published tree has a folder per class; 928 files, of which many are copies. The reduced copy has each different
picture once, scaled, in `unique/`, and `files.csv`, which says what each of the 928 files is a copy of. Which files
there must be, and under which folders, comes from the checksums that ship with ecgedge. Whether the bytes are those
published is not asked here, and a JPEG damaged in its middle still decodes: that is for `ecgedge data verify`. Copies
are found in `duplicates.py`.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ecgedge.catalogue import find_dataset, locate
from ecgedge.duplicates import Copies, find_copies
from ecgedge.errors import DataError, InputError

NAME = "ecg_images"
CLASS_OF_FOLDER: Mapping[str, str] = MappingProxyType(
    {
        "Normal Person ECG Images (284x12=3408)": "normal",
        "ECG Images of Myocardial Infarction Patients (240x12=2880)": "mi",
        "ECG Images of Patient that have abnormal heartbeat (233x12=2796)": "abnormal",
        "ECG Images of Patient that have History of MI (172x12=2064)": "history_mi",
    }
)
"""Folder of the published tree -> class in `labels.REPORT`. The folder that says 240 holds 239 files."""

_FILES = "files.csv"
_COLUMNS = ("label", "folder", "file", "unique", "md5_of_original")
_NOT_PICTURES = frozenset({"Thumbs.db", "desktop.ini"})  # left behind by file managers, as are names with a dot first
_MOST_NAMES = 5
_REMEDY = f"run: ecgedge data fetch {NAME}"


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One file of the data set."""

    name: str
    """Folder and file as published, with `/` between."""
    path: Path
    """Where its picture lies; in a reduced copy several files share one."""
    label: str
    """One of `labels.REPORT`."""


def is_reduced(folder: Path) -> bool:
    """Whether a folder holds a reduced copy: no folder of the published tree is there, the scaled pictures are."""
    published = any((folder / name).is_dir() for name in CLASS_OF_FOLDER)
    return not published and (folder / find_dataset(NAME).reduced_folder).is_dir()


def report_files(*, root: Path | None = None) -> tuple[ReportFile, ...]:
    """Every file of the data set, in the published order.

    Raises
    ------
    DataError
        The data set is not on this machine, a file is missing, there is one too many, or `files.csv` is damaged.
    """
    folder = locate(NAME, root=root)
    return _reduced_files(folder) if is_reduced(folder) else _published_files(folder)


def report_copies(files: Sequence[ReportFile], *, advance: Callable[[], None] | None = None) -> Copies:
    """Which files show the same page, from the pictures themselves.

    Raises
    ------
    DataError
        A picture is corrupt.
    """
    try:
        return find_copies([file.path for file in files], advance=advance)
    except InputError as error:
        raise DataError(f"{NAME}: {error}; or {_REMEDY}") from error


def _published_files(folder: Path) -> tuple[ReportFile, ...]:
    names = find_dataset(NAME).pinned()
    there = [f"{name}/{file}" for name in CLASS_OF_FOLDER for file in _pictures(folder / name)]
    _require_same(there, names, where=folder)
    return tuple(ReportFile(name, folder / name, _label(name)) for name in names)


def _reduced_files(folder: Path) -> tuple[ReportFile, ...]:
    table, pictures = folder / _FILES, folder / find_dataset(NAME).reduced_folder
    rows = {f"{row['folder']}/{row['file']}": row for row in _read_rows(table)}
    published = find_dataset(NAME).pinned()
    _require_same(rows, published, where=table)
    _require_same(_pictures(pictures), {row["unique"] for row in rows.values()}, where=pictures)
    for name, row in rows.items():
        if f"md5:{row['md5_of_original']}" != published[name] or row["label"] != _label(name):
            raise DataError(f"{table}: label or MD5 of {name!r} is not the published one; copy the table again")
    return tuple(ReportFile(name, pictures / rows[name]["unique"], _label(name)) for name in published)


def _read_rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: {error}; a reduced copy needs it; copy it again, or {_REMEDY}") from error
    for number, row in enumerate(rows, 2):
        if any(not isinstance(row.get(column), str) for column in _COLUMNS) or len(row) != len(_COLUMNS):
            raise DataError(f"{table}, line {number}: needs the columns {', '.join(_COLUMNS)}; copy the table again")
    return rows


def _label(name: str) -> str:
    return CLASS_OF_FOLDER[name.partition("/")[0]]


def _pictures(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if not name.startswith(".") and name not in _NOT_PICTURES]


def _require_same(there: Iterable[str], wanted: Iterable[str], *, where: Path) -> None:
    found, needed = dict.fromkeys(there), dict.fromkeys(wanted)
    if missing := [name for name in needed if name not in found]:
        raise DataError(f"{where}: {len(missing)} of {len(needed)} files missing: {_some(missing)}; {_REMEDY}")
    if unknown := [name for name in found if name not in needed]:
        raise DataError(f"{where}: not files of {NAME}: {_some(unknown)}; move them elsewhere")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
