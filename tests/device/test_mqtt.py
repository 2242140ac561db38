"""Results to a real mosquitto that is killed, frozen and started again: none lost, none twice, in order."""

import itertools
import math
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from ecgedge import NOTICE
from ecgedge_device.health import Health
from ecgedge_device.report_settings import MqttSettings
from ecgedge_device.reporters import Refused, ReportError, open_reporter
from ecgedge_device.reporters.mqtt import MqttReporter
from ecgedge_device.reporters.mqtt_link import Link, Message
from ecgedge_device.results import KINDS, Result
from ecgedge_device.secrets import Secret
from tests.device.broker import Broker, Collected, free_port, needs_mosquitto, wait_for
from tests.device.certificates import make_certificates, needs_openssl
from tests.device.made_results import made

pytestmark = needs_mosquitto

PROGRAM = """
import sys, time
from ecgedge_device.health import Health
from ecgedge_device.report_settings import MqttSettings
from ecgedge_device.reporters.mqtt import MqttReporter
from tests.device.made_results import made
reporter = MqttReporter(MqttSettings(port=int(sys.argv[1])), device="child", health=Health())
reporter.send([made(k=1)])
print("sent", flush=True)
time.sleep(600)
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


def reporter_to(broker: Broker | int, health: Health | None = None, **settings: Any) -> MqttReporter:
    port = broker if isinstance(broker, int) else broker.port
    return MqttReporter(MqttSettings(port=port, **settings), device="pi", health=health or Health())


def send_until_taken(reporter: MqttReporter, results: list[Result]) -> None:
    """As the delivery does."""

    def taken() -> bool:
        try:
            reporter.send(results)
        except ReportError:
            return False
        return True

    wait_for(taken, "the broker to take them")


def batch(first: int, n: int = 30) -> list[Result]:
    return [made("minute", k, source=("ward", "bed")[k % 2]) for k in range(first, first + n)]


def ids(results: list[Result], source: str) -> list[str]:
    return [result.id for result in results if result.source == source]


def statuses(found: Collected, device: str) -> list[bytes]:
    """Those that differ from the one before, up to the first offline."""
    topic = f"ecgedge/{device}/status"
    wait_for(lambda: found.on(topic)[-1:] and found.on(topic)[-1].payload == b"offline", "offline")
    return [value for value, _ in itertools.groupby(heard.payload for heard in found.on(topic))]


def test_every_kind_comes_with_its_id_its_time_and_the_notice(broker: Broker) -> None:
    found = broker.subscribe("ecgedge/#")
    reporter = open_reporter(MqttSettings(port=broker.port), device="pi", files=Path(), health=Health())
    assert isinstance(reporter, MqttReporter)
    results = [made(kind, k, source="ward") for k, kind in enumerate(KINDS)]
    reporter.send(results)
    for result in results:
        (heard,) = found.wait(f"ecgedge/pi/ward/{result.kind}")
        entry = heard.entry
        assert (entry["id"], entry["time_utc"], entry["device"]) == (result.id, result.time_utc, "pi")
        assert entry["notice"] == NOTICE and not heard.retain
        assert all(entry[key] == value for key, value in result.content.items())
    reporter.send([])
    reporter.close()
    assert statuses(found, "pi") == [b"online", b"offline"]


def test_results_of_an_outage_come_after_it_once_per_id_and_in_order(broker: Broker) -> None:
    found = broker.subscribe("ecgedge/pi/+/minute")
    reporter = reporter_to(broker)
    first, second, third = batch(0), batch(30), batch(60)
    reporter.send(first)
    found.wait("ecgedge/pi/+/minute", 30)
    broker.kill()
    for _ in range(3):
        with pytest.raises(ReportError, match=f"mqtt 127.0.0.1:{broker.port}: .*; ") as caught:
            reporter.send(second)
        assert "\n" not in str(caught.value)
    broker.restart()
    send_until_taken(reporter, second)
    reporter.send(third)
    reporter.close()
    for source in ("ward", "bed"):
        expected = ids(first + second + third, source)
        assert found.wait_ids(f"ecgedge/pi/{source}/minute", expected) == expected


def test_a_broker_stopped_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    random.seed(7)
    results = [made("minute", k, source="ward") for k in range(600)]
    failures = 0
    # Without a limit mosquitto passes a message on before it acknowledges it, so that its own death loses none.
    with Broker(tmp_path / "broker", more=("max_inflight_messages 0",)) as broker:
        found = broker.subscribe("ecgedge/pi/ward/minute")
        reporter = reporter_to(broker)
        for start in range(0, 600, 75):
            stopper = threading.Timer(random.uniform(0, 0.03), broker.stop)
            stopper.start()
            try:
                reporter.send(results[start : start + 75])
            except ReportError:
                failures += 1
            stopper.join()
            broker.restart()
            send_until_taken(reporter, results[start : start + 75])
        reporter.close()
        expected = [result.id for result in results]
        assert found.wait_ids("ecgedge/pi/ward/minute", expected) == expected
    assert failures > 2, "the broker was hardly ever stopped in the middle"


def test_a_frozen_broker_is_told_within_20_s_and_takes_all_when_it_wakes(broker: Broker) -> None:
    found = broker.subscribe("ecgedge/pi/+/minute")
    reporter = reporter_to(broker)
    reporter.send(batch(0))
    broker.freeze()
    begun = monotonic()
    with pytest.raises(ReportError, match="does not acknowledge in time"):
        reporter.send(batch(30))
    assert monotonic() - begun < 20  # promised to the thread that waits
    broker.freeze(thaw=True)
    send_until_taken(reporter, batch(30))
    reporter.close()
    for source in ("ward", "bed"):
        expected = ids(batch(0, 60), source)
        assert found.wait_ids(f"ecgedge/pi/{source}/minute", expected) == expected


def test_the_broker_says_offline_when_the_process_is_killed(broker: Broker) -> None:
    found = broker.subscribe("ecgedge/child/status")
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(broker.port)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == b"sent\n"
        found.wait("ecgedge/child/status")
        child.kill()
        assert statuses(found, "child") == [b"online", b"offline"]
    finally:
        child.kill()
        child.wait()
    assert broker.retained("ecgedge/child/status") == {"ecgedge/child/status": b"offline"}


def test_nobody_listens_there() -> None:
    port = free_port()
    reporter = reporter_to(port)
    with pytest.raises(ReportError, match=f"mqtt 127.0.0.1:{port}: Connection refused; start the broker"):
        reporter.send(batch(0))
    reporter.close()


def test_a_wrong_password_is_told_in_one_line_without_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("guessed\n")
    with Broker(tmp_path / "broker", user="ecg", password="right") as broker:
        reporter = reporter_to(broker, user="ecg", password=Secret(f"file:{secret}"))
        with pytest.raises(ReportError, match=r"the broker refuses .*; mend user, password") as caught:
            reporter.send(batch(0))
        reporter.close()
        assert "guessed" not in str(caught.value) and "\n" not in str(caught.value)
        secret.write_text("right\n")
        reporter = reporter_to(broker, user="ecg", password=Secret(f"file:{secret}"))
        reporter.send(batch(0))
        reporter.close()
    with pytest.raises(ReportError, match=r"mqtt 127.0.0.1:1: secret file:.*No such file"):
        reporter_to(1, user="ecg", password=Secret(f"file:{tmp_path}/none"))


def test_a_broker_that_throws_away_what_it_may_not_take_is_told(tmp_path: Path) -> None:
    rights = "user ecg\ntopic read #\ntopic write ecgedge/pi/status\n"
    with Broker(tmp_path, user="ecg", password="right", rights=rights) as broker:
        secret = tmp_path / "secret"
        secret.write_text("right")
        reporter = reporter_to(broker, user="ecg", password=Secret(f"file:{secret}"))
        with pytest.raises(ReportError, match=r"throws messages away.*let user 'ecg' write to ecgedge/#"):
            reporter.send(batch(0))
        reporter.close()


@needs_openssl
def test_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path / "certificates")
    others = make_certificates(tmp_path / "others")
    with Broker(tmp_path / "broker", certificates=certificates) as broker:
        found = broker.subscribe("ecgedge/#")
        reporter = reporter_to(broker, tls=True, ca_file=certificates / "ca.pem")
        reporter.send(batch(0, 1))
        found.wait("ecgedge/pi/ward/minute")
        reporter.close()
        for ca_file in (others / "ca.pem", None):
            reporter = reporter_to(broker, tls=True, ca_file=ca_file)
            with pytest.raises(ReportError, match=r"certificate.*; give its certificate authority as ca_file"):
                reporter.send(batch(0, 1))
            reporter.close()
        reporter = reporter_to(broker, tls=False)
        with pytest.raises(ReportError, match=f"mqtt 127.0.0.1:{broker.port}: .*; look at"):
            reporter.send(batch(0, 1))
        reporter.close()
    with pytest.raises(ReportError, match=r"none.pem: No such file or directory; give"):
        reporter_to(1, tls=True, ca_file=tmp_path / "none.pem")
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(ReportError, match=r"empty.pem: .*; give"):
        reporter_to(1, tls=True, ca_file=tmp_path / "empty.pem")


def state_entries(found: Collected) -> list[dict[str, Any]]:
    return found.entries("ecgedge/pi/state")


def test_the_state_is_retained_and_told_on_a_change(broker: Broker) -> None:
    health = Health()
    health.source("ward", kind="serial", state="running")
    health.fact("free_bytes", 10)
    health.fact("temperature_c", [math.nan])
    found = broker.subscribe("ecgedge/pi/state")
    reporter = reporter_to(broker, health)
    found.wait("ecgedge/pi/state")
    health.source("ward", state="lost", trouble="unplugged")
    wait_for(lambda: state_entries(found)[-1]["sources"]["ward"]["state"] == "lost", "the change")
    kept = broker.retained("ecgedge/pi/#", 2)
    assert kept["ecgedge/pi/status"] == b"online" and b"unplugged" in kept["ecgedge/pi/state"]
    entry = state_entries(found)[-1]
    assert (
        entry["facts"] == {"free_bytes": 10, "temperature_c": [None]}
        and entry["notice"] == NOTICE
        and entry["idle_s"] >= 0
    )
    broker.restart()
    before = len(state_entries(found))
    wait_for(lambda: len(state_entries(found)) > before, "the state after the broker came back, without any result")
    reporter.close()


def test_the_last_value_is_retained_and_an_old_one_does_not_replace_it(broker: Broker) -> None:
    last = "ecgedge/pi/ward/last/minute"
    found = broker.subscribe("ecgedge/pi/ward/#")
    new, old = made("minute", 1, source="ward", ago_s=60), made("minute", 2, source="ward", ago_s=3600)
    reporter = reporter_to(broker)
    reporter.send([old, new])
    reporter.send([old])
    reporter.close()
    reporter = reporter_to(broker)  # another start learns from the broker
    reporter.send([made("minute", 3, source="ward", ago_s=1800)])
    found.wait("ecgedge/pi/ward/minute", 4)
    assert broker.retained(last).keys() == {last}
    assert [entry["id"] for entry in found.entries(last)] == [new.id]
    newest = made("minute", 4, source="ward")
    reporter.send([newest])
    assert found.wait(last, 2)[-1].entry["id"] == newest.id
    reporter.close()


def test_a_time_to_come_does_not_block_the_last_value(broker: Broker) -> None:
    found = broker.subscribe("ecgedge/pi/ward/#")
    reporter = reporter_to(broker)
    reporter.send([made("minute", 1, source="ward", ago_s=-1e8)])
    reporter.send([made("minute", 2, source="ward")])
    assert found.wait("ecgedge/pi/ward/last/minute", 2)[-1].entry["id"] == made("minute", 2, source="ward").id
    reporter.close()


def test_old_alarms_are_late_and_those_that_go_on_are_counted_over_starts(broker: Broker) -> None:
    found = broker.subscribe("ecgedge/pi/ward/#")
    reporter = reporter_to(broker)
    alarms = [
        made("alarm", 1, source="ward", ago_s=4000, rule="pause"),
        made("alarm", 2, source="ward", ago_s=3990, rule="pause", state="ends"),
        made("alarm", 3, source="ward", ago_s=10, rule="v_run"),
        made("alarm", 4, source="ward", ago_s=5, rule="rate"),
    ]
    reporter.send(alarms)
    found.wait("ecgedge/pi/ward/alarm", 4)
    assert [entry["late"] for entry in found.entries("ecgedge/pi/ward/alarm")] == [True, True, False, False]
    (last,) = found.wait("ecgedge/pi/ward/last/alarm")
    assert last.entry["active"] == ["v_run", "rate"] and last.entry["id"] == alarms[3].id
    reporter.close()
    reporter = reporter_to(broker)
    reporter.send([made("alarm", 5, source="ward", rule="v_run", state="ends")])
    assert found.wait("ecgedge/pi/ward/last/alarm", 2)[-1].entry["active"] == ["rate"]
    reporter.close()


def test_a_second_agent_with_the_same_id_is_named(broker: Broker) -> None:
    first = reporter_to(broker)
    first.send(batch(0, 2))
    second = reporter_to(broker)

    def told() -> bool:
        for reporter in (first, second):
            try:
                reporter.send(batch(0, 2))
            except ReportError as error:
                if "if another client has the id ecgedge-pi, choose another client_id" in str(error):
                    return True
        return False

    wait_for(told, "one of them to be told")
    first.close()
    second.close()


def test_a_batch_that_takes_longer_than_its_time_goes_on_where_it_stopped(broker: Broker) -> None:
    found = broker.subscribe("many")
    ours = MqttSettings(port=broker.port)
    link = Link(ours, client_id="many", status_topic="many/status", subscriptions=["none"], on_event=lambda: None)
    messages = [Message(str(k), "many", str(k)) for k in range(500)]
    failures = 0

    def taken() -> bool:
        nonlocal failures
        try:
            link.wait(limit_s=10)
            link.hand_over(messages, limit_s=0.001)
        except ReportError as error:
            failures += "slow" in str(error)
            return False
        return True

    wait_for(taken, "all of them")
    link.close("offline")
    assert failures and [int(heard.payload) for heard in found.wait("many", 500)] == list(range(500))


def test_a_state_that_cannot_be_told_is_no_secret(broker: Broker) -> None:
    health = Health()
    reporter = reporter_to(broker, health)
    reporter.send(batch(0, 2))
    health.fact("folder", Path("/"))  # type: ignore[arg-type]  # a fault of the program

    def told() -> bool:
        health.source("ward", kind="serial", state="running", trouble=str(monotonic()))
        try:
            reporter.send(batch(0, 2))
        except ReportError as error:
            return "the state cannot be told" in str(error) and "JSON" in str(error)
        return False

    wait_for(told, "the fault to be told")
    reporter.close()


def test_a_result_that_is_too_large_for_the_broker_does_not_block_the_others(tmp_path: Path) -> None:
    results = [made("alarm", k, source="ward", text="x" * (5000 if k == 2 else 5)) for k in range(5)]
    with Broker(tmp_path / "broker", more=("max_packet_size 2000",)) as broker:
        found = broker.subscribe("ecgedge/pi/ward/alarm")
        reporter = reporter_to(broker)
        with pytest.raises(Refused, match="larger than the broker takes") as caught:
            reporter.send(results)
        assert caught.value.id == results[2].id
        reporter.send(results[3:])
        reporter.close()
        rest = [result.id for result in results if result is not results[2]]
        assert found.wait_ids("ecgedge/pi/ward/alarm", rest) == rest
