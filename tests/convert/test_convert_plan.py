"""Several variants in one call: names, recipes, the table, and what is left when something goes wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from rich.console import Console  # noqa: E402

from ecgedge.bundle import read_bundle  # noqa: E402
from ecgedge.cli import ecgedge, run_command  # noqa: E402
from ecgedge.errors import BundleError, InputError, SettingsError  # noqa: E402
from ecgedge_convert.convert_plan import SUMMARY, carry_out, make_plan  # noqa: E402
from ecgedge_convert.convert_table import convert_table, remarks  # noqa: E402
from ecgedge_convert.model_file import Network  # noqa: E402
from ecgedge_convert.source import read_source  # noqa: E402
from ecgedge_convert.variant import KINDS, Variant, asked_variants  # noqa: E402
from ecgedge_convert.variant_recipe import read_variants  # noqa: E402
from tests.convert.small_models import beat_network, write_run  # noqa: E402
from tests.convert.test_kept_layers import Wave  # noqa: E402
from tests.convert.test_source import bench  # noqa: E402

RECIPES = Path(__file__).parents[2] / "convert/recipes"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("plan") / "run", beat_network(keras))


def test_all_kinds_in_one_table(run: Path, tmp_path: Path) -> None:
    (tmp_path / SUMMARY).write_text("of an earlier call")
    plan = make_plan(asked_variants(KINDS, Variant("asked")), tmp_path, name="small")
    told: list[str] = []
    rows = carry_out(plan, bench(read_source(run)), done=lambda row: told.append(row.variant.name))
    assert told == list(KINDS) and all(row.made is not None and row.comparison is not None for row in rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([SUMMARY, *(f"small-{k}.tflite" for k in KINDS)])
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(convert_table(rows, title="small"))
    lines = console.export_text().splitlines()
    assert [line.split()[0] for line in lines if line.split()[:1] and line.split()[0] in KINDS] == list(KINDS)
    assert any("time stays as it was" in words for words in remarks(rows))
    said = json.loads((tmp_path / SUMMARY).read_text())
    for row in said["variants"]:
        manifest = read_bundle(tmp_path / row["file"]).manifest
        assert manifest.model_sha256 == row["model_sha256"] and manifest.training["conversion"] == row["conversion"]
        assert ("calibration" in row["conversion"]) == (row["kind"] in ("int8", "int16x8"))
        assert row["compared with float32"]["agreement"] > 0.9
    int8 = next(row for row in said["variants"] if row["kind"] == "int8")
    assert int8["conversion"]["calibration"]["count"] == 160 and int8["conversion"]["libraries"]["tensorflow"]


def test_one_that_is_refused_is_a_row(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", beat_network(keras, wave=Wave(name="wave")))
    model = keras.models.load_model(run / "model.keras", custom_objects={"Wave": Wave})
    out = tmp_path / "out"
    out.mkdir()
    for name in ("small-int16x8.tflite", "small-dynamic.tflite"):
        (out / name).write_bytes(b"of an earlier call")
    source = read_source(write_run(tmp_path / "plain", beat_network(keras)))
    source = replace(source, network=Network("waved", model=model))
    plan = make_plan(asked_variants(("float32", "int16x8"), Variant("asked")), out, name="small")
    rows = carry_out(plan, bench(source))
    assert rows[0].made is not None and rows[1].made is None and "no op SIN" in rows[1].refused
    assert sorted(path.name for path in out.iterdir()) == [SUMMARY, "small-dynamic.tflite", "small-float32.tflite"]
    said = json.loads((out / SUMMARY).read_text())["variants"][1]
    assert "no op SIN" in said["refused"] and said["removed"] == ["small-int16x8.tflite"]
    words = next(words for words in remarks(rows) if words.startswith("int16x8: none, int16x8: no op SIN"))
    assert words.endswith("; removed of an earlier call: small-int16x8.tflite")
    (out / "x.tflite").write_bytes(b"of an earlier call")
    for place in (out / "x.tflite", out):
        before = {path.name: path.read_bytes() for path in out.iterdir()}
        with pytest.raises(InputError, match="layer wave: op SIN cannot be quantised"):
            carry_out(make_plan(asked_variants((), Variant("asked")), place, name="small"), bench(source))
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before, "a call that fails changes nothing"


def test_one_that_its_target_refuses_leaves_nothing_of_an_earlier_call(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("small-mcu.tflite", "small_mcu.c", "small_mcu.h", "small-coral-batch1.tflite"):
        (out / name).write_bytes(b"of an earlier call")
    variants = (Variant("mcu", "float32", target="mcu"), Variant("coral", "int8", target="coral"))
    rows = carry_out(make_plan(variants, out, name="small"), bench(read_source(run)))
    assert "small-mcu.tflite: not for mcu: CONV_2D, op 0, computes in float" in rows[0].refused
    assert [path.name for path in rows[0].removed] == ["small-mcu.tflite", "small_mcu.h", "small_mcu.c"]
    names = [SUMMARY, "small-coral-batch1.tflite", "small-coral.tflite"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert f"wrote {out / names[1]}" in rows[1].notes and rows[1].path == out / names[2]


def test_places_that_do_not_fit_are_named_before_the_work(tmp_path: Path) -> None:
    several = asked_variants(KINDS, Variant("asked"))
    with pytest.raises(InputError, match=r"5 variants .* do not fit one file"):
        make_plan(several, tmp_path / "x.tflite", name="x")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a file; name a folder"):
        make_plan(several, tmp_path / "file", name="x")
    with pytest.raises(BundleError, match="cannot be written"):
        make_plan(several, tmp_path / "file/below", name="x")
    with pytest.raises(BundleError, match="cannot be written"):
        make_plan(several, Path("/proc/nowhere"), name="x")


ON_A_SMALL_DISK = """
import shutil, sys
from pathlib import Path
from tests.convert.test_source import bench, read_source
from ecgedge.bundle import read_bundle
from ecgedge_convert.convert_plan import carry_out, make_plan
from ecgedge_convert.variant import Variant, asked_variants
from ecgedge.errors import BundleError
source, out = read_source(Path(sys.argv[1])), Path(sys.argv[2])
shutil.copy(sys.argv[3], out / "small-float16.tflite")
(out / "conversions.json").write_text("of an earlier call")
plan = make_plan(asked_variants(("float16", "float32"), Variant("asked")), out, name="small")
try:
    carry_out(plan, bench(source))
