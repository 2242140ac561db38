"""Figures of reading paper ECGs: simulated photos, real photos, scans, pictures without an ECG, speed.

    python benchmarks/pages_table.py [--photos dev|test|all|none] [--scans dev|test|all|none] [--simulated N]
        [--strength moderate] [--seed S] [--not-ecg N] [--no-speed] [--json FILE] [--contact-sheets DIR] [--data DIR]

Halves. Photos: `DEV_PHOTOS` were open while the algorithms were made, the others not. Scans: a scan is `dev` where the
last hexadecimal digit of the SHA-1 of its file name is even. What is refused counts as failed in every share.

Definitions. A lead is recovered where it stands under its right name, shows half of its truth or more, and has less
error than signal (more than 0 dB after a shift of at most 0.2 s). An unread lead has 0 dB and correlation 0. A scan is
followed where I + III - II and aVR + aVL + aVF each stay within 0.1 mV rms about their mean, column by column, the
outer leads shifted by at most 40 ms. Intervals hold 95 %: bootstrap over pictures (2000 resamples, percentiles), and
Clopper & Pearson's exact limits for a share of 0 or 1.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ecgedge.catalogue import data_roots, locate
from ecgedge.digitise import recording_of
from ecgedge.errors import EcgedgeError
from ecgedge.formats import read_recording
from ecgedge.pages import find_page
from ecgedge.paper.agreement import LeadAgreement, agreement, limb_residuals
from ecgedge.paper.contact_sheet import SheetRow, draw_contact_sheet
from ecgedge.paper.layouts import LEADS, layouts
from ecgedge.paper.overlay import draw_curves
from ecgedge.paper.page import FloatArray, Page, Picture, Traces
from ecgedge.paper.page_quality import require_quality
from ecgedge.paper.pictures import read_picture
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.scenes import STRENGTHS
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.paper.tallies import Tally
from ecgedge.records import Recording
from ecgedge.traces import read_traces

DEV_PHOTOS = ("01086", "01336", "01669", "02190", "02326", "02579", "02694")
PHOTO_LAYOUT = "3x4+1-ticks"
MAX_RESIDUAL_MV = 0.1
MAX_CORNER_ERROR = 0.01  # of the page's diagonal
_ROOT = Path(__file__).parents[1]
_SHOWN = 8  # pages of a contact sheet


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one picture."""

    picture: Picture
    page: Page | None = None
    traces: Traces | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated photo and its truth."""

    picture: Picture
    truth: Recording
    layout: str
    turned_deg: int
    corners_px: Mapping[str, FloatArray]
    """Of `sheet` and of `grid`, (4, 2) float32, px of the picture."""


@dataclass(slots=True)
class Section:
    """Figures of one kind of picture, a table of pictures, a contact sheet."""

    title: str
    figures: dict[str, Tally] = field(default_factory=dict)
    rows: list[dict[str, str]] = field(default_factory=list)
    sheet: list[SheetRow] = field(default_factory=list)

    def add(self, title: str, *values: float, unit: str = "%", median: bool = False) -> None:
        """Take what one picture gave; shares are from 0 to 1 and shown in %."""
        self.figures.setdefault(title, Tally(unit, median)).of_picture.append(list(values))


def read(picture: Picture) -> Reading:
    """Read one picture as the product does; a crash is a refusal that says so."""
    page = None
    try:
        page = find_page(picture)
        require_quality(page.quality, name=page.name)
        traces = read_traces(page)
        if any(trace.x_px.shape != trace.y_px.shape for trace in traces.leads):
            raise ValueError("a curve of another length than its columns")
        return Reading(picture, page, traces)
    except EcgedgeError as error:
        return Reading(picture, page, None, str(error))
    except Exception as error:  # a benchmark goes on and names it
        return Reading(picture, page, None, f"CRASHED: {type(error).__name__}: {error}")


def sheet_row(reading: Reading, words: str) -> SheetRow:
    """Photo, flat page and curves of one reading."""
    page, traces = reading.page, reading.traces
    flat = None if page is None else page.pixels
    curves = None if page is None or traces is None else draw_curves(page, traces, width_px=780)
    name = reading.picture.name
    return SheetRow(words if words.startswith(name) else f"{name}: {words}", (reading.picture.pixels, flat, curves))


def agreed(reading: Reading, truth: Recording) -> tuple[LeadAgreement, ...]:
    """Each lead against the truth; all unread where the page was refused."""
    try:
        found = None if reading.traces is None else recording_of(reading.traces, rate_hz=truth.fs_hz)
    except EcgedgeError:
        found = None
    return agreement(found or Recording(np.zeros((1, 0), np.float32), truth.fs_hz, ()), truth)


def add_leads(section: Section, leads: Sequence[LeadAgreement]) -> None:
    """What photos and simulated pages have in common."""
    section.add("mean SNR of all leads", *(lead.snr_db for lead in leads), unit="dB")
    section.add("median SNR of all leads", *(lead.snr_db for lead in leads), unit="dB", median=True)
    section.add("leads recovered", *(float(lead.recovered) for lead in leads))


def photo_names(folder: Path, half: str) -> list[str]:
    """Photos of a half: `dev`, `test` or `all`."""
    names = sorted(path.name for path in folder.glob("*.jpg"))
    return [name for name in names if half == "all" or (name[:5] in DEV_PHOTOS) == (half == "dev")]


def scan_names(folder: Path, half: str) -> list[str]:
    """Scans of a half: the last digit of the SHA-1 of the name, even for `dev`."""
    names = sorted(path.name for path in folder.iterdir())
    even = {name: int(hashlib.sha1(name.encode()).hexdigest()[-1], 16) % 2 == 0 for name in names}
    return [name for name in names if half == "all" or even[name] == (half == "dev")]


def photos(folder: Path, half: str) -> Section:
    """Real photos against the recordings that were printed."""
    section = Section(f"real photos, {half}")
    for name in track(photo_names(folder, half), section.title, console=Console(stderr=True), transient=True):
        reading = read(read_picture(folder / name))
        leads = agreed(reading, read_recording(folder / name.split("-")[0]))
        section.rows.append(_photo_row(section, name, reading, leads))
        row = section.rows[-1]
        words = f"{row['layout']}, median r {row['median r']}, worst {row['worst']}, {row['SNR dB']} dB"
        section.sheet.append(sheet_row(reading, row["remarks"] or words))
    return section


def _photo_row(section: Section, name: str, reading: Reading, leads: Sequence[LeadAgreement]) -> dict[str, str]:
    right = reading.traces is not None and same_rows(reading.traces.layout, PHOTO_LAYOUT)
    correlations = [lead.correlation for lead in leads]
    worst = min(leads, key=lambda lead: lead.correlation)
    section.add("page found", float(reading.page is not None))
    section.add("layout right", float(right))
    section.add("median correlation of a lead", *correlations, unit="", median=True)
    add_leads(section, leads)
    seen = "" if reading.traces is None else f"{reading.traces.layout} {100 * reading.traces.confidence:.0f} %"
    return {
        "photo": name.split("_")[0],
        "page": "no" if reading.page is None else reading.page.corners_of,
        "layout": seen or "-",
        "median r": f"{np.median(correlations):.3f}",
        "worst": f"{worst.lead} {worst.correlation:.2f}",
        "SNR dB": f"{np.mean([lead.snr_db for lead in leads]):.1f}",
        "gain": f"{np.median([lead.gain for lead in leads]):.2f}",
        "remarks": reading.refusal,
    }


def same_rows(found: str, wanted: str) -> bool:
    """Whether two layouts have the same leads in the same places."""
    return found in layouts() and layouts()[found].rows == layouts()[wanted].rows


def scans(folder: Path, half: str, *, every: int = 1) -> Section:
    """Scans by the redundancy of their limb leads."""
    section = Section(f"scans, {half}" + (f", one in {every}" if every > 1 else ""))
    names = scan_names(folder, half)[::every]
    for number, name in enumerate(track(names, section.title, console=Console(stderr=True), transient=True)):
        reading = read(read_picture(folder / name))
        left = None if reading.traces is None else limb_residuals(reading.traces)
        einthoven, goldberger = (np.inf, np.inf) if left is None else (left.einthoven_mv, left.goldberger_mv)
        followed = max(einthoven, goldberger) <= MAX_RESIDUAL_MV
        section.add("leads followed (both laws within 0.1 mV)", float(followed))
        section.add("I + III = II within 0.1 mV", float(einthoven <= MAX_RESIDUAL_MV))
        section.add("aVR + aVL + aVF = 0 within 0.1 mV", float(goldberger <= MAX_RESIDUAL_MV))
        section.add("every lead shown for 80 % of its time or more", float(complete(reading.traces)))
        section.add("refused", float(reading.traces is None))
        words = reading.refusal or f"I+III-II {einthoven:.3f} mV, aVR+aVL+aVF {goldberger:.3f} mV rms"
        if not followed:
            section.rows.append({"scan": name, "remarks": words})
        if not followed or number % max(1, len(names) // _SHOWN) == 0:
            section.sheet.append(sheet_row(reading, words))
    return section


def complete(traces: Traces | None) -> bool:
    """Whether every lead has ink in 80 % of the columns that its layout gives it."""
    if traces is None or traces.layout not in layouts():
        return False
    layout = layouts()[traces.layout]
    column_hz = traces.px_per_mm_x * traces.mm_per_s
    shown_s = {(trace.lead, trace.strip): np.isfinite(trace.y_px).sum() / column_hz for trace in traces.leads}
    short = (shown_s.get((lead, False), 0.0) >= 0.8 * layout.column_s for lead in LEADS)
    strips = (time_s >= 0.8 * layout.duration_s for (_, strip), time_s in shown_s.items() if strip)
    return all(short) and all(strips)


def simulated_photo(seed: int, *, strength: str) -> Simulated:
    """A random person's ECG on a page of random layout and style, as a phone sees it; one in three lies turned."""
    rng = np.random.default_rng([seed, 1])
    layout = list(layouts())[rng.integers(len(layouts()))]
    turned_deg = int(rng.choice([0, 90, 180, 270], p=[2 / 3, 1 / 9, 1 / 9, 1 / 9]))
    drawn = draw_page(simulate_twelve_leads(seed=seed), layout=layout, seed=seed)
    shot = photograph(
        drawn.pixels, px_per_mm=drawn.px_per_mm, seed=seed, strength=STRENGTHS[strength], turned_deg=turned_deg
    )
    corners = {"sheet": shot.corners_px, "grid": shot.to_photo(drawn.grid_corners_px)}
    return Simulated(shot.picture, drawn.truth, layout, turned_deg, corners)


