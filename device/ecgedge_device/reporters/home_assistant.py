"""What Home Assistant is told so that it shows a device: one retained configuration per entity.

Per entity rather than per device, since that is what every version and its imitators read. Knows nothing of brokers.
"""

from collections.abc import Mapping
from typing import get_args

from ecgedge import NOTICE, __version__
from ecgedge.manifest import Json
from ecgedge_device.health import SourceState
from ecgedge_device.reporters.last_values import LATE_S

BIRTH = b"online"
"""What Home Assistant publishes on PREFIX/status when it has started."""
_EXPIRE_S = 180  # three times the interval of minutes and of the state
_NO_SIGNAL = ("camera", "webcam")
_NO_PAGES = ("serial", "stdin", "replay")
_FRESH = (
    "{% set at = value_json.time_utc or value_json.stored_utc %}"
    f"{{% if at and as_timestamp(now()) - as_timestamp(at) < {LATE_S:g} %}}"
)
"""What was measured long ago is not shown as the value of now."""

Entity = tuple[str, str, dict[str, Json]]
"""Component, object id, configuration."""


def announcements(
    prefix: str, base: str, *, device: str, sources: Mapping[str, str]
) -> list[tuple[str, dict[str, Json]]]:
    """Topics and their configurations.

    Parameters
    ----------
    prefix : of Home Assistant's discovery
    base : beginning of the topics of this device
    device : name of this device
    sources : name -> kind
    """
    entities = [_agent(base)]
    for name, kind in sources.items():
        entities += _source(base, name, kind)
    common: dict[str, Json] = {
        "qos": 1,
        "device": {
            "identifiers": [f"ecgedge-{device}"],
            "name": f"ecgedge {device}",
            "manufacturer": "ecgedge",
            "model": f"ECG agent. {NOTICE}",
            "sw_version": __version__,
        },
        "origin": {"name": "ecgedge", "sw_version": __version__},
    }
    return [
        (f"{prefix}/{component}/ecgedge-{device}/{object_id}/config", _identified(device, object_id) | config | common)
        for component, object_id, config in entities
    ]


def _identified(device: str, object_id: str) -> dict[str, Json]:
    return {"unique_id": f"ecgedge-{device}-{object_id}"}


def _agent(base: str) -> Entity:
    config: dict[str, Json] = {
        "name": "Agent",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "state_topic": f"{base}/status",
        "payload_on": "online",
        "payload_off": "offline",
    }
    return "binary_sensor", "agent", config


def _source(base: str, source: str, kind: str) -> list[Entity]:
    entities = [_state(base, source), _alarm(base, source)]
    if kind not in _NO_SIGNAL:
        entities += [_heart_rate(base, source), _burden(base, source)]
    if kind not in _NO_PAGES:
        entities += [_page_class(base, source), _page_probability(base, source), _page_time(base, source)]
    available: dict[str, Json] = {"availability_topic": f"{base}/status"}
    return [(component, f"{source}-{name}", config | available) for component, name, config in entities]


def _state(base: str, source: str) -> Entity:
    config: dict[str, Json] = {
        "name": f"{source} state",
        "device_class": "enum",
        "options": list(get_args(SourceState)),
        "entity_category": "diagnostic",
        "state_topic": f"{base}/state",
        "value_template": f"{{{{ value_json.sources['{source}'].state }}}}",
        "expire_after": _EXPIRE_S,
    }
    return "sensor", "state", config


def _alarm(base: str, source: str) -> Entity:
    config = _last(base, source, "alarm") | {
        "name": f"{source} alarm",
        "device_class": "problem",
        "value_template": "{{ 'ON' if value_json.active else 'OFF' }}",
    }
    return "binary_sensor", "alarm", config


def _heart_rate(base: str, source: str) -> Entity:
    config = _last(base, source, "minute") | {
        "name": f"{source} heart rate",
        "icon": "mdi:heart-pulse",
        "unit_of_measurement": "bpm",
        "state_class": "measurement",
        "suggested_display_precision": 0,
        "value_template": _FRESH + "{{ value_json.heart_rate_bpm }}{% else %}None{% endif %}",
        "expire_after": _EXPIRE_S,
    }
    return "sensor", "heart_rate", config


def _burden(base: str, source: str) -> Entity:
    share = "value_json.ectopic_burden"
    config = _last(base, source, "minute") | {
        "name": f"{source} ectopic burden",
        "icon": "mdi:heart-flash",
        "unit_of_measurement": "%",
        "state_class": "measurement",
        "suggested_display_precision": 1,
        "value_template": f"{_FRESH}{{{{ (100 * {share}) | round(2) if {share} is not none else none }}}}"
        "{% else %}None{% endif %}",
        "expire_after": _EXPIRE_S,
    }
    return "sensor", "ectopic_burden", config


def _page_class(base: str, source: str) -> Entity:
    config = _last(base, source, "page") | {
        "name": f"{source} last page",
        "icon": "mdi:file-document-outline",
        "value_template": "{{ (value_json.title or value_json.reason or 'no answer')[:255] }}",
    }
    return "sensor", "page_class", config


def _page_probability(base: str, source: str) -> Entity:
    given = "value_json.probabilities.get(value_json.label)"
    config = _last(base, source, "page") | {
        "name": f"{source} last page probability",
        "icon": "mdi:percent",
        "unit_of_measurement": "%",
        "suggested_display_precision": 0,
        "value_template": f"{{{{ (100 * {given}) | round(1) if {given} is not none else none }}}}",
    }
    return "sensor", "page_probability", config


def _page_time(base: str, source: str) -> Entity:
    config: dict[str, Json] = {
        "name": f"{source} last page taken",
        "device_class": "timestamp",
        "state_topic": f"{base}/{source}/last/page",
        "value_template": "{{ value_json.time_utc or value_json.stored_utc }}",
    }
    return "sensor", "page_time", config


def _last(base: str, source: str, kind: str) -> dict[str, Json]:
    topic = f"{base}/{source}/last/{kind}"
    return {"state_topic": topic, "json_attributes_topic": topic}
