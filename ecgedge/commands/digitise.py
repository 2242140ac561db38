"""`ecgedge digitise`: read photos or scans of paper ECGs into recordings."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ecgedge import NOTICE
from ecgedge.digitise import digitise as read_curves
from ecgedge.digitise import recording_of
from ecgedge.errors import EcgedgeError, InputError
from ecgedge.formats import write_csv, write_wfdb
from ecgedge.paper.overlay import draw_overlay
from ecgedge.paper.page import Measure, Page, Pixels, Traces
from ecgedge.paper.pictures import read_picture
from ecgedge.records import Recording

_SUFFIXES = {"wfdb": (".dat", ".hea"), "csv": (".csv",)}  # the header last: without it there is no record
_RATES_HZ = (50.0, 10_000.0)  # below, a QRS complex is lost; a photo has about 200 columns a second
_FORM_OF_SUFFIX = {"": "wfdb", ".hea": "wfdb", ".dat": "wfdb", ".csv": "csv"}


@dataclass(frozen=True, slots=True)
class _Options:
    """How every picture is read and written."""

    form: str
    rate_hz: float
    picture: bool
    overwrite: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the answer to one picture goes."""

    folder: Path
    name: str

    def files(self, options: _Options) -> list[Path]:
        """What is written, in the order in which it appears."""
        suffixes = (*_SUFFIXES[options.form], *([".png"] if options.picture else []))
        return [self.folder / f"{self.name}{suffix}" for suffix in suffixes]


@dataclass(frozen=True, slots=True)
class _Done:
    """What is reported of one picture that was read; its pixels are let go."""

    photo: Path
    files: list[Path]
    traces: Traces
    quality: tuple[Measure, ...]
    page: dict[str, object]
    """Scale, corners and turn, for JSON."""


