"""Who is told about stored beats. One module per kind; `open_reporter` chooses."""

from collections.abc import Sequence
from typing import Protocol

from ecgedge.errors import EcgedgeError
from ecgedge_device.results import Result
from ecgedge_device.settings import JsonLinesSettings


class ReportError(EcgedgeError):
    """Results could not be handed over now; they stay in the store and are sent later."""


class Reporter(Protocol):
    """Takes results. Delivery is at-least-once: one may come twice, with the same id."""

    def send(self, results: Sequence[Result]) -> None:
        """Return when all of them are safe with the receiver; `ReportError` where they are not."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def open_reporter(settings: JsonLinesSettings) -> Reporter:
    """The reporter that the settings ask for.

    Raises
    ------
    ReportError
        It cannot be opened.
    """
    from ecgedge_device.reporters.json_lines import JsonLinesReporter

    return JsonLinesReporter(settings.path)
