"""Fetching, against a real server on this machine that also truncates, stalls, corrupts and refuses."""

import hashlib
import io
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgedge.catalogue import SERVER_LIST, UNPACKED_LIST, Dataset, Verification, verify
from ecgedge.downloads import Patience, fetch
from ecgedge.errors import DataError

pytest.importorskip("pooch", reason="needs the extra [data]")

QUICK = Patience(tries=4, connect_s=5.0, read_s=5.0, first_wait_s=0.01, longest_wait_s=0.02)
BLOCK = 1 << 16
BIG = bytes(range(251)) * 2000  # 502,000 bytes, several blocks


@dataclass(frozen=True)
class Fault:
    """What the server does to one answer."""

    status: int = 0
    cut_at: int = -1
    stall_at: int = -1
    corrupt: bool = False
    ignore_range: bool = False
    content_range: str = ""
    no_length: bool = False


@dataclass(frozen=True)
class Answer:
    """What the server saw and did."""

    name: str
    wanted: str
    n_sent: int


class Server(ThreadingHTTPServer):
    """Serves `files`; the n-th request for a file meets the n-th of its `faults`, or `always` that one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.always: dict[str, Fault] = {}
        self.answers: list[Answer] = []
        self.meeting: threading.Barrier | None = None
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def asked(self, name: str) -> list[Answer]:
        return [answer for answer in self.answers if answer.name == name]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = unquote(self.path.lstrip("/"))
        if self.server.meeting is not None:
            self.server.meeting.wait(timeout=3)
        faults = self.server.faults.get(name, [])
        fault = faults.pop(0) if faults else self.server.always.get(name, Fault())
        wanted = self.headers.get("Range", "")
        status = fault.status or (200 if name in self.server.files else 404)
        if status != 200:
            self.server.answers.append(Answer(name, wanted, 0))
            self.send_error(status)
            return
        self._serve(name, wanted, fault)

    def _serve(self, name: str, wanted: str, fault: Fault) -> None:
        whole = self.server.files[name]
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and not fault.ignore_range else 0
        if start >= len(whole) and start:
            self.server.answers.append(Answer(name, wanted, 0))
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(whole)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            answered = fault.content_range or f"bytes {start}-{len(whole) - 1}/{len(whole)}"
            self.send_header("Content-Range", answered)
        if not fault.no_length:
            self.send_header("Content-Length", str(len(whole) - start))
        self.end_headers()
        self._send_body(name, wanted, whole[start:], fault)

    def _send_body(self, name: str, wanted: str, body: bytes, fault: Fault) -> None:
        if fault.corrupt:
            body = bytes([body[0] ^ 1]) + body[1:]
        ends = [at for at in (fault.cut_at, fault.stall_at) if at >= 0]
        sent = body[: min(ends, default=len(body))]
        self.server.answers.append(Answer(name, wanted, len(sent)))
        self.wfile.write(sent)
        self.wfile.flush()
        if fault.stall_at >= 0:
            self.server.closing.wait(timeout=10)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield running
    running.closing.set()
    running.shutdown()
    running.server_close()


@pytest.fixture(autouse=True)
def _no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECGEDGE_MIRROR", raising=False)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sums_of(files: dict[str, bytes]) -> str:
    return "".join(f"{sha256(content)}  {name}\n" for name, content in files.items())


def made_up(server: Server, tmp_path: Path, files: dict[str, bytes]) -> Dataset:
    """A data set with pinned checksums that the server has."""
    server.files |= files
    checksums = tmp_path / "pinned.sha256"
    checksums.write_text(sums_of(files))
    return Dataset(
        name="made_up",
        title="Made-up data",
        version="1",
        licence="none",
        citation="nobody",
        doi="",
        address=server.address,
        size_bytes=sum(map(len, files.values())),
        checksums=checksums,
    )


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def quick(dataset: Dataset, folder: Path, *, patience: Patience = QUICK) -> Verification:
    return fetch(dataset, folder, patience=patience)


@pytest.fixture
def big(server: Server, tmp_path: Path) -> Dataset:
    """One file of several blocks."""
    return made_up(server, tmp_path, {"big.dat": BIG})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "made_up"


def test_fetches_every_file_and_proves_it(server: Server, tmp_path: Path, folder: Path) -> None:
    files = {f"{n}.dat": bytes([n]) * 1000 for n in range(9)} | {"sub folder/100%25#1?.hea": b"x"}
    found = quick(made_up(server, tmp_path, files), folder)
    assert found.complete
    assert set(found.good) == set(files)
    assert {name: (folder / name).read_bytes() for name in files} == files
    assert "10 by the SHA256 shipped with ecgedge" in found.proof
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == sorted(
        Path(name).name for name in files
    )


def test_what_is_there_and_right_is_not_fetched_again(server: Server, tmp_path: Path, folder: Path) -> None:
    dataset = made_up(server, tmp_path, {"a": b"aaa", "b": b"bbb"})
    folder.mkdir(parents=True)
    (folder / "a").write_bytes(b"aaa")
    assert quick(dataset, folder).complete
    assert [answer.name for answer in server.answers] == ["b"]
    assert quick(dataset, folder).complete
    assert len(server.answers) == 1


def test_a_damaged_file_that_is_there_is_replaced(big: Dataset, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "big.dat").write_bytes(BIG[:-1] + b"!")
    assert quick(big, folder).complete
    assert (folder / "big.dat").read_bytes() == BIG


def test_a_truncated_body_is_continued_by_byte_range(server: Server, big: Dataset, folder: Path) -> None:
    server.faults["big.dat"] = [Fault(cut_at=4 * BLOCK), Fault(cut_at=2 * BLOCK)]
    assert quick(big, folder).complete
    first, second, third = server.asked("big.dat")
    assert (first.wanted, second.wanted, third.wanted) == ("", f"bytes={4 * BLOCK}-", f"bytes={6 * BLOCK}-")
    assert first.n_sent + second.n_sent + third.n_sent == len(BIG)


def test_a_later_run_goes_on_where_the_first_stopped(server: Server, big: Dataset, folder: Path) -> None:
    server.faults["big.dat"] = [Fault(cut_at=5 * BLOCK)]
    with pytest.raises(DataError, match=r"big\.dat: the connection broke off; tried 1 times .* goes on where"):
        quick(big, folder, patience=replace(QUICK, tries=1))
    assert [path.name for path in folder.iterdir()] == ["big.dat.part"]
    assert quick(big, folder).complete
    assert server.asked("big.dat")[1].wanted == f"bytes={5 * BLOCK}-"
    assert [path.name for path in folder.iterdir()] == ["big.dat"]


def test_a_stall_is_noticed_within_the_time_out_and_continued(server: Server, big: Dataset, folder: Path) -> None:
    server.faults["big.dat"] = [Fault(stall_at=3 * BLOCK)]  # for 10 s
    began_s = time.monotonic()
    assert quick(big, folder, patience=replace(QUICK, read_s=1.0)).complete
    assert time.monotonic() - began_s < 8
    assert server.asked("big.dat")[1].wanted == f"bytes={3 * BLOCK}-"


def test_a_server_that_stalls_for_ever_is_named(server: Server, big: Dataset, folder: Path) -> None:
    server.always["big.dat"] = Fault(stall_at=0)
    with pytest.raises(DataError, match=r"sent nothing for 0\.1 s; tried 2 times"):
        quick(big, folder, patience=replace(QUICK, tries=2, read_s=0.1))


@pytest.mark.parametrize(
    "refusal", [Fault(ignore_range=True), Fault(content_range="bytes 0-99/100"), Fault(content_range="nonsense")]
)
def test_without_a_usable_range_it_starts_over(server: Server, big: Dataset, folder: Path, refusal: Fault) -> None:
    server.faults["big.dat"] = [Fault(cut_at=2 * BLOCK), refusal]
    assert quick(big, folder, patience=replace(QUICK, tries=2)).complete
    assert server.asked("big.dat")[1].wanted == f"bytes={2 * BLOCK}-"
    assert server.asked("big.dat")[-1].n_sent == len(BIG)


def test_a_part_that_is_whole_already_is_kept(server: Server, big: Dataset, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "big.dat.part").write_bytes(BIG)
    assert quick(big, folder).complete
    assert sum(answer.n_sent for answer in server.answers) == 0


def test_what_a_killed_run_left_is_swept_away(big: Dataset, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "tmp0ep35w0d").touch()  # as pooch names them
    (folder / "tmp0ep35w0e").write_bytes(b"not empty, so not ours")
    assert quick(big, folder).complete
    assert sorted(path.name for path in folder.iterdir()) == ["big.dat", "tmp0ep35w0e"]


def test_a_part_longer_than_the_file_is_thrown_away(server: Server, big: Dataset, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "big.dat.part").write_bytes(BIG + b"more")
    assert quick(big, folder, patience=replace(QUICK, tries=1)).complete
    assert server.asked("big.dat")[-1].n_sent == len(BIG)


def test_a_body_cut_short_without_a_length_is_fetched_again(server: Server, big: Dataset, folder: Path) -> None:
    server.faults["big.dat"] = [Fault(cut_at=2 * BLOCK, no_length=True)]
    assert quick(big, folder).complete


def test_passing_errors_are_tried_again(server: Server, big: Dataset, folder: Path) -> None:
    server.faults["big.dat"] = [Fault(status=503), Fault(status=500), Fault(status=429)]
    assert quick(big, folder).complete
    assert len(server.answers) == 4


def test_tries_are_bounded(server: Server, big: Dataset, folder: Path) -> None:
    server.always["big.dat"] = Fault(status=503)
    with pytest.raises(DataError, match=r"the server answered 503; tried 4 times"):
        quick(big, folder)
    assert len(server.answers) == QUICK.tries


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_lasting_error_is_not_tried_again(server: Server, big: Dataset, folder: Path, status: int) -> None:
    server.always["big.dat"] = Fault(status=status)
    with pytest.raises(DataError, match=rf"big\.dat: http.*big\.dat answered {status}, not 200; check --from"):
        quick(big, folder)
    assert len(server.answers) == 1


def test_corrupted_once_it_is_fetched_whole_again(server: Server, big: Dataset, folder: Path) -> None:
    server.faults["big.dat"] = [Fault(corrupt=True)]
    assert quick(big, folder).complete
    assert [(answer.wanted, answer.n_sent) for answer in server.answers] == [("", len(BIG))] * 2


def test_corrupted_always_it_is_refused_and_nothing_is_left(server: Server, big: Dataset, folder: Path) -> None:
    server.always["big.dat"] = Fault(corrupt=True)
    got = sha256(bytes([BIG[0] ^ 1]) + BIG[1:])
    with pytest.raises(DataError, match=rf"expected sha256:{sha256(BIG)}, got sha256:{got}; .*--from"):
        quick(big, folder)
    assert list(folder.iterdir()) == []
    assert len(server.answers) == 2


def test_a_corrupted_start_does_not_poison_later_runs(server: Server, big: Dataset, folder: Path) -> None:
    server.faults["big.dat"] = [Fault(cut_at=BLOCK, corrupt=True)]
    assert quick(big, folder).complete  # the part is corrupt, the rest is not: the whole is fetched again
    assert [answer.wanted for answer in server.answers] == ["", f"bytes={BLOCK}-", ""]


def test_files_are_fetched_in_parallel(server: Server, tmp_path: Path, folder: Path) -> None:
    server.meeting = threading.Barrier(4)  # opens only once four requests are there at the same time
    dataset = made_up(server, tmp_path, {f"{n}": bytes([n]) for n in range(8)})
    assert quick(dataset, folder, patience=replace(QUICK, tries=1)).complete


def test_nothing_is_logged(big: Dataset, folder: Path) -> None:
    assert (
        run_alone(f"""
