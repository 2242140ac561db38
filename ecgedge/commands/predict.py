"""`ecgedge predict`: judge recordings with a beat bundle, or pictures with a page bundle."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ecgedge import NOTICE
from ecgedge.annotations import write_annotations
from ecgedge.bundle import Bundle, read_bundle
from ecgedge.commands.completion import complete_bundle
from ecgedge.engine import BeatEngine
from ecgedge.errors import InputError
from ecgedge.formats import read_recording
from ecgedge.preprocess import pipeline_of
from ecgedge.quality import Fault, find_faults
from ecgedge.records import Beat, Recording, SignalChunk

_CHUNK_S = 60.0


@click.command(
    epilog=f"""\b
Examples:
  ecgedge predict beat mitdb/200                       a WFDB record
  ecgedge predict beat holter.edf --lead II --json
  ecgedge predict beat ecg.csv --fs-hz 250 --annotations out/
  ecgedge predict page photo.jpg -o looked-at.png      a photo or scan of a 12-lead report, and what the model saw
  ecgedge predict page scans/*.jpg --json
INPUT of a beat bundle: one of WFDB (with or without .hea), EDF, CSV, .npy or .npz; of a page bundle: pictures.
Exit code 1 where one of them cannot be judged.

{NOTICE}"""
)
@click.argument("bundle", shell_complete=complete_bundle)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print every beat, or every page, as JSON.")
@click.option(
    "--annotations", type=click.Path(path_type=Path), metavar="DIR", help="Beats: write WFDB annotations (.ecgedge)."
)
@click.option("--lead", help="Beats: lead to judge; default: the one the bundle was trained on, else the first.")
@click.option("--fs-hz", type=float, help="Beats: sampling rate, where the file does not say it (CSV, .npy).")
@click.option(
    "-o",
    "--output",
    "picture",
    type=click.Path(path_type=Path),
    metavar="PICTURE",
    help="Pages: write the page with what the model looked at; a folder where there are several.",
)
@click.option("--any-layout", is_flag=True, help="Pages: answer on layouts the model was not trained on, untested.")
@click.option("--overwrite", is_flag=True, help="Pages: replace PICTURE where it is there already.")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Threads of the interpreter.")
def predict(
    bundle: str,
    inputs: tuple[Path, ...],
    *,
    as_json: bool,
    annotations: Path | None,
    lead: str | None,
    fs_hz: float | None,
    picture: Path | None,
    any_layout: bool,
    overwrite: bool,
    threads: int,
) -> None:
    """Judge each INPUT with BUNDLE (a file or the name of a shipped one)."""
    opened = read_bundle(bundle)
    of_beats = {"--annotations": annotations, "--lead": lead, "--fs-hz": fs_hz}
    of_pages = {"-o": picture, "--any-layout": any_layout or None, "--overwrite": overwrite or None}
    if opened.manifest.task == "page":
        from ecgedge.commands.predict_page import PageOptions, predict_pages  # OpenCV, which beats do without

        _refuse_options(of_beats, bundle=opened, task="beat")
        options = PageOptions(picture, any_layout=any_layout, overwrite=overwrite, as_json=as_json, threads=threads)
        if not predict_pages(opened, inputs, options):
            click.get_current_context().exit(1)
        return
    _refuse_options(of_pages, bundle=opened, task="page")
    if len(inputs) > 1:
        raise InputError(f"{len(inputs)} recordings; a beat bundle judges one at a time; name one")
    _predict_beats(opened, inputs[0], as_json=as_json, annotations=annotations, lead=lead, fs_hz=fs_hz, threads=threads)


def _refuse_options(options: Mapping[str, object], *, bundle: Bundle, task: str) -> None:
    """An option that would do nothing is a misunderstanding."""
    for name, value in options.items():
        if value is not None:
            raise InputError(f"{name} is for {task} bundles; {bundle.manifest.name} is for {bundle.manifest.task}s")


def _predict_beats(
    opened: Bundle,
    path: Path,
    *,
    as_json: bool,
    annotations: Path | None,
    lead: str | None,
    fs_hz: float | None,
    threads: int,
) -> None:
    recording = read_recording(path, fs_hz=fs_hz, leads=None if lead is None else [lead])
    engine = BeatEngine(opened, fs_hz=recording.fs_hz, leads=recording.leads, threads=threads)
    beats = _judged(engine, recording, quiet=as_json)
    faults = find_faults(recording)
    written = None if annotations is None else write_annotations(beats, recording, annotations)
    if as_json:
        click.echo(json.dumps(_as_json(opened, recording, engine.lead, beats, faults), indent=1, allow_nan=False))
        return
    _show(opened, recording, engine.lead, beats, faults)
    if written is not None:
        click.echo(f"annotations: {written}")
    click.echo(NOTICE)


def _judged(engine: BeatEngine, recording: Recording, *, quiet: bool) -> list[Beat]:
    step = max(1, int(_CHUNK_S * recording.fs_hz))
    starts = range(0, len(recording.signal), step)
    console = Console(stderr=True)
    show = not quiet and console.is_terminal and recording.duration_s > 3600
    beats: list[Beat] = []
    for start in track(starts, f"judging {recording.name}", console=console, disable=not show, transient=True):
        beats += engine.judge(SignalChunk(recording.signal[start : start + step], start))
    return beats + engine.finish()


def _as_json(
    bundle: Bundle, recording: Recording, lead: str, beats: Sequence[Beat], faults: Sequence[Fault]
) -> dict[str, object]:
    return {
        "recording": recording.name,
        "duration_s": recording.duration_s,
        "fs_hz": recording.fs_hz,
        "lead": lead,
        "lead_doubt": pipeline_of(bundle.manifest).doubt_about(lead),
        "bundle": f"{bundle.manifest.name} {bundle.manifest.version}",
        "labels": bundle.manifest.labels,
        "counts": Counter(beat.label for beat in beats),
        "faults": [asdict(fault) for fault in faults],
        "beats": [{**asdict(beat), "rr_ms": None if np.isnan(beat.rr_ms) else beat.rr_ms} for beat in beats],
        "notice": NOTICE,
    }


def _show(bundle: Bundle, recording: Recording, lead: str, beats: Sequence[Beat], faults: Sequence[Fault]) -> None:
    counts = Counter(beat.label for beat in beats)
    titles = dict(zip(bundle.manifest.labels, bundle.manifest.label_titles, strict=True)) | {"Q": "not judged"}
    minutes = recording.duration_s / 60
    table = Table(title=f"{recording.name}: {minutes:.1f} min, lead {lead}, {len(beats)} beats", title_justify="left")
    for heading in ("class", "", "beats", "share"):
        table.add_column(heading, justify="right" if heading in ("beats", "share") else "left")
    for label, title in titles.items():
        table.add_row(label, title, str(counts[label]), f"{100 * counts[label] / max(1, len(beats)):.1f} %")
    console = Console()
    console.print(table)
    rr_ms = np.array([beat.rr_ms for beat in beats], dtype=float)
    if np.isfinite(rr_ms).any():
        console.print(f"heart rate {60_000 / np.nanmean(rr_ms):.0f}/min (mean)", highlight=False)
    if doubt := pipeline_of(bundle.manifest).doubt_about(lead):
        console.print(f"[yellow]{doubt}[/yellow]", highlight=False)
    for fault in faults:
        console.print(f"[yellow]{fault.message}[/yellow]", highlight=False)
