"""Results posted to a real HTTP server that checks signatures, refuses, is slow, and comes back."""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from ecgedge import NOTICE
from ecgedge_device.health import Health
from ecgedge_device.report_settings import WebhookSettings
from ecgedge_device.reporters import Refused, ReportError, open_reporter
from ecgedge_device.reporters.webhook import WebhookReporter
from ecgedge_device.results import KINDS
from ecgedge_device.secrets import Secret
from tests.device.broker import free_port
from tests.device.certificates import make_certificates, needs_openssl
from tests.device.http_server import Reply, Request, Server
from tests.device.made_results import made

RESULTS = [made("minute", k) for k in range(5)]
KEY = b"a key of the receiver"


def reporter_to(server: Server | str, **settings: Any) -> WebhookReporter:
    url = server if isinstance(server, str) else f"{server.url}/hook?ward=3"
    return WebhookReporter(WebhookSettings(url=url, **settings), device="pi")


def told(server: Server) -> list[str]:
    return [request.headers["x-ecgedge-id"] for request in server.requests]


def answers(*statuses: int) -> Callable[[Request], Reply]:
    """One after the other, the last for ever."""
    left = list(statuses)
    return lambda _: Reply(left.pop(0) if len(left) > 1 else left[0])


def test_every_kind_is_one_post_with_its_id() -> None:
    with Server() as server:
        reporter = open_reporter(
            WebhookSettings(url=f"{server.url}/hook?ward=3"), device="pi", files=Path(), health=Health()
        )
        results = [made(kind, k) for k, kind in enumerate(KINDS)]
        reporter.send(results)
        reporter.close()
    assert told(server) == [result.id for result in results]
    for request, result in zip(server.requests, results, strict=True):
        entry = json.loads(request.body)
        assert (request.method, request.path) == ("POST", "/hook?ward=3")
        assert request.headers["idempotency-key"] == result.id == entry["id"]
        assert request.headers["content-type"] == "application/json"
        assert "x-ecgedge-signature" not in request.headers
        assert (entry["device"], entry["notice"], entry["time_utc"]) == ("pi", NOTICE, result.time_utc)
    assert len({request.connection for request in server.requests}) == 1


def genuine(request: Request) -> bool:
    """As the documentation of the module tells a receiver to do it, written anew."""
    import hashlib
    import hmac

    stamp = request.headers["x-ecgedge-timestamp"]
    mac = hmac.new(KEY, stamp.encode() + b"." + request.body, hashlib.sha256).hexdigest()
    fresh = abs(time.time() - int(stamp)) < 300
    return fresh and hmac.compare_digest(request.headers["x-ecgedge-signature"], f"sha256={mac}")


def test_the_receiver_can_check_the_signature_and_a_wrong_key_loses_nothing(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"another key\n")
    with Server(lambda request: Reply(204 if genuine(request) else 401)) as server:
        reporter = reporter_to(server, secret=Secret(f"file:{key}"))
        with pytest.raises(ReportError, match="401 Unauthorized; put the right key") as caught:
            reporter.send(RESULTS)
        assert not isinstance(caught.value, Refused) and "another key" not in str(caught.value)
        key.write_bytes(KEY + b"\n")  # mended while the agent runs
        reporter.send(RESULTS)
        assert told(server)[1:] == [result.id for result in RESULTS]
        key.unlink()
        with pytest.raises(ReportError, match=r"secret file:.*No such file"):
            reporter.send(RESULTS)
        reporter.close()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_sent_again_and_what_was_taken_is_not(status: int) -> None:
    with Server(answers(200, 200, status, 200)) as server:
        reporter = reporter_to(server)
        with pytest.raises(ReportError, match=f"{server.url}: {status} .*; it is sent again") as caught:
            reporter.send(RESULTS)
        assert not isinstance(caught.value, Refused) and "\n" not in str(caught.value)
        reporter.send(RESULTS)
        reporter.close()
    ids = [result.id for result in RESULTS]
    assert told(server) == [*ids[:3], *ids[2:]]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 413, 422])
def test_what_is_never_taken_is_given_up_by_its_id(status: int) -> None:
    with Server(answers(200, 200, status, 200)) as server:
        reporter = reporter_to(server)
        with pytest.raises(Refused, match=f"{server.url}: {status} ") as caught:
            reporter.send(RESULTS)
        assert caught.value.id == RESULTS[2].id and RESULTS[2].id in str(caught.value)
        reporter.send(RESULTS[3:])  # as the delivery goes on
        reporter.close()
    assert told(server) == [result.id for result in RESULTS]


def test_a_redirect_is_not_followed_and_loses_nothing() -> None:
    with Server() as other, Server(lambda _: Reply(308, (("Location", f"{other.url}/new"),))) as server:
        reporter = reporter_to(server, secret=Secret(""))
        with pytest.raises(ReportError, match=f"308 .*points to {other.url}/new; put the right url") as caught:
            reporter.send(RESULTS)
        assert not isinstance(caught.value, Refused)
        reporter.close()
        assert len(server.requests) == 1 and not other.requests


