"""Alarms of pages: a class that was asked for begins one, the next answered page without it ends it."""

from collections.abc import Collection, Mapping
from typing import cast

from ecgedge.manifest import Json
from ecgedge_device.settings import AlarmSettings

RULE = "page_"
"""Beginning of the rule's name; the class follows."""


def page_alarms(
    page: Mapping[str, Json], settings: AlarmSettings, *, open_rules: Collection[str]
) -> list[dict[str, Json]]:
    """What a judged page begins and ends, as results tell it; a page without an answer neither.

    Parameters
    ----------
    page : content of its result
    open_rules : alarms of the same source that have begun and not ended
    """
    label = page["label"]
    if not isinstance(label, str):
        return []
    share = cast(Mapping[str, float], page["probabilities"])[label]
    title = cast(Mapping[str, str], page["titles"])[label]
    words = f"{title}, {100 * share:.0f} %"
    raised = f"{RULE}{label}" if label in settings.page_classes and share >= settings.page_probability else ""
    ended = [rule for rule in open_rules if rule.startswith(RULE) and rule != raised]
    found = [_alarm(rule, "ends", share, settings, f"the next page: {words}") for rule in sorted(ended)]
    return [*found, _alarm(raised, "begins", share, settings, words)] if raised else found


def _alarm(rule: str, state: str, share: float, settings: AlarmSettings, text: str) -> dict[str, Json]:
    return {
        "rule": rule,
        "state": state,
        "time_s": 0.0,
        "value": round(share, 4),
        "limit": settings.page_probability,
        "unit": "probability",
        "text": text,
    }
