"""`ecgedge-agent user`: who may open the web page; a password is neither printed nor stored."""

import stat
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result

from ecgedge.cli import run_command
from ecgedge.errors import SettingsError
from ecgedge_device.cli import agent
from ecgedge_device.web.users import Users, read_users

PASSWORD, OTHER = "correct horse battery", "staple? another one"


def user(*arguments: str | Path, typed: str | None = None) -> Result:
    return CliRunner().invoke(agent, ["user", *map(str, arguments)], input=typed)


def add(file: Path, name: str, password: str = PASSWORD) -> Result:
    """As a person does: typed twice."""
    return user("add", name, "--file", file, typed=f"{password}\n{password}\n")


def refused(found: Result) -> str:
    assert found.exit_code != 0 and isinstance(found.exception, SettingsError)
    return str(found.exception)


def test_a_user_who_is_added_may_log_in_and_nobody_sees_the_password(tmp_path: Path) -> None:
    file = tmp_path / "users.txt"
    found = add(file, "maria")
    assert found.exit_code == 0 and found.output.endswith(f"{file}: maria may log in\n")
    assert PASSWORD not in found.output and PASSWORD not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    entry = read_users(file)["maria"]
    assert entry.startswith("$argon2id$") and PasswordHasher().verify(entry, PASSWORD)
    users = Users(file)
    assert users.check("maria", PASSWORD) == entry
    assert users.check("maria", OTHER) == users.check("other", PASSWORD) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["users.txt"]


def test_add_once_more_changes_the_password_and_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "users.txt"
    for name in ("maria", "ben"):
        add(file, name)
    before = read_users(file)
    found = add(file, "maria", OTHER)
    assert found.exit_code == 0 and OTHER not in found.output
    users = Users(file)
    assert users.check("maria", OTHER) and not users.check("maria", PASSWORD) and users.check("ben", PASSWORD)
    assert read_users(file)["ben"] == before["ben"]


def test_two_users_with_one_password_have_different_hashes(tmp_path: Path) -> None:
    file = tmp_path / "users.txt"
    for name in ("maria", "ben"):
        add(file, name)
    assert len(set(read_users(file).values())) == 2


def test_list_prints_names_and_no_hashes(tmp_path: Path) -> None:
    file = tmp_path / "users.txt"
    for name in ("maria", "ben"):
        add(file, name)
    found = user("list", "--file", file)
    assert (found.exit_code, found.output) == (0, "maria\nben\n")


def test_a_removed_user_is_out_at_once_also_of_a_running_agent(tmp_path: Path) -> None:
    file = tmp_path / "users.txt"
    for name in ("maria", "ben"):
        add(file, name)
    running = Users(file)
    assert running.check("maria", PASSWORD)
    found = user("remove", "maria", "--file", file)
    assert (found.exit_code, found.output) == (0, f"{file}: maria may no longer log in\n")
    assert not running.check("maria", PASSWORD) and running.check("ben", PASSWORD)
    assert user("list", "--file", file).output == "ben\n"
    message = refused(user("remove", "maria", "--file", file))
    assert message == f"{file}: no user maria; there are ben" and user("list", "--file", file).output == "ben\n"


def test_passwords_that_differ_are_asked_for_again(tmp_path: Path) -> None:
    file = tmp_path / "users.txt"
    found = user("add", "maria", "--file", file, typed=f"{PASSWORD}\n{OTHER}\n{OTHER}\n{OTHER}\n")
    assert found.exit_code == 0 and Users(file).check("maria", OTHER)
    assert PASSWORD not in found.output and OTHER not in found.output


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [
        ("maria", "short", "password of 5 characters; it must have 10 to 1024"),
        ("maria", "x" * 1025, "password of 1025 characters"),
        ("ma:ria", PASSWORD, "ma:ria"),
        ("", PASSWORD, "user"),
        ("ma\nria", PASSWORD, "user"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(tmp_path: Path, name: str, password: str, words: str) -> None:
    file = tmp_path / "users.txt"
    add(file, "ben")
    before = file.read_bytes()
    message = refused(user("add", name, "--file", file, "--password", password))
    assert words in message and password not in message
    assert file.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["users.txt"]


def test_a_file_that_is_not_there_damaged_or_not_writable_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "users.txt"
    message = refused(user("list", "--file", file))
    assert message.endswith(f"make it with ecgedge-agent user add NAME --file {file}")
    file.write_text(f"# who\n\nmaria:{PASSWORD}\n")  # by hand, in the clear
    message = refused(user("list", "--file", file))
    assert f"{file}, line 3: no NAME:ARGON2-HASH" in message and PASSWORD not in message
    assert f"{file}/x.txt: cannot be written" in refused(add(file / "x.txt", "maria"))
    assert run_command(agent, ["user", "list", "--file", str(file)], program="ecgedge-agent") == 1
    output = capsys.readouterr()
    assert output.out == "" and len(output.err.splitlines()) == 1 and PASSWORD not in output.err


def test_empty_lines_and_comments_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "users.txt"
    add(file, "maria")
    file.write_text(f"# the ward\n\n{file.read_text()}")
    assert user("list", "--file", file).output == "maria\n"
