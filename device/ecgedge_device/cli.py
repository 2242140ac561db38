"""The `ecgedge-agent` command: a group of subcommands, each a module in `commands`."""

import sys

import click

from ecgedge import NOTICE, __version__
from ecgedge.cli import run_command
from ecgedge_device.commands.check import check
from ecgedge_device.commands.export import export
from ecgedge_device.commands.model import model
from ecgedge_device.commands.run import demo, run
from ecgedge_device.commands.selftest import selftest
from ecgedge_device.commands.user import user


@click.group(
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


for command in (check, demo, export, model, run, selftest, user):
    agent.add_command(command)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run_command(agent, None, program="ecgedge-agent"))