except BundleError as error:
    print(error)
print(sorted(path.name for path in out.iterdir()), read_bundle(out / "small-float16.tflite").manifest.name)
print((out / "conversions.json").read_text())
"""


def on_a_disk_of(kilobytes: int, place: Path, *command: str | Path) -> str:
    """Run a command with a real file system of this size at a place, in a mount namespace of its own."""
    mount = f'mount -t tmpfs -o size={kilobytes}k none "{place}"'
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*alone, mount], capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here (unshare --map-root-user --mount)")
    line = [*alone, f'{mount} && exec "$@"', "sh", *command]
    return subprocess.run(line, check=True, timeout=390, capture_output=True, text=True).stdout


def test_a_disk_that_fills_leaves_the_folder_as_it_was(run: Path, tmp_path: Path) -> None:
    out, first = tmp_path / "out", tmp_path / "first.tflite"
    out.mkdir()
    carry_out(make_plan(asked_variants(("float16",), Variant("asked")), first, name="small"), bench(read_source(run)))
    two_and_a_half = int(first.stat().st_size * 2.5 / 1024) + 4
    said = on_a_disk_of(two_and_a_half, out, sys.executable, "-c", ON_A_SMALL_DISK, run, out, first)
    assert "small-float32.tflite: cannot be written (No space left on device)" in said
    assert "['conversions.json', 'small-float16.tflite'] first\nof an earlier call" in said


KILLED = """
import sys
from pathlib import Path
from tests.convert.test_source import bench, read_source
from ecgedge_convert.convert_plan import carry_out, make_plan
from ecgedge_convert.variant import Variant, asked_variants

