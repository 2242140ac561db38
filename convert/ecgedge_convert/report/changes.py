"""What was done to a network before its numbers were rewritten, in words, from the facts that conversion left."""

from collections.abc import Mapping

from ecgedge.manifest import Json

CONVERSION = "conversion"
"""Key of the conversion's facts among those of the training."""


def changes_of(training: Mapping[str, Json]) -> tuple[str, ...]:
    """One phrase a change, in the order they were made; empty for a network as it was trained."""
    facts = training.get(CONVERSION)
    if not isinstance(facts, dict):
        return ()
    variant = facts.get("variant")
    asked = variant if isinstance(variant, dict) else facts
    weights = (_channels(asked), _teachers(asked), _prune(asked), _cluster(asked), _qat(asked))
    decided = _decided(facts.get("decision")) if any(weights) else ""
    return tuple(phrase for phrase in (*weights, _kept(asked), decided) if phrase)


def _channels(asked: Mapping[str, Json]) -> str:
    share = _number(asked.get("channels"), 1.0)
    return f"{100 * share:.0f} % of the channels kept" if share < 1 else ""


def _teachers(asked: Mapping[str, Json]) -> str:
    names = asked.get("teachers")
    if not isinstance(names, list) or not names:
        return ""
    return f"taught by {len(names)} other model{'s' if len(names) > 1 else ''}"


def _prune(asked: Mapping[str, Json]) -> str:
    share = _number(asked.get("prune"), 0.0)
    return f"{100 * share:.0f} % of the weights set to zero" if share > 0 else ""


def _cluster(asked: Mapping[str, Json]) -> str:
    count = _number(asked.get("cluster"), 0.0)
    return f"{count:.0f} different weights a layer" if count > 0 else ""


def _qat(asked: Mapping[str, Json]) -> str:
    return "trained on with the rounding in view" if asked.get("qat") is True else ""


def _kept(asked: Mapping[str, Json]) -> str:
    names = asked.get("keep_float")
    if not isinstance(names, list) or not names:
        return ""
    return f"{len(names)} layer{'s' if len(names) > 1 else ''} left in float"


def _decided(facts: Json) -> str:
    """Whose calibration it has; before it was stated, that of the unchanged network."""
    again = isinstance(facts, dict) and "temperature" in facts
    return "calibrated again" if again else "calibration of the unchanged network"


def _number(value: Json, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
