"""A file that came in, as work: what kind it is, whether all of it is there, and where it goes afterwards."""

import hashlib
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from time import time
from uuid import UUID, uuid5

from ecgedge.errors import InputError
from ecgedge.formats import read_recording
from ecgedge.paper.pictures import read_picture
from ecgedge_device.clock import iso_utc
from ecgedge_device.files import sync_folder, write_durably
from ecgedge_device.sources import FileWork, PictureWork, UnreadableWork, Work
from ecgedge_device.sources.recording_work import RecordingWork

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
RECORDINGS = (".hea", ".edf", ".csv", ".npy", ".npz")
COMPANIONS = (".dat", ".atr")
"""Parts of a WFDB record, which go with its header."""
_UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart", "~")
_CHUNK_S = 600.0
_SPACE = UUID("6f0e5a3e-8a53-4d0c-9d4e-3a8e7f0c2b11")  # of ids of files


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it lies there."""

    path: Path
    size: int
    mtime_ns: int
    parts: tuple[tuple[str, int, int], ...] = ()
    """Name, size and time of the files that belong to it."""


def look(folder: Path) -> list[Seen]:
    """Files of a folder that may be meant for us, the oldest first."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith(_UNFINISHED):
                continue
            if entry.is_file() and (seen := seen_now(Path(entry.path))) is not None:
                found.append(seen)
    return sorted(found, key=lambda seen: (seen.mtime_ns, seen.path.name))


def seen_now(path: Path) -> Seen | None:
    """A file as it lies there now; None where it has gone."""
    try:
        status = path.stat()
        parts = [(part.name, part.stat()) for part in parts_of(path)[1:]]
    except FileNotFoundError:
        return None
    known = tuple((name, one.st_size, one.st_mtime_ns) for name, one in parts)
    return Seen(path, status.st_size, status.st_mtime_ns, known)


def parts_of(path: Path) -> list[Path]:
    """The file, and for a WFDB header the files beside it that belong to the record."""
    if path.suffix.lower() != ".hea":
        return [path]
    return [path, *(part for suffix in COMPANIONS if (part := path.with_suffix(suffix)).is_file())]


def work_of(
    seen: Seen,
    *,
    source: str,
    uid: str = "",
    fs_hz: float | None,
    stop: threading.Event,
) -> Work:
    """Make work of a file.

    Parameters
    ----------
    uid : of its result; empty: made of the source, the file's name, time and content, so that a restart makes the same

    Returns
    -------
    `UnreadableWork` where it is empty, or no picture or recording by its name. Nothing of it is read yet.
    """
    path, uid = seen.path, uid or _uid(seen, source)
    taken, address = iso_utc(min(seen.mtime_ns / 1e9, time())), f"{source}:{uid}"
    if seen.size and path.suffix.lower() in PICTURES:
        return PictureWork(uid, path.name, taken, lambda: read_picture(path))
    try:
        require_known(path.name)
        if not seen.size:
            raise InputError(f"{path.name}: 0 bytes; copy it again")
    except InputError as error:
        return UnreadableWork(uid, path.name, taken, str(error))

    def read() -> RecordingWork:
        recording = read_recording(path, fs_hz=fs_hz)
        return RecordingWork(recording, address=address, stop=stop, source=source, chunk_s=_CHUNK_S)

    return FileWork(uid, path.name, taken, address, read)


def require_known(name: str) -> None:
    """Refuse a name whose suffix is none of a picture or recording with `InputError`."""
    suffix = Path(name).suffix.lower()
    if suffix not in (*PICTURES, *RECORDINGS):
        known = ", ".join((*PICTURES, *RECORDINGS))
        raise InputError(f"{name}: {suffix or 'no suffix'} is no picture or recording; known are {known}")


def _uid(seen: Seen, source: str) -> str:
    with seen.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return str(uuid5(_SPACE, f"{source}/{seen.path.name}/{seen.mtime_ns}/{digest}"))


def put_away(path: Path, folder: Path, *, reason: str = "") -> None:
    """Move a file and what belongs to it into a folder, with the reason beside it if there is one.

    Where the name is taken it goes into a folder below, `2`, `3` and so on: a WFDB header names its files.
    """
    parts, number, place = parts_of(path), 1, folder
    while any((place / part.name).exists() for part in parts):
        number += 1
        place = folder / str(number)
    place.mkdir(parents=True, exist_ok=True)
    if reason:
        write_durably(place / f"{path.name}.reason.txt", f"{reason}\n".encode())
    for part in reversed(parts):  # the header last: a crash before leaves a record that is looked at again
        shutil.move(part, place / part.name)
    sync_folder(place)


def delete(path: Path) -> None:
    """Delete a file and what belongs to it."""
    for part in reversed(parts_of(path)):
        part.unlink(missing_ok=True)
