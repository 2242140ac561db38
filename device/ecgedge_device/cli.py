"""The `ecgedge-agent` command: a group of subcommands, each a module in `commands`, imported when it is asked for."""

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import click

from ecgedge import NOTICE, __version__
from ecgedge.cli import run_command

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "check": "check",
        "demo": "run",
        "export": "export",
        "model": "model",
        "run": "run",
        "selftest": "selftest",
        "user": "user",
    }
)
"""Subcommand -> its module in `commands`: a self-test needs neither web page nor OpenCV."""


class AgentCommands(click.Group):
    """A group that loads a subcommand only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all subcommands."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one subcommand."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command = getattr(import_module(f"ecgedge_device.commands.{COMMANDS[cmd_name]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=AgentCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=f"""\b
Examples:
  ecgedge-agent demo
  ecgedge-agent check --config agent.toml
  ecgedge-agent run --config agent.toml
Shell completion: eval "$(_ECGEDGE_AGENT_COMPLETE=bash_source ecgedge-agent)" (or zsh_source, fish_source).

{NOTICE}""",
)
@click.version_option(__version__, prog_name="ecgedge-agent")
def agent() -> None:
    """Judge ECG on the device: from sources, through bundles, into a store, to reports."""


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run_command(agent, None, program="ecgedge-agent"))
