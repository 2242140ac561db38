"""`ecgedge-agent model`: which bundles judge on this device."""

import json
from pathlib import Path
from typing import get_args

import click
from rich.console import Console
from rich.table import Table

from ecgedge_device.commands.options import CONFIG
from ecgedge_device.settings_file import read_settings
from ecgedge_device.shelf import Shelf, Task, shelf_of


@click.group(
    epilog="""\b
Examples:
  ecgedge-agent model list
  ecgedge-agent model install page-2.tflite
  ecgedge-agent model use page-0.2.0
  ecgedge-agent model rollback page
A running agent changes to it between two judgements."""
)
def model() -> None:
    """List, install, use and roll back the bundles of this device."""


@model.command(
    "list",
    epilog="""\b
Example:
  ecgedge-agent model list --config agent.toml""",
)
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_bundles(config: Path, *, as_json: bool) -> None:
    """List shipped and installed bundles."""
    listed = _shelf(config).listed()
    if as_json:
        plain = [
            {"name": one.name, "task": one.task, "version": one.version, "active": one.active, "previous": one.previous}
            for one in listed
        ]
        click.echo(json.dumps(plain, indent=1))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("name", "version", "judges", ""):
        table.add_column(heading)
    for one in listed:
        state = "in use" if one.active else "in use before" if one.previous else ""
        table.add_row(one.name, one.version, f"{one.task}s", state)
    Console().print(table)


@model.command(
    epilog="""\b
Example:
  ecgedge-agent model install page-2.tflite"""
)
@CONFIG
@click.argument("file", type=click.Path(path_type=Path))
def install(config: Path, file: Path) -> None:
    """Verify and self-test a bundle on this device, and keep it; it is not yet in use."""
    name = _shelf(config).install(file)
    click.echo(f"installed: {name}; put it to use with: ecgedge-agent model use {name}")


@model.command(
    epilog="""\b
Example:
  ecgedge-agent model use page-0.2.0"""
)
@CONFIG
@click.argument("name")
def use(config: Path, name: str) -> None:
    """Judge with this bundle from now on."""
    task = _shelf(config).use(name)
    click.echo(f"in use for {task}s: {name}; back with: ecgedge-agent model rollback {task}")


@model.command(
    epilog="""\b
Example:
  ecgedge-agent model rollback page"""
)
@CONFIG
@click.argument("task", type=click.Choice(get_args(Task)))
def rollback(config: Path, task: Task) -> None:
    """Go back to the bundle that was in use before."""
    click.echo(f"in use for {task}s: {_shelf(config).rollback(task)}")


def _shelf(config: Path) -> Shelf:
    return shelf_of(read_settings(config).agent)
