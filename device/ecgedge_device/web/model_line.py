"""The line of a model's card that stands beside its answers: which data, how good. Made from the manifest alone."""

from collections.abc import Mapping

from ecgedge.bundle import Bundle
from ecgedge.manifest import Json, Manifest

_FIGURES = {"accuracy": "accuracy", "macro_f1": "macro F1"}
_COUNTS = ("pages", "beats")


def model_line(manifest: Manifest) -> str:
    """Measured figures of the first protocol, in one line."""
    if not manifest.figures:
        return "no figures were measured for this model"
    entry = manifest.figures[0]
    found = [f"{words} {_value(entry[key])}" for key, words in _FIGURES.items() if key in entry]
    found += [f"{entry[key]} {key}" for key in _COUNTS if key in entry]
    return f"{', '.join(found)} ({entry.get('title', 'figures')})"


def line_of_bundle(bundle: str, bundles: Mapping[str, Bundle]) -> str:
    """The line of the model "NAME VERSION" that gave an answer.

    Parameters
    ----------
    bundles : those in use now; the figures of another version are not known here
    """
    for one in bundles.values():
        if bundle == f"{one.manifest.name} {one.manifest.version}":
            return f"{bundle}: {model_line(one.manifest)}"
    return f"{bundle}: not in use any more, its figures are in its card" if bundle else ""


def _value(value: Json) -> str:
    if isinstance(value, dict):
        inside = value.get("95 %")
        span = f" ({inside[0]} to {inside[1]})" if isinstance(inside, list) and len(inside) == 2 else ""
        return f"{value.get('value')}{span}"
    return str(value)