from pathlib import Path
from ecgedge.catalogue import Dataset
from ecgedge.downloads import fetch
size_bytes, checksums = {big.size_bytes}, Path({str(big.checksums)!r})
dataset = Dataset("x", "x", "1", "", "", "", {big.address!r}, size_bytes=size_bytes, checksums=checksums)
assert fetch(dataset, Path({str(folder)!r})).complete
""")
        == ""
    )  # pooch would tell of every file


def test_the_first_lasting_failure_stops_the_rest(server: Server, tmp_path: Path, folder: Path) -> None:
    dataset = made_up(server, tmp_path, {f"{n}": bytes([n]) for n in range(200)})
    server.always["0"] = Fault(status=404)
    with pytest.raises(DataError, match="answered 404"):
        quick(dataset, folder)
    assert len(server.answers) < 200


def test_progress_adds_up_to_the_file_even_when_it_starts_over(server: Server, big: Dataset, folder: Path) -> None:
    server.faults["big.dat"] = [Fault(cut_at=3 * BLOCK), Fault(ignore_range=True, corrupt=True)]
    told: list[int] = []
    fetch(big, folder, patience=QUICK, advance=lambda stage, n: told.append(n) if stage == "downloading" else None)
    assert sum(told) == len(BIG)
    assert min(told) < 0


def test_no_server_at_all(big: Dataset, folder: Path) -> None:
    gone = replace(big, address="http://127.0.0.1:9/")  # the discard port: nobody listens
    with pytest.raises(DataError, match="no connection to the server; tried 4 times"):
        quick(gone, folder)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/x", "/srv/mirror", "physionet.org/files"])
def test_an_address_that_is_none(big: Dataset, folder: Path, address: str) -> None:
    with pytest.raises(DataError, match="not an http:// or https:// address"):
        fetch(big, folder, address=address, patience=QUICK)


def test_a_mirror_is_asked_instead(
    server: Server, big: Dataset, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official = replace(big, address="http://127.0.0.1:9/")
    server.files = {"ecg/made_up/big.dat": BIG, "here/big.dat": BIG}
    monkeypatch.setenv("ECGEDGE_MIRROR", f"{server.address}ecg")
    assert quick(official, folder).complete
    assert fetch(official, tmp_path / "other", address=f"{server.address}here/", patience=QUICK).complete
    assert [answer.name for answer in server.answers] == ["ecg/made_up/big.dat", "here/big.dat"]


def listed(server: Server, tmp_path: Path) -> Dataset:
    """A data set with one pinned file and one that only the server's list knows."""
    dataset = made_up(server, tmp_path, {"pinned": b"pinned"})
    server.files |= {"loose": b"loose"}
    server.files[SERVER_LIST] = sums_of({"pinned": b"evil", "loose": b"loose", "not ours": b""}).encode()
    return replace(dataset, listed=("loose",))


