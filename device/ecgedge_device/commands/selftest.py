"""`ecgedge-agent selftest`: golden vectors on this machine."""

import click

from ecgedge.bundle import read_bundle
from ecgedge.commands.completion import complete_bundle
from ecgedge.errors import EcgedgeError
from ecgedge.golden import selftest as run_selftest


@click.command(
    epilog="""\b
Examples:
  ecgedge-agent selftest
  ecgedge-agent selftest page
  ecgedge-agent selftest my.tflite
Exit code 1 where a golden vector comes out differently on this machine."""
)
@click.argument("bundle", default="beat", shell_complete=complete_bundle)
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Threads of the interpreter.")
def selftest(bundle: str, *, threads: int) -> None:
    """Run the golden vectors of BUNDLE (a file or the name of a shipped one; default: beat)."""
    opened = read_bundle(bundle)
    checks = run_selftest(opened, threads=threads)
    for found in checks:
        click.echo(f"{'pass' if found.passed else 'FAIL'}  {found.name}: {found.found}")
    failed = [found.name for found in checks if not found.passed]
    if failed:
        raise EcgedgeError(
            f"{opened.source}: self-test failed in {', '.join(failed)}; do not use this bundle on this machine"
        )
