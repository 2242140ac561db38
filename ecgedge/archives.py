"""Zip archives of data sets, unpacked so that nothing half-written and nothing outside the folder ever appears."""

import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ecgedge.catalogue import UNPACKED_LIST, Advance, digest
from ecgedge.disk import require_space
from ecgedge.errors import DataError


class DamagedArchive(DataError):
    """The archive cannot be read, or what it holds is not what was expected; another copy may be sound."""


_BLOCK_BYTES = 1 << 20
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)  # RuntimeError: encrypted, or an unknown method


def unpack(archive: Path, folder: Path, *, pinned: Mapping[str, str], advance: Advance) -> None:
    """Unpack `archive` into `folder` and delete it: first to a temporary folder, then file by file renamed.

    With `pinned` checksums exactly those files are taken, in whatever folder of the archive they lie. Without, all
    are taken, and their SHA-256 is kept in `UNPACKED.sha256`.

    Raises
    ------
    DamagedArchive
        The archive is damaged, lacks a file or holds another one.
    DataError
        It names a path outside the folder.
    """
    temporary = folder / f"{archive.name}.unpacking"
    shutil.rmtree(temporary, ignore_errors=True)  # left by a run that was killed
    try:
        sums = _extract_all(archive, temporary, pinned=pinned, advance=advance)
        if not pinned:
            _write_sums(temporary / UNPACKED_LIST, sums)
        for name in [*sums, *([] if pinned else [UNPACKED_LIST])]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).replace(folder / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    archive.unlink()


def _extract_all(archive: Path, temporary: Path, *, pinned: Mapping[str, str], advance: Advance) -> dict[str, str]:
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _choose(opened, pinned)
            require_space(archive.parent, sum(member.file_size for member in members.values()))
            return {
                name: _extract(opened, member, temporary / name, checksum=pinned.get(name), advance=advance)
                for name, member in members.items()
            }
    except _BAD_ZIP as error:
        raise DamagedArchive(f"{archive.name}: not a sound zip archive ({error})") from error


def _choose(opened: zipfile.ZipFile, pinned: Mapping[str, str]) -> dict[str, zipfile.ZipInfo]:
    members = {_safe_name(info.filename): info for info in opened.infolist() if not info.is_dir()}
    if not pinned:
        return members
    chosen = {name: _find(name, members) for name in pinned}
    found = {name: member for name, member in chosen.items() if member is not None}
    if len(found) < len(pinned):
        lacking = next(name for name in pinned if name not in found)
        raise DamagedArchive(f"{opened.filename}: {len(found)} of {len(pinned)} files are in it, {lacking} is not")
    return found


def _find(name: str, members: Mapping[str, zipfile.ZipInfo]) -> zipfile.ZipInfo | None:
    if name in members:
        return members[name]
    return next((info for path, info in members.items() if path.endswith(f"/{name}")), None)


def _safe_name(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
        raise DataError(f"{name!r}: a path in the archive that leads out of the folder; do not use this archive")
    return str(path)


def _extract(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, *, checksum: str | None, advance: Advance
) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, _BLOCK_BYTES)
    advance("unpacking", member.compress_size)
    got = digest(target, "sha256" if checksum is None else checksum.partition(":")[0])
    if checksum not in (None, got):
        raise DamagedArchive(f"{member.filename}: expected {checksum}, got {got}")
    return got


def _write_sums(path: Path, sums: Mapping[str, str]) -> None:
    lines = [f"{checksum.partition(':')[2]}  {name}\n" for name, checksum in sums.items()]
    path.write_text("".join(lines), encoding="utf-8")
