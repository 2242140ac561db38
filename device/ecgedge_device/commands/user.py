"""`ecgedge-agent user`: who may open the web page."""

from pathlib import Path

import click


@click.group(
    epilog="""\b
Examples:
  ecgedge-agent user add maria --file users.txt
  ecgedge-agent user list --file users.txt
  ecgedge-agent user remove maria --file users.txt
Name the file in agent.toml: [web] users = "users.txt". Only hashes (argon2) stand in it."""
)
def user() -> None:
    """Add, list and remove users of the web page."""


_FILE = click.option(
    "--file", type=click.Path(path_type=Path), default=Path("users.txt"), show_default=True, help="Users file."
)


@user.command(
    epilog="""\b
Example:
  ecgedge-agent user add maria --file users.txt"""
)
@click.argument("name")
@_FILE
@click.password_option(help="Asked for where it is not given; then nobody sees it.")
def add(name: str, file: Path, password: str) -> None:
    """Add NAME, or change the password of NAME."""
    from ecgedge_device.web.users import add_user

    add_user(file, name, password)
    click.echo(f"{file}: {name} may log in")


@user.command(
    "list",
    epilog="""\b
Example:
  ecgedge-agent user list --file users.txt""",
)
@_FILE
def list_users(file: Path) -> None:
    """Print all names."""
    from ecgedge_device.web.users import read_users

    for name in read_users(file):
        click.echo(name)


@user.command(
    epilog="""\b
Example:
  ecgedge-agent user remove maria --file users.txt"""
)
@click.argument("name")
@_FILE
def remove(name: str, file: Path) -> None:
    """Take NAME out."""
    from ecgedge_device.web.users import remove_user

    remove_user(file, name)
    click.echo(f"{file}: {name} may no longer log in")
