"""One Markdown report a run, with its pictures beside it: what was measured, on what, and what was missed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ecgedge import NOTICE
from ecgedge.class_metrics import NO_ANSWER
from ecgedge.labels import REPORT
from ecgedge_train.pages.figures import PageFigures, missed
from ecgedge_train.pages.judged import JudgedPages
from ecgedge_train.pages.plots import draw_abstention, draw_confusion, draw_reliability, draw_roc

_TOTALS = ("accuracy", "balanced_accuracy", "macro_f1", "macro_roc_auc", "macro_auprc", "ece", "brier", "nll")
_PER_CLASS = ("recall", "precision", "f1", "roc_auc", "auprc")
_PICTURES = {
    "confusion.png": "Confusion matrix: counts, shaded by the share of their row",
    "roc.png": "ROC of each class against the rest",
    "reliability.png": "Confidence against accuracy, calibrated",
    "coverage.png": "Accuracy of the answers when unsure pages go unanswered",
}


def write_run_report(
    folder: Path, title: str, facts: Mapping[str, str], judged: JudgedPages, figures: PageFigures
) -> Path:
    """Write `report.md` and its pictures.

    Parameters
    ----------
    facts : what a reader must know, name -> words; stands above the figures
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw_confusion(judged.probabilities, judged.truth, folder / "confusion.png")
    draw_roc(judged.probabilities, judged.truth, folder / "roc.png")
    draw_reliability(judged.probabilities, judged.truth, None, folder / "reliability.png")
    draw_abstention(judged.probabilities, judged.truth, folder / "coverage.png")
    path = folder / "report.md"
    path.write_text(report_text(title, facts, judged, figures))
    return path


def report_text(title: str, facts: Mapping[str, str], judged: JudgedPages, figures: PageFigures) -> str:
    """The report as Markdown."""
    parts = [
        f"# {title}\n\n**{NOTICE}**\n",
        *(f"- {name}: {words}" for name, words in facts.items()),
        "\n## Figures\n\nRefused pages count as wrong. Intervals: 95 %, bootstrap over groups.\n",
        markdown(("figure", "value"), [(name.replace("_", " "), shown(figures, name)) for name in _TOTALS]),
        "\n## Per class\n",
        markdown(("class", *_PER_CLASS), class_rows(figures)),
        "\n## Confusion\n",
        markdown(("truth \\ called", *REPORT.names, NO_ANSWER), _confusion_rows(figures)),
        f"\n## How sure\n\n{_sureness(figures)}\n",
        f"## Pages of infarction that were missed\n\n{_listed(missed(judged, 'mi'))}\n",
        f"## Without an answer\n\n{_listed(_refused(judged))}\n",
        *(f"![{words}]({name})\n" for name, words in _PICTURES.items()),
    ]
    return "\n".join(parts)


def class_rows(figures: PageFigures) -> list[tuple[str, ...]]:
    """One row a class: its name with the number of its pages, then its figures."""
    rows = []
    for index, (name, title) in enumerate(zip(REPORT.names, REPORT.titles, strict=True)):
        pages = int(figures.classes.confusion[index].sum())
        rows.append((f"{title} ({pages})", *(shown(figures, f"{measure}: {name}") for measure in _PER_CLASS)))
    return rows


def totals_text(figures: PageFigures) -> str:
    """The figures of all classes together, in lines."""
    first, second = (
        "   ".join(f"{name.replace('_', ' ')} {shown(figures, name)}" for name in names)
        for names in (_TOTALS[:3], _TOTALS[3:])
    )
    return f"{first}\n{second}\n{_sureness(figures)}"


def shown(figures: PageFigures, name: str) -> str:
    """A figure with its interval; a dash where nothing could be counted."""
    value, (low, high) = figures.classes.scalars()[name], figures.intervals[name]
    return "-" if value != value else f"{value:.3f} [{low:.2f}, {high:.2f}]"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


def _confusion_rows(figures: PageFigures) -> list[list[str]]:
    counts = figures.classes.confusion.tolist()
    return [[name, *map(str, row)] for name, row in zip(REPORT.names, counts, strict=True)]


def _sureness(figures: PageFigures) -> str:
    sets = figures.sets
    answers = ", ".join(
        f"{share:.0%}: {value:.3f}" if value == value else f"{share:.0%}: -"
        for share, value in figures.accuracy_at.items()
    )
    return (
        f"Sets of 90 % hold the truth of {sets.coverage:.3f} of the pages (MI {sets.by_class['mi']:.3f}), with "
        f"{sets.mean_size:.2f} classes on average; {sets.single:.0%} have one.\n"
        f"Accuracy where only the surest pages are answered, by share answered: {answers}."
    )


def _refused(judged: JudgedPages) -> list[str]:
    return [f"{name}: {reason}" for name, reason in zip(judged.names, judged.reasons, strict=True) if reason]


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) if lines else "None."
