"""What is said of a page's answer, as words, plain values and a picture; the same on workstation and device.

Knows nothing of command lines, stores or networks.
"""

from collections.abc import Mapping
from dataclasses import asdict

from ecgedge import NOTICE
from ecgedge.errors import InputError
from ecgedge.manifest import Json
from ecgedge.page_advice import advice_for
from ecgedge.page_engine import MAPS, PageAnswer, PageEngine
from ecgedge.paper.heat_map import draw_attention
from ecgedge.paper.page import Pixels


def headline(answer: PageAnswer, titles: Mapping[str, str]) -> str:
    """The answer in a few words: `normal, 93 %`."""
    if not answer.label:
        return "no answer"
    untested = "" if answer.tested_layout else ", UNTESTED on this layout"
    return f"{titles[answer.label]}, {100 * answer.probabilities[answer.label]:.0f} %{untested}"


def set_words(answer: PageAnswer, titles: Mapping[str, str]) -> str:
    """The classes that cannot be excluded, in a sentence."""
    return f"Cannot be excluded: {', '.join(titles[name] for name in answer.prediction_set)}."


def layout_words(answer: PageAnswer) -> str:
    """Which layout was recognised, and whether the model knows it."""
    if answer.traces is None:
        return "Layout not recognised: the model was never tested on it."
    tested = "" if answer.tested_layout else " The model was never tested on it."
    return f"Layout {answer.layout}, {100 * answer.traces.confidence:.0f} % sure.{tested}"


def gain_words(answer: PageAnswer) -> tuple[str, ...]:
    """What to say where heights in mV are not measured: one sentence, or nothing."""
    if answer.traces is None or answer.traces.gain_from == "pulse":
        return ()
    gain = f"{answer.traces.mm_per_mv:g} mm/mV"
    return (
        f"No calibration pulse was read: {gain} is assumed. Where the page says otherwise, do not use this answer.",
    )


def plain_answer(answer: PageAnswer, titles: Mapping[str, str]) -> dict[str, Json]:
    """An answer as JSON tells it."""
    return {
        "label": answer.label or None,
        "title": titles[answer.label] if answer.label else "",
        "reason": answer.reason,
        "probabilities": {name: round(value, 6) for name, value in answer.probabilities.items()},
        "titles": dict(titles),
        "prediction_set": list(answer.prediction_set),
        "advice": advice_for(answer.label, answer.prediction_set) if answer.probabilities else "",
        "layout": answer.layout or None,
        "layout_confidence": None if answer.traces is None else round(answer.traces.confidence, 4),
        "tested_layout": answer.tested_layout,
        "mm_per_mv": None if answer.traces is None else round(answer.traces.mm_per_mv, 3),
        "gain_from": None if answer.traces is None else answer.traces.gain_from,
        "quality": [{**asdict(measure), "good": measure.good} for measure in answer.page.quality],
        "seconds": {stage.name: round(stage.seconds, 4) for stage in answer.stages},
        "notice": NOTICE,
    }


def draw_answer(engine: PageEngine, answer: PageAnswer, titles: Mapping[str, str]) -> Pixels | None:
    """The page with what the model looked at for the likeliest class; None where the model was not asked.

    Raises
    ------
    InputError
        The model says nothing of what it looked at.
    """
    if not answer.probabilities:
        return None
    if MAPS not in answer.maps:
        raise InputError(f"{answer.name}: this model does not say what it looked at; use another bundle")
    likeliest = max(answer.probabilities, key=answer.probabilities.__getitem__)
    words = [set_words(answer, titles), layout_words(answer), *gain_words(answer)]
    if answer.reason:
        words.insert(0, f"No answer: {answer.reason}. Shown for {titles[likeliest]}.")
    return draw_attention(
        engine.pipeline.page_seen(answer.page, answer.traces),
        answer.traces,
        answer.maps,
        inputs=engine.pipeline.inputs,
        class_index=engine.labels.index(likeliest),
        title=f"{answer.name}: {headline(answer, titles)}",
        words=words,
    )
