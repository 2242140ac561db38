"""`ecgedge simulate`: write a synthetic recording whose truth is known."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ecgedge import NOTICE
from ecgedge.formats import write_csv, write_wfdb
from ecgedge.labels import AAMI, AAMI_CLASS_OF_SYMBOL
from ecgedge.records import Recording
from ecgedge.simulate import RHYTHMS, simulate_ecg
from ecgedge.spoil import parse_spoiling, spoil

_SLOW_MINUTES = 60.0  # drawing an hour takes about 2 s


@dataclass(frozen=True, slots=True)
class _Heart:
    """What is simulated, apart from its length."""

    rhythm: str
    heart_rate_bpm: float
    sveb_rate: float
    veb_rate: float
    fusion_rate: float
    noise_mv: float


@click.command(
    epilog=f"""\b
Examples:
  ecgedge simulate -o demo/ecg                            5 minutes: ecg.hea, ecg.dat, ecg.atr in demo/
  ecgedge simulate -o ecg.csv --format csv --minutes 1 --fs-hz 250
  ecgedge simulate -o demo/bad --fault missing@12:15 --fault saturated@40:42/V1 --fault inverted
  ecgedge simulate -o demo/af --rhythm fibrillation --heart-rate 95 --sveb 0 --veb 2
Faults: missing, flat, saturated, dropout, inverted; without times the whole recording, without a lead the first.

{NOTICE}"""
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="Record to write.")
@click.option("--minutes", type=float, default=5.0, show_default=True, help="Length.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed, the same recording.")
@click.option("--fs-hz", type=float, default=360.0, show_default=True, help="Sampling rate.")
@click.option(
    "--lead", "leads", multiple=True, default=("MLII", "V1"), show_default=True, help="Lead; may be repeated."
)
@click.option("--rhythm", type=click.Choice(RHYTHMS), default="sinus", show_default=True, help="Underlying rhythm.")
@click.option("--heart-rate", type=float, default=72.0, show_default=True, help="Beats per minute.")
@click.option("--sveb", type=float, default=4.0, show_default=True, help="Atrial ectopic beats (A) in 100.")
@click.option("--veb", type=float, default=6.0, show_default=True, help="Ventricular ectopic beats (V) in 100.")
@click.option("--fusion", type=float, default=0.0, show_default=True, help="Fusion beats (F) in 100.")
@click.option("--noise-mv", type=float, default=0.015, show_default=True, help="Muscle noise; the other noise follows.")
@click.option("--fault", "faults", multiple=True, metavar="KIND@START:STOP/LEAD", help="Fault, s; may be repeated.")
@click.option("--format", "form", type=click.Choice(["wfdb", "csv"]), default="wfdb", show_default=True, help="Format.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def simulate(
    output: Path,
    *,
    minutes: float,
    seed: int,
    fs_hz: float,
    leads: tuple[str, ...],
    rhythm: str,
    heart_rate: float,
    sveb: float,
    veb: float,
    fusion: float,
    noise_mv: float,
    faults: tuple[str, ...],
    form: str,
    as_json: bool,
) -> None:
    """Write a synthetic ECG with normal, atrial and ventricular beats whose truth is known.

    OUT is a WFDB record (a path without suffix; .hea, .dat and .atr are added), or a file with --format csv, which
    holds no truth.
    """
    spoilings = [parse_spoiling(fault) for fault in faults]
    heart = _Heart(rhythm, heart_rate, sveb, veb, fusion, noise_mv)
    made = _simulated(heart, minutes * 60, seed, fs_hz=fs_hz, leads=leads, quiet=as_json)
    recording = replace(spoil(made, spoilings, seed=seed), name=output.stem if form == "csv" else output.name)
    files = [write_csv(recording, output)] if form == "csv" else write_wfdb(recording, output.parent)
    _report(recording, output, files, seed=seed, as_json=as_json)


def _simulated(
    heart: _Heart, duration_s: float, seed: int, *, fs_hz: float, leads: Sequence[str], quiet: bool
) -> Recording:
    console = Console(stderr=True)
    hidden = quiet or not console.is_terminal or duration_s < 60 * _SLOW_MINUTES
    with Progress(console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("simulating", total=None)
        return simulate_ecg(
            duration_s,
            seed=seed,
            fs_hz=fs_hz,
            rhythm=heart.rhythm,
            heart_rate_bpm=heart.heart_rate_bpm,
            sveb_rate=heart.sveb_rate,
            veb_rate=heart.veb_rate,
            fusion_rate=heart.fusion_rate,
            noise_mv=heart.noise_mv,
            leads=leads,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _report(recording: Recording, output: Path, files: Sequence[Path], *, seed: int, as_json: bool) -> None:
    symbols = recording.beats.symbol if recording.beats else ()
    counts = Counter(AAMI_CLASS_OF_SYMBOL[symbol] for symbol in symbols)
    if not as_json:
        _show(recording, files, counts)
        return
    report = {
        "record": str(output),
        "files": [str(file) for file in files],
        "duration_s": recording.duration_s,
        "fs_hz": recording.fs_hz,
        "leads": list(recording.leads),
        "seed": seed,
        "beats": {name: counts[name] for name in AAMI.names},
        "notice": NOTICE,
    }
    click.echo(json.dumps(report, indent=1))


def _show(recording: Recording, files: Sequence[Path], counts: Counter[str]) -> None:
    minutes = recording.duration_s / 60
    title = f"{recording.name}: {minutes:.3g} min, {recording.fs_hz:g} Hz, leads {', '.join(recording.leads)}"
    table = Table(title=title, title_justify="left")
    for heading in ("class", "", "beats", "share"):
        table.add_column(heading, justify="right" if heading in ("beats", "share") else "left")
    for name, text in zip(AAMI.names, AAMI.titles, strict=True):
        table.add_row(name, text, str(counts[name]), f"{100 * counts[name] / max(1, counts.total()):.1f} %")
    Console().print(table)
    click.echo(f"written: {' '.join(str(file) for file in files)}")
    click.echo(NOTICE)
