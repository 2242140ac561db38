"""The `ecgedge` command: a click group that finds its subcommands through the entry points `ecgedge.commands`.

It knows none of them by name, so the core imports neither the workshop nor TensorFlow.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

import click

from ecgedge import NOTICE, __version__
from ecgedge.errors import EcgedgeError
from ecgedge.extras import missing_extra

_GROUP = "ecgedge.commands"


class CommandGroup(click.Group):
    """A group that loads a subcommand only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all installed subcommands."""
        return sorted({*super().list_commands(ctx), *entry_points(group=_GROUP).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one subcommand."""
        for entry in entry_points(group=_GROUP, name=cmd_name):
            command: click.Command = entry.load()
            return command
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=f"""\b
Examples:
  ecgedge info beat
  ecgedge simulate -o demo/ecg
  ecgedge predict beat demo/ecg
Shell completion: eval "$(_ECGEDGE_COMPLETE=bash_source ecgedge)" (or zsh_source, fish_source).

{NOTICE}""",
)
@click.version_option(__version__, prog_name="ecgedge")
def ecgedge() -> None:
    """Lightweight ECG classification on the device itself: data, training, conversion, judging, figures."""


def run_command(command: click.Command, arguments: Sequence[str] | None, *, program: str) -> int:
    """Run a click command; an `EcgedgeError` becomes one line on stderr and exit code 1."""
    try:
        code = command.main(args=arguments, prog_name=program, standalone_mode=False)
    except click.Abort:
        click.echo("stopped", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except EcgedgeError as error:
        click.echo(f"{program}: {' '.join(str(error).split())}", err=True)
        return 1
    except ModuleNotFoundError as error:
        click.echo(f"{program}: {missing_extra(error)}", err=True)
        return 1
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        sys.stderr.close()
        return 0
    return code if isinstance(code, int) else 0  # click returns the code of `ctx.exit`


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run_command(ecgedge, None, program="ecgedge"))
