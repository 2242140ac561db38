"""A simple deterministic engine with a state, and a program that runs the agent with it.

The store, the loop and the delivery are tested with it, at any moment of a run, without a trained model.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from ecgedge.bundle import Bundle, write_bundle
from ecgedge.cli import run_command
from ecgedge.manifest import Json, Manifest
from ecgedge.records import Beat, Recording, SignalChunk
from ecgedge_device.agent import Agent, Served
from ecgedge_device.results import Stream
from ecgedge_device.settings_file import read_settings
from ecgedge_device.stopping import stop_on_signals

LABELS = ("N", "S", "V", "F")
FS_HZ = 250.0


class SimpleEngine:
    """Beats where the first lead stays the largest for 0.3 s, labelled by the time since the one before."""

    def __init__(self, stream: Stream, *, pause_s: float = 0.0) -> None:
        self.lead = stream.leads[0]
        self._fs_hz, self._pause_s = stream.fs_hz, pause_s
        self._next, self._peak, self._last, self._height = 0, -1, -1, 0.0

    def judge(self, chunk: SignalChunk) -> list[Beat]:
        assert chunk.start == self._next, f"chunk at {chunk.start}, {self._next} is next"
        self._next += len(chunk.signal)
        time.sleep(self._pause_s)
        beats = []
        for sample, value in enumerate(chunk.signal[:, 0].tolist(), start=chunk.start):
            if value > max(0.6, self._height):
                self._peak, self._height = sample, value
            elif self._peak >= 0 and sample - self._peak > 0.3 * self._fs_hz:
                beats.append(self._beat())
        return beats

    def _beat(self) -> Beat:
        rr_ms = float("nan") if self._last < 0 else (self._peak - self._last) / self._fs_hz * 1000
        label, reason = ("Q", "too near to tell") if rr_ms < 500 else ("S" if rr_ms < 700 else "N", "")
        beat = Beat(self._peak, self._peak / self._fs_hz, label, () if reason else (0.7, 0.2, 0.1, 0.0), rr_ms, reason)
        self._last, self._peak, self._height = self._peak, -1, 0.0
        return beat

    def finish(self) -> list[Beat]:
        return [self._beat()] if self._peak >= 0 else []

    def state(self) -> bytes:
        return json.dumps([self._next, self._peak, self._last, self._height]).encode()

    def restore(self, state: bytes) -> None:
        self._next, self._peak, self._last, self._height = json.loads(state)


def maker(pause_s: float = 0.0) -> Callable[[Bundle, Stream, int], SimpleEngine]:
    return lambda _bundle, stream, _threads: SimpleEngine(stream, pause_s=pause_s)


def make_bundle(path: Path, *, version: str = "1.0.0", preprocessing: tuple[dict[str, Json], ...] = ()) -> Path:
    """A bundle whose model part nobody runs."""
    manifest = Manifest(
        name="simple",
        version=version,
        task="beat",
        labels=LABELS,
        label_titles=("normal", "supraventricular ectopic", "ventricular ectopic", "fusion"),
        label_source="tests",
        inputs=(),
        outputs=(),
        preprocessing=preprocessing,
        decision={},
        figures=(),
        training={},
        licence="Apache-2.0",
        attribution="none",
        model_bytes=0,
        model_sha256="",
    )
    write_bundle(Bundle(manifest, b"model", "card", b"golden"), path)
    return path


def make_recording(seconds: float = 60.0, *, seed: int = 1) -> Recording:
    """Triangular R waves at irregular intervals."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 0.02, (round(seconds * FS_HZ), 1))
    at = np.cumsum(rng.uniform(0.4, 1.1, round(seconds * 2)))
    for peak in (at[at < seconds - 0.1] * FS_HZ).astype(int):
        signal[peak - 2 : peak + 3, 0] += (0.4, 0.8, 1.2, 0.8, 0.4)
    return Recording(signal.astype(np.float32), FS_HZ, ("II",), "made")


def make_folder(folder: Path, *, seconds: float = 60.0, chunk_s: float = 0.5) -> Path:
    """A settings file with bundle and recording beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    make_bundle(folder / "simple.tflite")
    np.save(folder / "ecg.npy", make_recording(seconds).signal)
    config = folder / "agent.toml"
    config.write_text(
        f'[agent]\nbundle = "simple.tflite"\nstore = "ecgedge.sqlite"\n'
        f'[source]\nkind = "replay"\npath = "ecg.npy"\nfs_hz = {FS_HZ}\nspeed = "full"\nchunk_s = {chunk_s}\n'
        f"[alarms]\nrate_high_bpm = 95\nrate_beats = 5\nrefractory_s = 2\n"
        f'[report]\nkind = "json-lines"\npath = "results.jsonl"\n'
    )
    return config


def serve_simple(config: Path, pause_s: float = 0.0) -> Served:
    """Run until the end or a signal."""
    with stop_on_signals() as stop:
        return Agent(read_settings(config), stop=stop, make_engine=maker(pause_s)).run()


def main() -> None:
    """Run until the end or a signal; the second argument is a pause per chunk, s."""

    @click.command()
    @click.argument("config", type=click.Path(path_type=Path))
    @click.argument("pause_s", type=float, default=0.0)
    def simple(config: Path, pause_s: float) -> None:
        served = serve_simple(config, pause_s)
        for outcome in served.outcomes:
            click.echo(f"{outcome.run.next_sample} {outcome.notice} {served.unsent}")

    sys.exit(run_command(simple, None, program="simple"))


if __name__ == "__main__":
    main()
