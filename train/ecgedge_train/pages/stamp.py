"""Write measured figures into a page bundle, so that its card says what was measured and how to repeat it."""

from dataclasses import replace

from ecgedge.bundle import Bundle
from ecgedge.card import render_card
from ecgedge.manifest import Json
from ecgedge_train.pages.evaluate import PageEvaluation, evaluation_json
from ecgedge_train.pages.figures import PageFigures


def card_entry(evaluation: PageEvaluation, figures: PageFigures) -> dict[str, Json]:
    """One evaluation as the manifest holds it."""
    full = evaluation_json(evaluation, figures)
    dealt = evaluation.dealt
    entry: dict[str, Json] = {
        "title": f"ecg_images {evaluation.title}",
        "protocol": "held-out fold, int8, through the engine of the device; refused pages count as wrong",
        "command": f"ecgedge evaluate BUNDLE --data ecg_images --protocol {dealt.protocol} --fold {evaluation.fold}",
        "split_sha256": dealt.split.split_hash(),
    }
    return entry | flat_figures(full)


def crossval_entry(full: dict[str, Json]) -> dict[str, Json]:
    """A cross-validation of the bundle's recipe as the manifest holds it; `full` is what `crossval_json` gave."""
    seeds = full["seeds"]
    assert isinstance(seeds, list)
    quantised, floating = full["int8"], full["float"]
    assert isinstance(quantised, dict) and isinstance(floating, dict) and isinstance(floating["figures"], dict)
    words = ",".join(map(str, seeds))
    entry: dict[str, Json] = {
        "title": f"ecg_images {full['protocol']}, cross-validated in {full['folds']} folds, seeds {words}",
        "protocol": "models of this recipe, int8, each judged on the fold it held out; refused pages count as wrong",
        "command": f"ecgedge crossval {full['recipe']}.toml --protocol {full['protocol']} --seeds {words}",
        "recipe_sha256": full["recipe_sha256"],
        "int8_calls_as_float": full["int8_calls_as_float"],
        "float_accuracy": floating["figures"]["accuracy"],
        "float_macro_f1": floating["figures"]["macro_f1"],
    }
    return entry | flat_figures(quantised)


def flat_figures(full: dict[str, Json]) -> dict[str, Json]:
    """The figures of a card, each with its interval behind it."""
    figures, intervals = full["figures"], full["intervals_95"]
    assert isinstance(figures, dict) and isinstance(intervals, dict)
    shown: dict[str, Json] = {"pages": full["pages"], "answered": full["answered"]}
    for name, value in figures.items():
        if name.partition(":")[0] in ("accuracy", "balanced_accuracy", "macro_f1", "recall", "precision", "f1"):
            shown[name] = {"value": value, "95 %": intervals[name]}
        elif ":" not in name:
            shown[name] = value
    return shown | {"sets of 90 %": full["sets"], "confusion": _counts(full["confusion"])}


def _counts(confusion: Json) -> Json:
    assert isinstance(confusion, dict)
    return confusion["counts"]


def with_figures(bundle: Bundle, entry: dict[str, Json]) -> Bundle:
    """The bundle with an entry among its figures; an older one of the same title is replaced."""
    others = tuple(old for old in bundle.manifest.figures if old.get("title") != entry["title"])
    manifest = replace(bundle.manifest, figures=(*others, entry))
    return replace(bundle, manifest=manifest, card=render_card(manifest))