def simulated(n_pages: int, *, strength: str, seed: int) -> Section:
    """Pages of every layout in random styles, photographed by the simulator."""
    section = Section(f"simulated photos, {strength}, seeds {seed} to {seed + n_pages - 1}")
    for number in track(range(n_pages), section.title, console=Console(stderr=True), transient=True):
        shot = simulated_photo(seed + number, strength=strength)
        reading = read(shot.picture)
        leads = agreed(reading, shot.truth)
        error = corner_error(reading.page, shot)
        section.add("corners within 1 % of the diagonal", float(error <= MAX_CORNER_ERROR))
        add_leads(section, leads)
        if reading.traces is not None:
            section.add("mean SNR where read", *(lead.snr_db for lead in leads), unit="dB")
            section.add("layout right where read", float(same_rows(reading.traces.layout, shot.layout)))
        section.add("refused", float(reading.traces is None))
        lost = [lead.lead for lead in leads if not lead.recovered]
        words = reading.refusal or f"{shot.layout}, corners {100 * error:.2f} %, lost {' '.join(lost) or 'none'}"
        if reading.refusal or lost or error > MAX_CORNER_ERROR:
            section.rows.append(
                {"seed": str(seed + number), "layout": shot.layout, "turned": str(shot.turned_deg), "remarks": words}
            )
        if number < _SHOWN:
            section.sheet.append(sheet_row(reading, words))
    return section


