"""The installer, for real, in a folder that stands for the root of a machine; nothing is fetched."""

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ecgedge_device.settings_file import read_settings

ROOT = Path(__file__).parents[2]
INSTALLER = ROOT / "device/install.sh"
SCRIPTS = (INSTALLER, ROOT / "device/tests-aarch64/run.sh")
_LONG_S = 300

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform != "linux", reason="the installer is a bash script for Linux"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    if importlib.util.find_spec("hatchling") is not None:
        command.append("--no-build-isolation")
    built = subprocess.run(command, capture_output=True, text=True, timeout=_LONG_S)
    if built.returncode != 0:
        pytest.skip(f"no wheel can be built, hatchling is neither here nor fetched: {built.stderr.strip()[-300:]}")
    return next(folder.glob("ecgedge-*.whl"))


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tests run on, apart from ecgedge itself: it stands for a package index that has everything."""
    folder = tmp_path_factory.mktemp("packages")
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "ecgedge" not in entry.name and not entry.name.startswith(("pip", "_")):
            (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, wheel: Path, packages: Path) -> tuple[Path, str]:
    """A root folder after one installation, and what it printed."""
    root = tmp_path_factory.mktemp("machine")
    done = install(root, "--from", wheel, packages=packages)
    assert done.returncode == 0, done.stdout + done.stderr
    return root, done.stdout


def install(root: Path, *arguments: object, packages: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_NO_COMPILE": "1", "PYTHONPATH": str(packages or "")}
    command = ["bash", INSTALLER, "--root", root, "--kind", "debian", "--python", sys.executable, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, timeout=_LONG_S)


def tree(root: Path) -> dict[str, tuple[int, int]]:
    """Every file, with its size and time, apart from what Python writes beside its modules."""
    found = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = Path(folder, name)
            entry = path.lstat()
            found[str(path.relative_to(root))] = (entry.st_size, entry.st_mtime_ns)
    return found


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is missing; apt-get install shellcheck")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    found = subprocess.run(["shellcheck", script], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (0, "")


def test_it_installs_a_program_that_passes_its_self_tests(machine: tuple[Path, str], packages: Path) -> None:
    root, printed = machine
    assert {"beat", "page", "page-image"} <= {
        line.split()[2].rstrip(":") for line in printed.splitlines() if line.startswith("self-test of")
    }
    program = root / "opt/ecgedge/venv/bin/ecgedge-agent"
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    said = subprocess.run([program, "--version"], capture_output=True, text=True, env=environment, timeout=60)
    assert said.returncode == 0 and said.stdout.startswith("ecgedge-agent")
    assert (root / "opt/ecgedge/venv").is_symlink()


def test_it_leaves_settings_that_the_service_can_read(machine: tuple[Path, str]) -> None:
    root, _ = machine
    settings = read_settings(root / "etc/ecgedge/agent.toml")
    assert settings.agent.store.is_relative_to("/var/lib/ecgedge")  # the only folder that the service may write
    assert mode(root / "etc/ecgedge/agent.toml") == 0o644
    assert mode(root / "etc/ecgedge/secrets.env") == 0o600
    unit = root / "etc/systemd/system/ecgedge-agent.service"
    assert unit.read_bytes() == (ROOT / "device/ecgedge-agent.service").read_bytes()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_second_run_changes_nothing_and_keeps_settings(
    machine: tuple[Path, str], wheel: Path, packages: Path
) -> None:
    root, _ = machine
    (root / "etc/ecgedge/agent.toml").write_text("# mine\n")
    before = tree(root)
    done = install(root, "--from", wheel, packages=packages)
    assert done.returncode == 0 and "is as it was" in done.stdout, done.stdout + done.stderr
    assert tree(root) == before


def test_a_dry_run_changes_nothing_and_says_what_it_would(machine: tuple[Path, str], wheel: Path) -> None:
    root, _ = machine
    before = tree(root)
    done = install(root, "--from", wheel, "--dry-run", "--prefix", "/opt/other")
    assert done.returncode == 0, done.stderr
    assert f"would make: {root}/opt/other/venv" in done.stdout
    assert f"would write: {root}/etc/systemd/system/ecgedge-agent.service" in done.stdout
    removed = install(root, "--uninstall", "--purge", "--dry-run")
    assert f"would run: rm -rf --one-file-system -- {root}/etc/ecgedge\n" in removed.stdout
    assert tree(root) == before


def test_on_32_bit_arm_it_takes_the_old_interpreter_and_apts_arrays(tmp_path: Path, wheel: Path) -> None:
    """Whatever processor the kernel names: most 32-bit systems on a Pi run under a 64-bit kernel."""
    done = install(tmp_path, "--from", wheel, "--dry-run", "--kind", "pi32")
    if sys.version_info[:2] != (3, 11):
        assert done.returncode == 1 and "needs 3.11 to 3.11" in done.stderr
        return
    names = {
        line.split()[2].split(">")[0].split("<")[0] for line in done.stdout.splitlines() if "would install" in line
    }
    assert {"tflite-runtime", "click", "wfdb"} <= names
    assert not names & {"ai-edge-litert", "numpy", "scipy", "opencv-python-headless", "tensorflow", "pytest"}


def test_a_program_that_fails_its_self_test_replaces_nothing(
    tmp_path: Path, machine: tuple[Path, str], wheel: Path, packages: Path
) -> None:
    root, _ = machine
    before = tree(root)
    damaged = tmp_path / wheel.name
    shutil.copy(wheel, damaged)
    command = [sys.executable, "-c", _DAMAGE, str(damaged)]
    subprocess.run(command, check=True, timeout=60)
    done = install(root, "--from", damaged, packages=packages)
    assert done.returncode == 1 and "nothing was replaced" in done.stderr, done.stdout + done.stderr
    assert tree(root) == before


_DAMAGE = """
import sys, zipfile
path = sys.argv[1]
with zipfile.ZipFile(path) as old:
    parts = {entry: old.read(entry) for entry in old.infolist() if not entry.filename.endswith("RECORD")}
    record = next(entry for entry in old.infolist() if entry.filename.endswith("RECORD"))
