"""Pages read once and kept: every different picture is found, flattened and read a single time on a machine.

What is kept is named by the picture's bytes, by the pipeline and by the code that reads pages, so that a change of any
of them is read anew and nothing stale is ever taken. It may be deleted at any time.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ecgedge import page_reading
from ecgedge.errors import DataError, InputError
from ecgedge.labels import REPORT
from ecgedge.lead_arrays import Inputs
from ecgedge.page_pipeline import PagePipeline
from ecgedge.paper.page import Picture
from ecgedge.paper.pictures import read_picture
from ecgedge_train.datasets.ecg_images import ReportImage
from ecgedge_train.pages.pool import PagePool, packed

Arrays = dict[str, NDArray[np.generic]]
Advance = Callable[[int, int], None]
"""Called with the number of different pictures that are there, and of all."""

_READERS = (
    "aligned_page",
    "digitise",
    "images",
    "lead_arrays",
    "page_images",
    "page_pipeline",
    "page_reading",
    "pages",
    "traces",
)
_ONLY_DRAW = ("agreement", "contact_sheet", "heat_map", "overlay", "tallies")
_REASON = "refused"


@dataclass(frozen=True, slots=True)
class ReadPage:
    """One picture as a model sees it, or why it was refused."""

    arrays: Arrays
    reason: str = ""


def default_cache_dir() -> Path:
    """Folder `ecgedge/pages` of the user's cache: `XDG_CACHE_HOME`, `LOCALAPPDATA` or `~/.cache`."""
    root = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(root) if root else Path.home() / ".cache") / "ecgedge" / "pages"


def page_inputs(
    images: Sequence[ReportImage],
    pipeline: PagePipeline,
    *,
    cache_dir: Path | None = None,
    workers: int = 1,
    advance: Advance = lambda _done, _all: None,
) -> PagePool:
    """Read every page of a data set.

    Parameters
    ----------
    cache_dir : where pages once read are kept; None is `default_cache_dir`
    workers : processes that read; a page takes about half a second of one
    advance : called with the number of different pictures that are there, and of all

    Raises
    ------
    DataError
        A picture cannot be read from its file.
    """
    folder = (cache_dir or default_cache_dir()) / _pipeline_hash(pipeline)
    of_path = {path: _sha256(_content(path)) for path in dict.fromkeys(image.path for image in images)}
    paths = list({digest: path for path, digest in of_path.items()}.values())
    found: dict[str, ReadPage] = {}
    read = partial(read_cached, pipeline=pipeline, folder=folder)
    for path, page in zip(paths, _in_processes(read, paths, workers), strict=True):
        found[of_path[path]] = page
        advance(len(found), len(paths))
    return _pool(images, [of_path[image.path] for image in images], found)


def read_cached(path: Path, *, pipeline: PagePipeline, folder: Path) -> ReadPage:
    """One picture, from the folder if it is kept there, else read and kept."""
    content = _content(path)
    kept = folder / f"{_sha256(content)}.npz"
    if (page := _kept(kept)) is None:
        page = read_page(read_picture(content, name=path.name), pipeline)
        _keep(page, kept)
    return page


def read_page(picture: Picture, pipeline: PagePipeline) -> ReadPage:
    """One picture as the device reads it: what the device refuses is refused here."""
    try:
        inputs = _inputs(picture, pipeline)
    except InputError as error:
        return ReadPage({}, str(error))
    if pipeline.takes_leads:
        return ReadPage(dict(inputs))
    return ReadPage({name: packed(values) for name, values in inputs.items()})


def _inputs(picture: Picture, pipeline: PagePipeline) -> Inputs:
    reading = page_reading.read_page(picture, pipeline)
    if reading.doubt:
        raise InputError(reading.doubt)
    return pipeline.inputs_of(reading.page, reading.traces)


def keep_page(path: Path, page: ReadPage, pipeline: PagePipeline, *, cache_dir: Path | None = None) -> None:
    """Keep what was read of a picture elsewhere, such as on a machine with more processors."""
    folder = (cache_dir or default_cache_dir()) / _pipeline_hash(pipeline)
    _keep(page, folder / f"{_sha256(_content(path))}.npz")


def _in_processes(read: Callable[[Path], ReadPage], paths: Sequence[Path], workers: int) -> Iterator[ReadPage]:
    if workers <= 1:
        yield from map(read, paths)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(read, paths)


def _pool(images: Sequence[ReportImage], digests: Sequence[str], found: dict[str, ReadPage]) -> PagePool:
    there = [digest for digest, page in found.items() if not page.reason]
    place = {digest: row for row, digest in enumerate(there)}
    names = list(found[there[0]].arrays) if there else []
    return PagePool(
        pictures={name: np.concatenate([found[digest].arrays[name] for digest in there]) for name in names},
        picture=np.array([place.get(digest, -1) for digest in digests], np.int64),
        classes=np.array([REPORT.names.index(image.label) for image in images], np.int64),
        groups=tuple(image.group for image in images),
        names=tuple(image.name for image in images),
        reasons=tuple(found[digest].reason for digest in digests),
    )


def _kept(path: Path) -> ReadPage | None:
    """What is kept under this name; None where nothing is, or what is there is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, BadZipFile):
        return None
    reason = str(arrays.pop(_REASON)) if _REASON in arrays else ""
    return ReadPage(arrays, reason)


def _keep(page: ReadPage, path: Path) -> None:
    arrays: Arrays = {_REASON: np.array(page.reason)} if page.reason else page.arrays
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    made = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    made.write_bytes(buffer.getvalue())
    made.replace(path)


def _pipeline_hash(pipeline: PagePipeline) -> str:
    stated = json.dumps(pipeline.to_manifest(), sort_keys=True)
    return _sha256(f"{stated} {_reader_hash()}".encode())[:16]


@cache
def _reader_hash() -> str:
    return _sha256(b"".join(_sha256(path.read_bytes()).encode() for path in reader_files()))


def reader_files() -> list[Path]:
    """The code that reads pages, and what it knows of layouts and of lead names."""
    core = Path(str(files("ecgedge")))
    paper = [path for path in (core / "paper").iterdir() if path.is_file() and path.stem not in _ONLY_DRAW]
    return sorted([*(core / f"{name}.py" for name in _READERS), *paper])


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); verify the data set") from None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
