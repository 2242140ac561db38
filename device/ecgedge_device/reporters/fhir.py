"""Results to a FHIR R4 server: one Observation each, PUT under the id of the result, so that repeats make no doubles.

The server must allow ids that clients choose (in HAPI: alphanumeric or any).
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from ecgedge.errors import SettingsError
from ecgedge.manifest import Json
from ecgedge_device.fhir import About, Resource, observation, recording_observation
from ecgedge_device.report_settings import FhirSettings
from ecgedge_device.reporters import Refused, ReportError
from ecgedge_device.reporters.http_receiver import HttpReceiver
from ecgedge_device.results import Result


class FhirReporter:
    """Puts Observations one after the other.

    Parameters
    ----------
    device : name of this device
    files : folder that `Result.files` are below; None: no signals are sent

    Raises
    ------
    ReportError
        The address is none, or the certificate authority cannot be read.
    """

    def __init__(self, settings: FhirSettings, *, device: str, files: Path | None = None) -> None:
        self._settings, self._files = settings, files
        self._about = About(device=device, device_reference=settings.device, subject=settings.subject)
        base = settings.url.rstrip("/")
        self._receiver = HttpReceiver(base, timeout_s=settings.timeout_s, ca_file=settings.ca_file)

    def send(self, results: Sequence[Result]) -> None:
        """Put each; the token is read anew for every batch, so that it can be changed.

        Raises
        ------
        ReportError
            One is not taken now; those before it are not put again.
        Refused
            One is never taken.
        """
        try:
            token = self._settings.token.read()
        except SettingsError as error:
            raise ReportError(f"{self._receiver}: {error}") from None
        self._receiver.send_each(results, lambda result: self._put(result, token))

    def close(self) -> None:
        """Let go of the connection."""
        self._receiver.close()

    def _put(self, result: Result, token: str) -> None:
        try:
            resource = resource_of(result, self._about, self._files)
        except ValueError as error:
            raise Refused(f"{self._receiver}: {error}", id=result.id) from None
        headers = {
            "Content-Type": "application/fhir+json; charset=utf-8",
            "Accept": "application/fhir+json",
            "Prefer": "return=minimal",
        }
        if token:
            headers["Authorization"] = f"Bearer {token}"
        body = json.dumps(resource, ensure_ascii=False, allow_nan=False).encode()
        path = f"/Observation/{result.id}"
        self._receiver.send("PUT", path, body, id=result.id, headers=headers, explain=_outcome)


def resource_of(result: Result, about: About, files: Path | None) -> Resource:
    """The Observation of a result, with the signal that is kept of a recording.

    Raises
    ------
    ValueError
        The result is of another kind than FHIR is told.
    """
    name = result.files.get("snippet")
    if result.kind != "recording" or files is None or name is None:
        return observation(result, about)
    try:
        with np.load(files / name) as found:
            mv, fs_hz, lead = found["mv"], float(found["fs_hz"]), str(found["lead"])
        return recording_observation(result, mv, fs_hz, about=about, lead=lead)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        plain = observation(result, about)
        cast(list[Json], plain["note"]).append({"text": "The signal on the device cannot be read any more."})
        return plain


def _outcome(body: bytes) -> str:
    """The first complaint of an OperationOutcome."""
    try:
        issue = json.loads(body)["issue"][0]
        return str(issue.get("diagnostics") or issue["details"]["text"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""
