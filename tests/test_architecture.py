"""The direction of imports, and what a device must never load."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATHS = [str(ROOT / folder) for folder in (".", "train", "convert", "device")]
FORBIDDEN = ("tensorflow", "keras", "tf_keras", "pooch", "matplotlib", "pandas")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    prelude = f"import sys; sys.path[:0] = {PATHS!r}\n"
    return subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "module",
    [
        "ecgedge.engine",
        "ecgedge.golden",
        "ecgedge.page_engine",
        "ecgedge_device.agent",
        "ecgedge_device.cli",
        "ecgedge_train.pages.evaluate",
    ],
)
def test_device_code_starts_without_tensorflow(module: str) -> None:
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in ("tensorflow", "keras", "tf_keras"))
    result = run_python(f"{blocked}\nimport {module}")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("module", ["ecgedge.engine", "ecgedge_device.agent", "ecgedge.cli"])
def test_start_up_loads_nothing_heavy(module: str) -> None:
    result = run_python(f"import {module}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))")
    assert result.returncode == 0, result.stderr
    assert not set(result.stdout.split()) & {*FORBIDDEN, "wfdb"}


@pytest.mark.parametrize("module", ["ecgedge_train.evaluate", "ecgedge_train.split", "ecgedge_train.commands.evaluate"])
def test_evaluation_needs_no_tensorflow(module: str) -> None:
    result = run_python(f"sys.modules['tensorflow'] = sys.modules['keras'] = None\nimport {module}")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", ["train.commands.train", "convert.commands.convert", "convert.commands.report"])
def test_help_of_the_workshop_needs_no_tensorflow(name: str) -> None:
    package, _, rest = name.partition(".")
    result = run_python(f"sys.modules['tensorflow'] = sys.modules['keras'] = None\nimport ecgedge_{package}.{rest}")
    assert result.returncode == 0, result.stderr


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed beside this Python; `make check` runs it")
    result = subprocess.run(
        [linter, "--config", ROOT / "pyproject.toml"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={"PYTHONPATH": ":".join(PATHS), "PATH": "/usr/bin:/bin", "COLUMNS": "120"},
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_check_of_imports_can_fail(tmp_path: Path) -> None:
    """A device module that imports TensorFlow must be found out by the test above."""
    (tmp_path / "bad.py").write_text("import tensorflow\n")
    blocked = "sys.modules['tensorflow'] = None"
    assert run_python(f"sys.path.insert(0, {str(tmp_path)!r}); {blocked}\nimport bad").returncode != 0
