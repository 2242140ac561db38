"""Signals in, judged beats out. Knows nothing of cameras, files or networks.

`BeatEngine` is fed chunks of any size and gives the same beats as for the whole recording at once.
"""

import io
from collections.abc import Sequence
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ecgedge.batched_model import BatchedModel
from ecgedge.beats import BeatBatch
from ecgedge.bundle import Bundle
from ecgedge.decide import Decision, decide
from ecgedge.errors import InputError, StoreError
from ecgedge.front import BeatFront, CutBeats
from ecgedge.preprocess import pipeline_of
from ecgedge.records import Beat, FloatArray, IntArray, Recording, SignalChunk

_BATCHES = (1, 8, 64, 512)
"""Batch sizes the interpreter is sized for; a smaller batch is padded, since every resize costs an allocation."""
_OUTPUT = "probabilities"


class BeatJudge:
    """The model of a beat bundle: inputs of many beats in, class probabilities out.

    Raises
    ------
    BundleError
        The bundle is not for beats, or its model has other inputs than its manifest says.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        self._model = BatchedModel(bundle, task="beat", batches=_BATCHES, threads=threads)
        self._labels = bundle.manifest.labels
        self._decision = Decision.from_manifest(bundle.manifest.decision)

    def quantised(self, batch: BeatBatch) -> dict[str, NDArray[np.generic]]:
        """Model inputs of a batch, by tensor name, in the model's own integers."""
        return self._model.quantised(batch.inputs)

    def raw(self, inputs: dict[str, NDArray[np.generic]]) -> NDArray[np.generic]:
        """Outputs in the model's own integers, (n_beats, n_classes)."""
        return self._model.raw(inputs)[_OUTPUT]

    def probabilities(self, batch: BeatBatch) -> FloatArray:
        """(n_beats, n_classes) float32 in the order of the manifest's labels."""
        if len(batch.r_peak) == 0:
            return np.zeros((0, len(self._labels)), np.float32)
        return self._model.real({_OUTPUT: self.raw(self.quantised(batch))})[_OUTPUT]

    def decided(self, batch: BeatBatch) -> tuple[list[str], FloatArray]:
        """A class letter per beat, and the calibrated probabilities behind it."""
        chosen, probabilities = decide(self.probabilities(batch), self._decision)
        return [self._labels[k] for k in chosen], probabilities


class BeatEngine:
    """A stream of one recording through a bundle.

    Parameters
    ----------
    fs_hz : sampling rate of the recording, Hz
    leads : names of its columns
    threads : of the interpreter
    """

    def __init__(self, bundle: Bundle, *, fs_hz: float, leads: Sequence[str], threads: int = 1) -> None:
        self._fs_hz = fs_hz
        self._judge = BeatJudge(bundle, threads=threads)
        self._front = BeatFront(pipeline_of(bundle.manifest), fs_hz=fs_hz, leads=leads)

    @property
    def lead(self) -> str:
        """Name of the lead that is judged."""
        return self._front.lead

    def judge(self, chunk: SignalChunk) -> list[Beat]:
        """Beats that this chunk completes; they lie up to some 3 s before its end.

        Raises
        ------
        InputError
            The chunk has another number of leads, or does not follow the one before.
        """
        return self._beats(self._front.feed(chunk))

    def finish(self) -> list[Beat]:
        """Beats still open at the end of the recording."""
        return self._beats(self._front.flush())

    def judge_at(self, recording: Recording, r_peaks: IntArray) -> list[Beat]:
        """Judge a whole recording at given R-peaks (samples at its own rate) in place of detected ones."""
        return self._beats(self._front.cut_at(recording, r_peaks))

    def state(self) -> bytes:
        """Everything that a restart needs to go on as if nothing had happened."""
        buffer = io.BytesIO()
        np.savez(buffer, **self._front.state())  # type: ignore[arg-type]
        return buffer.getvalue()

    def restore(self, state: bytes) -> None:
        """Take up a state saved by `state` with the same bundle, rate and leads.

        Raises
        ------
        StoreError
            The state is damaged or of another version.
        """
        try:
            with np.load(io.BytesIO(state), allow_pickle=False) as archive:
                self._front.restore({name: archive[name] for name in archive.files})
        except (ValueError, KeyError, OSError, EOFError, InputError, BadZipFile) as error:
            raise StoreError(
                f"saved state cannot be taken up ({error}); judge the recording again with --again"
            ) from None

    def _beats(self, cut: CutBeats) -> list[Beat]:
        labels, probabilities = self._judge.decided(cut.batch)
        samples = cut.samples.tolist()
        return [
            Beat(sample, sample / self._fs_hz, "Q" if reason else label, () if reason else tuple(row), rr_ms, reason)
            for sample, label, row, rr_ms, reason in zip(
                samples, labels, probabilities.tolist(), cut.batch.rr_ms.tolist(), cut.reasons, strict=True
            )
        ]


def judge_recording(bundle: Bundle, recording: Recording, *, chunk_s: float = 600.0, threads: int = 1) -> list[Beat]:
    """Judge a whole recording, as a stream would."""
    engine = BeatEngine(bundle, fs_hz=recording.fs_hz, leads=recording.leads, threads=threads)
    step = max(1, int(chunk_s * recording.fs_hz))
    beats: list[Beat] = []
    for start in range(0, len(recording.signal), step):
        beats += engine.judge(SignalChunk(recording.signal[start : start + step], start))
    return beats + engine.finish()
