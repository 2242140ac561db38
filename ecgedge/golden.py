"""Golden vectors: a simulated signal with the answers it must give, so that a device proves itself.

The signal is simulated, since recordings of patients do not belong in a bundle.
"""

import io
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgedge.beats import BeatBatch
from ecgedge.bundle import Bundle
from ecgedge.engine import BeatJudge, judge_recording
from ecgedge.errors import BundleError
from ecgedge.front import BeatFront
from ecgedge.preprocess import pipeline_of
from ecgedge.records import Beat, FloatArray, Recording
from ecgedge.simulate import simulate_ecg

_SECONDS, _SEED = 60.0, 20
_STEPS = 1
"""Integer steps by which kernels of another processor may differ in an output."""
_INPUT_STEPS = 2
"""The same for inputs, whose float arithmetic comes before the rounding."""


@dataclass(frozen=True, slots=True)
class Check:
    """One result of the self-test."""

    name: str
    passed: bool
    found: str


def with_golden(bundle: Bundle) -> Bundle:
    """The bundle with golden vectors made by running it here."""
    recording = simulate_ecg(_SECONDS, fs_hz=360, seed=_SEED, sveb_rate=6.0, veb_rate=6.0, leads=("MLII",))
    signal_uv = np.rint(recording.signal[:, 0] * 1000).astype(np.int16)
    recording = _recording(signal_uv, recording.fs_hz)
    judge = BeatJudge(bundle)
    inputs = judge.quantised(_cut(bundle, recording))
    beats = judge_recording(bundle, recording)
    arrays: dict[str, NDArray[np.generic]] = {
        "signal_uv": signal_uv,
        "fs_hz": np.array(recording.fs_hz),
        "samples": np.array([beat.sample for beat in beats], np.int64),
        "labels": np.array([beat.label for beat in beats]),
        "output": judge.raw(inputs),
        **{f"input:{name}": values for name, values in inputs.items()},
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return replace(bundle, golden_npz=buffer.getvalue())


def selftest(bundle: Bundle, *, threads: int = 1) -> tuple[Check, ...]:
    """Run the golden vectors: the model alone, the preprocessing alone, and the whole way.

    Raises
    ------
    BundleError
        The bundle's golden vectors lack a part.
    """
    golden = bundle.golden
    try:
        recording = _recording(golden["signal_uv"].astype(np.int16), float(golden["fs_hz"]))
        stored = {name.partition(":")[2]: values for name, values in golden.items() if name.startswith("input:")}
        judge = BeatJudge(bundle, threads=threads)
        return (
            _close("model", judge.raw(stored), golden["output"], steps=_STEPS),
            _inputs(judge.quantised(_cut(bundle, recording)), stored),
            _answers(judge_recording(bundle, recording, threads=threads), golden["samples"], golden["labels"]),
        )
    except KeyError as error:
        raise BundleError(f"{bundle.source}: golden vectors lack {error}; convert the model again") from None


def _recording(signal_uv: NDArray[np.int16], fs_hz: float) -> Recording:
    signal: FloatArray = (signal_uv[:, None] / np.float32(1000)).astype(np.float32)
    return Recording(signal, fs_hz, ("MLII",), "golden")


def _cut(bundle: Bundle, recording: Recording) -> BeatBatch:
    front = BeatFront(pipeline_of(bundle.manifest), fs_hz=recording.fs_hz, leads=recording.leads)
    return front.cut_all(recording).batch


def _inputs(found: dict[str, NDArray[np.generic]], stored: dict[str, NDArray[np.generic]]) -> Check:
    checks = [_close(name, found[name], stored[name], steps=_INPUT_STEPS) for name in stored]
    return Check(
        "preprocessing", all(check.passed for check in checks), "; ".join(f"{c.name} {c.found}" for c in checks)
    )


def _close(name: str, found: NDArray[np.generic], expected: NDArray[np.generic], *, steps: int) -> Check:
    if found.shape != expected.shape:
        return Check(name, False, f"shape {found.shape}, expected {expected.shape}")
    off = int(np.abs(found.astype(np.int64) - expected.astype(np.int64)).max(initial=0))
    return Check(name, off <= steps, f"{len(found)} vectors, largest difference {off} steps (limit {steps})")


def _answers(beats: list[Beat], samples: NDArray[np.generic], labels: NDArray[np.generic]) -> Check:
    found = [(beat.sample, beat.label) for beat in beats]
    expected = list(zip(samples.tolist(), labels.tolist(), strict=True))
    same = len(set(found) & set(expected))
    return Check("answers", found == expected, f"{same} of {len(expected)} beats have the same R-peak and class")
