"""Documentation is tested: the README's tree, every command, setting, model, data set and source."""

import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ecgedge import NOTICE
from ecgedge.catalogue import CATALOGUE
from ecgedge.cli import ecgedge
from ecgedge.paper.layouts import layouts
from ecgedge_device.cli import agent
from ecgedge_train.datasets import DATASETS, PAGE_DATASETS
from ecgedge_train.models import MODELS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTED = (".py", ".toml", ".md", ".sh", ".tflite")


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def tree_files() -> set[str]:
    """Files that the README's tree names, as paths: its folders are lines that end in a slash."""
    tree = re.search(r"```tree\n(.*?)```", README, re.S)
    assert tree is not None, "README.md has no ```tree block"
    folders: list[str] = []
    found = set()
    for line in tree[1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        del folders[depth:]
        if name.endswith("/"):
            folders.append(name)
        else:
            found.add("".join(folders) + name)
    return found


def test_every_file_has_one_line_in_the_tree() -> None:
    shown = {name for name in tracked_files() if name.endswith(DOCUMENTED) and Path(name).name != "__init__.py"}
    shown |= {name for name in tracked_files() if name.endswith("__init__.py") and name in tree_files()}
    assert shown - tree_files() == set(), "files without a line in the README's tree"
    assert {name for name in tree_files() if not (ROOT / name).exists()} == set(), "lines without a file"


def commands(group: click.Group, path: str) -> list[tuple[str, click.Command]]:
    context = click.Context(group)
    found: list[tuple[str, click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((f"{path} {name}", command))
        if isinstance(command, click.Group):
            found += commands(command, f"{path} {name}")
    return found


ALL_COMMANDS = commands(ecgedge, "ecgedge") + commands(agent, "ecgedge-agent")


@pytest.mark.parametrize(("name", "command"), ALL_COMMANDS, ids=[name for name, _ in ALL_COMMANDS])
def test_every_command_is_documented(name: str, command: click.Command) -> None:
    assert f"`{name}" in README, f"README.md does not mention `{name}`"
    text = CliRunner().invoke(command, ["--help"]).output
    assert command.help, f"{name} has no help text"
    if not isinstance(command, click.Group):
        assert "Example" in text, f"{name} --help has no example"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name} has no help"


@pytest.mark.parametrize("name", sorted({*MODELS, *DATASETS, *PAGE_DATASETS, *CATALOGUE, *layouts()}))
def test_models_data_sets_and_layouts_are_documented(name: str) -> None:
    assert f"`{name}`" in README


def test_readme_commands_exist() -> None:
    known = {name for name, _ in ALL_COMMANDS} | {"ecgedge", "ecgedge-agent"}
    for program, word in re.findall(r"^\s*(?:\$ )?(ecgedge(?:-agent)?) ([a-z]+)", README, re.M):
        assert f"{program} {word}" in known, f"README.md uses `{program} {word}`, which does not exist"


def test_notice_stands_where_it_must() -> None:
    assert "not a medical device" in README
    assert "not a medical device" in NOTICE


def test_changelog_has_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["version"]["path"] == "ecgedge/__init__.py"
    from ecgedge import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