@click.command(
    epilog=f"""\b
Examples:
  ecgedge digitise photo.jpg -o demo/ecg                  ecg.hea, ecg.dat and the check picture ecg.png in demo/
  ecgedge digitise scan.png -o ecg.csv --rate-hz 250      a table instead of a WFDB record
  ecgedge digitise photos/*.jpg -o demo --no-picture      several photos: one record each, in the folder demo/
  ecgedge digitise photo.jpg -o demo/ecg --json           layout, confidences, scale and quality as JSON
Exit code 1 where a picture was refused; the others are written all the same.

{NOTICE}""",
)
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="Record to write.")
@click.option("--format", "form", type=click.Choice(["wfdb", "csv"]), help="Format; default: by the suffix of OUT.")
@click.option("--rate-hz", type=float, default=500.0, show_default=True, help="Sampling rate of the recording.")
@click.option("--picture/--no-picture", default=True, show_default=True, help="Also write the page with its curves.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "as_json", is_flag=True, help="Print what was seen, and how surely, as JSON.")
def digitise(
    photos: tuple[Path, ...],
    *,
    output: Path,
    form: str | None,
    rate_hz: float,
    picture: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Read each PHOTO of a 12-lead ECG on paper into a recording, with a picture to check it by.

    OUT is a WFDB record (a path without suffix) or a .csv file; with several photos, or where it is a folder, it is
    the folder of the records, which take the names of the photos. A page that is not surely recognised is refused.
    """
    options = _Options(form or _form_of(output, photos), rate_hz, picture, overwrite)
    photos = tuple(dict.fromkeys(photos))
    places = _places(photos, output)
    _check(places.values(), options)
    console = Console(stderr=True)
    show = len(photos) > 1 and not as_json and console.is_terminal
    done: list[_Done] = []
    refused: dict[Path, str] = {}
    for photo in track(photos, "reading", console=console, disable=not show, transient=True):
        try:
            done.append(_read(photo, places[photo], options))
        except EcgedgeError as error:
            if len(photos) == 1 and not as_json:
                raise
            refused[photo] = _reason(photo, error)
    _report(done, refused, as_json=as_json)
    if refused:
        click.get_current_context().exit(1)


def _reason(photo: Path, error: EcgedgeError) -> str:
    """What went wrong, in one line that names the picture."""
    words = " ".join(str(error).split())
    return words if photo.name in words else f"{photo}: {words}"


def _form_of(output: Path, photos: Sequence[Path]) -> str:
    """Format by the suffix of a single record; folders hold WFDB."""
    if _is_folder(output, photos):
        return "wfdb"
    suffix = output.suffix.lower()
    if suffix not in _FORM_OF_SUFFIX:
        raise InputError(f"{output}: {suffix} cannot be written; .csv, or no suffix for WFDB; choose one, or --format")
    return _FORM_OF_SUFFIX[suffix]


def _is_folder(output: Path, photos: Sequence[Path]) -> bool:
    return len(photos) > 1 or output.is_dir()


def _places(photos: Sequence[Path], output: Path) -> dict[Path, _Place]:
    """Where each picture's record goes; the names of WFDB records are made of letters, digits, hyphens, underscores.

    Raises
    ------
    InputError
        Two pictures would have the same record.
    """
    if not _is_folder(output, photos):
        name = output.stem if output.suffix.lower() in _FORM_OF_SUFFIX else output.name
        return {photos[0]: _Place(output.parent, name)}
    places: dict[Path, _Place] = {}
    photo_of: dict[str, Path] = {}
    for photo in photos:
        name = re.sub(r"[^-\w]+", "_", photo.stem, flags=re.ASCII).strip("_") or "page"
        if photo_of.setdefault(name.casefold(), photo) != photo:
            raise InputError(
                f"{photo}: its record {name!r} is also that of {photo_of[name.casefold()]}; digitise them one by one"
            )
        places[photo] = _Place(output, name)
    return places


def _check(places: Iterable[_Place], options: _Options) -> None:
    """Find out before the work what would fail after it."""
    low_hz, high_hz = _RATES_HZ
    if not low_hz <= options.rate_hz <= high_hz:
        raise InputError(f"--rate-hz {options.rate_hz:g}: must be {low_hz:g} to {high_hz:g} Hz; 500 is usual")
    for place in places:
        if options.form == "wfdb" and not re.fullmatch(r"[-\w]+", place.name, re.ASCII):
            raise InputError(
                f"{place.name!r} cannot name a WFDB record; letters, digits, - and _ may; choose another name"
            )


def _read(photo: Path, place: _Place, options: _Options) -> _Done:
    """Read one picture and write all its files, or none."""
    _check_free(place.files(options), options)
    found = read_curves(read_picture(photo))
    recording = replace(recording_of(found.traces, rate_hz=options.rate_hz), name=place.name)
    overlay = draw_overlay(found.page, found.traces) if options.picture else None
    files = _write(recording, overlay, place, options)
    seen = {**_page_as_json(found.page), "fs_hz": recording.fs_hz, "duration_s": recording.duration_s}
    return _Done(photo, files, found.traces, found.page.quality, seen)


def _check_free(files: Sequence[Path], options: _Options) -> None:
    there = [file for file in files if file.exists()]
    if there and not options.overwrite:
        raise InputError(f"{there[0]}: is there already and is not replaced; choose another OUT or give --overwrite")


def _write(recording: Recording, overlay: Pixels | None, place: _Place, options: _Options) -> list[Path]:
    """Write under temporary names and move the whole files into place, so that a failure leaves the old ones alone."""
    files = place.files(options)
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place.folder, prefix=".digitise-") as temporary:
            draft = Path(temporary)
            if options.form == "csv":
                write_csv(recording, draft / files[0].name)
            else:
                write_wfdb(recording, draft)
            if overlay is not None:
                (draft / files[-1].name).write_bytes(_png(overlay))
            for file in files:
                (draft / file.name).replace(file)
    except OSError as error:
        raise InputError(
            f"{error.filename or place.folder}: cannot be written ({error.strerror}); choose another place"
        ) from error
    return files


def _png(pixels: Pixels) -> bytes:
    made, content = cv2.imencode(".png", pixels)
    if not made:
        raise InputError(f"check picture of {pixels.shape}: cannot be written as PNG; give --no-picture")
    return content.tobytes()


def _report(done: Sequence[_Done], refused: dict[Path, str], *, as_json: bool) -> None:
    if as_json:
        report = {
            "pictures": [_as_json(one) for one in done],
            "refused": [{"picture": str(photo), "reason": reason} for photo, reason in refused.items()],
            "notice": NOTICE,
        }
        click.echo(json.dumps(report, indent=1, allow_nan=False))
    else:
        for one in done:
            _show(one)
        if done:
            click.echo(NOTICE)
    for reason in refused.values():
        click.echo(f"ecgedge: {reason}", err=True)
    if refused and not as_json:
        names = ", ".join(str(photo) for photo in refused)
        click.echo(f"ecgedge: {len(refused)} of {len(refused) + len(done)} pictures refused: {names}", err=True)


def _page_as_json(page: Page) -> dict[str, object]:
    return {
        "px_per_mm": [round(page.px_per_mm_x, 4), round(page.px_per_mm_y, 4)],
        "turned_deg": page.turned_deg,
        "corners_px": np.round(page.corners_px.astype(float), 1).tolist(),
        "corners_of": page.corners_of,
    }


def _as_json(one: _Done) -> dict[str, object]:
    traces = one.traces
    return {
        "picture": str(one.photo),
        "files": [str(file) for file in one.files],
        "layout": traces.layout,
        "confidence": round(traces.confidence, 4),
        "mm_per_s": traces.mm_per_s,
        "mm_per_mv": round(traces.mm_per_mv, 4),
        "gain_from": traces.gain_from,
        **one.page,
        "curves": [
            {
                "lead": trace.lead,
                "row": trace.row,
                "strip": trace.strip,
                "start_s": round(trace.start_s, 4),
                "confidence": round(trace.confidence, 4),
                "gaps": round(float(np.isnan(trace.y_px).mean()), 4),
            }
            for trace in traces.leads
        ],
        "quality": [{**asdict(measure), "good": measure.good} for measure in one.quality],
    }


def _show(one: _Done) -> None:
    traces = one.traces
    title = (
        f"{one.photo.name}: layout {traces.layout}, {100 * traces.confidence:.0f} % sure; {traces.mm_per_s:g} mm/s, "
        f"{traces.mm_per_mv:.3g} mm/mV ({'measured' if traces.gain_from == 'pulse' else 'assumed'}); "
        f"{traces.px_per_mm_x:.2f} px/mm"
    )
    click.echo(title)
    table = Table()
    for heading in ("lead", "from", "to", "gaps", "sure"):
        table.add_column(heading, justify="left" if heading == "lead" else "right")
    column_hz = traces.px_per_mm_x * traces.mm_per_s
    for trace in traces.leads:
        end_s = trace.start_s + len(trace.x_px) / column_hz
        name = f"{trace.lead} strip" if trace.strip else trace.lead
        gaps, sure = 100 * np.isnan(trace.y_px).mean(), 100 * trace.confidence
        table.add_row(name, f"{trace.start_s:.1f} s", f"{end_s:.1f} s", f"{gaps:.0f} %", f"{sure:.0f} %")
    console = Console()
    console.print(table)
    for measure in one.quality:
        if not measure.good:
            console.print(f"[yellow]{measure}[/yellow]", highlight=False)
    click.echo(f"written: {' '.join(str(file) for file in one.files)}")
