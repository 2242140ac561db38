"""Who may see the web page: loopback, token, users, sessions, forms of our own; real requests to a real server."""

import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest
import requests
from starlette.routing import Route

from ecgedge.errors import SettingsError
from ecgedge_device.secrets import Secret
from ecgedge_device.settings import WebSettings
from ecgedge_device.web.access import Access, is_loopback
from ecgedge_device.web.app import ROUTES
from ecgedge_device.web.headers import POLICY
from ecgedge_device.web.server import WebServer
from ecgedge_device.web.sessions import Sessions
from ecgedge_device.web.throttle import Throttle
from ecgedge_device.web.users import add_user, read_users
from tests.device.small_agent import SmallAgent, jpeg, page_finding, served

TOKEN = "a-token-of-the-tests"
PASSWORD = "a good long password"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
POSTS = [route.path for route in ROUTES if isinstance(route, Route) and "POST" in (route.methods or ())]
GETS = [route.path for route in ROUTES if isinstance(route, Route) and "GET" in (route.methods or ())]
FREE = ("/login", "/healthz", "/readyz", "/favicon.ico")


@pytest.fixture(name="token")
def token_fixture(tmp_path: Path) -> Secret:
    path = tmp_path / "web.token"
    path.write_text(TOKEN + "\n")
    return Secret(f"file:{path}")


@pytest.fixture(name="users", scope="module")
def users_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("users") / "users.txt"
    add_user(path, "anna", PASSWORD)
    return path


@pytest.fixture(name="guarded")
def guarded_fixture(tmp_path: Path, token: Secret, users: Path) -> Iterator[str]:
    own = tmp_path / "users.txt"
    own.write_text(users.read_text())
    with served(SmallAgent(tmp_path, WebSettings(port=0, token=token, users=own))) as address:
        yield address


def log_in(address: str, password: str = PASSWORD, *, after: str = "/") -> tuple[requests.Session, requests.Response]:
    browser = requests.Session()
    form = CSRF.search(browser.get(f"{address}/login").text)
    assert form is not None
    sent = {"csrf": form[1], "name": "anna", "password": password, "next": after}
    return browser, browser.post(f"{address}/login", sent, allow_redirects=False)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "ward.example"])
def test_beyond_loopback_it_wants_token_or_users(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingsError, match=r"^\[web\] address = .* give token or users") as refused:
        WebServer(SmallAgent(tmp_path, WebSettings(address=address, port=0)))
    assert "\n" not in str(refused.value)


