"""Bundles: valid models, verified parts, and every kind of damage named."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgedge.bundle import find_bundle, parse_bundle, read_bundle, shipped_bundles, write_bundle
from ecgedge.errors import BundleError, InputError
from ecgedge.manifest import dump_manifest, parse_manifest
from ecgedge.runtime import Model

BEAT = shipped_bundles()["beat"]
CONTENT = BEAT.read_bytes()


def rewritten(tmp_path: Path, change: dict[str, object]) -> Path:
    """The shipped bundle with other manifest values and correct ZIP checksums."""
    bundle = read_bundle(BEAT)
    path = tmp_path / "changed.tflite"
    path.write_bytes(bundle.model)
    with zipfile.ZipFile(BEAT) as old, zipfile.ZipFile(path, "a") as new:
        for entry in old.namelist():
            data = old.read(entry)
            if entry == "manifest.json":
                data = json.dumps({**json.loads(data), **change}).encode()
            new.writestr(entry, data)
    return path


def test_a_bundle_is_a_model_and_an_archive() -> None:
    assert Model(CONTENT).inputs[0].dtype.name == "int8"
    with zipfile.ZipFile(BEAT) as archive:
        assert {"manifest.json", "labels.txt", "CARD.md", "golden.npz"} <= set(archive.namelist())
        assert archive.testzip() is None


def test_writing_what_was_read_gives_the_same_bytes(tmp_path: Path) -> None:
    write_bundle(read_bundle(BEAT), tmp_path / "again.tflite")
    assert (tmp_path / "again.tflite").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["again.tflite"]


def test_manifest_survives_the_round_trip() -> None:
    manifest = read_bundle(BEAT).manifest
    assert parse_manifest(dump_manifest(manifest), source="test") == manifest


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_found_or_harmless(position: int, bit: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[position] ^= 1 << bit
    try:
        found = parse_bundle(bytes(damaged), source="damaged")
    except BundleError as error:
        assert str(error).startswith("damaged: ") and "\n" not in str(error)
    else:  # a bit of ZIP bookkeeping, such as a time stamp
        whole = parse_bundle(CONTENT, source="damaged")
        assert (found.manifest, found.model, found.card) == (whole.manifest, whole.model, whole.card)


@given(st.integers(0, len(CONTENT) - 1))
def test_a_bundle_cut_short_is_named(length: int) -> None:
    with pytest.raises(BundleError, match=r"short: .*bundle"):
        parse_bundle(CONTENT[:length], source="short")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 99}, "schema 99; this ecgedge reads 1"),
        ({"model_bytes": 12}, "manifest says 12"),
        ({"model_sha256": "0" * 64}, "manifest says 000000000000"),
        ({"task": "sleep"}, "task 'sleep'"),
        ({"surprise": 1}, "surprise"),
        ({"labels": ["N", "S"]}, "labels.txt and manifest name different classes"),
        ({"inputs": [{"name": "x"}]}, "wrong kind"),
        ({"members_sha256": {}}, "another checksum"),
    ],
)
def test_a_lying_manifest_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        read_bundle(rewritten(tmp_path, change))


def test_a_wrong_member_is_named(tmp_path: Path) -> None:
    path = rewritten(tmp_path, {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("extra.txt", "not in the manifest")
    with pytest.raises(BundleError, match=r"extra\.txt has another checksum"):
        read_bundle(path)


def test_what_is_no_bundle_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.tflite").touch()
    (tmp_path / "bare.tflite").write_bytes(read_bundle(BEAT).model)
    (tmp_path / "text.tflite").write_text("hello")
    for name in ("empty", "bare", "text"):
        with pytest.raises(BundleError, match=rf"{name}\.tflite: .*(fetch or convert)"):
            read_bundle(tmp_path / f"{name}.tflite")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file, and no shipped bundle has that name; shipped: .*beat"):
        find_bundle(tmp_path / "none.tflite")
    with pytest.raises(InputError, match="a folder"):
        find_bundle(tmp_path)


def test_a_bundle_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(read_bundle(BEAT), tmp_path / "file" / "beat.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_bundle_with_a_broken_model_is_refused(tmp_path: Path) -> None:
    bundle = read_bundle(BEAT)
    write_bundle(replace(bundle, model=b"TFL3" + bytes(2000)), tmp_path / "broken.tflite")
    with pytest.raises(BundleError, match="cannot run the model"):
        Model(read_bundle(tmp_path / "broken.tflite").model)
