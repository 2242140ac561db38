"""Options that several subcommands have."""

from pathlib import Path

import click

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("agent.toml"),
    show_default=True,
    metavar="FILE",
    help="Settings; device/agent.toml shows every key.",
)
QUIET = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
JSON = click.option("--json", "json_output", is_flag=True, help="Print the report as JSON.")
