"""Results in a list, for programs that use the agent as a library, and for tests."""

from collections.abc import Sequence

from ecgedge_device.results import Result


class MemoryReporter:
    """Keeps every result once."""

    def __init__(self) -> None:
        self._results: dict[str, Result] = {}

    @property
    def results(self) -> list[Result]:
        """What was sent so far, in order."""
        return list(self._results.values())

    def send(self, results: Sequence[Result]) -> None:
        """Keep those that are new."""
        for result in results:
            self._results.setdefault(result.id, result)

    def close(self) -> None:
        """Nothing to let go of; the results stay."""
