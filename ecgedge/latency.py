"""How long a model takes: set, invoke and get, over and over, and the percentiles of it.

Knows nothing of manifests, preprocessing or boards.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from ecgedge.chatter import without_chatter
from ecgedge.errors import BundleError, InputError
from ecgedge.runtime import Interpreter, TensorSpec, load_interpreter, tensor_spec

BLOCKS = 20
"""Consecutive parts of a measurement whose medians are kept, so that its own noise can be told."""
_FEWEST = 2 * BLOCKS
"""Calls at least, however long each takes."""
_WARM_UP_SHARE, _WARM_UP_S, _WARM_UP_CALLS = 0.2, 1.0, 5
_CHATTER = b"INFO: Created TensorFlow Lite XNNPACK delegate"

Inputs = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one call: set all inputs, invoke, get all outputs."""

    threads: int
    batch: int
    """Inputs in each call."""
    n: int
    """Calls that were timed, after the warm-up."""
    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    least_ms: float
    most_ms: float
    per_s: float
    """Throughput: inputs per second, calls times batch."""
    blocks_ms: tuple[float, ...]
    """Medians of twenty consecutive parts of the measurement, ms."""


def measure_latency(
    model: bytes, *, threads: int, seconds: float, batch: int = 1, inputs: Inputs | None = None, seed: int = 0
) -> Latency:
    """Time a model on this machine.

    Parameters
    ----------
    threads : of the interpreter
    seconds : how long to measure; a fifth of it, at most a second, is added to warm up, and 40 calls are made at least
    batch : inputs in each call
    inputs : tensor name -> (batch, ...) array of the tensor's dtype; drawn from `seed` where not given, since the time
        does not depend on values

    Raises
    ------
    InputError
        A number is out of range, or an input is missing or of another shape or type.
    BundleError
        The interpreter cannot run the model, or not in batches of this size.
    """
    if threads < 1 or batch < 1 or not 0 < seconds <= 86_400:
        raise InputError(
            f"threads {threads}, batch {batch}, {seconds:g} s; each must be above 0, and a day is the most"
        )
    call = model_call(model, threads=threads, batch=batch, inputs=inputs, seed=seed)
    _timed(call, seconds=min(_WARM_UP_SHARE * seconds, _WARM_UP_S), fewest=_WARM_UP_CALLS)
    times_ms = np.array(_timed(call, seconds=seconds, fewest=_FEWEST)) / 1e6
    return summarise(times_ms, threads=threads, batch=batch)


def summarise(times_ms: NDArray[np.float64], *, threads: int, batch: int) -> Latency:
    """Percentiles of the times of at least twenty calls, ms, in the order they were made."""
    p50, p90, p99 = (float(value) for value in np.percentile(times_ms, (50, 90, 99)))
    return Latency(
        threads=threads,
        batch=batch,
        n=len(times_ms),
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        mean_ms=float(times_ms.mean()),
        least_ms=float(times_ms.min()),
        most_ms=float(times_ms.max()),
        per_s=batch * len(times_ms) / float(times_ms.sum() / 1000),
        blocks_ms=tuple(float(np.median(block)) for block in np.array_split(times_ms, BLOCKS)),
    )


def model_call(
    model: bytes, *, threads: int = 1, batch: int = 1, inputs: Inputs | None = None, seed: int = 0
) -> Callable[[], None]:
    """A function that does nothing but set, invoke and get: the floor of what judging can cost.

    Raises
    ------
    InputError
        An input is missing or of another shape or type.
    BundleError
        The interpreter cannot run the model, or not in batches of this size.
    """
    interpreter = load_interpreter(model, threads=threads)
    with _refused_batch(batch), without_chatter(_CHATTER):
        specs = _sized(interpreter, batch)
        fed = [(spec.index, _checked(spec, inputs, seed=seed)) for spec in specs]
        outputs = [tensor_spec(detail).index for detail in interpreter.get_output_details()]
        call = _call(interpreter, fed, outputs)
        call()
    return call


def _call(
    interpreter: Interpreter, fed: list[tuple[int, NDArray[np.generic]]], outputs: list[int]
) -> Callable[[], None]:
    set_tensor, invoke, get_tensor = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

    def call() -> None:
        for index, values in fed:
            set_tensor(index, values)
        invoke()
        for index in outputs:
            get_tensor(index)

    return call


@contextmanager
def _refused_batch(batch: int) -> Iterator[None]:
    """Turn what an interpreter says of a model or a batch that it cannot run into one line."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "measure it with batch 1" if batch > 1 else "convert the model again"
        raise BundleError(f"the model cannot be run in batches of {batch}: {reason}; {remedy}") from error


def _sized(interpreter: Interpreter, batch: int) -> list[TensorSpec]:
    """The inputs of the interpreter, allocated for a batch."""
    for detail in interpreter.get_input_details():
        spec = tensor_spec(detail)
        if spec.shape[:1] != (batch,):
            interpreter.resize_tensor_input(spec.index, (batch, *spec.shape[1:]))
    interpreter.allocate_tensors()
    return [tensor_spec(detail) for detail in interpreter.get_input_details()]


def _checked(spec: TensorSpec, inputs: Inputs | None, *, seed: int) -> NDArray[np.generic]:
    if inputs is None:
        return random_input(spec, seed=seed)
    found = inputs.get(spec.name)
    if found is None or found.shape != spec.shape or found.dtype != spec.dtype:
        given = "is not given" if found is None else f"is {found.dtype} {found.shape}"
        raise InputError(f"input {spec.name} {given}; the model takes {spec.dtype} {spec.shape}; give it as such")
    return np.ascontiguousarray(found)


def random_input(spec: TensorSpec, *, seed: int) -> NDArray[np.generic]:
    """Values that the tensor can hold: all of an integer's range, -1 to 1 for floats."""
    rng = np.random.default_rng((seed, spec.index))
    if np.issubdtype(spec.dtype, np.integer):
        limits = np.iinfo(spec.dtype.type)  # type: ignore[type-var]
        return rng.integers(limits.min, limits.max, spec.shape, dtype=spec.dtype.type, endpoint=True)
    return rng.uniform(-1, 1, spec.shape).astype(spec.dtype)


def _timed(call: Callable[[], None], *, seconds: float, fewest: int) -> list[int]:
    """Nanoseconds of each call, until the seconds have passed; the collector of garbage waits."""
    times: list[int] = []
    keep = times.append
    collects = gc.isenabled()
    gc.disable()
    try:
        now = perf_counter_ns()
        end = now + round(seconds * 1e9)
        while now < end or len(times) < fewest:
            call()
            after = perf_counter_ns()
            keep(after - now)
            now = after
    finally:
        if collects:
            gc.enable()
    return times
