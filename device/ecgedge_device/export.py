"""Stored results as files for other programs: CSV, JSON lines, WFDB annotations and snippets, FHIR."""

import csv
import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import numpy as np

from ecgedge.annotations import as_annotations
from ecgedge.errors import InputError
from ecgedge.formats import write_annotations, write_wfdb
from ecgedge.records import Recording
from ecgedge_device.results import Result, as_plain
from ecgedge_device.store import Store

_PAGE = 1000
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def since_utc(text: str) -> str:
    """A time as ISO 8601 in UTC, from such a time or from how long ago: `7d`, `12h`, `30min`.

    Raises
    ------
    InputError
        It is neither.
    """
    try:
        moment = _ago(text) or datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(f"--since {text}: no time; write 2026-11-21, 2026-11-21T16:00 or 7d, 12h, 30min") from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ago(text: str) -> datetime | None:
    for unit, seconds in _UNITS.items():
        number = text.removesuffix(unit)
        if number != text and number.isascii() and number.replace(".", "", 1).isdigit():
            return datetime.now(UTC) - timedelta(seconds=float(number) * seconds)
    return None


def stored_since(store: Store, since: str, kinds: Sequence[str]) -> Iterator[Result]:
    """Results stored at or after a time, in the order of storing; read page by page."""
    after = store.number_before(since)
    while page := store.after(after, kinds, limit=_PAGE):
        yield from page
        after = page[-1].number


def write_lines(results: Iterator[Result], file: TextIO) -> int:
    """One JSON object per line; how many."""
    count = 0
    for result in results:
        file.write(json.dumps(as_plain(result), ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


def write_csv(results: Iterator[Result], file: TextIO) -> int:
    """One row per result with the columns that all kinds have, and the rest of what it says as JSON; how many."""
    writer = csv.writer(file)
    writer.writerow(["id", "kind", "source", "time_utc", "recording", "time_s", "label", "reason", "details"])
    count = 0
    for result in results:
        content = dict(result.content)
        recording = content.pop("recording", None) or content.pop("name", "")
        time_s = content.pop("time_s", content.pop("start_s", ""))
        own = [recording, time_s, content.pop("label", None) or "", content.pop("reason", "")]
        details = json.dumps(content, ensure_ascii=False, allow_nan=False)
        writer.writerow([result.id, result.kind, result.source, result.time_utc, *own, details])
        count += 1
    return count


def write_wfdb_folder(store: Store, since: str, folder: Path) -> int:
    """Beats of each run as a WFDB annotation file, signal snippets of alarms as WFDB records; how many files.

    A run's annotations stand at the samples of its own recording: they are read with the record of that name.

    Raises
    ------
    InputError
        The folder cannot be written, or a snippet is damaged.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another place with -o") from error
    count = 0
    for number in store.runs_since(since):
        run = store.run(number)
        beats = store.beats(run)
        if beats:
            name = f"run{run.number:05}"
            write_annotations(as_annotations(beats), folder, name=name, fs_hz=run.stream.fs_hz)
            count += 1
    for result in stored_since(store, since, ("alarm",)):
        if (path := result.files.get("snippet")) and (store.files / path).is_file():
            write_wfdb(read_snippet(store.files / path, name=f"alarm{result.number:07}"), folder)
            count += 1
    return count


def read_snippet(path: Path, *, name: str = "snippet") -> Recording:
    """A signal snippet of an alarm.

    Raises
    ------
    InputError
        The file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            signal = archive["mv"].astype(np.float32)[:, None]
            return Recording(signal, float(archive["fs_hz"]), (str(archive["lead"]),), name)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path.name}: no snippet that can be read ({error}); leave it out") from None


def write_fhir(results: Iterator[Result], file: TextIO, *, files: Path, device: str) -> int:
    """A FHIR R4 Bundle of type collection with an Observation per page and recording; how many.

    Parameters
    ----------
    files : folder that `Result.files` are below
    device : name of this device
    """
    from ecgedge_device.fhir import About, as_bundle
    from ecgedge_device.reporters.fhir import resource_of

    resources = [resource_of(result, About(device=device), files) for result in results]
    json.dump(as_bundle(resources), file, ensure_ascii=False, indent=1, allow_nan=False)
    return len(resources)
