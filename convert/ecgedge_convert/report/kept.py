"""Answers and latencies measured before, in a hidden folder beside the bundles; it may be deleted at any time."""

import io
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ecgedge.errors import InputError
from ecgedge.latency import Latency
from ecgedge.manifest import Json
from ecgedge.plain import from_plain, to_plain
from ecgedge_convert.report.answers import Answers

FOLDER = ".report-cache"


class KeptAnswers:
    """Answers by key; what is damaged counts as not there.

    Parameters
    ----------
    again : read nothing that was kept, so that everything is measured anew
    """

    def __init__(self, folder: Path, *, again: bool = False) -> None:
        self._folder, self._again = folder / FOLDER, again

    def read(self, key: str) -> Answers | None:
        """The answers kept under this key."""
        if self._again:
            return None
        try:
            with np.load(self._path(key), allow_pickle=False) as archive:
                return Answers(
                    rows=tuple(archive["rows"].tolist()),
                    columns=tuple(archive["columns"].tolist()),
                    groups=tuple(archive["groups"].tolist()),
                    truth=archive["truth"],
                    called=archive["called"],
                    probabilities=archive["probabilities"],
                    sets=archive["sets"] if archive["sets"].size else None,
                )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def write(self, key: str, answers: Answers) -> None:
        """Keep answers; `InputError` where the folder cannot be written."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            rows=np.array(answers.rows),
            columns=np.array(answers.columns),
            groups=np.array(answers.groups),
            truth=answers.truth,
            called=answers.called,
            probabilities=answers.probabilities,
            sets=np.zeros(0, bool) if answers.sets is None else answers.sets,
        )
        write_whole(self._path(key), buffer.getvalue())

    def _path(self, key: str) -> Path:
        return self._folder / f"answers-{key[:32]}.npz"


class KeptLatencies:
    """Latencies of models that were measured in one go; a set with one model more is measured anew."""

    def __init__(self, folder: Path, *, again: bool = False) -> None:
        self._folder, self._again = folder / FOLDER, again

    def read(self, key: str) -> dict[str, Latency] | None:
        """Latencies by name, kept under this key."""
        if self._again:
            return None
        try:
            raw = json.loads(self._path(key).read_text())
            return {name: from_plain(Latency, one, where=name) for name, one in raw.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return None

    def write(self, key: str, found: Mapping[str, Latency]) -> None:
        """Keep latencies by name; `InputError` where the folder cannot be written."""
        plain: dict[str, Json] = {name: to_plain(one) for name, one in found.items()}
        write_whole(self._path(key), (json.dumps(plain, indent=1) + "\n").encode())

    def _path(self, key: str) -> Path:
        return self._folder / f"latency-{key[:32]}.json"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that no half of it is ever seen under its name.

    Raises
    ------
    InputError
        The disk refuses; the message says why.
    """
    made = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(content)
        made.replace(path)
    except OSError as error:
        with suppress(OSError):
            made.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place with -o") from None