def corner_error(page: Page | None, shot: Simulated) -> float:
    """Largest distance of a corner from its truth, over the diagonal of the page in the photo."""
    if page is None or page.corners_of not in shot.corners_px:
        return float("inf")
    true = shot.corners_px[page.corners_of]
    diagonal = max(np.linalg.norm(true[0] - true[2]), np.linalg.norm(true[1] - true[3]))
    return float(np.linalg.norm(page.corners_px - true, axis=1).max() / diagonal)


def without_ecg(drawings: ModuleType, *, seeds: Sequence[int]) -> Section:
    """Pictures that show no ECG, flat and photographed, a few of each kind; each answer with signals is a failure."""
    kinds = drawings.PICTURES
    section = Section(f"pictures without an ECG, {len(kinds)} kinds, flat and photographed, seeds {list(seeds)}")
    jobs = [(kind, photo, seed) for kind in kinds for photo in (False, True) for seed in seeds]
    for kind, photo, seed in track(jobs, "without an ECG", console=Console(stderr=True), transient=True):
        rng = np.random.default_rng(seed)
        pixels = kinds[kind](rng)
        name = f"{kind} {'photographed' if photo else 'flat'} {seed}"
        reading = read(Picture(drawings.photographed(pixels, rng) if photo else pixels, name))
        section.add("answered with signals", float(reading.traces is not None))
        if reading.traces is not None or reading.refusal.startswith("CRASHED"):
            section.rows.append({"picture": name, "remarks": reading.refusal or f"ANSWERED as {reading.traces}"[:200]})
            section.sheet.append(sheet_row(reading, reading.refusal or "ANSWERED"))
    return section