def test_files_without_a_pin_are_held_against_the_servers_list(server: Server, tmp_path: Path, folder: Path) -> None:
    dataset = listed(server, tmp_path)
    found = quick(dataset, folder)  # the server's line for `pinned` is wrong, and must not count
    assert found.complete
    assert "1 by the SHA256 shipped with ecgedge" in found.proof
    assert "1 checked against the server's own list" in found.proof
    assert "not against a hostile mirror" in found.proof
    assert sorted(path.name for path in folder.iterdir()) == [SERVER_LIST, "loose", "pinned"]
    n_asked = len(server.answers)
    assert quick(dataset, folder).complete
    assert len(server.answers) == n_asked


def test_a_listed_file_that_comes_damaged_is_refused(server: Server, tmp_path: Path, folder: Path) -> None:
    server.always["loose"] = Fault(corrupt=True)
    with pytest.raises(DataError, match=rf"loose: damaged 2 times: expected sha256:{sha256(b'loose')}"):
        quick(listed(server, tmp_path), folder)
    assert not (folder / "loose").exists()


def test_a_file_that_the_server_does_not_list(server: Server, tmp_path: Path, folder: Path) -> None:
    dataset = replace(listed(server, tmp_path), listed=("loose", "em.dat"))
    with pytest.raises(DataError, match=r"em\.dat: not in SHA256SUMS\.txt of the server"):
        quick(dataset, folder)


