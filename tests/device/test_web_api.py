"""The JSON interface, events, health and metrics, over a real store, socket and upload folder."""

import http.client
import json
import re
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
import requests
from starlette.routing import Route

from ecgedge import NOTICE
from ecgedge.formats import write_wfdb
from ecgedge.manifest import Json
from ecgedge.simulate import simulate_ecg
from ecgedge_device.live import Event
from ecgedge_device.web.app import ROUTES
from ecgedge_device.web.events import MOST_CLIENTS
from ecgedge_device.web.machine import look_at
from ecgedge_device.web.openapi import DESCRIPTION, PATHS
from tests.device.small_agent import (
    LIMIT_BYTES,
    SmallAgent,
    alarm_finding,
    jpeg,
    minute_finding,
    page_finding,
    recording_finding,
    refused_finding,
    served,
)

DEADLINE_S = 30.0


@pytest.fixture(name="agent")
def agent_fixture(tmp_path: Path) -> SmallAgent:
    return SmallAgent(tmp_path)


@pytest.fixture(name="address")
def address_fixture(agent: SmallAgent) -> Iterator[str]:
    with served(agent) as address:
        yield address


def wait(until: Callable[[], bool]) -> None:
    deadline_s = monotonic() + DEADLINE_S
    while not until():
        assert monotonic() < deadline_s, "did not happen"
        sleep(0.02)


def waiting(agent: SmallAgent) -> list[Path]:
    return sorted(path for path in agent.inbox.glob("*/*") if not path.parent.name.startswith("."))


def test_openapi_and_routes_agree() -> None:
    described = {(path, method.upper()) for path, one in PATHS.items() for method in dict(one)}  # type: ignore[call-overload]
    pages = ("/", "/picture", "/take", "/progress/{id}", "/results", "/results/{id}", "/state", "/login", "/logout")
    served_ones = {
        (route.path, method)
        for route in ROUTES
        if isinstance(route, Route) and route.path not in (*pages, "/favicon.ico")
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described == served_ones


def test_openapi_is_whole(address: str) -> None:
    found = requests.get(f"{address}/api/openapi.json").json()
    assert found == json.loads(json.dumps(DESCRIPTION)) and found["info"]["description"] == NOTICE
    references = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(found))
    assert set(references) <= set(found["components"]["schemas"])
    for path, operations in found["paths"].items():
        for operation in operations.values():
            named = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), path


def test_answers_fit_their_schemas(agent: SmallAgent, address: str) -> None:
    finding = page_finding()
    agent.add(finding)
    schemas = DESCRIPTION["components"]["schemas"]  # type: ignore[index,call-overload]
    for path, name in {
        "/api/results": "Results",
        f"/api/results/{finding.id}": "Result",
        "/api/state": "State",
    }.items():
        answer = requests.get(address + path).json()
        assert set(schemas[name]["required"]) <= set(answer), name  # type: ignore[index,call-overload,arg-type]
        assert answer["notice"] == NOTICE


def test_results_are_listed_filtered_and_paged(agent: SmallAgent, address: str) -> None:
    findings = [minute_finding(60.0 * k) for k in range(70)]
    agent.add(*findings, page_finding(), alarm_finding(), page_finding(label="normal"), refused_finding())
    kinds = [one["kind"] for one in requests.get(f"{address}/api/results?limit=5").json()["results"]]
    assert kinds == ["page", "page", "alarm", "page", "minute"]
    mi = requests.get(f"{address}/api/results", {"label": "mi"}).json()
    assert [one["label"] for one in mi["results"]] == ["mi"] and mi["before"] is None
    assert requests.get(f"{address}/api/results", {"source": "camera"}).json()["results"] == []
    seen: list[str] = []
    before: int | None = None
    while True:
        asked = {"kind": "minute", "source": "bed-1"} | ({"before": str(before)} if before else {})
        answer = requests.get(f"{address}/api/results", asked).json()
        seen += [one["id"] for one in answer["results"]]
        before = answer["before"]
        if before is None:
            break
    assert seen == [finding.id for finding in reversed(findings)]


