"""The model card of a bundle, Markdown, made from its manifest alone so that the two cannot disagree."""

from ecgedge import NOTICE
from ecgedge.manifest import Json, Manifest

_USE = {
    "beat": "Judges single heartbeats of one ECG lead into AAMI classes, on the device, from a file or a live signal.",
    "page": "Judges a photographed or scanned 12-lead ECG report on paper, on the device: one of four classes with its "
    "probability, the classes that cannot be excluded, and what was looked at. It reads the page first, and refuses "
    "a picture that it cannot read.",
}
_LIMITS = {
    "beat": (
        "Trained on 21 patients with two-lead Holter recordings of the 1970s; other leads, electrodes, children and "
        "paced rhythm are untested. Paced beats are not among its classes. More than half of the rare fusion beats are "
        "missed. Supraventricular ectopic beats are told by their timing more than by their shape, so that irregular "
        "rhythm (atrial fibrillation) costs PPV. What is no beat (a tall T wave, an artefact) but was taken for one is "
        "mostly judged V. A lead with nothing but noise is not refused."
    ),
    "page": (
        "Answers only for layouts it was trained on; `--any-layout` lifts that, and no figure holds then. Trained on "
        "491 different scans of one data set, of one kind of machine and one layout; 30 of them show a myocardial "
        "infarction. The classes are the data set's four folders, not a cardiologist's findings, and no page has two. "
        "Other machines, children, paced rhythm and every other disease are untested: `normal` excludes nothing. Sets "
        "of classes hold the truth as often as stated on pages like those it was measured on, over all classes "
        "together, not for each class."
    ),
}


def render_card(manifest: Manifest) -> str:
    """The card as Markdown text."""
    classes = ", ".join(f"{a} ({b})" for a, b in zip(manifest.labels, manifest.label_titles, strict=True))
    steps = " -> ".join(str(step["step"]) for step in manifest.preprocessing)
    parts = [
        f"# {manifest.name} {manifest.version}\n\n**{NOTICE}**\n",
        f"{_USE[manifest.task]}\n",
        f"- Classes: {classes}; {manifest.label_source}",
        f"- Preprocessing, parameters in manifest.json: {steps}",
        f"- Licence: {manifest.licence}",
        f"- Data: {manifest.attribution}\n",
        f"## Limits\n\n{_LIMITS[manifest.task]}\n",
        "## Training\n",
        *(f"- {key.replace('_', ' ')}: {_text(value)}" for key, value in manifest.training.items()),
        "\n## Measured figures\n",
        *(_figures(entry) for entry in manifest.figures),
    ]
    if not manifest.figures:
        parts.append("None yet: `ecgedge evaluate BUNDLE --stamp` measures them and writes them here.")
    return "\n".join(parts) + "\n"


def _figures(entry: dict[str, Json]) -> str:
    rows = "\n".join(f"| {key.replace('_', ' ')} | {_text(value)} |" for key, value in entry.items() if key != "title")
    return f"### {entry.get('title', 'figures')}\n\n| figure | value |\n|---|---|\n{rows}\n"


def _text(value: Json) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "; ".join(_text(entry) for entry in value)
    if isinstance(value, list):
        return ", ".join(_text(entry) for entry in value)
    if isinstance(value, dict):
        return "; ".join(f"{key} {_text(entry)}" for key, entry in value.items())
    return str(value)
