"""The public data sets: where each comes from, where it lies on this machine, and whether it is whole.

Opens no connection; fetching is in `downloads.py`. A checksum that ships with ecgedge proves that a file is the one
its authors published. The server's own list proves only that a file came over undamaged.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecgedge.errors import DataError

SERVER_LIST = "SHA256SUMS.txt"
"""PhysioNet's list of checksums, at the foot of every data set; kept beside the files it proves."""
UNPACKED_LIST = "UNPACKED.sha256"
"""What was in an archive that was itself checked: written when it is unpacked, since the archive is then deleted."""

Advance = Callable[[str, int], None]
"""Told what is being done (`checking`, `downloading`, `unpacking`) and how many bytes more of it are done."""

_BLOCK_BYTES = 1 << 20
_ALGORITHM_OF_LENGTH = {32: "md5", 64: "sha256"}
_PACKAGE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Dataset:
    """A public data set: whose it is, where it is published, and what proves its files."""

    name: str
    title: str
    version: str
    licence: str
    citation: str
    doi: str
    address: str
    """Base address; a file's address is this and its name."""
    size_bytes: int
    """Bytes to download; for ecg_images an estimate."""
    checksums: Path | None = None
    """Pinned checksums, in the format of sha256sum: of the files, or of what the archive holds."""
    listed: tuple[str, ...] = ()
    """Files without a pinned checksum, proved by the server's own list."""
    archive: str = ""
    """A zip that holds the files; empty where they are fetched one by one."""
    archive_address: str = ""
    """Where the archive lies, if not at `address` and its name; a mirror keeps it under its name."""
    reduced_folder: str = ""
    """A folder of scaled copies that may stand for the originals."""

    def pinned(self) -> dict[str, str]:
        """File name -> pinned checksum (`sha256:...` or `md5:...`)."""
        return {} if self.checksums is None else read_sums(self.checksums)

    def names(self, folder: Path) -> list[str]:
        """Every file that a whole copy in `folder` has; an archive not yet known file by file counts as a folder."""
        unpacked = folder / UNPACKED_LIST
        names = [*self.pinned(), *self.listed]
        if self.archive and self.checksums is None:
            names += read_sums(unpacked) if unpacked.is_file() else [Path(self.archive).stem]
        return names


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of a folder found, file by file."""

    folder: Path
    good: tuple[str, ...]
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    unproved: tuple[str, ...]
    """There, but with no checksum to hold it against until the server's list is fetched."""
    proof: str
    """What the good files were held against, and what that is worth."""
    reduced: int = 0
    """Scaled pictures that stand for the originals."""

    @property
    def complete(self) -> bool:
        """Every file is there and proved."""
        return not (self.missing or self.damaged or self.unproved)


_GOLDBERGER = "Goldberger et al., Circulation 101(23), 2000"
_NOISY_RECORDS = tuple(f"{record}e{snr_db}" for record in (118, 119) for snr_db in ("_6", "00", "06", "12", "18", "24"))