def test_the_pause_that_the_receiver_asks_for_is_kept() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(days=2), usegmt=True)
    for asked, least in (("30", 29), ("86400", 59), (later, 59)):
        with Server(lambda _, asked=asked: Reply(429, (("Retry-After", asked),))) as server:
            reporter = reporter_to(server)
            with pytest.raises(ReportError, match=rf"429 .*; it is sent again after {least + 1} s"):
                reporter.send(RESULTS)
            with pytest.raises(ReportError, match=r"asks for a pause, (\d+) s of it are left"):
                reporter.send(RESULTS)
            assert len(server.requests) == 1
            reporter.close()
    for asked in ("0", "soon", "-5", "Sat, 01 Jan 2000 00:00:00 GMT"):
        with Server() as server:
            first = iter([Reply(503, (("Retry-After", asked),))])
            server.answer = lambda _, first=first: next(first, Reply())
            reporter = reporter_to(server)
            with pytest.raises(ReportError, match="503"):
                reporter.send(RESULTS)
            reporter.send(RESULTS)
            reporter.close()


def test_a_slow_receiver_is_given_up_byte_by_byte_too() -> None:
    go_on = threading.Event()
    slow = Reply(body=b"x" * 10_000, pieces=lambda: go_on.wait(0.1))
    silent = Reply(pieces=lambda: go_on.wait(60), body=b"x", early=False)
    for reply in (slow, silent):
        with Server(lambda _, reply=reply: reply) as server:
            reporter = reporter_to(server, timeout_s=0.5)
            with pytest.raises(ReportError, match=r"no answer in 0\.5 s; look at it, or raise timeout_s"):
                reporter.send(RESULTS)
            go_on.set()
            server.answer = lambda _: Reply()
            reporter.send(RESULTS)
            reporter.close()
            assert told(server)[1:] == [result.id for result in RESULTS]
        go_on.clear()


def test_a_receiver_that_is_away_gets_all_when_it_is_back() -> None:
    port = free_port()
    reporter = reporter_to(f"http://127.0.0.1:{port}/hook")
    with pytest.raises(ReportError, match=f"http://127.0.0.1:{port}: Connection refused; start the receiver"):
        reporter.send(RESULTS)
    with Server(port=port) as server:
        reporter.send(RESULTS[:2])
    with pytest.raises(ReportError):
        reporter.send(RESULTS[2:])
    with Server(port=port) as again:
        reporter.send(RESULTS[2:])
    reporter.close()
    assert told(server) + told(again) == [result.id for result in RESULTS]


def test_a_connection_that_is_cut() -> None:
    with Server(lambda _: Reply(cut=True)) as server:
        reporter = reporter_to(server)
        with pytest.raises(ReportError, match="the connection was cut; look at the receiver"):
            reporter.send(RESULTS)
        server.answer = lambda _: Reply(hang_up=True)  # after each answer, without having said so
        reporter.send(RESULTS)
        reporter.close()
    assert list(dict.fromkeys(told(server))) == [result.id for result in RESULTS]


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with Server(lambda _: Reply(body=b"x" * 200_000)) as server:
        reporter = reporter_to(server)
        reporter.send(RESULTS[:2])
        reporter.close()
        assert told(server) == [result.id for result in RESULTS[:2]]


@needs_openssl
def test_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path / "certificates")
    with Server(certificates=certificates) as server:
        reporter = reporter_to(server, ca_file=certificates / "ca.pem")
        reporter.send(RESULTS)
        reporter.close()
        assert told(server) == [result.id for result in RESULTS]
        reporter = reporter_to(server)
        with pytest.raises(ReportError, match=r"certificate.*; give its certificate authority as ca_file"):
            reporter.send(RESULTS)
        reporter = reporter_to(server.url.replace("https", "http"))
        with pytest.raises(ReportError, match=f"http://127.0.0.1:{server.port}: "):
            reporter.send(RESULTS)
    with pytest.raises(ReportError, match=r"none\.pem: No such file"):
        reporter_to("https://127.0.0.1", ca_file=tmp_path / "none.pem")


@pytest.mark.parametrize("url", ["http://user:word@host/", "http://:80", "http://host:99999/", "http://a b/"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ReportError, match="url") as caught:
        reporter_to(url)
    assert "user:word" not in str(caught.value)


def test_a_name_that_nobody_knows() -> None:
    reporter = reporter_to("http://ecgedge.invalid/")
    with pytest.raises(ReportError, match=r"http://ecgedge\.invalid:80: .*; look at") as caught:
        reporter.send(RESULTS)
    assert "\n" not in str(caught.value)
