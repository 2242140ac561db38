"""Files that come to their places together: real processes killed on the way, folders held, and what is cleared."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ecgedge.errors import BundleError
from ecgedge_convert.staging import move_in, staged

N_FILES = 200
MOVES = f"""
import sys
from pathlib import Path
from ecgedge_convert.staging import move_in, staged
place = Path(sys.argv[1])

def told(word):
    print(word, flush=True)
    sys.stdin.readline()

def gone():
    told("moved")
    yield place / "refused"

with staged(place / ".staging"):
    for k in range({N_FILES}):
        (place / ".staging" / f"{{k:04}}").write_text("new" * 1000)
    (place / ".staging/summary").write_text("new")
    told("written")
    move_in(place / ".staging", place, last="summary", gone=gone())
"""


def folder_of_an_earlier_call(place: Path) -> None:
    for k in range(N_FILES):
        (place / f"{k:04}").write_text("old" * 1000)
    for name in ("summary", "refused", "another"):
        (place / name).write_text("old")


def content(place: Path) -> list[str]:
    return [(place / f"{k:04}").read_text() for k in range(N_FILES)]


@pytest.mark.parametrize("moment", ["written", "moving", "moved"])
def test_a_kill_leaves_whole_files(moment: str, tmp_path: Path) -> None:
    folder_of_an_earlier_call(tmp_path)
    command = [sys.executable, "-c", MOVES, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as mover:
        assert mover.stdin is not None and mover.stdout is not None
        assert mover.stdout.readline() == "written\n"
        if moment != "written":
            mover.stdin.write("go\n")
            mover.stdin.flush()
        if moment == "moved":
            assert mover.stdout.readline() == "moved\n"
        while moment == "moving" and (tmp_path / "0000").read_text() == "old" * 1000:
            assert mover.poll() is None
        mover.send_signal(signal.SIGKILL)
    assert mover.returncode == -signal.SIGKILL
    found = content(tmp_path)
    assert set(found) == {"written": {"old" * 1000}, "moved": {"new" * 1000}}.get(moment, set(found))
    assert set(found) <= {"old" * 1000, "new" * 1000}
    assert (tmp_path / "summary").exists() == (moment == "written"), "a summary of files that are not there"
    assert (tmp_path / "refused").exists() and (tmp_path / ".staging").exists()
    with staged(tmp_path / ".staging"):
        assert not list((tmp_path / ".staging").iterdir()), "what the killed one left is cleared"
    assert not (tmp_path / ".staging").exists() and content(tmp_path) == found


def test_all_are_moved_and_what_nothing_replaces_is_removed(tmp_path: Path) -> None:
    folder_of_an_earlier_call(tmp_path)
    subprocess.run(
        [sys.executable, "-c", MOVES, tmp_path], input="go\ngo\n", check=True, text=True, capture_output=True
    )
    assert set(content(tmp_path)) == {"new" * 1000} and (tmp_path / "summary").read_text() == "new"
    assert not (tmp_path / "refused").exists() and not (tmp_path / ".staging").exists()
    assert (tmp_path / "another").read_text() == "old"


def test_an_error_inside_leaves_nothing_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), staged(tmp_path / ".staging"):
        (tmp_path / ".staging/a").write_text("new")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_text() == "old"


def test_one_that_works_there_is_not_disturbed(tmp_path: Path) -> None:
    with staged(tmp_path / ".staging"):
        (tmp_path / ".staging/a").write_text("new")
        said = "another ecgedge convert writes there; wait for its end"
        with pytest.raises(BundleError, match=said), staged(tmp_path / ".staging"):
            raise AssertionError
        assert (tmp_path / ".staging/a").read_text() == "new"
        move_in(tmp_path / ".staging", tmp_path)
    assert (tmp_path / "a").read_text() == "new"


def test_a_folder_removed_by_its_holder_is_made_again(tmp_path: Path) -> None:
    """The lock of a folder that is no longer there holds nothing."""
    folder = tmp_path / ".staging"
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    folder.rmdir()
    with staged(folder):
        (folder / "a").write_text("new")
    os.close(handle)


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="cannot be made"), staged(tmp_path / "file/.staging"):
        raise AssertionError
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(BundleError, match="cannot be made"), staged(tmp_path / "link"):
        raise AssertionError
    (tmp_path / "b/inside").mkdir(parents=True)
    with pytest.raises(BundleError, match="b: cannot be written"), staged(tmp_path / ".staging"):
        (tmp_path / ".staging/a").write_text("new")
        (tmp_path / ".staging/b").write_text("new")
        move_in(tmp_path / ".staging", tmp_path)
    assert (tmp_path / "a").read_text() == "new" and not (tmp_path / ".staging").exists()