@pytest.mark.parametrize("query", ["kind=beat", "kind=x", "before=-1", "before=x", "limit=0", "limit=501", "limit=1e3"])
def test_impossible_filters(address: str, query: str) -> None:
    answer = requests.get(f"{address}/api/results?{query}")
    assert answer.status_code == 422 and query.partition("=")[0] in answer.json()["error"]


@pytest.mark.parametrize("path", ["/api/results/nothing", "/api/results/00000000-0000-4000-8000-000000000000"])
def test_unknown_results(address: str, path: str) -> None:
    for end in ("", "/report.pdf", "/files/picture"):
        answer = requests.get(address + path + end)
        assert answer.status_code == 404 and list(answer.json()) == ["error"]
    page = requests.get(address + path.removeprefix("/api"))
    assert page.status_code == 404 and "text/html" in page.headers["Content-Type"] and NOTICE in page.text


def test_files_of_results_are_served_and_no_others(agent: SmallAgent, address: str, tmp_path: Path) -> None:
    content = jpeg()
    (tmp_path / "secret.jpg").write_bytes(content)
    good = page_finding(files={"picture": agent.files.keep("picture", "a", content)})
    outside = page_finding(files={"picture": "../../secret.jpg", "drawn": str(tmp_path / "secret.jpg")})
    database = page_finding(files={"picture": "../ecgedge.sqlite", "drawn": "pictures"})
    agent.add(good, outside, database)
    answer = requests.get(f"{address}/api/results/{good.id}/files/picture")
    assert answer.content == content and answer.headers["Content-Type"] == "image/jpeg"
    assert requests.get(f"{address}/api/results/{good.id}/files/drawn").status_code == 404
    for finding in (outside, database):
        for role in ("picture", "drawn"):
            assert requests.get(f"{address}/api/results/{finding.id}/files/{role}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/results/{id}/files/..%2f..%2fecgedge.sqlite",
        "/api/results/{id}/files/../../../state/ecgedge.sqlite",
        "/static/..%2fapp.py",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/",
        "/static",
        "/templates/base.html",
        "//etc/passwd",
    ],
)
def test_no_way_out_of_the_folders(agent: SmallAgent, address: str, path: str) -> None:
    finding = page_finding(files={"picture": agent.files.keep("picture", "a", jpeg())})
    agent.add(finding)
    with closing(http.client.HTTPConnection(address.removeprefix("http://"))) as connection:
        connection.request("GET", path.format(id=finding.id))  # as it is: requests would tidy it up
        assert connection.getresponse().status in (307, 404)


def test_a_picture_is_taken_in(agent: SmallAgent, address: str) -> None:
    content = jpeg()
    answer = requests.post(f"{address}/api/pictures", files={"file": ("a page.jpg", content)})
    assert answer.status_code == 202
    uid = answer.json()["id"]
    assert [path.read_bytes() for path in waiting(agent)] == [content] and waiting(agent)[0].parent.name == uid
    assert requests.get(address + answer.json()["state"]).json() == {"id": uid, "state": "waiting"}
    raw = requests.post(f"{address}/api/pictures?source=upload", content, headers={"Content-Type": "image/jpeg"})
    assert raw.status_code == 202 and len(waiting(agent)) == 2


def test_a_judged_upload_says_so(agent: SmallAgent, address: str) -> None:
    finding = page_finding()
    agent.add(finding)
    state = requests.get(f"{address}/api/pictures/{finding.id}").json()
    assert state["state"] == "judged" and requests.get(address + state["result"]).json()["label"] == "mi"


def test_a_wfdb_record_is_taken_in_whole(agent: SmallAgent, address: str, tmp_path: Path) -> None:
    parts = write_wfdb(simulate_ecg(5.0, seed=1), tmp_path)
    files = [("file", (part.name, part.read_bytes())) for part in parts]
    answer = requests.post(f"{address}/api/pictures", files=files)
    assert answer.status_code == 202 and len(answer.json()["ids"]) == 1
    assert {path.name for path in waiting(agent)} == {part.name for part in parts}
    alone = [one for one in files if one[1][0].endswith(".dat")]
    assert requests.post(f"{address}/api/pictures", files=alone).status_code == 422