CATALOGUE: dict[str, Dataset] = {
    "mitdb": Dataset(
        name="mitdb",
        title="MIT-BIH Arrhythmia Database",
        version="1.0.0",
        licence="ODC-By 1.0",
        citation=f"Moody & Mark, IEEE Eng Med Biol 20(3), 2001; {_GOLDBERGER}",
        doi="10.13026/C2F305",
        address="https://physionet.org/files/mitdb/1.0.0/",
        size_bytes=93_857_258,
        checksums=_PACKAGE / "checksums" / "mitdb.sha256",
    ),
    "nstdb": Dataset(
        name="nstdb",
        title="MIT-BIH Noise Stress Test Database",
        version="1.0.0",
        licence="ODC-By 1.0",
        citation=f"Moody, Muldrow & Mark, Computers in Cardiology 11, 1984; {_GOLDBERGER}",
        doi="10.13026/C2HS3T",
        address="https://physionet.org/files/nstdb/1.0.0/",
        size_bytes=29_350_000,
        checksums=_PACKAGE / "checksums" / "nstdb.sha256",
        listed=(
            "em.dat",
            "em.hea",
            *(f"{record}.{suffix}" for record in _NOISY_RECORDS for suffix in ("atr", "dat", "hea")),
        ),
    ),
    "cinc2017": Dataset(
        name="cinc2017",
        title="PhysioNet/CinC Challenge 2017, training set",
        version="1.0.0",
        licence="ODC-By 1.0",
        citation=f"Clifford et al., Computing in Cardiology 44, 2017; {_GOLDBERGER}",
        doi="10.22489/CinC.2017.065-469",
        address="https://physionet.org/files/challenge-2017/1.0.0/",
        size_bytes=99_303_574,
        listed=("REFERENCE-v3.csv",),
        archive="training2017.zip",
    ),
    "ecg_images": Dataset(
        name="ecg_images",
        title="ECG Images dataset of Cardiac Patients",
        version="2",
        licence="CC BY 4.0",
        citation="Khan & Hussain, Mendeley Data, 2021",
        doi="10.17632/gwbz3fsgp8.2",
        address="https://data.mendeley.com/datasets/gwbz3fsgp8/2/",
        size_bytes=640_000_000,
        checksums=_PACKAGE / "checksums" / "ecg_images.md5",
        archive="gwbz3fsgp8-2.zip",
        archive_address="https://data.mendeley.com/public-api/zip/gwbz3fsgp8/download/2",
        reduced_folder="unique",
    ),
}


def find_dataset(name: str) -> Dataset:
    """Look a data set up by name.

    Raises
    ------
    DataError
        No data set has that name; the message lists those there are.
    """
    if name not in CATALOGUE:
        raise DataError(f"no data set {name!r}; there are {', '.join(CATALOGUE)}; choose one of them")
    return CATALOGUE[name]


def locate(name: str, *, root: Path | None = None, wanted: Sequence[str] = ()) -> Path:
    """Find the folder of a data set: in `root` and nowhere else, or else in each of `data_roots()`.

    Parameters
    ----------
    root
        A folder that has the data set as its folder `name`, or that is the whole data set itself.
    wanted
        Files that must be there. Without it a whole copy is preferred, and a partial one is good enough.

    Raises
    ------
    DataError
        It is in none of them; the message says what was missing, where, and how to get it.
    """
    dataset = find_dataset(name)
    roots = data_roots() if root is None else (root,)
    folders = [folder for place in roots for folder in (place / name, place)]
    whole = [folder for folder in folders if not _absent(wanted or dataset.names(folder), folder)]
    partial = [place / name for place in roots if _has_any(dataset, place / name)]
    if whole or (partial and not wanted):
        return (whole or partial)[0]
    looked = ", ".join(str(place / name) for place in roots)
    lacking = f"{', '.join(_absent(wanted, partial[0])[:5])} missing" if partial else "not found"
    raise DataError(f"{name}: {lacking}; looked in {looked}; run: ecgedge data fetch {name}, or set ECGEDGE_DATA")


def data_roots() -> tuple[Path, ...]:
    """Folders that may hold data sets: ECGEDGE_DATA, `../shared/data` of working folder and checkout, the cache."""
    beside = [Path.cwd().parent / "shared" / "data", _PACKAGE.parent.parent / "shared" / "data"]
    return tuple(dict.fromkeys([*_own_roots()[:-1], *filter(Path.is_dir, beside), _own_roots()[-1]]))


def destination(name: str, *, root: Path | None = None) -> Path:
    """Folder that a data set is fetched into: in `root`, else in ECGEDGE_DATA, else in the user's cache."""
    return (_own_roots()[0] if root is None else root) / find_dataset(name).name


