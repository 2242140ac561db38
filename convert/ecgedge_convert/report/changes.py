"""What was done to a network before its numbers were rewritten, in words, from the facts that conversion left."""

from collections.abc import Mapping

from ecgedge.manifest import Json

CONVERSION = "conversion"
"""Key of the conversion's facts among those of the training."""
OWN = "its own"
"""Calibration that was fitted by what the network itself says."""


def changes_of(training: Mapping[str, Json]) -> tuple[str, ...]:
    """One phrase a change, in the order they were made; empty for a network as it was trained."""
    asked = _asked(training)
    return tuple(phrase for phrase in (*_weights(asked), _kept(asked)) if phrase)


def calibration_of(training: Mapping[str, Json]) -> str:
    """By whose answers temperature and sets were fitted; an older bundle does not say, it has the unchanged ones."""
    facts = training.get(CONVERSION)
    decided = facts.get("decision") if isinstance(facts, dict) else None
    again = isinstance(decided, dict) and "temperature" in decided
    return OWN if again or not any(_weights(_asked(training))) else "of the unchanged network"


def _asked(training: Mapping[str, Json]) -> Mapping[str, Json]:
    facts = training.get(CONVERSION)
    if not isinstance(facts, dict):
        return {}
    variant = facts.get("variant")
    return variant if isinstance(variant, dict) else facts


def _weights(asked: Mapping[str, Json]) -> tuple[str, ...]:
    return (_channels(asked), _teachers(asked), _prune(asked), _cluster(asked), _qat(asked))


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


def _number(value: Json, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