def test_a_list_that_is_a_web_page(server: Server, tmp_path: Path, folder: Path) -> None:
    dataset = listed(server, tmp_path)
    server.files[SERVER_LIST] = b"<html>please log in</html>"
    with pytest.raises(DataError, match=r"line 1: '<html>please log in</html>' is not a checksum"):
        quick(dataset, folder)


def test_a_full_disk_is_named(big: Dataset, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "big.dat.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match="No space left on device; free some space"):
        quick(big, folder)


def test_a_disk_too_small_is_named_before_the_download(server: Server, big: Dataset, folder: Path) -> None:
    with pytest.raises(DataError, match=r"MB free, 1000000000000 MB needed; free some space"):
        quick(replace(big, size_bytes=10**18), folder)
    assert server.answers == []


def test_a_file_in_place_of_the_folder(big: Dataset, folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("in the way")
    with pytest.raises(DataError, match=r"made_up: .*; choose another folder with --root"):
        quick(big, folder)


def test_a_folder_that_may_not_be_written_to(server: Server, big: Dataset) -> None:
    with pytest.raises(DataError, match="--root"):
        quick(big, Path("/proc/1/made_up"))  # refused to root as well
    assert server.answers == []


def archived(server: Server, tmp_path: Path, files: dict[str, bytes], *, top: str = "") -> Dataset:
    """A data set whose files are pinned and come in one zip that is not."""
    dataset = made_up(server, tmp_path, files)
    server.files = {"all.zip": zipped({top + name: content for name, content in files.items()} | {"README": b"?"})}
    return replace(dataset, archive="all.zip")


def unpinned(server: Server, content: bytes) -> Dataset:
    """A data set like cinc2017: a zip that the server's list knows, contents unknown."""
    server.files = {"all.zip": content, SERVER_LIST: sums_of({"all.zip": content}).encode()}
    base = Dataset("made_up", "Made-up", "1", "none", "nobody", "", server.address, size_bytes=1000)
    return replace(base, archive="all.zip")


@pytest.mark.parametrize("top", ["", "ECG Images of Patients/", "a/b/"])
def test_an_archive_gives_the_pinned_files_and_nothing_else(
    server: Server, tmp_path: Path, folder: Path, top: str
) -> None:
    files = {"Normal (1x2=2)/N(1).jpg": b"one", "MI/MI(1).jpg": b"two"}
    assert quick(archived(server, tmp_path, files, top=top), folder).complete
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(files)


def test_an_archive_is_resumed(server: Server, tmp_path: Path, folder: Path) -> None:
    noise = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(8000))
    dataset = archived(server, tmp_path, {"d/x": noise})
    server.faults["all.zip"] = [Fault(cut_at=2 * BLOCK)]
    assert quick(dataset, folder).complete
    assert server.answers[1].wanted == f"bytes={2 * BLOCK}-"


@pytest.mark.parametrize("damage", [Fault(corrupt=True), Fault(cut_at=50, no_length=True)])
def test_an_archive_damaged_once_is_fetched_again(server: Server, tmp_path: Path, folder: Path, damage: Fault) -> None:
    dataset = archived(server, tmp_path, {"d/x": b"xyz" * 1000})
    server.faults["all.zip"] = [damage]
    assert quick(dataset, folder).complete
    assert len(server.answers) == 2


@pytest.mark.parametrize(
    ("inside", "reason"),
    [({"d/x": b"other"}, "expected sha256:.*, got sha256:"), ({"d/y": b"right"}, "0 of 1 files are in it, d/x is not")],
)
def test_an_archive_that_holds_something_else(
    server: Server, tmp_path: Path, folder: Path, inside: dict[str, bytes], reason: str
) -> None:
    dataset = archived(server, tmp_path, {"d/x": b"right"})
    server.files = {"all.zip": zipped(inside)}
    with pytest.raises(DataError, match=reason):
        quick(dataset, folder)
    assert list(folder.iterdir()) == []


def test_an_unpinned_archive_keeps_a_list_of_what_it_held(server: Server, folder: Path) -> None:
    dataset = unpinned(server, zipped({"all/a.mat": b"a", "all/b.mat": b"b"}))
    found = quick(dataset, folder)
    assert found.complete
    assert set(found.good) == {"all/a.mat", "all/b.mat"}
    assert sorted(path.name for path in folder.iterdir()) == [SERVER_LIST, UNPACKED_LIST, "all"]
    (folder / "all" / "a.mat").write_bytes(b"!")
    assert verify(dataset, folder).damaged == ("all/a.mat",)
    assert quick(dataset, folder).complete
    assert (folder / "all" / "a.mat").read_bytes() == b"a"


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside-of-ecgedge", "a/../../outside", "..\\outside"])
def test_an_archive_cannot_write_outside(server: Server, folder: Path, name: str) -> None:
    dataset = unpinned(server, zipped({"all/a.mat": b"a", name: b"evil"}))
    with pytest.raises(DataError, match="leads out of the folder"):
        quick(dataset, folder)
    assert not (folder.parent / "outside").exists()
    assert not (folder / "all").exists()


def run_alone(program: str) -> str:
    """What a fresh interpreter prints, on stdout and stderr together."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=root)
    return done.stdout.strip()


def test_without_the_extra_the_core_loads_and_names_it(big: Dataset, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "big.dat").write_bytes(BIG)
    assert (
        run_alone(f"""
import sys
sys.modules["pooch"] = None
from pathlib import Path
from dataclasses import replace
from ecgedge.catalogue import CATALOGUE
from ecgedge.downloads import fetch
from ecgedge.errors import MissingDependency
dataset = replace(CATALOGUE["mitdb"], checksums=Path({str(big.checksums)!r}), size_bytes=1)
print(len(fetch(dataset, Path({str(tmp_path / "whole")!r})).good))  # nothing to fetch, nothing to miss
try:
    fetch(dataset, Path({str(tmp_path / "empty")!r}))
except MissingDependency as error:
    print(error)
""")
        == "1\npooch is not installed; run: pip install 'ecgedge[data]'"
    )


@given(st.integers(1, 60))
def test_waits_grow_and_stay_bounded(failures: int) -> None:
    patience = Patience(first_wait_s=1.0, longest_wait_s=30.0)
    expected_s = min(30.0, 2.0 ** (failures - 1))
    assert 0.5 * expected_s <= patience.wait_s(failures) <= 1.5 * expected_s
