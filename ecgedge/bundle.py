"""Read, write and verify a bundle: a .tflite file with a ZIP appended (as TFLite Metadata does it).

Every interpreter opens it as a model, `unzip` as an archive. Knows nothing of preprocessing or interpreters.
"""

import hashlib
import io
import os
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import BundleError, InputError
from ecgedge.manifest import Manifest, dump_manifest, parse_manifest

MANIFEST, LABELS, CARD, GOLDEN = "manifest.json", "labels.txt", "CARD.md", "golden.npz"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a ZIP can state: bundles of equal content are equal files
_LIMIT_BYTES = 256 * 2**20
_AGAIN = "fetch or convert the bundle again"

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, in memory."""

    manifest: Manifest
    model: bytes
    """The .tflite part."""
    card: str
    """Model card, Markdown."""
    golden_npz: bytes
    """Golden inputs with their expected outputs, as written by `numpy.savez`."""
    source: str = "memory"

    @cached_property
    def golden(self) -> Arrays:
        """The golden vectors: name -> array."""
        with np.load(io.BytesIO(self.golden_npz), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}


def shipped_bundles() -> dict[str, Path]:
    """Bundles that come with ecgedge: name -> file."""
    folder = Path(str(files("ecgedge.models")))
    return {path.stem: path for path in sorted(folder.glob("*.tflite"))}


def find_bundle(bundle: str | Path) -> Path:
    """The file of a bundle, given its path or the name of a shipped one.

    Raises
    ------
    InputError
        No such file and no such name, or a folder; the message lists the shipped names.
    """
    path, shipped = Path(bundle), shipped_bundles()
    if str(bundle) in shipped and not path.is_file():
        return shipped[str(bundle)]
    if path.is_dir():
        raise InputError(f"{path}: a folder; a bundle is one .tflite file; name the file in it")
    if not path.exists():
        raise InputError(f"{path}: no such file, and no shipped bundle has that name; shipped: {', '.join(shipped)}")
    return path


def read_bundle(bundle: str | Path) -> Bundle:
    """Read a bundle and verify every part of it.

    Raises
    ------
    InputError
        There is no such file.
    BundleError
        Damaged, cut short, of another schema, or no bundle; the message names file, value and remedy.
    """
    path = find_bundle(bundle)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    return parse_bundle(content, source=str(path))


def parse_bundle(content: bytes, *, source: str) -> Bundle:
    """As `read_bundle`, from bytes in memory."""
    if not content:
        raise BundleError(f"{source}: 0 bytes; {_AGAIN}")
    members, model_bytes = _unpack(content, source)
    if missing := {MANIFEST, LABELS, CARD, GOLDEN} - members.keys():
        raise BundleError(f"{source}: no {', '.join(sorted(missing))} inside; {_AGAIN}")
    manifest = parse_manifest(members[MANIFEST].decode(errors="replace"), source=source)
    model = content[:model_bytes]
    _verify_model(manifest, model, source)
    _verify_members(manifest, members, source)
    return Bundle(manifest, model, members[CARD].decode(), members[GOLDEN], source)


def write_bundle(bundle: Bundle, path: Path) -> Bundle:
    """Write a bundle so that no half-written file is ever seen under its name.

    The manifest's sizes and checksums are computed here; the bundle is returned as written.
    """
    members = {LABELS: ("\n".join(bundle.manifest.labels) + "\n").encode(), CARD: bundle.card.encode()}
    members[GOLDEN] = bundle.golden_npz
    manifest = replace(
        bundle.manifest,
        model_bytes=len(bundle.model),
        model_sha256=_sha256(bundle.model),
        members_sha256={name: _sha256(data) for name, data in members.items()},
    )
    content = _pack(bundle.model, {MANIFEST: dump_manifest(manifest).encode(), **members})
    written = parse_bundle(content, source=str(path))
    _replace_file(path, content)
    return written


def _pack(model: bytes, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO(model)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def _unpack(content: bytes, source: str) -> tuple[dict[str, bytes], int]:
    """Members of the appended ZIP, and where the model part ends."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > _LIMIT_BYTES:
                raise BundleError(f"{source}: its parts claim more than {_LIMIT_BYTES} bytes; {_AGAIN}")
            members = {entry.filename: archive.read(entry) for entry in entries}
            return members, min((entry.header_offset for entry in entries), default=0)
    except (
        zipfile.BadZipFile,
        EOFError,
        NotImplementedError,
        OSError,
        ValueError,
        RuntimeError,
        zlib.error,
    ) as error:
        raise BundleError(f"{source}: no bundle, damaged or cut short ({error}); {_AGAIN}") from None


def _verify_model(manifest: Manifest, model: bytes, source: str) -> None:
    if len(model) != manifest.model_bytes:
        raise BundleError(f"{source}: model part of {len(model)} bytes, manifest says {manifest.model_bytes}; {_AGAIN}")
    if (found := _sha256(model)) != manifest.model_sha256:
        raise BundleError(
            f"{source}: model checksum {found[:12]}, manifest says {manifest.model_sha256[:12]}; {_AGAIN}"
        )


def _verify_members(manifest: Manifest, members: dict[str, bytes], source: str) -> None:
    found = {name: _sha256(data) for name, data in members.items() if name != MANIFEST}
    if found != manifest.members_sha256:
        wrong = sorted(name for name in found if found[name] != manifest.members_sha256.get(name))
        raise BundleError(f"{source}: {', '.join(wrong) or 'a part'} has another checksum than the manifest; {_AGAIN}")
    if members[LABELS].decode().split() != list(manifest.labels):
        raise BundleError(f"{source}: labels.txt and manifest name different classes; {_AGAIN}")


def _replace_file(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise BundleError(f"{path}: cannot be written ({error.strerror}); choose another place with -o") from None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