def speed(picture: Path | None) -> dict[str, float]:
    """Seconds and memory, measured in a process of their own by pages_speed.py."""
    command = [sys.executable, str(Path(__file__).with_name("pages_speed.py")), "--json"]
    found = subprocess.run(
        [*command, *([] if picture is None else [str(picture)])], capture_output=True, text=True, check=False
    )
    if found.returncode != 0:
        print(found.stderr, file=sys.stderr)
        return {}
    figures: dict[str, float] = json.loads(found.stdout)
    return figures


def show(console: Console, section: Section) -> None:
    """Print the figures of a section, then its pictures."""
    table = Table(title=section.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("figure", "value", "95 % interval", "pictures"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for title, figure in section.figures.items():
        table.add_row(title, *figure.shown(), str(len(figure.of_picture)))
    console.print(table)
    if section.rows:
        pictures = Table(box=SIMPLE_HEAD, pad_edge=False)
        for heading in section.rows[0]:
            pictures.add_column(heading, no_wrap=heading != "remarks")
        for row in section.rows:
            pictures.add_row(*row.values())
        console.print(pictures)


def write_sheet(section: Section, folder: Path) -> None:
    """Write the contact sheet of a section."""
    folder.mkdir(parents=True, exist_ok=True)
    name = section.title.split(",")[0].replace(" ", "-")
    cv2.imwrite(str(folder / f"{name}.png"), draw_contact_sheet(section.title, section.sheet))


def not_ecg_drawings() -> ModuleType:
    """The module that the tests draw them with."""
    path = _ROOT / "tests" / "paper" / "not_ecg_pictures.py"
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.exists():
        raise SystemExit(f"{path}: no such file; give --no-not-ecg")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sections(options: argparse.Namespace) -> Iterable[Section]:
    """The sections that were asked for, one after the other."""
    roots = data_roots() if options.data is None else (options.data,)
    folder = next((root / "photos" for root in roots if (root / "photos").is_dir()), None)
    if options.photos != "none":
        if folder is None:
            raise SystemExit(f"photos: not in {', '.join(map(str, roots))}; set ECGEDGE_DATA or --photos none")
        yield photos(folder, options.photos)
    if options.scans != "none":
        yield scans(locate("ecg_images", root=options.data) / "unique", options.scans, every=options.every)
    if options.simulated:
        yield simulated(options.simulated, strength=options.strength, seed=options.seed)
    if options.not_ecg:
        seeds = range(options.seed, options.seed + options.not_ecg)
        yield without_ecg(not_ecg_drawings(), seeds=seeds)


def parsed() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description="Figures of reading paper ECGs.")
    for kind in ("photos", "scans"):
        parser.add_argument(f"--{kind}", choices=["dev", "test", "all", "none"], default="dev", help="which half")
    parser.add_argument("--every", type=int, default=1, help="of the scans only one in so many")
    parser.add_argument("--simulated", type=int, default=200, metavar="N", help="simulated photos; 0 for none")
    parser.add_argument("--strength", choices=list(STRENGTHS), default="moderate", help="of the simulator")
    parser.add_argument("--seed", type=int, default=0, help="of the first simulated photo")
    parser.add_argument("--not-ecg", type=int, default=3, metavar="N", help="without an ECG, of each kind; 0 for none")
    parser.add_argument("--speed", action=argparse.BooleanOptionalAction, default=True, help="time and memory")
    parser.add_argument("--data", type=Path, help="folder that holds photos/ and ecg_images/")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--contact-sheets", type=Path, metavar="DIR", help="also write one contact sheet per kind")
    return parser.parse_args()


def main() -> None:
    """Score, print, write."""
    options = parsed()
    cv2.setNumThreads(1)
    console, report = Console(), {}
    for section in sections(options):
        show(console, section)
        report[section.title] = {
            "figures": {
                title: {"value": figure.value(), "interval": figure.interval(), "pictures": len(figure.of_picture)}
                for title, figure in section.figures.items()
            },
            "pictures": section.rows,
        }
        if options.contact_sheets and section.sheet:
            write_sheet(section, options.contact_sheets)
    times = speed(None) if options.speed else {}
    if times:
        console.print(
            f"{times['megapixels']:.1f} megapixels, one core: decode {times['decode_ms']:.0f} ms; decoded -> flat page "
            f"{times['flat_ms']:.0f} ms, -> signals {times['signals_ms']:.0f} ms; peak {times['peak_mb']:.0f} MB"
        )
    if options.json:
        options.json.write_text(json.dumps({"sections": report, "speed": times}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
