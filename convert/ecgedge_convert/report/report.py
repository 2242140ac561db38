"""From a folder of bundles to report.html, report.md and report.json: the order of the work, and nothing else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecgedge import NOTICE
from ecgedge.energy import Meter, find_meter
from ecgedge.measurement import energy_of
from ecgedge_convert.report.chapters import chapter
from ecgedge_convert.report.document import Chapter, Document, Part, Points, Verdicts
from ecgedge_convert.report.kept import KeptAnswers, KeptLatencies, write_whole
from ecgedge_convert.report.made import made_how
from ecgedge_convert.report.markdown import markdown
from ecgedge_convert.report.measured import Advance, DataNeeded, HeldOut, measure_family, trained_on_held_out
from ecgedge_convert.report.overview import overview, together
from ecgedge_convert.report.page import page
from ecgedge_convert.report.section import Section, section
from ecgedge_convert.report.shelf import Family, read_shelf
from ecgedge_convert.report.speed import SpeedSettings, latency_of
from ecgedge_convert.report.tables import published_table
from ecgedge_convert.report.values import report_values

PAGE, MARKDOWN, VALUES = "report.html", "report.md", "report.json"
_ENERGY_S = 2.0
_NO_METER = "No energy is given: this machine has no meter that may be read (RAPL as root, INA sensor, Pi 5)."
_LIMITS = (
    "Figures hold for data like that they were measured on: pages of one data set and one kind of machine, or two-lead "
    "Holter recordings of the 1970s. They say nothing of other machines, of children, or of paced rhythm.",
    "A variant chosen because its figure is the best here looks better than it is: choose on one fold, quote another.",
    "That no loss shows does not prove that there is none: with few pages or patients a real loss stays hidden. "
    "The intervals say how large it may be.",
    "Times are of the inference alone, on this machine; reading a page or finding beats comes on top. A Raspberry Pi "
    "has other ratios: run ecgedge bench there.",
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be reported."""

    folder: Path
    out: Path
    held_out: HeldOut
    speed: SpeedSettings
    again: bool = False
    arguments: tuple[str, ...] = ()
    """Of the command, to be repeated."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written."""

    paths: tuple[Path, ...]
    values: str
    """The JSON."""
    told: tuple[str, ...]
    """The verdicts, a line each."""


def make_report(request: Request, *, advance: Advance = lambda _what, _done, _all: None) -> Written:
    """Measure what was not measured before, and write all three files.

    Raises
    ------
    InputError
        No bundle there, bundles that cannot be compared, or a folder that cannot be written.
    BundleError
        A bundle is damaged.
    DataError
        The public data is not on this machine, or is another than was trained on.
    """
    families = read_shelf(request.folder)
    data, kept = DataNeeded(request.held_out), KeptAnswers(request.folder, again=request.again)
    answers = [measure_family(one, request.held_out, data, kept=kept, advance=advance) for one in families]
    models = {entry.name: entry.bundle.model for family in families for entry in family.entries}
    timed = KeptLatencies(request.folder, again=request.again)
    latencies = latency_of(models, request.speed, kept=timed, advance=advance)
    meter = find_meter()
    energy = None if meter is None else _energy_of(models, meter)
    sections = [
        section(family, found, latencies, energy_mj=energy, warning=_warning(family, request.held_out))
        for family, found in zip(families, answers, strict=True)
    ]
    told = _NO_METER if meter is None else f"Energy: {meter.name}, power at rest taken off."
    return _write(request, sections, energy=told)


def _energy_of(models: Mapping[str, bytes], meter: Meter) -> dict[str, float]:
    """Energy of one inference of each model, mJ, one thread, batch 1."""
    return {name: energy_of(model, meter, threads=1, seconds=_ENERGY_S).per_input_mj for name, model in models.items()}


def _warning(family: Family, held_out: HeldOut) -> str:
    if family.task == "beat" and any(trained_on_held_out(entry, held_out) for entry in family.entries):
        return (
            f"These models were trained on patients of the split {held_out.split}: the figures say how alike the "
            "variants answer, and nothing of how they judge new patients."
        )
    return ""


def _write(request: Request, sections: list[Section], *, energy: str) -> Written:
    made = made_how(request.arguments, request.speed)
    chapters = [chapter(one, f"model-{number}") for number, one in enumerate(sections, 1)]
    joint = [overview(alike, f"together-{number}") for number, alike in enumerate(together(sections), 1)]
    document = Document(
        title="Model report",
        notice=NOTICE,
        lead=_lead(sections),
        chapters=(*joint, *chapters, _theirs(sections), _about(made, energy)),
    )
    values = json.dumps(report_values(sections, made, energy), indent=1) + "\n"
    contents = {PAGE: page(document), MARKDOWN: markdown(document), VALUES: values}
    for name, content in contents.items():
        write_whole(request.out / name, content.encode())
    return Written(tuple(request.out / name for name in contents), values, tuple(_told(chapters)))


def _lead(sections: list[Section]) -> str:
    bundles, models = sum(len(one.rows) for one in sections), len(sections)
    return (
        f"{bundles} bundle{'s' if bundles > 1 else ''} of {models} model{'s' if models > 1 else ''}, side by side: "
        "what each costs, and what it loses."
    )


def _theirs(sections: list[Section]) -> Chapter:
    """What others published for the tasks of this report."""
    tasks = sorted({one.family.task for one in sections}, reverse=True)
    parts = tuple(Part(f"For {task}s", (published_table(task),)) for task in tasks)
    return Chapter("Published by others", "published", lead="", parts=parts)


def _about(made: Mapping[str, str], energy: str) -> Chapter:
    """Limits, and how to make the report again."""
    repeat = Points(tuple(f"{name}: {words}" for name, words in made.items()))
    parts = (Part("Limits", (Points((*_LIMITS, energy)),)), Part("To repeat it", (repeat,)))
    return Chapter("How this was made", "made", lead="", parts=parts)


def _told(chapters: list[Chapter]) -> list[str]:
    found = []
    for one in chapters:
        verdicts = [block for part in one.parts for block in part.blocks if isinstance(block, Verdicts)]
        found += [
            f"{one.title}: {item.question}: {item.answer}. {item.why}" for each in verdicts for item in each.items
        ]
    return found
