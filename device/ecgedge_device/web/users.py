"""The file of users: NAME:ARGON2-HASH lines. Knows nothing of sessions or requests."""

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ecgedge.errors import SettingsError
from ecgedge_device.limits import require_name

_SHORTEST = 10
_LONGEST = 1024
_HASHER = PasswordHasher(time_cost=3, memory_cost=24 * 1024, parallelism=1)
"""Argon2id of 24 MiB: above OWASP's smallest (19 MiB, 2 passes), and within what a service on a small Pi may use."""


def add_user(path: Path, name: str, password: str) -> None:
    """Add a user or change a password; the file is readable by its owner alone.

    Raises
    ------
    SettingsError
        The name or the password cannot be, or the file cannot be read or written.
    """
    require_name("user", name)
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise SettingsError(f"password of {len(password)} characters; it must have {_SHORTEST} to {_LONGEST}")
    _write(path, {**(read_users(path) if path.exists() else {}), name: _HASHER.hash(password)})


def remove_user(path: Path, name: str) -> None:
    """Take a user out.

    Raises
    ------
    SettingsError
        There is none of that name, or the file cannot be read or written.
    """
    users = read_users(path)
    if name not in users:
        raise SettingsError(f"{path}: no user {name}; there are {', '.join(users) or 'none'}")
    _write(path, {user: entry for user, entry in users.items() if user != name})


def _write(path: Path, users: Mapping[str, str]) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{user}:{entry}\n" for user, entry in users.items())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise SettingsError(f"{path}: cannot be written ({error.strerror}); choose another users file") from error


def read_users(path: Path) -> dict[str, str]:
    """Name -> Argon2 hash; empty lines and lines that begin with # are skipped.

    Raises
    ------
    SettingsError
        The file cannot be read, or a line is none of NAME:ARGON2-HASH.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise SettingsError(f"{path}: {reason}; make it with ecgedge-agent user add NAME --file {path}") from None
    users = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            name, _, entry = line.strip().partition(":")
            if not entry.startswith("$argon2id$"):
                raise SettingsError(f"{path}, line {number}: no NAME:ARGON2-HASH; make it with ecgedge-agent user add")
            require_name("user", name)
            users[name] = entry
    return users


class Users:
    """The users of a file, read again when it changes, so that a removed one is out at once.

    Raises
    ------
    SettingsError
        The file cannot be read or names nobody.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._users: Mapping[str, str] = {}
        self._nobody = _HASHER.hash("a password that nobody has")
        self._checking = threading.Lock()
        if not self.entries():
            raise SettingsError(f"{path}: names no user; make one with ecgedge-agent user add NAME --file {path}")

    def entries(self) -> Mapping[str, str]:
        """Name -> hash as the file has them now.

        Raises
        ------
        SettingsError
            The file became unreadable.
        """
        with self._lock:
            try:
                found = self.path.stat()
            except OSError as error:
                raise SettingsError(f"{self.path}: {error.strerror}; put the users file back") from None
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp != self._stamp:
                self._users, self._stamp = read_users(self.path), stamp
            return self._users

    def check(self, name: str, password: str) -> str:
        """The hash of the user whose password this is; empty where it is none. Takes as long for unknown names."""
        entry = self.entries().get(name, "")
        with self._checking:  # one at a time: many logins at once do not take the machine's memory
            try:
                _HASHER.verify(entry or self._nobody, password[:_LONGEST])
            except (VerificationError, InvalidHashError):
                return ""
        return entry
