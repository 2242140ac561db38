"""A model as C: compiled by a real compiler without a warning, run, and its bytes and constants read back."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgedge import NOTICE
from ecgedge.bundle import read_bundle, shipped_bundles
from ecgedge.errors import BundleError
from ecgedge_convert.target.batch_of_one import batch_of_one
from ecgedge_convert.target.c_array import CSource, Measured, c_name, c_source

MEASURED = Measured(4711, "a test")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic")
PRINTS = """
#include <stdio.h>
#include "{stem}.h"
int main(void) {{
  size_t k;
  printf("%d\\n", (int)((size_t){stem}_model % 16));
  for (k = 0; k < sizeof {stem}_model; k++) printf("%02x", {stem}_model[k]);
  printf("\\n");
  for (k = 0; k < {STEM}_N_LABELS; k++) printf("%s\\n", {stem}_labels[k]);
  return 0;
}}
"""
PRINTS_BEAT = """
#include <stdio.h>
extern "C" {{ int puts(const char *); }}
#include "{stem}.h"
int main() {{
  for (int k = 0; k < {STEM}_N_BEATS_FEATURES; k++)
    printf("%s %.9g %.9g\\n", {stem}_beats_features[k], {stem}_beats_centre[k], {stem}_beats_scale[k]);
  printf("%.9g %d %d %.9g\\n", {STEM}_INPUT_FEATURES_SCALE, {STEM}_INPUT_FEATURES_ZERO_POINT,
         {STEM}_INPUT_FEATURES_INDEX, {STEM}_BEATS_EARLY_30);
  puts({STEM}_NOTICE);
  puts({STEM}_MODEL_SHA256);
}}
"""


def made(name: str) -> tuple[CSource, bytes]:
    bundle = read_bundle(name)
    model = batch_of_one(bundle.model, slim=True)
    return c_source(bundle.manifest, model, MEASURED, name=name), model


def compiled(folder: Path, source: CSource, program: str, *, language: str) -> str:
    """Output of a program that uses the two files, in C11 or C++17."""
    names = {"stem": source.stem, "STEM": source.stem.upper()}
    compilers = {"c": ("gcc", "-std=c11"), "cc": ("g++", "-std=c++17")}
    if missing := [tool for tool in ("gcc", compilers[language][0]) if shutil.which(tool) is None]:
        pytest.skip(f"no {missing[0]} on this machine; apt install g++")
    (folder / f"{source.stem}.h").write_text(source.header)
    (folder / f"{source.stem}.c").write_text(source.source)
    (folder / f"main.{language}").write_text(program.format(**names))
    for command in (
        ["gcc", "-std=c11", *WARNINGS, "-c", f"{source.stem}.c", "-o", "model.o"],
        [*compilers[language], *WARNINGS, f"main.{language}", "model.o", "-o", "main"],
        ["./main"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_the_bytes_come_back_from_the_compiler(name: str, tmp_path: Path) -> None:
    source, model = made(name)
    place, array, *labels = compiled(tmp_path, source, PRINTS, language="c").splitlines()
    assert place == "0"
    assert bytes.fromhex(array) == model
    assert tuple(labels) == read_bundle(name).manifest.labels


def test_the_constants_come_back_in_cpp(tmp_path: Path) -> None:
    source, model = made("beat")
    *rows, numbers, notice, digest = compiled(tmp_path, source, PRINTS_BEAT, language="cc").splitlines()
    manifest = read_bundle("beat").manifest
    step = manifest.step("beats")
    names, centre, scale = zip(*(row.split() for row in rows), strict=True)
    assert list(names) == step["features"]
    np.testing.assert_array_equal(np.float32(centre), np.float32(step["centre"]))
    np.testing.assert_array_equal(np.float32(scale), np.float32(step["scale"]))
    features = next(tensor for tensor in manifest.inputs if tensor.name == "features")
    found = numbers.split()
    assert np.float32(found[0]) == np.float32(features.scale)
    assert int(found[1]) == features.zero_point
    assert np.float32(found[3]) == np.float32(step["early_30"])
    assert notice == NOTICE
    assert digest == hashlib.sha256(model).hexdigest()


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_the_header_says_what_the_manifest_says(name: str) -> None:
    source, model = made(name)
    manifest = read_bundle(name).manifest
    stem = c_name(name).upper()
    for line in (
        f"#define {stem}_MODEL_BYTES {len(model)}",
        f"#define {stem}_ARENA_BYTES 4711",
        f'#define {stem}_BUNDLE_MODEL_SHA256 "{manifest.model_sha256}"',
    ):
        assert f"\n{line}\n" in source.header
    assert f"   {NOTICE}\n" in source.header
    assert "is not part of this file" in source.header
    assert all(len(line) <= 120 for line in source.header.splitlines() if not line.startswith("#define"))
    assert not any(line != line.rstrip() for line in source.header.splitlines())


def test_the_same_input_gives_the_same_text() -> None:
    assert made("beat") == made("beat")


def test_without_a_measurement_there_is_no_arena() -> None:
    bundle = read_bundle("beat")
    source = c_source(bundle.manifest, batch_of_one(bundle.model), None, name="beat")
    assert "ARENA" not in source.header


def test_awkward_text_stays_inside_its_quotes(tmp_path: Path) -> None:
    bundle = read_bundle("beat")
    labels = ('N"', "*/ S", "V\\n??/", "Fé")
    manifest = replace(bundle.manifest, labels=labels, label_titles=("*/ #error", "b", "c", "d"))
    source = c_source(manifest, batch_of_one(bundle.model), None, name="beat")
    printed = compiled(tmp_path, source, PRINTS, language="c").splitlines()
    assert tuple(printed[2:]) == labels


@pytest.mark.parametrize(
    ("name", "made_of_it"),
    [("beat-mcu", "beat_mcu"), ("2 beats", "m_2_beats"), ("int", "m_int"), ("Ünder*/", "nder"), ("--", "model")],
)
def test_names_become_fit_for_c(name: str, made_of_it: str) -> None:
    assert c_name(name) == made_of_it


def test_a_number_that_c_cannot_write_is_named() -> None:
    bundle = read_bundle("beat")
    manifest = replace(bundle.manifest, decision=json.loads('{"temperature": Infinity}'))
    with pytest.raises(BundleError, match="number inf"):
        c_source(manifest, batch_of_one(bundle.model), None, name="beat")