def test_beyond_loopback_it_listens_with_a_token(tmp_path: Path, token: Secret) -> None:
    with served(SmallAgent(tmp_path, WebSettings(address="0.0.0.0", port=0, token=token))) as address:
        port = address.rpartition(":")[2]
        assert requests.get(f"http://127.0.0.1:{port}/api/state").status_code == 401


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("", False)],
)
def test_loopback_is_told(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


def test_a_short_token_and_an_empty_users_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short")
    with pytest.raises(SettingsError, match="token of 5 characters; it needs 16"):
        Access(WebSettings(token=Secret(f"file:{tmp_path / 'token'}")))
    (tmp_path / "users").write_text("# nobody\n")
    with pytest.raises(SettingsError, match="names no user"):
        Access(WebSettings(users=tmp_path / "users"))


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with served(SmallAgent(tmp_path)) as address:
        port = int(address.rpartition(":")[2])
        with pytest.raises(SettingsError, match=f"port {port}: Address already in use; choose another"):
            WebServer(SmallAgent(tmp_path / "other", WebSettings(port=port)))


@pytest.mark.parametrize("path", [path for path in GETS if path not in FREE])
def test_nothing_is_shown_to_strangers(guarded: str, path: str) -> None:
    answer = requests.get(guarded + path.format(id="x", role="picture", name="camera"), allow_redirects=False)
    if path.startswith("/api/") or path == "/metrics":
        assert answer.status_code == 401 and answer.json()["error"] and answer.headers["WWW-Authenticate"] == "Bearer"
    else:
        assert answer.status_code == 303 and answer.headers["Location"].startswith("/login")


def test_what_strangers_may_ask(guarded: str) -> None:
    assert requests.get(f"{guarded}/healthz").text == "ok\n"
    assert requests.get(f"{guarded}/readyz").json() == {"ready": True, "reasons": []}
    assert requests.get(f"{guarded}/static/style.css").status_code == 200
    assert requests.get(f"{guarded}/login").status_code == 200


def test_the_token_opens_and_a_wrong_one_does_not(guarded: str) -> None:
    right, wrong = ({"Authorization": f"Bearer {text}"} for text in (TOKEN, TOKEN + "x"))
    assert requests.get(f"{guarded}/api/state", headers=right).json()["device"] == "ward-3"
    answer = requests.get(f"{guarded}/api/state", headers=wrong)
    assert answer.status_code == 401 and "wrong token" in answer.json()["error"]
    assert requests.get(f"{guarded}/", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401


def test_guessing_tokens_is_stopped(guarded: str) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    codes = [requests.get(f"{guarded}/api/state", headers=wrong).status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    late = requests.get(f"{guarded}/api/state", headers={"Authorization": f"Bearer {TOKEN}"})
    assert late.status_code == 429 and int(late.headers["Retry-After"]) > 200


def test_log_in_and_out(guarded: str) -> None:
    browser, answer = log_in(guarded)
    assert answer.status_code == 303 and answer.headers["Location"] == "/"
    page = browser.get(f"{guarded}/")
    assert page.status_code == 200 and "Log out anna" in page.text
    assert browser.get(f"{guarded}/api/state").status_code == 200
    kept = dict(browser.cookies)
    form = CSRF.search(page.text)
    assert form is not None
    assert browser.post(f"{guarded}/logout", {"csrf": form[1]}).url.endswith("/login")
    assert requests.get(f"{guarded}/api/state", cookies=kept).status_code == 401


def test_a_login_makes_a_new_cookie_with_its_flags(guarded: str) -> None:
    browser = requests.Session()
    before = browser.get(f"{guarded}/login")
    _, answer = log_in(guarded)
    for found in (before, answer):
        cookie = found.headers["Set-Cookie"]
        assert "; HttpOnly" in cookie and "; SameSite=Strict" in cookie and "; Path=/" in cookie
        assert "Max-Age=43200" in cookie and "Secure" not in cookie
    assert answer.headers["Set-Cookie"].partition(";")[0] != before.headers["Set-Cookie"].partition(";")[0]


def test_wrong_passwords_are_counted(guarded: str) -> None:
    codes = [log_in(guarded, "a wrong password")[1].status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    _, late = log_in(guarded)
    assert late.status_code == 429 and "too many failed logins" in late.text.lower() and late.headers["Retry-After"]


@pytest.mark.parametrize("after", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", ""])
def test_a_login_leads_nowhere_else(guarded: str, after: str) -> None:
    assert log_in(guarded, after=after)[1].headers["Location"] == "/"


def test_a_removed_user_is_out_at_once(tmp_path: Path, users: Path) -> None:
    own = tmp_path / "users.txt"
    own.write_text(users.read_text())
    with served(SmallAgent(tmp_path, WebSettings(port=0, users=own))) as address:
        browser, _ = log_in(address)
        assert browser.get(f"{address}/api/state").status_code == 200
        own.write_text("# nobody\n")
        assert browser.get(f"{address}/api/state").status_code == 401
        own.unlink()
        assert browser.get(f"{address}/api/state").status_code == 503


def test_without_users_the_token_is_the_password(tmp_path: Path, token: Secret) -> None:
    with served(SmallAgent(tmp_path, WebSettings(port=0, token=token))) as address:
        assert log_in(address, "no token at all")[1].status_code == 401
        browser, answer = log_in(address, TOKEN)
        assert answer.status_code == 303 and browser.get(f"{address}/api/state").status_code == 200


def test_sessions_end() -> None:
    sessions = Sessions(session_h=0.05 / 3600)
    cookie = sessions.begin("anna", "hash")
    assert sessions.find(cookie) is not None and sessions.find(cookie + "x") is None
    while sessions.find(cookie) is not None:
        sleep(0.01)
    assert Sessions(1.0).csrf_token(cookie) != Sessions(1.0).csrf_token(cookie)


def test_all_addresses_together_are_limited() -> None:
    throttle = Throttle(per_address=5, overall=8, window_s=0.2)
    for number in range(8):
        assert throttle.wait_s(f"192.0.2.{number}", overall=True) == 0
        throttle.failed(f"192.0.2.{number}")
    assert throttle.wait_s("198.51.100.1", overall=True) > 0
    assert throttle.wait_s("198.51.100.1", overall=False) == 0
    while throttle.wait_s("198.51.100.1", overall=True):
        sleep(0.02)


def test_attempts_count_before_they_are_judged() -> None:
    throttle = Throttle(per_address=3, overall=100)
    assert [throttle.attempt("192.0.2.1") > 0 for _ in range(5)] == [False] * 3 + [True] * 2
    throttle.succeeded("192.0.2.1")
    assert throttle.attempt("192.0.2.1") == 0


def test_one_ipv6_network_is_one_address() -> None:
    throttle = Throttle(per_address=2, overall=100)
    for number in range(2):
        throttle.failed(f"2001:db8::{number}")
    assert throttle.wait_s("2001:db8::77", overall=False) > 0
    assert throttle.wait_s("2001:db8:1::77", overall=False) == 0


@pytest.mark.parametrize("path", POSTS)
def test_every_form_needs_its_token(tmp_path: Path, path: str) -> None:
    with served(SmallAgent(tmp_path)) as address:
        (tmp_path / "page.jpg").write_bytes(jpeg())
        browser = requests.Session()
        browser.get(f"{address}/")
        url = address + path.format(name="camera")
        files = {"file": ("page.jpg", jpeg(), "image/jpeg")}
        for headers, data in (({}, {}), ({"X-CSRF-Token": "0" * 64}, {}), ({}, {"csrf": "0" * 64})):
            answer = browser.post(url, data, files=files, headers=headers, allow_redirects=False)
            assert answer.status_code == 403, (path, headers, data)
        other = requests.Session().get(f"{address}/picture").text
        stolen = CSRF.search(other)
        assert stolen is not None
        assert browser.post(url, {"csrf": stolen[1]}, files=files, allow_redirects=False).status_code == 403
        own = CSRF.search(browser.get(f"{address}/picture").text)
        assert own is not None
        headers = {"X-CSRF-Token": own[1]}
        assert (
            browser.post(url, {"source": "camera"}, files=files, headers=headers, allow_redirects=False).status_code
            != 403
        )


FOREIGN = (
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Host": "evil.example"},
    {"Host": "["},
    {"Host": "localhost@evil.example"},
    {"Host": "127.0.0.1.evil.example"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_page_cannot_use_the_open_page(tmp_path: Path, headers: dict[str, str]) -> None:
    with served(SmallAgent(tmp_path)) as address:
        (tmp_path / "page.jpg").write_bytes(jpeg())
        assert requests.post(f"{address}/api/sources/camera/trigger").status_code == 202
        answer = requests.post(f"{address}/api/sources/camera/trigger", headers=headers)
        assert answer.status_code == 403 and answer.json()["error"]
        if "Host" in headers:  # a name that someone else made point here
            assert requests.get(f"{address}/api/results", headers=headers).status_code == 403


@pytest.mark.parametrize("path", [*GETS, "/static/style.css", "/nothing", "/static/", "/api/nothing"])
def test_every_answer_is_safe(tmp_path: Path, path: str) -> None:
    agent = SmallAgent(tmp_path)
    finding = page_finding(files={"picture": agent.files.keep("picture", "a", jpeg())})
    agent.add(finding)
    with served(agent) as address:
        filled = path.format(id=finding.id, role="picture", name="camera")
        with requests.get(address + filled, allow_redirects=False, stream=True) as answer:
            assert answer.status_code < 500
            headers = answer.headers
    assert headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY and "default-src 'none'" in POLICY and "frame-ancestors 'none'" in POLICY
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == ("no-cache" if path.startswith("/static/") else "no-store")


def test_a_crash_is_safe_too(tmp_path: Path) -> None:
    with served(SmallAgent(tmp_path)) as address:
        lost = requests.post(f"{address}/api/sources/camera/trigger")  # no picture lies under this camera
        assert lost.status_code == 503 and lost.json()["error"] == "page.jpg: not there; lay a page under the camera"
        (tmp_path / "page.jpg").mkdir()
        answer = requests.post(f"{address}/api/sources/camera/trigger")
        assert answer.status_code == 500 and set(answer.json()) == {"error"}
        assert str(tmp_path) not in answer.text and answer.headers["Content-Security-Policy"] == POLICY


def test_users_file(tmp_path: Path) -> None:
    path = tmp_path / "users.txt"
    add_user(path, "anna", PASSWORD)
    add_user(path, "ben", PASSWORD)
    first = read_users(path)
    assert list(first) == ["anna", "ben"] and PASSWORD not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    add_user(path, "anna", PASSWORD + "2")
    assert read_users(path)["anna"] != first["anna"] and read_users(path)["ben"] == first["ben"]
    with pytest.raises(SettingsError, match="password of 5 characters; it must have 10"):
        add_user(path, "carl", "short")
    with pytest.raises(SettingsError, match="user = 'Ca:rl'"):
        add_user(path, "Ca:rl", PASSWORD)
    path.write_text("anna:plain text\n")
    with pytest.raises(SettingsError, match="line 1: no NAME:ARGON2-HASH"):
        read_users(path)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here to make a certificate with")
def test_tls(tmp_path: Path, token: Secret) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    request = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", "req", *request, *names, *files], check=True, capture_output=True)
    web = WebSettings(port=0, token=token, tls_cert=cert, tls_key=key)
    with served(SmallAgent(tmp_path, web)) as address:
        assert address.startswith("https://")
        answer = requests.get(f"{address}/login", verify=str(cert))
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-ecgedge=") and "; Secure" in cookie
        assert "max-age" in answer.headers["Strict-Transport-Security"]
    key.write_text("no key")
    with pytest.raises(SettingsError, match=r"\[web\] tls_cert = .*check both"):
        WebServer(SmallAgent(tmp_path / "other", web))
