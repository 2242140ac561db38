"""`ecgedge info`: what this installation is, or what a bundle is."""

import json
import platform
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from ecgedge import NOTICE, __version__
from ecgedge.bundle import Bundle, read_bundle, shipped_bundles
from ecgedge.commands.completion import complete_bundle
from ecgedge.runtime import find_runtime


@click.command(
    epilog="""\b
Examples:
  ecgedge info                 this installation: versions, interpreter, shipped bundles
  ecgedge info beat            a shipped bundle
  ecgedge info my.tflite --json
  ecgedge info beat --card     its model card, Markdown"""
)
@click.argument("bundle", required=False, shell_complete=complete_bundle)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
@click.option("--card", "as_card", is_flag=True, help="Print the model card.")
def info(bundle: str | None, *, as_json: bool, as_card: bool) -> None:
    """Show what BUNDLE (a file or the name of a shipped one) is, or this installation."""
    if bundle is None:
        _show_installation(as_json=as_json)
        return
    opened = read_bundle(bundle)
    if as_json:
        click.echo(json.dumps(asdict(opened.manifest), indent=1))
    elif as_card:
        click.echo(opened.card)
    else:
        _show_bundle(opened)


def _show_installation(*, as_json: bool) -> None:
    runtime = find_runtime()
    facts = {
        "ecgedge": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "interpreter": f"{runtime.name} {runtime.version}",
        "bundles": ", ".join(shipped_bundles()) or "none",
    }
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    _print_facts(facts)
    click.echo(NOTICE)


def _show_bundle(bundle: Bundle) -> None:
    manifest = bundle.manifest
    runtime = find_runtime()
    facts = {
        "bundle": f"{manifest.name} {manifest.version} ({manifest.task}), verified",
        "model part": f"{manifest.model_bytes / 1000:.1f} kB, SHA-256 {manifest.model_sha256[:16]}",
        "classes": ", ".join(f"{a} {b}" for a, b in zip(manifest.labels, manifest.label_titles, strict=True)),
        "class source": manifest.label_source,
        "interpreter": f"{runtime.name} {runtime.version}",
        "licence": manifest.licence,
        "data": manifest.attribution,
    }
    for tensor in (*manifest.inputs, *manifest.outputs):
        facts[tensor.name] = f"{tensor.dtype} {tensor.shape}, scale {tensor.scale:.6g}, zero point {tensor.zero_point}"
    facts["steps"] = " -> ".join(str(step["step"]) for step in manifest.preprocessing)
    if manifest.task == "page":
        facts["layouts"] = (
            f"{_listed(manifest.step('read_traces').get('layouts'))}; others only with --any-layout, untested"
        )
    facts["decision"] = "; ".join(
        f"{key.replace('_', ' ')} {_short(value)}" for key, value in manifest.decision.items()
    )
    for key, value in manifest.training.items():
        facts[f"training: {key}"] = _short(value)
    _print_facts(facts)
    _print_figures(bundle)
    click.echo(NOTICE)


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _short(value: object) -> str:
    text = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= 300 else text[:297] + "..."


def _print_facts(facts: dict[str, str]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row(key, value)
    Console().print(table, highlight=False)


def _print_figures(bundle: Bundle) -> None:
    for figures in bundle.manifest.figures:
        table = Table(title=str(figures.get("title", "figures")), title_justify="left", box=None, pad_edge=False)
        table.add_column("figure")
        table.add_column("value", overflow="fold")
        for key, value in figures.items():
            if key != "title":
                table.add_row(key, _short(value))
        Console().print(table, highlight=False)
