"""`ecgedge predict` with a page bundle: judge photos or scans of 12-lead ECG reports."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ecgedge import NOTICE
from ecgedge.bundle import Bundle
from ecgedge.errors import EcgedgeError, InputError
from ecgedge.page_advice import advice_for
from ecgedge.page_engine import MAPS, PageAnswer, PageEngine
from ecgedge.page_words import draw_answer, gain_words, headline, layout_words, plain_answer, set_words
from ecgedge.paper.page import Pixels
from ecgedge.paper.pictures import read_picture

_BAR_CELLS = 24
_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class PageOptions:
    """How pages are judged and shown."""

    picture: Path | None
    """Where the page with what the model looked at goes; a folder where there are several inputs; None for nowhere."""
    any_layout: bool
    overwrite: bool
    as_json: bool
    threads: int


def predict_pages(bundle: Bundle, paths: Sequence[Path], options: PageOptions) -> bool:
    """Judge pictures, print the answers; whether every one of them was answered.

    Raises
    ------
    InputError
        One picture alone was refused, or a file cannot be written.
    """
    engine = PageEngine(bundle, threads=options.threads)
    paths = tuple(dict.fromkeys(paths))
    places = _places(bundle, paths, options)
    titles = dict(zip(bundle.manifest.labels, bundle.manifest.label_titles, strict=True))
    console = Console(stderr=True)
    show = len(paths) > 1 and not options.as_json and console.is_terminal
    found: list[dict[str, object]] = []
    refused: dict[Path, str] = {}
    for path, place in track(places.items(), "judging", console=console, disable=not show, transient=True):
        try:
            answer = engine.judge(read_picture(path), any_layout=options.any_layout)
        except EcgedgeError as error:
            if len(paths) == 1 and not options.as_json:
                raise
            refused[path] = _reason(path, error)
            continue
        written = _draw(engine, answer, place, titles)
        found.append(_as_json(path, answer, titles, written))
        if not options.as_json:
            _show(answer, titles, written)
        if not answer.label:
            refused[path] = f"{path}: {answer.reason}"
    _finish(bundle, found, refused, as_json=options.as_json)
    return not refused


def _reason(path: Path, error: EcgedgeError) -> str:
    """What went wrong, in one line that names the picture."""
    words = " ".join(str(error).split())
    return words if path.name in words else f"{path}: {words}"


def _places(bundle: Bundle, paths: Sequence[Path], options: PageOptions) -> dict[Path, Path | None]:
    """Where each page is drawn; found out before the work what would fail after it.

    Raises
    ------
    InputError
        The model says nothing of what it looked at, or a file could not be written or would be written twice.
    """
    if options.picture is None:
        return dict.fromkeys(paths)
    if MAPS not in {tensor.name for tensor in bundle.manifest.outputs}:
        raise InputError(f"bundle {bundle.manifest.name} does not say what it looked at; leave out -o")
    if len(paths) > 1 or options.picture.is_dir():
        places = {path: options.picture / f"{path.stem}.png" for path in paths}
    else:
        places = {paths[0]: options.picture}
    for place in places.values():
        _check_place(place, overwrite=options.overwrite)
    if len(set(places.values())) < len(places):
        raise InputError(f"{len(paths)} pictures, {len(set(places.values()))} names for their pages; judge them apart")
    return dict(places)


def _check_place(place: Path, *, overwrite: bool) -> None:
    if place.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{place}: {place.suffix or 'no suffix'} cannot be written; .png or .jpg can; choose one")
    if place.exists() and not overwrite:
        raise InputError(f"{place}: is there already and is not replaced; choose another name or give --overwrite")


def _draw(engine: PageEngine, answer: PageAnswer, place: Path | None, titles: Mapping[str, str]) -> Path | None:
    """Draw the page for the likeliest class; nothing where the model was not asked."""
    pixels = None if place is None else draw_answer(engine, answer, titles)
    if place is None or pixels is None:
        return None
    _write(place, pixels)
    return place


def _write(place: Path, pixels: Pixels) -> None:
    """Under a temporary name first, so that a failure leaves what was there."""
    draft = place.with_name(f".{place.name}.part")
    made, content = cv2.imencode(place.suffix.lower(), pixels)
    try:
        if not made:
            raise OSError(0, f"a picture of {pixels.shape} cannot be encoded")
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content.tobytes())
        draft.replace(place)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(f"{place}: cannot be written ({error.strerror}); choose another place with -o") from error


def _show(answer: PageAnswer, titles: Mapping[str, str], written: Path | None) -> None:
    console = Console()
    title = f"{answer.name}: {headline(answer, titles)}"
    if answer.probabilities:
        table = Table(title=title, title_justify="left")
        for heading in ("class", "", "", "excluded"):
            table.add_column(heading, no_wrap=True)
        for name, value in answer.probabilities.items():
            bar = "\u2588" * round(value * _BAR_CELLS)
            excluded = "" if name in answer.prediction_set else "yes"
            table.add_row(titles[name], f"{100 * value:5.1f} %", f"{bar:<{_BAR_CELLS}}", excluded)
        console.print(table)
        click.echo(set_words(answer, titles))
        click.echo(advice_for(answer.label, answer.prediction_set))
    else:
        click.echo(title)
    for words in (layout_words(answer), *gain_words(answer)):
        click.echo(words)
    click.echo(f"Quality: {'; '.join(f'{one.name} {one.value:.3g} {one.unit}' for one in answer.page.quality)}.")
    if written is not None:
        click.echo(f"written: {written}")


def _as_json(path: Path, answer: PageAnswer, titles: Mapping[str, str], written: Path | None) -> dict[str, object]:
    return {
        "picture": str(path),
        **plain_answer(answer, titles),
        "drawn": None if written is None else str(written),
    }


def _finish(bundle: Bundle, found: Sequence[dict[str, object]], refused: Mapping[Path, str], *, as_json: bool) -> None:
    if as_json:
        report = {
            "bundle": f"{bundle.manifest.name} {bundle.manifest.version}",
            "labels": bundle.manifest.labels,
            "pictures": found,
            "refused": [{"picture": str(path), "reason": reason} for path, reason in refused.items()],
            "notice": NOTICE,
        }
        click.echo(json.dumps(report, indent=1, allow_nan=False))
    elif found:
        click.echo(NOTICE)
    for reason in refused.values():
        click.echo(f"ecgedge: {reason}", err=True)
