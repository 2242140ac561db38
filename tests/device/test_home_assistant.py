"""What Home Assistant hears from a real broker: entities, their values by its own template language, its birth."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ecgedge import NOTICE, __version__
from ecgedge_device.health import Health
from ecgedge_device.report_settings import MqttSettings
from ecgedge_device.reporters.home_assistant import announcements
from ecgedge_device.reporters.mqtt import MqttReporter
from ecgedge_device.results import Result
from tests.device.broker import Broker, Collected, needs_mosquitto, wait_for
from tests.device.made_results import made, refused_page

CONFIGS = "homeassistant/+/ecgedge-pi/+/config"
BASE = "ecgedge/pi"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def health() -> Health:
    found = Health()
    found.source("ward", kind="serial", state="running")
    found.source("desk", kind="camera", state="waiting")
    return found


def configs(found: Collected) -> dict[str, dict[str, Any]]:
    return {heard.topic.split("/")[3]: heard.entry for heard in found.on(CONFIGS)}


def by_id(sources: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {
        topic.split("/")[3]: json.loads(json.dumps(config))
        for topic, config in announcements("homeassistant", BASE, device="pi", sources=sources)
    }


def rendered(config: dict[str, Any], payload: dict[str, Any]) -> str:
    """As Home Assistant does, with the two of its functions that the templates use."""
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.globals |= {
        "now": lambda: datetime.now(UTC),
        "as_timestamp": lambda at: (datetime.fromisoformat(at) if isinstance(at, str) else at).timestamp(),
    }
    return str(environment.from_string(config["value_template"]).render(value_json=payload))


@needs_mosquitto
def test_sensors_are_announced_retained_and_again_at_the_birth(broker: Broker, health: Health) -> None:
    found = broker.subscribe(CONFIGS)
    reporter = MqttReporter(MqttSettings(port=broker.port), device="pi", health=health)
    wait_for(lambda: len(configs(found)) == 10, "ten entities")
    assert configs(found) == by_id({"ward": "serial", "desk": "camera"})
    assert len(broker.retained(CONFIGS, 10)) == 10
    n = len(found.on(CONFIGS))
    broker.publish("homeassistant/status", "offline")
    broker.publish("homeassistant/status", "online")
    found.wait(CONFIGS, n + 10)
    health.source("attic", kind="folder", state="starting")
    wait_for(lambda: len(configs(found)) == 17, "a source that came later")
    assert {"attic-heart_rate", "attic-page_class", "attic-state"} <= configs(found).keys()
    n = len(found.on(CONFIGS))
    broker.restart()
    found.wait(CONFIGS, n + 17)
    reporter.close()


@needs_mosquitto
def test_a_source_that_is_gone_is_taken_back_after_a_while(broker: Broker, health: Health) -> None:
    reporter = MqttReporter(MqttSettings(port=broker.port), device="pi", health=health)
    broker.retained(CONFIGS, 10)
    reporter.close()
    other = "homeassistant/sensor/ecgedge-pi2/ward-state/config"
    broker.publish(other, "{}", retain=True)
    found = broker.subscribe("homeassistant/#")
    health = Health()
    health.source("desk", kind="camera", state="waiting")
    reporter = MqttReporter(MqttSettings(port=broker.port), device="pi", health=health, state_s=1)
    gone = lambda: {heard.topic.split("/")[3] for heard in found.on(CONFIGS) if not heard.payload}  # noqa: E731
    wait_for(lambda: len(gone()) == 4, "the four entities of the ward to be taken back")
    assert all(name.startswith("ward-") for name in gone())
    reporter.close()
    kept = broker.retained("homeassistant/#", 7)
    assert len(kept) == 7 and other in kept


@needs_mosquitto
def test_no_discovery_where_it_is_not_wished(broker: Broker, health: Health) -> None:
    found = broker.subscribe("#")
    reporter = MqttReporter(MqttSettings(port=broker.port, discovery=False), device="pi", health=health)
    found.wait(f"{BASE}/state")
    reporter.send([made("minute", source="ward")])
    found.wait(f"{BASE}/ward/last/minute")
    reporter.close()
    assert not found.on(CONFIGS)


@needs_mosquitto
def test_the_topics_of_the_entities_are_those_that_are_published(broker: Broker, health: Health) -> None:
    found = broker.subscribe(f"{BASE}/#")
    reporter = MqttReporter(MqttSettings(port=broker.port), device="pi", health=health)
    reporter.send([made("minute", source="ward"), made("alarm", source="ward"), made("alarm", 1, source="desk")])
    reporter.send([made("page", source="desk")])
    named = by_id({"ward": "serial", "desk": "camera"}).values()
    for topic in {config[key] for config in named for key in ("state_topic", "availability_topic") if key in config}:
        found.wait(topic)
    state = found.on(f"{BASE}/state")[-1].entry
    assert rendered(by_id({"ward": "serial"})["ward-state"], state) == "running"
    reporter.close()


def test_every_entity_is_whole_and_of_its_own() -> None:
    found = by_id({"ward": "serial", "desk": "camera", "attic": "folder"})
    assert len({config["unique_id"] for config in found.values()}) == len(found) == 17
    for name, config in found.items():
        assert config["device"]["identifiers"] == ["ecgedge-pi"] and config["device"]["manufacturer"] == "ecgedge"
        assert config["device"]["sw_version"] == config["origin"]["sw_version"] == __version__
        assert NOTICE in config["device"]["model"]
        assert name == "agent" or config["availability_topic"] == f"{BASE}/status"
    assert found["agent"]["device_class"] == "connectivity" and found["ward-alarm"]["device_class"] == "problem"
    assert found["ward-state"]["entity_category"] == "diagnostic" and "lost" in found["ward-state"]["options"]
    assert found["ward-heart_rate"]["expire_after"] > 60
    assert "ward-page_class" not in found and "desk-heart_rate" not in found


def payload(result: Result, **more: Any) -> dict[str, Any]:
    return {"time_utc": result.time_utc, "stored_utc": result.stored_utc, **result.content, **more}


def test_what_was_measured_long_ago_is_not_shown_as_the_value_of_now() -> None:
    found = by_id({"ward": "serial"})
    new, old, none = (
        made("minute"),
        made("minute", ago_s=3600),
        made("minute", heart_rate_bpm=None, ectopic_burden=None),
    )
    for name, value in (("ward-heart_rate", "71.4"), ("ward-ectopic_burden", "5.63")):
        assert rendered(found[name], payload(new)) == value
        assert rendered(found[name], payload(old)) == "None"
        assert rendered(found[name], payload(none)) == "None"
    unknown = payload(old) | {"time_utc": ""}  # a recording without a clock, judged just now
    assert rendered(found["ward-heart_rate"], unknown) == "71.4"


def test_pages_and_alarms_in_the_words_of_home_assistant() -> None:
    found = by_id({"desk": "camera"})
    page, refused = payload(made("page")), payload(refused_page())
    assert rendered(found["desk-page_class"], page) == "myocardial infarction"
    assert rendered(found["desk-page_probability"], page) == "81.0"
    assert rendered(found["desk-page_time"], page) == page["time_utc"]
    assert rendered(found["desk-page_class"], refused).startswith("the picture is too blurred")
    assert rendered(found["desk-page_probability"], refused) == "None"
    assert len(rendered(found["desk-page_class"], refused | {"reason": "x" * 999})) == 255
    assert rendered(found["desk-alarm"], {"active": ["mi"]}) == "ON"
    assert rendered(found["desk-alarm"], {"active": []}) == "OFF"
