"""Latency of several models on this machine, measured in turns, so that its drift hits all alike.

Knows nothing of bundles: models by name in, percentiles out.
"""

import gc
import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from ecgedge.latency import BLOCKS, Latency, model_call, summarise
from ecgedge.runtime import find_runtime
from ecgedge_convert.report.intervals import Figure
from ecgedge_convert.report.kept import KeptLatencies

THREADS = (1, 2, 4)
_WARM_UP_CALLS = 2
_FEWEST = 1
"""Calls in a turn, however long each takes: int16x8 runs on slow reference kernels."""
_DRAWS = 1000
_LIMITS = (2.5, 97.5)

Advance = Callable[[str, int, int], None]
Call = Callable[[], None]


@dataclass(frozen=True, slots=True)
class SpeedSettings:
    """How long and how often is measured."""

    threads: tuple[int, ...] = THREADS
    seconds: float = 2.0
    """Of each model at each number of threads."""
    turns: int = BLOCKS
    """Into which those seconds are cut."""


def latency_of(
    models: Mapping[str, bytes], settings: SpeedSettings, *, kept: KeptLatencies, advance: Advance
) -> dict[tuple[str, int], Latency]:
    """Latency of every model at every number of threads, batch 1: (name, threads) -> latency.

    Raises
    ------
    BundleError
        The interpreter cannot run a model.
    """
    found: dict[tuple[str, int], Latency] = {}
    for done, threads in enumerate(settings.threads):
        advance("threads", done, len(settings.threads))
        key = _key(models, settings, threads)
        if (measured := kept.read(key)) is None or set(measured) != set(models):
            measured = _in_turns(models, settings, threads)
            kept.write(key, measured)
        found |= {(name, threads): one for name, one in measured.items()}
    advance("threads", len(settings.threads), len(settings.threads))
    return found


def ratio(one: Latency, other: Latency, *, seed: int = 0) -> Figure:
    """How many times as long one model takes as another measured in the same turns, with a 95 % interval.

    Turn by turn, since what slows the machine slows both; bootstrap over the turns.
    """
    turns = np.array(one.blocks_ms) / np.array(other.blocks_ms)
    picks = np.random.default_rng(seed).integers(0, len(turns), (_DRAWS, len(turns)))
    low, high = np.percentile(np.median(turns[picks], axis=1), _LIMITS)
    return Figure(float(np.median(turns)), float(low), float(high))


def _in_turns(models: Mapping[str, bytes], settings: SpeedSettings, threads: int) -> dict[str, Latency]:
    calls = {name: model_call(model, threads=threads) for name, model in models.items()}
    for call in calls.values():
        _timed(call, seconds=0.0, fewest=_WARM_UP_CALLS)
    names = list(calls)
    turns: dict[str, list[list[float]]] = {name: [] for name in names}
    for turn in range(settings.turns):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:  # none is always first
            turns[name].append(_timed(calls[name], seconds=settings.seconds / settings.turns, fewest=_FEWEST))
    return {name: _summary(parts, threads) for name, parts in turns.items()}


def _summary(turns: Sequence[Sequence[float]], threads: int) -> Latency:
    """Percentiles of all calls; the blocks are the turns, so that those of two models lie side by side."""
    whole = summarise(np.concatenate([np.asarray(turn) for turn in turns]), threads=threads, batch=1)
    plain = {name: getattr(whole, name) for name in whole.__slots__}
    return Latency(**(plain | {"blocks_ms": tuple(float(np.median(turn)) for turn in turns)}))


def _timed(call: Call, *, seconds: float, fewest: int) -> list[float]:
    """Milliseconds of each call, until the seconds have passed; the collector of garbage waits."""
    times: list[float] = []
    collects = gc.isenabled()
    gc.disable()
    try:
        now = perf_counter_ns()
        end = now + round(seconds * 1e9)
        while now < end or len(times) < fewest:
            call()
            after = perf_counter_ns()
            times.append((after - now) / 1e6)
            now = after
    finally:
        if collects:
            gc.enable()
    return times


def _key(models: Mapping[str, bytes], settings: SpeedSettings, threads: int) -> str:
    runtime = find_runtime()
    stated = [
        {name: hashlib.sha256(model).hexdigest() for name, model in models.items()},
        [threads, settings.seconds, settings.turns],
        [runtime.name, runtime.version, platform.node(), processor(), os.cpu_count()],
    ]
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def processor(*, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the processor, as the system tells it; the architecture where it does not."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    for wanted in ("model name", "Model"):
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == wanted and value.strip():
                return value.strip()
    return platform.machine()
