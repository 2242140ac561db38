"""Golden vectors: a simulated signal or page with the answers it must give, so that a device proves itself.

Signal and page are simulated, since recordings of patients do not belong in a bundle.
"""

import io
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecgedge.beats import BeatBatch
from ecgedge.bundle import Bundle
from ecgedge.engine import BeatJudge, judge_recording
from ecgedge.errors import BundleError
from ecgedge.front import BeatFront
from ecgedge.golden_checks import INPUT_STEPS, OUTPUT_STEPS, Check, all_close, close, part
from ecgedge.preprocess import pipeline_of
from ecgedge.records import Beat, FloatArray, Recording
from ecgedge.simulate import simulate_ecg

_SECONDS, _SEED = 60.0, 20


def with_golden(bundle: Bundle) -> Bundle:
    """The bundle with golden vectors made by running it here."""
    arrays = _page_golden(bundle) if bundle.manifest.task == "page" else _beat_golden(bundle)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return replace(bundle, golden_npz=buffer.getvalue())


# Imported where they are needed: OpenCV costs a device that judges beats some 30 MB.
def _page_golden(bundle: Bundle) -> dict[str, NDArray[np.generic]]:
    from ecgedge.page_golden import page_golden

    return page_golden(bundle)


def _page_selftest(bundle: Bundle, *, threads: int) -> tuple[Check, ...]:
    from ecgedge.page_golden import page_selftest

    return page_selftest(bundle, threads=threads)


def _beat_golden(bundle: Bundle) -> dict[str, NDArray[np.generic]]:
    recording = simulate_ecg(_SECONDS, fs_hz=360, seed=_SEED, sveb_rate=6.0, veb_rate=6.0, leads=("MLII",))
    signal_uv = np.rint(recording.signal[:, 0] * 1000).astype(np.int16)
    recording = _recording(signal_uv, recording.fs_hz)
    judge = BeatJudge(bundle)
    inputs = judge.quantised(_cut(bundle, recording))
    beats = judge_recording(bundle, recording)
    return {
        "signal_uv": signal_uv,
        "fs_hz": np.array(recording.fs_hz),
        "samples": np.array([beat.sample for beat in beats], np.int64),
        "labels": np.array([beat.label for beat in beats]),
        "output": judge.raw(inputs),
        **{f"input:{name}": values for name, values in inputs.items()},
    }


def selftest(bundle: Bundle, *, threads: int = 1) -> tuple[Check, ...]:
    """Run the golden vectors: the model alone, the preprocessing alone, and the whole way.

    Raises
    ------
    BundleError
        The bundle's golden vectors lack a part.
    """
    run = _page_selftest if bundle.manifest.task == "page" else _beat_selftest
    try:
        return run(bundle, threads=threads)
    except KeyError as error:
        raise BundleError(f"{bundle.source}: golden vectors lack {error}; convert the model again") from None


def _beat_selftest(bundle: Bundle, *, threads: int) -> tuple[Check, ...]:
    golden = bundle.golden
    recording = _recording(golden["signal_uv"].astype(np.int16), float(golden["fs_hz"]))
    stored = part(golden, "input")
    judge = BeatJudge(bundle, threads=threads)
    return (
        close("model", judge.raw(stored), golden["output"], steps=OUTPUT_STEPS),
        all_close("preprocessing", judge.quantised(_cut(bundle, recording)), stored, steps=INPUT_STEPS),
        _answers(judge_recording(bundle, recording, threads=threads), golden["samples"], golden["labels"]),
    )


def _recording(signal_uv: NDArray[np.int16], fs_hz: float) -> Recording:
    signal: FloatArray = (signal_uv[:, None] / np.float32(1000)).astype(np.float32)
    return Recording(signal, fs_hz, ("MLII",), "golden")


def _cut(bundle: Bundle, recording: Recording) -> BeatBatch:
    front = BeatFront(pipeline_of(bundle.manifest), fs_hz=recording.fs_hz, leads=recording.leads)
    return front.cut_all(recording).batch


def _answers(beats: list[Beat], samples: NDArray[np.generic], labels: NDArray[np.generic]) -> Check:
    found = [(beat.sample, beat.label) for beat in beats]
    expected = list(zip(samples.tolist(), labels.tolist(), strict=True))
    same = len(set(found) & set(expected))
    return Check("answers", found == expected, f"{same} of {len(expected)} beats have the same R-peak and class")
