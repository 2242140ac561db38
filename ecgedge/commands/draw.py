"""`ecgedge draw`: a 12-lead ECG as a paper page, or as a phone's photo of one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click
import cv2

from ecgedge import NOTICE
from ecgedge.errors import InputError
from ecgedge.formats import read_recording
from ecgedge.manifest import Json
from ecgedge.paper.layouts import LEADS, layouts
from ecgedge.paper.page import Pixels
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.drawing import DrawnPage, draw_page
from ecgedge.paper.simulated.drawn_truth import truth_of
from ecgedge.paper.simulated.page_style import STYLES, PageStyle
from ecgedge.paper.simulated.scenes import STRENGTHS
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.records import Recording

_QUALITY = {".png": [], ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95], ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95]}

_PX_PER_MM = 8.0  # a scan at 200 dpi
_PX_PER_MM_OF_PHOTO = 12.0  # finer than a photo of 12 megapixels sees a sheet


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The picture to write and what is known about it."""

    pixels: Pixels
    page: DrawnPage
    truth: dict[str, Json]


@click.command(
    epilog=f"""\b
Examples:
  ecgedge draw -o page.png                                   a simulated patient on a random page
  ecgedge draw -o photo.jpg --photo --seed 7                 the photo that a phone would take of it
  ecgedge draw -o photo.jpg --photo strong --truth truth.json   and where everything lies in it
  ecgedge draw ptbxl/01086_hr -o page.png --layout 6x2 --style photos
Then: ecgedge digitise photo.jpg -o demo/ecg

{NOTICE}"""
)
@click.argument("record", metavar="[RECORD]", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="Picture to write.")
@click.option("--layout", type=click.Choice(list(layouts())), default="3x4+1", show_default=True, help="Rows of leads.")
@click.option("--style", type=click.Choice(list(STYLES)), default="random", show_default=True, help="Look of the page.")
@click.option(
    "--photo",
    type=click.Choice(list(STRENGTHS)),
    is_flag=False,
    flag_value="moderate",
    help="Photograph the page; how hard the photo is (moderate if not said).",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed, the same picture.")
@click.option("--start-s", type=float, default=0.0, show_default=True, help="Where in RECORD the page begins, s.")
@click.option("--px-per-mm", type=float, help="Resolution of the page, px/mm; 8, or 12 before it is photographed.")
@click.option("--truth", type=click.Path(path_type=Path), metavar="FILE", help="JSON file for all curves and corners.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "as_json", is_flag=True, help="Print what was drawn as JSON.")
def draw(
    record: Path | None,
    *,
    output: Path,
    layout: str,
    style: str,
    photo: str | None,
    seed: int,
    start_s: float,
    px_per_mm: float | None,
    truth: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Draw a 12-lead ECG as a paper page, or with --photo as a phone would see it, and say where everything lies.

    RECORD is any recording with the twelve standard leads (WFDB, CSV, EDF, NumPy); without it a patient is simulated,
    and SIMULATED stands at the foot of the page. OUT is a .png or .jpg file.
    """
    _check_output(output)
    files = [output] if truth is None else [output, truth]
    _check_free(files, overwrite=overwrite)
    recording = simulate_twelve_leads(seed=seed) if record is None else _read(record, start_s)
    look = STYLES[style](seed)
    look = look if record is None else _without_patient(look)
    note = "SIMULATED" if record is None else "drawn by ecgedge"
    scale = px_per_mm if px_per_mm is not None else _PX_PER_MM_OF_PHOTO if photo else _PX_PER_MM
    page = draw_page(recording, layout=layout, seed=seed, style=look, px_per_mm=scale, note=note)
    drawn = _photographed(page, photo, seed) if photo else _Drawn(page.pixels, page, truth_of(page))
    whole = {"picture": str(output), "simulated": record is None, "seed": seed, "photo": photo, **drawn.truth}
    _write(output, _encoded(drawn.pixels, output))
    if truth is not None:
        _write(truth, (json.dumps({**whole, "notice": NOTICE}, allow_nan=False) + "\n").encode())
    _report(drawn, whole, files, as_json=as_json)


def _check_output(output: Path) -> None:
    if output.suffix.lower() not in _QUALITY:
        raise InputError(f"{output}: {output.suffix or 'no suffix'} cannot be written; .png or .jpg can; choose one")


def _check_free(files: list[Path], *, overwrite: bool) -> None:
    if len(set(files)) < len(files):
        raise InputError(f"{files[0]}: picture and truth in one file; choose two names")
    there = [file for file in files if file.exists()]
    if there and not overwrite:
        raise InputError(f"{there[0]}: is there already and is not replaced; choose another name or give --overwrite")


def _read(record: Path, start_s: float) -> Recording:
    """The twelve leads from a second on."""
    recording = read_recording(record, leads=LEADS)
    if not 0 <= start_s < recording.duration_s:
        raise InputError(f"{record}: start at {start_s:g} s; it lasts {recording.duration_s:g} s; start within it")
    signal = recording.signal[round(start_s * recording.fs_hz) :]
    return replace(recording, signal=signal, beats=None)


def _without_patient(style: PageStyle) -> PageStyle:
    """No made-up name, age or finding above somebody's real signals."""
    return replace(style, header="none", title=False, double_rule=False, diagnosis_lines=0)


def _photographed(page: DrawnPage, strength: str, seed: int) -> _Drawn:
    shot = photograph(page.pixels, px_per_mm=page.px_per_mm, seed=seed, strength=STRENGTHS[strength])
    truth = truth_of(page, to_picture=shot.to_photo)
    return _Drawn(shot.picture.pixels, page, {**truth, "turned_deg": shot.turned_deg})


def _encoded(pixels: Pixels, output: Path) -> bytes:
    made, content = cv2.imencode(output.suffix.lower(), pixels, _QUALITY[output.suffix.lower()])
    if not made:
        raise InputError(f"{output}: a picture of {pixels.shape} cannot be encoded; choose fewer px/mm")
    return content.tobytes()


def _write(path: Path, content: bytes) -> None:
    """Under a temporary name first, so that a failure leaves what was there."""
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def _report(drawn: _Drawn, whole: Mapping[str, Json], files: list[Path], *, as_json: bool) -> None:
    height, width = drawn.pixels.shape[:2]
    if as_json:
        short = {key: value for key, value in whole.items() if key not in ("curves", "boxes")}
        size = {"width_px": width, "height_px": height, "files": [str(file) for file in files]}
        click.echo(json.dumps({**short, **size, "notice": NOTICE}, indent=1, allow_nan=False))
        return
    page = drawn.page
    click.echo(
        f"{files[0].name}: {page.truth.name}, layout {page.layout}, style {page.style.name}, {page.mm_per_mv:g} mm/mV, "
        f"page of {page.px_per_mm:g} px/mm, {width} x {height} px"
    )
    click.echo(f"written: {' '.join(str(file) for file in files)}")
    click.echo(NOTICE)
