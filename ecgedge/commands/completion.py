"""Shell completion of arguments that are names of ours."""

import click
from click.shell_completion import CompletionItem

from ecgedge.bundle import shipped_bundles


def complete_bundle(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Names of shipped bundles, and files."""
    names = [CompletionItem(name, help="shipped") for name in shipped_bundles() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]