def begin(variant):
    print(variant.name, flush=True)
    if variant.name == "float32":
        sys.stdin.readline()
    return lambda *_: None

plan = make_plan(asked_variants(("float16", "float32"), Variant("asked")), Path(sys.argv[2]), name="small")
carry_out(plan, bench(read_source(Path(sys.argv[1]))), begin=begin)
"""


def test_a_killed_call_leaves_the_folder_as_it_was(run: Path, tmp_path: Path) -> None:
    plan = make_plan(asked_variants(("float16", "float32"), Variant("asked")), tmp_path, name="small")
    other = replace(plan, name="other")
    for one in (plan, other):
        carry_out(one, bench(read_source(run)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    command = [sys.executable, "-c", KILLED, run, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as call:
        assert call.stdout is not None
        assert [call.stdout.readline() for _ in range(2)] == ["float16\n", "float32\n"]
        assert [path.name for path in (tmp_path / ".converting").iterdir()] == ["small-float16.tflite"]
        with pytest.raises(BundleError, match="another ecgedge convert writes there"):
            carry_out(other, bench(read_source(run)))
        call.kill()
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert call.returncode == -signal.SIGKILL and left == before
    assert (tmp_path / ".converting").is_dir()
    carry_out(plan, bench(read_source(run)))
    assert {path.name for path in tmp_path.iterdir()} == set(before)


def test_the_shipped_recipe_names_all_changes() -> None:
    variants = {variant.name: variant for variant in read_variants(RECIPES / "variants.toml")}
    assert set(variants) == {*KINDS, "pruned", "channels", "clustered", "qat", "pruned-qat"}
    assert variants["pruned"].prune == 0.8 and variants["channels"].channels == 0.5
    assert variants["pruned-qat"].qat and variants["pruned-qat"].prune and not variants["int8"].changes_weights


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must hold"),
        ("x = 1\n[[variant]]\nname = 'a'", "x does not belong there"),
        ("[[variant]]\nname = 'a'\nprun = 0.5", "did you mean 'prune'"),
        ("[[variant]]\nname = 'a'\nkind = 'int4'", "choose one of float32"),
        ("[[variant]]\nname = 'a'\nprune = 1.0", "0 to below 1"),
        ("[[variant]]\nname = 'a/b'", "no file name"),
        ("[[variant]]\nname = 'a'\nkind = 'float16'\nqat = true", "training for int8 needs int8"),
        ("[[variant]]\nname = 'a'\n[[variant]]\nname = 'a'", "two variants are called a"),
        ("[[variant", "no recipe of variants"),
    ],
)
def test_a_recipe_that_is_wrong_is_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        read_variants(tmp_path / "r.toml")


def test_options_that_do_not_fit_are_named(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    recipe = str(RECIPES / "variants.toml")
    for words, said in (
        (["--recipe", recipe, "--int8"], "says all of its variants"),
        (["--prune", "1.5"], "0 to below 1"),
        (["--keep-float", "a", "--float16"], "only int8 has layers to keep"),
        (["--all", "-o", str(tmp_path / "x.tflite")], "do not fit one file"),
        (["--calibrate", "cats"], "calibrated with mitdb"),
    ):
        arguments = ["convert", str(run), "-o", str(tmp_path / "out"), *words]
        assert run_command(ecgedge, arguments, program="ecgedge") == 1
        assert said in capfd.readouterr().err


def test_names_say_what_was_changed() -> None:
    wanted = Variant("asked", channels=0.5, prune=0.8, qat=True)
    assert [variant.name for variant in asked_variants((), wanted)] == ["channels-pruned-qat-int8"]
    assert [variant.name for variant in asked_variants(("float16",), Variant("asked", target="mcu"))] == ["mcu-float16"]
