"""`ecgedge data` as a user meets it: what it prints, and how it exits."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from ecgedge.catalogue import CATALOGUE, locate
from ecgedge.cli import run_command
from ecgedge.commands.data import data
from ecgedge.errors import DataError

REFERENCE = b"A00001,N\n"


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder; answers are not printed."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ECGEDGE_DATA, and no mirror."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("ECGEDGE_DATA", str(folder))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("ECGEDGE_MIRROR", raising=False)
    return folder


def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A small cinc2017 as a server would have it: nothing in it is pinned."""
    folder = tmp_path / "published" / "cinc2017"
    folder.mkdir(parents=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("training2017/A00001.hea", "A00001 1 300 9000\n")
        archive.writestr("training2017/A00001.mat", b"\0" * 1000)
    contents = {"training2017.zip": buffer.getvalue(), "REFERENCE-v3.csv": REFERENCE}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "SHA256SUMS.txt").write_text("".join(f"{sha256(c)} {n}\n" for n, c in contents.items()))
    return folder


@pytest.fixture
def mirror(published: Path) -> Iterator[str]:
    yield from served(published.parent)


def run(*arguments: str) -> int:
    return run_command(data, arguments, program="ecgedge")


def test_list_shows_every_data_set_and_where_it_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "nstdb").mkdir()
    (home / "nstdb" / "bw.dat").write_bytes(b"x")
    assert run("list", "--root", str(home)) == 0
    printed = capsys.readouterr().out
    assert all(dataset.title in printed and dataset.licence in printed for dataset in CATALOGUE.values())
    assert "(partial)" in printed
    assert printed.count("not here") == len(CATALOGUE) - 1


def test_list_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "nstdb").mkdir()
    (home / "nstdb" / "bw.dat").write_bytes(b"x")
    assert run("list", "--json", "--root", str(home)) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == list(CATALOGUE)
    assert rows["mitdb"]["folder"] is None
    assert rows["nstdb"]["folder"] == str(home / "nstdb")
    assert "em.dat" in rows["nstdb"]["missing"]
    assert "bw.dat" not in rows["nstdb"]["missing"]


def test_fetch_verify_path(home: Path, mirror: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fetch", "cinc2017", "--from", f"{mirror}/cinc2017") == 0
    printed = capsys.readouterr().out
    assert "cinc2017 1.0.0: verified, all 3 files are right" in printed
    assert (
        "3 checked against the server's own list (guards against corruption, not against a hostile mirror)" in printed
    )
    assert "please cite: Clifford" in printed
    assert run("verify", "cinc2017") == 0
    assert "verified, all 3" in capsys.readouterr().out
    assert run("path", "cinc2017") == 0
    assert capsys.readouterr().out == f"{home / 'cinc2017'}\n"
    assert (home / "cinc2017" / "REFERENCE-v3.csv").read_bytes() == REFERENCE


def test_the_mirror_of_the_environment(
    tmp_path: Path, mirror: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECGEDGE_MIRROR", mirror)
    assert run("fetch", "cinc2017", "--root", str(tmp_path / "there")) == 0
    assert f"folder: {tmp_path / 'there' / 'cinc2017'}" in capsys.readouterr().out


def test_fetch_uses_a_copy_that_is_there(home: Path, mirror: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fetch", "cinc2017", "--from", f"{mirror}/cinc2017") == 0
    capsys.readouterr()
    assert run("fetch", "cinc2017", "--from", "http://127.0.0.1:9/", "--tries", "1") == 0
    assert str(home) in capsys.readouterr().out


def test_fetch_uses_a_copy_that_lies_elsewhere(
    home: Path, tmp_path: Path, mirror: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = tmp_path / "shared" / "data"
    assert run("fetch", "cinc2017", "--root", str(shared), "--from", f"{mirror}/cinc2017") == 0
    (tmp_path / "checkout").mkdir()
    monkeypatch.chdir(tmp_path / "checkout")
    capsys.readouterr()
    assert run("fetch", "cinc2017", "--from", "http://127.0.0.1:9/", "--tries", "1") == 0
    assert f"folder: {shared / 'cinc2017'}" in capsys.readouterr().out
    assert list(home.iterdir()) == []


def test_a_damaged_file_fails_the_check(home: Path, mirror: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fetch", "cinc2017", "--from", f"{mirror}/cinc2017") == 0
    (home / "cinc2017" / "training2017" / "A00001.mat").write_bytes(b"\1" * 1000)
    capsys.readouterr()
    assert run("verify", "cinc2017") == 1
    captured = capsys.readouterr()
    assert "DAMAGED: 2 right, 1 damaged" in captured.out
    assert "damaged: training2017/A00001.mat" in captured.out
    assert captured.err == f"ecgedge: cinc2017 in {home / 'cinc2017'} is not whole; run: ecgedge data fetch cinc2017\n"


def test_a_partial_copy_is_called_partial_and_fails_the_check(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "nstdb").mkdir()
    (home / "nstdb" / "em.hea").write_text("em 2 360 650000\n")
    assert run("verify", "nstdb", "--root", str(home)) == 1
    printed = capsys.readouterr().out
    assert "partial: 41 missing, 1 not proved" in printed
    assert "missing: bw.dat, bw.hea, ma.dat, ma.hea, em.dat" in printed
    assert "and 33 more" in printed


def test_a_reduced_copy_is_neither_verified_nor_a_failure(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "ecg_images" / "unique").mkdir(parents=True)
    for name in ("MI(1).jpg", "MI(2).jpg"):
        (home / "ecg_images" / "unique" / name).write_bytes(b"x")
    assert run("verify", "ecg_images", "--root", str(home)) == 0
    printed = capsys.readouterr().out
    assert "reduced copy: 2 unique pictures, scaled; originals not here" in printed
    assert "verified" not in printed


@pytest.mark.parametrize("command", ["verify", "path"])
def test_what_is_not_here_is_one_line(home: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "mitdb", "--root", str(home)) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"ecgedge: mitdb: not found; looked in {home / 'mitdb'}; run: ecgedge data fetch mitdb, or set ECGEDGE_DATA\n"
    )


def test_a_server_that_lacks_it_is_one_line(mirror: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fetch", "mitdb", "--root", str(home), "--from", f"{mirror}/nothing") == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "answered 404, not 200; check --from and ECGEDGE_MIRROR" in captured.err


def test_an_unknown_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fetch", "mitbih") == 2
    assert "'mitdb'" in capsys.readouterr().err


def test_names_are_completed() -> None:
    completed = ShellComplete(data, {}, "ecgedge-data", "_X").get_completions(["fetch"], "mi")
    assert [item.value for item in completed] == ["mitdb"]


@pytest.mark.parametrize("command", ["list", "fetch", "verify", "path"])
def test_every_command_is_in_the_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    assert f"  {command} " in capsys.readouterr().out
    assert run(command, "--help") == 0
    assert "--root" in capsys.readouterr().out


def test_the_whole_mitdb_comes_over_from_a_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ECGEDGE_DATA")
    try:
        there = locate("mitdb", wanted=list(CATALOGUE["mitdb"].pinned()))
    except DataError as error:
        pytest.skip(str(error))
    for address in served(there):
        assert run("fetch", "mitdb", "--root", str(tmp_path), "--from", address) == 0
    assert "verified, all 145 files are right" in capsys.readouterr().out
