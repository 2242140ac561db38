"""Who is told about stored results. One module per kind; `open_reporter` chooses."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ecgedge.errors import EcgedgeError
from ecgedge_device.health import Health
from ecgedge_device.report_settings import (
    FhirSettings,
    JsonLinesSettings,
    MqttSettings,
    ReportSettings,
    StdoutSettings,
    WebhookSettings,
)
from ecgedge_device.results import Result


class ReportError(EcgedgeError):
    """Results could not be handed over now; they stay in the store and are sent later."""


class Refused(ReportError):
    """The receiver will never take this one result; those before it in the batch were taken.

    The delivery keeps it as a dead letter and goes on with the next.
    """

    def __init__(self, message: str, *, id: str) -> None:
        super().__init__(message)
        self.id = id


class Reporter(Protocol):
    """Takes results. Delivery is at-least-once: one may come twice, with the same id, and in the order of storing."""

    def send(self, results: Sequence[Result]) -> None:
        """Return when all of them are safe with the receiver; `ReportError` where they are not."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def open_reporter(settings: ReportSettings, *, device: str, files: Path, health: Health) -> Reporter:
    """The reporter that the settings ask for.

    Parameters
    ----------
    device : name of this device
    files : folder that `Result.files` are below
    health : how the agent does, for reporters that tell it

    Raises
    ------
    ReportError
        It cannot be opened, now or ever.
    """
    match settings:
        case JsonLinesSettings():
            from ecgedge_device.reporters.json_lines import JsonLinesReporter

            return JsonLinesReporter(settings.path)
        case StdoutSettings():
            from ecgedge_device.reporters.stdout import StdoutReporter

            return StdoutReporter(sys.stdout)
        case MqttSettings():
            from ecgedge_device.reporters.mqtt import MqttReporter

            return MqttReporter(settings, device=device, health=health)
        case WebhookSettings():
            from ecgedge_device.reporters.webhook import WebhookReporter

            return WebhookReporter(settings, device=device)
        case FhirSettings():
            from ecgedge_device.reporters.fhir import FhirReporter

            return FhirReporter(settings, device=device, files=files)
