"""An agent that dies at once, as of the out-of-memory killer, when it opens some files or judges some recordings."""

import os
import sys
from pathlib import Path

from ecgedge.bundle import Bundle
from ecgedge.records import Beat, SignalChunk
from ecgedge_device.agent import Agent
from ecgedge_device.results import Stream
from ecgedge_device.settings_file import read_settings
from ecgedge_device.stopping import stop_on_signals
from tests.device.simple_agent import SimpleEngine

DIED = 9
"""Exit code."""


class PoisonedEngine(SimpleEngine):
    """Dies in recordings called `poison`, and in those called `slow` behind the first chunk of each start."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._recording, self._chunks = stream.recording, 0

    def judge(self, chunk: SignalChunk) -> list[Beat]:
        self._chunks += 1
        if (self._recording == "poison" and chunk.start) or (self._recording == "slow" and self._chunks > 1):
            os._exit(DIED)
        return super().judge(chunk)


def make_poisoned(_bundle: Bundle, stream: Stream, _threads: int) -> PoisonedEngine:
    return PoisonedEngine(stream)


def serve_poisoned(config: Path, deadly: str = "") -> None:
    """Run until SIGTERM; opening a file of this name ends the process."""

    def die(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and deadly and str(arguments[0]).endswith(f"/{deadly}"):
            os._exit(DIED)

    sys.addaudithook(die)
    with stop_on_signals() as stop:
        Agent(read_settings(config), stop=stop, make_engine=make_poisoned).run()
