"""Secrets by reference: settings name a file or an environment variable, never the secret, and nothing prints it."""

import os
from dataclasses import dataclass
from pathlib import Path

from ecgedge.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret lies: "file:PATH", "env:NAME", or empty for none."""

    reference: str = ""

    def __bool__(self) -> bool:
        return bool(self.reference)

    def read(self) -> str:
        """The secret itself, now, without white space around it; empty where there is none.

        Raises
        ------
        SettingsError
            The file cannot be read, the variable is not set, or it is empty.
        """
        if not self.reference:
            return ""
        how, _, where = self.reference.partition(":")
        found = _of_file(where) if how == "file" else os.environ.get(where, "").strip()
        if not found:
            raise SettingsError(f"secret {self.reference}: {'empty' if how == 'file' else 'not set'}; put it there")
        return found


def _of_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise SettingsError(f"secret file:{path}: {reason}; put it there, readable by the agent alone") from None
