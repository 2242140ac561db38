"""The unit file as systemd reads it: no word it does not know, little that the agent could harm, our own paths."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ecgedge_device.cli import agent
from ecgedge_device.settings import AgentSettings

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "device/ecgedge-agent.service"
EXPOSURE = 2.0
TEXT = UNIT.read_text()

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing; apt-get install systemd"
)


def value(key: str) -> str:
    found = re.findall(rf"^{key}=(.*)$", TEXT, re.M)
    assert len(found) == 1, f"{key} stands {len(found)} times in the unit"
    return str(found[0])


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|min)", text).groups()  # type: ignore[union-attr]  # fails the test
    return float(number) * {"s": 1, "min": 60}[unit]


def analyse(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "LC_ALL": "C.UTF-8"}
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


@needs_systemd
def test_systemd_finds_no_fault_in_it(tmp_path: Path) -> None:
    """Of a copy whose program is there: verify wants to see it."""
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={Path(sys.executable).resolve()}", TEXT, flags=re.M))
    found = analyse("verify", "--man=no", unit)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("ProtectSystem=", "ProtctSystem="))
    assert "ProtctSystem" in analyse("verify", "--man=no", unit).stderr  # it would have said so


@needs_systemd
def test_it_exposes_little() -> None:
    found = analyse("security", "--offline=yes", "--no-pager", UNIT)
    total = re.search(r"Overall exposure level for \S+: ([\d.]+)", found.stdout)
    if total is None:
        pytest.skip(f"this systemd cannot analyse a unit file offline: {found.stderr.strip()}")
    assert float(total[1]) <= EXPOSURE, found.stdout


def test_its_command_is_one_that_the_agent_takes() -> None:
    program, command, *arguments = value("ExecStart").split()
    assert program == "/opt/ecgedge/venv/bin/ecgedge-agent"
    parent = click.Context(agent)
    found = agent.get_command(parent, command)
    assert found is not None
    context = found.make_context(command, arguments, parent=parent)
    assert context.params["config"] == Path("/etc/ecgedge/agent.toml")


def test_its_times_suit_the_agent() -> None:
    assert seconds(value("TimeoutStopSec")) > AgentSettings().drain_s + 30
    assert value("Type") == "notify" and 30 <= seconds(value("WatchdogSec")) <= 600
    assert value("Restart") == "on-failure" and value("StartLimitIntervalSec") == "0"


def test_only_groups_that_every_system_has_are_named() -> None:
    """One that is missing would keep the agent from starting; the installer adds the others where they exist."""
    assert set(value("SupplementaryGroups").split()) <= {"video", "dialout", "audio", "plugdev"}
