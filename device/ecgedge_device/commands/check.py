"""`ecgedge-agent check`: the settings, before the agent is started with them."""

import threading
from collections.abc import Iterator
from pathlib import Path

import click

from ecgedge.bundle import Bundle
from ecgedge_device.agent import Agent
from ecgedge_device.commands.options import CONFIG
from ecgedge_device.desk import beat_engine
from ecgedge_device.report_settings import REPORTS, ReportSettings
from ecgedge_device.runs import minutes
from ecgedge_device.secrets import Secret
from ecgedge_device.settings import Settings
from ecgedge_device.settings_file import read_settings
from ecgedge_device.source_settings import SOURCES, ReplaySettings, SourceSettings
from ecgedge_device.sources.replay import open_replay


@click.command(
    epilog="""\b
Example:
  ecgedge-agent check --config agent.toml"""
)
@CONFIG
def check(config: Path) -> None:
    """Check the settings, and that bundles, secrets and recordings can be opened; nothing is judged or written."""
    settings = read_settings(config)
    bundles = Agent(settings, stop=threading.Event()).bundles
    for secret in _secrets(settings):
        secret.read()
    click.echo(f"settings  {config}, device {settings.agent.device}")
    for bundle in bundles.values():
        click.echo(f"bundle    {bundle.manifest.name} {bundle.manifest.version} ({bundle.manifest.task}), verified")
    for source in settings.sources:
        click.echo(f"source    {source.name} ({_kind(SOURCES, source)}){_recording(source, bundles, settings)}")
    click.echo(f"store     {settings.agent.store}")
    for report in settings.reports:
        click.echo(f"report    {report.name} ({_kind(REPORTS, report)}): {', '.join(report.send)}")
    if settings.web is not None:
        click.echo(f"web       {settings.web.address}, port {settings.web.port}")


def _recording(source: SourceSettings, bundles: dict[str, Bundle], settings: Settings) -> str:
    """What a recording holds; nothing for sources that wait."""
    if not isinstance(source, ReplaySettings):
        return ""
    stream = open_replay(source, stop=threading.Event()).stream
    engine = beat_engine(bundles["beat"], stream, settings.agent.threads)
    return f": {stream.address}, {minutes(stream.n_samples / stream.fs_hz)}, lead {engine.lead}"


def _kind(kinds: object, one: SourceSettings | ReportSettings) -> str:
    assert hasattr(kinds, "items")
    return next(str(kind) for kind, settings in kinds.items() if isinstance(one, settings))


def _secrets(settings: Settings) -> Iterator[Secret]:
    for one in (*settings.reports, *(() if settings.web is None else (settings.web,))):
        for name in one.__slots__:
            if isinstance(found := getattr(one, name), Secret):
                yield found
