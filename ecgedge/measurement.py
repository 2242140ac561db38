"""One whole measurement of a bundle on this machine: board, start-up, latency, energy, board again.

Knows nothing of command lines or tables.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

from ecgedge.bench_report import BenchReport, Energy, measured_model, software, today_utc
from ecgedge.board import busy_s, read_board, read_condition
from ecgedge.bundle import Bundle
from ecgedge.energy import Meter, find_meter, metered
from ecgedge.first_answer import first_answers
from ecgedge.latency import Latency, measure_latency

_ENERGY_S = 5.0
"""How long the meter looks, each with the model running and without, at most."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    threads: tuple[int, ...]
    batches: tuple[int, ...]
    seconds: float
    """For each pair of threads and batch."""
    starts: int = 3
    """Fresh processes to time."""

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """All pairs of threads and batch."""
        return tuple((threads, batch) for threads in self.threads for batch in self.batches)


def measure(bundle: Bundle, path: Path, plan: Plan, *, tell: Tell) -> BenchReport:
    """Measure a bundle.

    Parameters
    ----------
    path : its file, for the fresh processes
    tell : is told what begins

    Raises
    ------
    BundleError
        The interpreter cannot run the model, or not in these batches, or a fresh process gave no answer.
    """
    before = read_condition()
    latency, other_cores = _latency(bundle, plan, tell)
    meter = find_meter()
    if meter is not None:
        tell("energy")
    energy = None if meter is None else energy_of(bundle.model, meter, threads=plan.threads[0], seconds=plan.seconds)
    if plan.starts:
        tell("start-up")
    starts = first_answers(path, task=bundle.manifest.task, threads=plan.threads[0], times=plan.starts)
    return BenchReport(
        date_utc=today_utc(),
        board=read_board(),
        software=software(),
        bundle=measured_model(bundle),
        before=before,
        after=read_condition(),
        other_cores=other_cores,
        latency=latency,
        start_up=starts,
        energy=energy,
    )


def _latency(bundle: Bundle, plan: Plan, tell: Tell) -> tuple[tuple[Latency, ...], float | None]:
    """For each pair of threads and batch; and how many cores others kept busy meanwhile."""
    found = []
    start_s, busy_before_s = perf_counter(), _others_s()
    for threads, batch in plan.pairs:
        tell(f"threads {threads}, batch {batch}")
        found.append(measure_latency(bundle.model, threads=threads, seconds=plan.seconds, batch=batch))
    busy_after_s = _others_s()
    if busy_before_s is None or busy_after_s is None:
        return tuple(found), None
    return tuple(found), round(max(0.0, busy_after_s - busy_before_s) / (perf_counter() - start_s), 3)


def _others_s() -> float | None:
    """Processor time of all programs but this one, s."""
    everybody_s, own = busy_s(), os.times()
    return None if everybody_s is None else everybody_s - own.user - own.system


def energy_of(model: bytes, meter: Meter, *, threads: int, seconds: float) -> Energy:
    """Energy of one input: the power while the model runs less that while nothing of ours does.

    Parameters
    ----------
    seconds : how long to look, each at rest and at work; five at most
    """
    seconds = min(seconds, _ENERGY_S)
    with metered(meter) as idle:
        sleep(seconds)
    with metered(meter) as busy:
        latency = measure_latency(model, threads=threads, seconds=seconds)
    return Energy(
        meter=meter.name,
        idle_w=idle.watts,
        busy_w=busy.watts,
        threads=threads,
        per_input_mj=1000 * (busy.watts - idle.watts) / latency.per_s,
    )
