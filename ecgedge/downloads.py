"""Fetching of data sets: what is missing, from where, in which order, and the proof that it came over whole.

How a single file is fetched is in `transfers.py`, which needs the extra `data`; this module loads without it.
"""

import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ecgedge.archives import DamagedArchive, unpack
from ecgedge.catalogue import SERVER_LIST, Advance, Dataset, Verification, read_sums, verify
from ecgedge.disk import disk_trouble_named, require_space
from ecgedge.errors import DataError, MissingDependency

if TYPE_CHECKING:
    from ecgedge.transfers import Transfer


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for and how often a download is tried."""

    tries: int = 5
    """Tries of a file in one run."""
    connect_s: float = 10.0
    """Longest wait for a connection."""
    read_s: float = 30.0
    """A server that sends nothing for so long has stalled."""
    first_wait_s: float = 1.0
    """Wait after the first failure; doubled after each further one."""
    longest_wait_s: float = 30.0

    def wait_s(self, failures: int) -> float:
        """Pause after so many failures, spread by half so that many clients do not return at once."""
        return min(self.longest_wait_s, self.first_wait_s * 2.0 ** (failures - 1)) * random.uniform(0.5, 1.5)


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Job:
    """One file to fetch."""

    url: str
    target: Path
    checksum: str | None
    """`sha256:...` or `md5:...`; none where the file is itself a list, or is proved by what it holds."""


def fetch(
    dataset: Dataset,
    folder: Path,
    *,
    address: str | None = None,
    patience: Patience = PATIENCE,
    workers: int = 4,
    advance: Advance | None = None,
) -> Verification:
    """Bring a data set into `folder`; files that are there and right are not fetched again.

    Parameters
    ----------
    address
        Base address in place of the official one; default: ECGEDGE_MIRROR and the name, where that is set.
    workers
        Files fetched at the same time.
    advance
        Told of progress, from several threads; a download that starts over counts back.

    Raises
    ------
    DataError
        A file stays damaged, missing or out of reach, or the disk refuses. What came is kept for the next run.
    MissingDependency
        The extra `data` is not installed.
    """
    report = advance or _ignore
    with disk_trouble_named(folder):
        before = verify(dataset, folder, advance=report)
        if before.complete:
            return before
        folder.mkdir(parents=True, exist_ok=True)
        require_space(folder, _needed_bytes(dataset, folder))
        with open_transfer(patience, advance=report) as transfer:
            jobs = _plan(dataset, before, address=address, transfer=transfer)
            transfer.get_all([job for job in jobs if job.target.name != dataset.archive], workers=workers)
            for job in jobs:
                if job.target.name == dataset.archive:
                    _fetch_archive(dataset, job, transfer=transfer, advance=report)
        _sweep(folder)
        return verify(dataset, folder, advance=report)


def open_transfer(patience: Patience, *, advance: Advance) -> "Transfer":
    """Open the connection, which belongs to the extra `data`.

    Raises
    ------
    MissingDependency
        The extra is not installed.
    """
    try:
        from ecgedge.transfers import Transfer
    except ModuleNotFoundError as error:
        raise MissingDependency(f"{error.name} is not installed; run: pip install 'ecgedge[data]'") from error
    return Transfer(patience, advance=advance)


def file_address(dataset: Dataset, name: str, *, address: str | None = None) -> str:
    """Address of one file: under `address`, else under ECGEDGE_MIRROR/DATASET, else the official one.

    Raises
    ------
    DataError
        The base address is not http:// or https://.
    """
    mirror = os.environ.get("ECGEDGE_MIRROR", "")
    base = address or (f"{mirror.rstrip('/')}/{dataset.name}" if mirror else "")
    if not base and dataset.archive_address and name == dataset.archive:
        return dataset.archive_address
    base = base or dataset.address
    if not base.startswith(("http://", "https://")):
        raise DataError(f"{base!r}: not an http:// or https:// address; correct --from or ECGEDGE_MIRROR")
    return f"{base.rstrip('/')}/{quote(name)}"


def _plan(dataset: Dataset, before: Verification, *, address: str | None, transfer: "Transfer") -> list[Job]:
    """Every file to fetch, with its checksum; an archive comes last."""
    sums = {} if dataset.archive else dataset.pinned()
    names = [name for name in (*sums, *dataset.listed) if name not in before.good]
    unpinned = [name for name in names if name not in sums]
    if dataset.archive and not _is_unpacked(dataset, before):
        names.append(dataset.archive)
        unpinned += [] if dataset.checksums else [dataset.archive]
    if unpinned:
        sums = _server_sums(dataset, before.folder, address=address, transfer=transfer) | sums
    if lacking := [name for name in unpinned if name not in sums]:
        raise DataError(f"{lacking[0]}: not in {SERVER_LIST} of the server; check --from and ECGEDGE_MIRROR")
    return [Job(file_address(dataset, name, address=address), before.folder / name, sums.get(name)) for name in names]


def _server_sums(dataset: Dataset, folder: Path, *, address: str | None, transfer: "Transfer") -> dict[str, str]:
    """Fetch the server's list anew; the one of an earlier run stays until then."""
    listing = folder / f"{SERVER_LIST}.new"
    listing.unlink(missing_ok=True)
    transfer.get(Job(file_address(dataset, SERVER_LIST, address=address), listing, None))
    sums = read_sums(listing)
    listing.replace(folder / SERVER_LIST)
    return sums


def _is_unpacked(dataset: Dataset, before: Verification) -> bool:
    return set(dataset.names(before.folder)) <= {*before.good, *dataset.listed}


def _fetch_archive(dataset: Dataset, job: Job, *, transfer: "Transfer", advance: Advance) -> None:
    """Fetch and unpack; an archive that proves damaged only when it is unpacked is fetched once more."""
    for last in (False, True):
        transfer.get(job)
        try:
            unpack(job.target, job.target.parent, pinned=dataset.pinned(), advance=advance)
            return
        except DamagedArchive as error:
            job.target.unlink()
            if last or job.checksum:
                raise DataError(f"{error}; it was deleted; run the fetch again, or use a mirror with --from") from error


def _needed_bytes(dataset: Dataset, folder: Path) -> int:
    """Room for what is not there yet; an archive lies beside its files for a while."""
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return max(0, dataset.size_bytes * (2 if dataset.archive else 1) - there)


def _sweep(folder: Path) -> None:
    """Remove the empty temporary files that pooch leaves where a run was killed."""
    for path in folder.rglob("tmp" + "[a-z0-9_]" * 8):
        if path.is_file() and path.stat().st_size == 0:
            path.unlink()


def _ignore(_stage: str, _n_bytes: int) -> None:
    """Progress that nobody watches."""