with zipfile.ZipFile(path, "w") as new:
    for entry, content in parts.items():
        new.writestr(entry, content[:5000] if entry.filename.endswith("models/page.tflite") else content)
    new.writestr(record, "")
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--form", "x"], "--form is not known"),
        (["--from"], "--from needs a value"),
        (["--from", "/nowhere"], "no checkout and no readable wheel"),
        (["--kind", "pc"], "--kind pc: pi64, pi32, jetson or debian"),
        (["--python", "python2.0"], "python2.0 is missing"),
        (["--prefix", "opt"], "--prefix opt"),
        (["--prefix", "/"], "--prefix /"),
        (["--prefix", "/opt/ecg edge"], "--prefix /opt/ecg edge"),
        (["--purge"], "--purge goes with --uninstall"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = install(tmp_path, *arguments)
    assert done.returncode == 1
    assert words in done.stderr and done.stderr.count("\n") == 1
    assert tree(tmp_path) == {}


def test_uninstall_keeps_settings_and_results_until_they_are_purged(machine: tuple[Path, str]) -> None:
    """The last test of the module: it takes the machine apart."""
    root, _ = machine
    results = root / "var/lib/private/ecgedge/beats.sqlite"
    results.parent.mkdir(parents=True)
    results.write_bytes(b"results")
    (root / "opt/ecgedge/notes.txt").write_text("not of the installer")
    done = install(root, "--uninstall")
    assert done.returncode == 0 and f"kept: {results.parent}" in done.stdout, done.stdout + done.stderr
    kept = {"agent.toml", "agent.toml.example", "secrets.env"}
    assert set(tree(root)) == {f"etc/ecgedge/{name}" for name in kept} | {
        "var/lib/private/ecgedge/beats.sqlite",
        "opt/ecgedge/notes.txt",
    }
    assert install(root, "--uninstall").returncode == 0  # twice does no harm
    assert install(root, "--uninstall", "--purge").returncode == 0
    assert set(tree(root)) == {"opt/ecgedge/notes.txt"}