@pytest.mark.parametrize(
    ("name", "content", "status", "words"),
    [
        ("page.exe", b"MZ", 415, "page.exe: .exe is no picture or recording; known are .jpg"),
        ("page", b"x", 415, "no suffix"),
        ("page.jpg", b"not a picture", 422, "page.jpg: "),
        ("page.png", jpeg()[:100], 422, "cut off"),
        ("page.jpg", b"", 422, "empty"),
        ("page.svg", b"<svg/>", 415, ".svg"),
        ("../../etc/cron.jpg", b"no", 422, "cron.jpg: "),
    ],
)
def test_what_is_not_taken(agent: SmallAgent, address: str, name: str, content: bytes, status: int, words: str) -> None:
    answer = requests.post(f"{address}/api/pictures", files={"file": (name, content)})
    error = answer.json()["error"]
    assert answer.status_code == status and words in error and "\n" not in error and waiting(agent) == []


def test_other_bodies(address: str) -> None:
    url = f"{address}/api/pictures"
    assert requests.post(url, b"x", headers={"Content-Type": "application/pdf"}).status_code == 415
    assert requests.post(url, b"x").status_code == 415
    assert requests.post(url, data={"a": "b"}, files={"other": ("a.jpg", jpeg())}).status_code == 422
    assert requests.post(url, b"--x", headers={"Content-Type": "multipart/form-data; boundary=x"}).status_code == 422
    assert requests.post(url, b"x", headers={"Content-Type": "multipart/form-data"}).status_code == 422
    assert requests.post(f"{url}?source=camera", files={"file": ("a.jpg", jpeg())}).status_code == 404
    assert requests.get(url).status_code == 405


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "image/jpeg"])
def test_too_large(agent: SmallAgent, address: str, chunked: bool, kind: str) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    pieces = [head] * kind.startswith("multi") + [b"\xff" * 50_000] * (2 * LIMIT_BYTES // 50_000)
    body = iter(pieces) if chunked else b"".join(pieces)
    answer = requests.post(f"{address}/api/pictures", body, headers={"Content-Type": kind})
    assert answer.status_code == 413
    assert "larger than 0.3 MB, the limit; send a smaller file" in answer.json()["error"]
    assert waiting(agent) == []


def test_a_file_between_the_limits_is_refused(agent: SmallAgent, address: str) -> None:
    answer = requests.post(f"{address}/api/pictures", files={"file": ("a.jpg", b"\xff" * (LIMIT_BYTES + 1))})
    assert answer.status_code == 413 and waiting(agent) == []


def test_the_camera_is_triggered(agent: SmallAgent, address: str, tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_bytes(jpeg())
    taken: list[str] = []
    watcher = threading.Thread(target=lambda: taken.extend(work.name for work in agent.camera), daemon=True)
    watcher.start()
    assert requests.post(f"{address}/api/sources/camera/trigger").json() == {"triggered": "camera"}
    assert requests.post(f"{address}/api/sources/upload/trigger").status_code == 404
    agent.stop.wait(0.3)
    agent.stop.set()
    watcher.join(DEADLINE_S)
    assert taken == ["page.jpg"]


def test_state_tells_everything(agent: SmallAgent, address: str) -> None:
    agent.health.fact("disk_full", "")
    state = requests.get(f"{address}/api/state").json()
    assert state["sources"]["bed-1"]["state"] == "waiting" and state["reporters"]["json-lines"]["waiting"] == 3
    assert state["machine"]["free_bytes"] > 0 and state["machine"]["memory_bytes"] > 10_000_000
    assert state["models"]["page"]["version"] and "macro F1" in state["models"]["page"]["figures"]
    page = requests.get(f"{address}/state").text
    for words in ("bed-1", "json-lines", "macro F1", "Running for", NOTICE):
        assert words in page


def test_the_hottest_zone_counts(tmp_path: Path) -> None:
    for number, text in enumerate(("41200\n", "52750\n", "broken\n")):
        (tmp_path / f"thermal_zone{number}").mkdir()
        (tmp_path / f"thermal_zone{number}" / "temp").write_text(text)
    assert look_at(tmp_path / "store", thermal=tmp_path).temperature_c == 52.75
    assert look_at(tmp_path / "store", thermal=tmp_path / "none").temperature_c is None


def test_readiness_follows_sources_and_store(agent: SmallAgent, address: str) -> None:
    assert requests.get(f"{address}/readyz").json() == {"ready": True, "reasons": []}
    agent.health.source("bed-1", state="lost", trouble="/dev/ttyACM0: unplugged")
    lost = requests.get(f"{address}/readyz")
    assert lost.status_code == 503 and lost.json()["reasons"] == ["source bed-1 is lost: /dev/ttyACM0: unplugged"]
    agent.health.source("bed-1", state="running", trouble="")
    assert requests.get(f"{address}/readyz").status_code == 200
    with closing(sqlite3.connect(agent.store_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        held = requests.get(f"{address}/readyz")
    assert held.status_code == 503 and "cannot be written (database is locked)" in held.json()["reasons"][0]
    assert requests.get(f"{address}/healthz").status_code == 200


def test_metrics_are_as_prometheus_wants_them(agent: SmallAgent, address: str) -> None:
    agent.health.count("upload", judged=7, refused=2)
    answer = requests.get(f"{address}/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", answer.text, re.M))
    assert len(kinds) > 12
    units = ("_seconds", "_bytes", "_total", "_celsius", "_results", "_watchers", "_retries", "_up", "_info")
    for name, kind in kinds.items():
        assert name.startswith("ecgedge_") and name.endswith(units)
        assert (kind == "counter") == name.endswith("_total")
    for line in answer.text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) .+|\w+(\{(\w+="[^"]*",?)+\})? -?[0-9.e+-]+', line), line
    assert 'ecgedge_judged_total{source="upload"} 7' in answer.text
    assert 'ecgedge_outbox_results{reporter="json-lines"} 3' in answer.text
    assert 'ecgedge_source_up{source="bed-1"} 1' in answer.text


@contextmanager
def watching(address: str, query: str = "") -> Iterator[Iterator[tuple[str, dict[str, object]]]]:
    """Topic and data of the events that come."""
    with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=DEADLINE_S)) as connection:
        connection.request("GET", f"/api/events{query}")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield events_of(answer)
        assert connection.sock is not None
        connection.sock.shutdown(socket.SHUT_RDWR)


def events_of(answer: http.client.HTTPResponse) -> Iterator[tuple[str, dict[str, object]]]:
    topic = ""
    for line in answer:
        key, _, value = line.decode().strip().partition(": ")
        if key == "event":
            topic = value
        elif key == "data":
            yield topic, json.loads(value)


def test_events_reach_who_watches(agent: SmallAgent, address: str) -> None:
    assert not agent.live.watched
    with watching(address, "?source=bed-1") as events:
        wait(lambda: agent.live.watched)
        agent.live.publish(Event("beats", "other", {"fs_hz": 250.0, "beats": []}))
        agent.live.publish(Event("signal", "bed-1", {"start": 0, "fs_hz": 125.0, "lead": "II", "mv": [0.1, None]}))
        topic, data = next(events)
    assert topic == "signal"
    assert data == {"start": 0, "fs_hz": 125.0, "lead": "II", "mv": [0.1, None], "source": "bed-1"}
    wait(lambda: not agent.live.watched)  # nobody looks any more: nothing is made


def test_a_slow_watcher_is_let_go_and_holds_up_nobody(agent: SmallAgent, address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    samples: list[Json] = list(range(3000))
    with closing(socket.create_connection((host, int(port)))) as slow:
        slow.sendall(f"GET /api/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())  # and never reads
        wait(lambda: agent.live.watched)
        with watching(address) as events:
            for number in range(1500):
                agent.live.publish(Event("signal", "bed-1", {"start": number, "mv": samples}))
                if number % 20 == 0:  # the quick one keeps up
                    while next(events)[1]["start"] != number:
                        pass
            wait(lambda: "ecgedge_web_watchers 1\n" in requests.get(f"{address}/metrics").text)
    wait(lambda: not agent.live.watched)


def test_only_so_many_watch(agent: SmallAgent, address: str) -> None:
    watchers = [requests.get(f"{address}/api/events", stream=True) for _ in range(MOST_CLIENTS)]
    late = requests.get(f"{address}/api/events")
    assert late.status_code == 503 and f"{MOST_CLIENTS} can; close a page" in late.json()["error"]
    for watcher in watchers:
        watcher.close()
    wait(lambda: not agent.live.watched)


def test_the_server_stops_while_somebody_watches(tmp_path: Path) -> None:
    agent = SmallAgent(tmp_path)
    with served(agent) as address:
        answer = requests.get(f"{address}/api/events", stream=True, timeout=DEADLINE_S)
        wait(lambda: agent.live.watched)
    assert list(answer.iter_lines())[-1] in (b"", b"retry: 2000")  # ended, not cut off
    wait(lambda: "web" not in {thread.name for thread in threading.enumerate()})


def test_pages_show_every_kind_with_the_notice(agent: SmallAgent, address: str) -> None:
    findings = [page_finding(), page_finding(label=None), refused_finding(), minute_finding(), alarm_finding()]
    findings += [recording_finding(), alarm_finding("ends"), page_finding(name="<script>alert(1)</script>")]
    agent.add(*findings)
    words = ["Myocardial infarction, 91 %", "No answer", "Take it from above", "72/min, 66 N, 5 V", "Pause of 3.4 s"]
    words += ["lead off from 3 s to 9 s", "Ended: Pause", "&lt;script&gt;alert(1)"]
    for finding, expected in zip(findings, words, strict=True):
        page = requests.get(f"{address}/results/{finding.id}").text
        assert expected in page and page.count(NOTICE) >= 2 and "<script>alert" not in page, expected
    history = requests.get(f"{address}/results").text
    assert history.count('class="line"') == len(findings) and NOTICE in history
    assert requests.get(f"{address}/results?kind=alarm").text.count('class="line"') == 2
    assert "No result fits" in requests.get(f"{address}/results?source=camera").text


def test_older_results_are_a_page_away(agent: SmallAgent, address: str) -> None:
    agent.add(*(minute_finding(60.0 * k) for k in range(40)))
    first = requests.get(f"{address}/results").text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None and first.count('class="line"') == 30
    second = requests.get(address + older[1].replace("&amp;", "&")).text
    assert second.count('class="line"') == 10 and 'rel="next"' not in second and "Newest" in second


def test_forms_work_without_script(agent: SmallAgent, address: str, tmp_path: Path) -> None:
    browser = requests.Session()
    page = browser.get(f"{address}/picture").text
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert csrf is not None
    sent = browser.post(f"{address}/picture", {"csrf": csrf[1]}, files={"file": ("a.jpg", jpeg())})
    assert "/progress/" in sent.url and "Waiting for its turn" in sent.text and len(waiting(agent)) == 1
    wrong = browser.post(f"{address}/picture", {"csrf": csrf[1]}, files={"file": ("a.exe", b"x")})
    assert wrong.status_code == 415 and "A.exe: .exe is no picture" in wrong.text
    (tmp_path / "page.jpg").write_bytes(jpeg())
    assert browser.post(f"{address}/take", {"csrf": csrf[1], "source": "camera"}).url == f"{address}/"


def test_logs_tell_no_ids_or_names(agent: SmallAgent, address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    finding = page_finding(name="patient.jpg")
    agent.add(finding)
    requests.get(f"{address}/results/{finding.id}")
    requests.post(f"{address}/api/pictures", files={"file": ("patient.jpg", jpeg())})
    own = [record.getMessage() for record in caplog.records if not record.name.startswith(("urllib3", "asyncio"))]
    assert not [line for line in own if finding.id in line or "patient" in line]
