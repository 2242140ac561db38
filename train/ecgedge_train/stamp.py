"""Write measured figures into a bundle, so that its card says what was measured, on whom, and how to repeat it."""

from dataclasses import replace

from ecgedge.bundle import Bundle
from ecgedge.card import render_card
from ecgedge.manifest import Json
from ecgedge_train.evaluate import Evaluation


def stamped(bundle: Bundle, evaluation: Evaluation, *, data: str, split: str, split_sha256: str) -> Bundle:
    """The bundle with this evaluation among its figures; an older one of the same kind is replaced."""
    entry = figures_entry(evaluation, data=data, split=split, split_sha256=split_sha256)
    others = tuple(old for old in bundle.manifest.figures if old.get("title") != entry["title"])
    manifest = replace(bundle.manifest, figures=(*others, entry))
    return replace(bundle, manifest=manifest, card=render_card(manifest))


def figures_entry(evaluation: Evaluation, *, data: str, split: str, split_sha256: str) -> dict[str, Json]:
    """One evaluation as the manifest holds it; shares rounded to four places."""
    figures = evaluation.figures
    skipped = f" --skip-first-s {evaluation.skipped_s:g}" if evaluation.skipped_s else ""
    entry: dict[str, Json] = {
        "title": f"{data} {split}, {evaluation.peaks} R-peaks{skipped}",
        "protocol": "inter-patient (de Chazal et al. 2004, 10.1109/TBME.2004.827359), int8, on this model part",
        "command": f"ecgedge evaluate BUNDLE --data {data} --split {split} --peaks {evaluation.peaks}{skipped}",
        "split_sha256": split_sha256,
        "records": len(evaluation.confusion),
        "beats": figures.beats,
        "beats_q_left_out": evaluation.paced_or_unknown,
        "accuracy": round(figures.accuracy, 4),
        "kappa": round(figures.kappa, 4),
        "j": round(figures.j, 4),
        "jk": round(figures.jk, 4),
        "macro_f1": round(figures.macro_f1, 4),
        "sensitivity": {name: round(value, 4) for name, value in figures.sensitivity.items()},
        "ppv": {name: round(value, 4) for name, value in figures.ppv.items()},
        "confusion": evaluation.total.tolist(),
    }
    for name, (low, high) in evaluation.intervals().items():
        entry[f"{name} 95 % interval over patients"] = [round(low, 3), round(high, 3)]
    return entry