def _own_roots() -> list[Path]:
    named = os.environ.get("ECGEDGE_DATA", "")
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # the XDG rules: a relative path is to be ignored
        cache = Path.home() / ".cache"
    return [*([Path(named)] if named else []), cache / "ecgedge"]


def _absent(names: Iterable[str], folder: Path) -> list[str]:
    return [name for name in names if not (folder / name).exists()]


def _has_any(dataset: Dataset, folder: Path) -> bool:
    signs = [*dataset.names(folder), *filter(None, [dataset.reduced_folder])]
    return len(_absent(signs, folder)) < len(signs)


def verify(dataset: Dataset, folder: Path, *, advance: Advance | None = None) -> Verification:
    """Hold every file of a data set against its checksum, pinned or from the lists kept in `folder`."""
    names = dataset.names(folder)
    missing = _absent(names, folder)
    reduced = _count_reduced(dataset, folder) if missing else 0
    sums = known_sums(dataset, folder)
    there = [name for name in names if (folder / name).exists()]
    proved = [name for name in there if name in sums]
    good = [name for name in proved if is_good(folder / name, sums[name], advance=advance)]
    return Verification(
        folder=folder,
        good=tuple(good),
        missing=tuple(missing),
        damaged=tuple(sorted(set(proved) - set(good))),
        unproved=tuple(name for name in there if name not in sums),
        proof=_proof(dataset.pinned(), good),
        reduced=reduced,
    )


def known_sums(dataset: Dataset, folder: Path) -> dict[str, str]:
    """Name -> checksum of all files for which one is known; a pinned one goes before a server's."""
    lists = [folder / SERVER_LIST] if dataset.listed else []
    lists += [folder / UNPACKED_LIST] if dataset.archive else []
    sums: dict[str, str] = {}
    for path in filter(Path.is_file, lists):
        sums |= read_sums(path)
    return sums | dataset.pinned()


def _count_reduced(dataset: Dataset, folder: Path) -> int:
    return len(list((folder / dataset.reduced_folder).glob("*.*"))) if dataset.reduced_folder else 0


def _proof(pinned: dict[str, str], good: Sequence[str]) -> str:
    ours = [pinned[name].partition(":")[0].upper() for name in good if name in pinned]
    parts = [f"{ours.count(kind)} by the {kind} shipped with ecgedge" for kind in dict.fromkeys(ours)]
    if theirs := len(good) - len(ours):
        parts.append(
            f"{theirs} checked against the server's own list (guards against corruption, not against a hostile mirror)"
        )
    if "MD5" in ours:
        parts.append("MD5 is all that is known of these originals: it guards against corruption, not against forgery")
    return "; ".join(parts)


def read_sums(path: Path) -> dict[str, str]:
    """Read a list in the format of sha256sum or md5sum into name -> `sha256:...` or `md5:...`.

    Raises
    ------
    DataError
        The file cannot be read or a line is not a checksum and a name.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}; delete it and fetch the data set again") from error
    return dict(_parse_sum(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip())


def _parse_sum(line: str, where: str) -> tuple[str, str]:
    digits, _, name = line.strip().partition(" ")
    algorithm = _ALGORITHM_OF_LENGTH.get(len(digits))
    if algorithm is None or not name or set(digits.lower()) - set("0123456789abcdef"):
        raise DataError(f"{where}: {line[:80]!r} is not a checksum and a file name; delete the file and fetch again")
    return name.strip().removeprefix("*"), f"{algorithm}:{digits.lower()}"  # sha256sum -b writes *NAME


def is_good(path: Path, checksum: str, *, advance: Advance | None = None) -> bool:
    """Whether a file has the checksum."""
    return path.is_file() and digest(path, checksum.partition(":")[0], advance=advance) == checksum


def digest(path: Path, algorithm: str, *, advance: Advance | None = None) -> str:
    """Checksum of a file (`sha256:...`), read in blocks."""
    state = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            state.update(block)
            if advance is not None:
                advance("checking", len(block))
    return f"{algorithm}:{state.hexdigest()}"
