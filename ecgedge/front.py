"""The streaming front end of a beat model: raw chunks in, model inputs and doubts out.

Chains lead choice, fault finding, resampling, R-peaks and windows as `BeatPipeline` states them. A file is a stream
fed once. Knows nothing of models or labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgedge.beats import BeatBatch, BeatCutter, empty_batch, join_batches, part_of
from ecgedge.doubts import BeatDoubts
from ecgedge.errors import InputError
from ecgedge.preprocess import BeatPipeline
from ecgedge.records import FloatArray, IntArray, Recording, SignalChunk
from ecgedge.rpeaks import RPeakDetector
from ecgedge.signals import StreamingResampler

State = dict[str, NDArray[np.generic]]


class StreamPart(Protocol):
    """What all parts of the chain have in common: memory that outlives a restart."""

    def state(self) -> State: ...
    def restore(self, state: State) -> None: ...


@dataclass(frozen=True, slots=True)
class CutBeats:
    """Beats ready for the model."""

    batch: BeatBatch
    samples: IntArray
    """(n_beats,) int64, R-peaks at the recording's own rate."""
    reasons: tuple[str, ...]
    """Why a beat must not be judged; empty where it may."""


class BeatFront:
    """Front end of one stream.

    Parameters
    ----------
    fs_hz : rate of the stream, Hz
    leads : names of its columns

    Raises
    ------
    InputError
        A rate too low for the band in which beats are judged.
    """

    def __init__(self, pipeline: BeatPipeline, *, fs_hz: float, leads: Sequence[str]) -> None:
        pipeline.check_rate(fs_hz)
        self._pipeline, self._fs_hz, self._n_leads = pipeline, fs_hz, len(leads)
        self._column = pipeline.choose_lead(leads)
        self.lead = leads[self._column]
        self._next = 0
        self._resampler = StreamingResampler(fs_hz, pipeline.fs_hz, 1)
        self._detector = RPeakDetector(pipeline.fs_hz, pipeline.r_peaks)
        self._cutter = BeatCutter(pipeline.beats)
        self._doubts = BeatDoubts(
            fs_hz=fs_hz, lead=self.lead, window_ms=pipeline.doubt_window_ms, max_bad_share=pipeline.max_bad_share
        )
        self._held = empty_batch(pipeline.beats)

    def feed(self, chunk: SignalChunk) -> CutBeats:
        """Beats completed by this chunk.

        Raises
        ------
        InputError
            The chunk does not follow the one before, or has another number of leads.
        """
        signal = self._lead_of(chunk)
        self._doubts.feed(signal)
        resampled = self._resampler.feed(signal)
        peaks = self._detector.feed(resampled[:, 0])
        return self._released(self._cutter.feed(resampled, peaks))

    def flush(self) -> CutBeats:
        """Beats still open at the end of the stream."""
        self._doubts.flush()
        rest = self._resampler.flush()
        peaks = np.concatenate([self._detector.feed(rest[:, 0]), self._detector.flush()])
        last = self._cutter.feed(rest, peaks)
        return self._released(join_batches([last, self._cutter.flush()]))

    def cut_all(self, recording: Recording) -> CutBeats:
        """All beats of a recording, with R-peaks of our own."""
        first = self.feed(SignalChunk(recording.signal, 0))
        last = self.flush()
        return CutBeats(
            join_batches([first.batch, last.batch]),
            np.concatenate([first.samples, last.samples]),
            first.reasons + last.reasons,
        )

    def cut_at(self, recording: Recording, r_peaks: IntArray) -> CutBeats:
        """All beats of a recording, at given R-peaks (samples at its own rate)."""
        signal = recording.signal[:, [self._column]]
        self._doubts.feed(signal)
        self._doubts.flush()
        resampled = np.concatenate([self._resampler.feed(signal), self._resampler.flush()])
        peaks = self._to_pipeline(r_peaks)
        batch = join_batches([self._cutter.feed(resampled, peaks), self._cutter.flush()])
        if len(batch.r_peak) != len(r_peaks):
            raise InputError(
                f"{recording.name}: {len(r_peaks)} R-peaks given, {len(batch.r_peak)} can be cut; "
                "they must increase and lie inside the recording"
            )
        samples = r_peaks.astype(np.int64)
        return CutBeats(batch, samples, self._doubts.reasons(samples))

    def state(self) -> State:
        """Everything that a restart needs."""
        held: State = {"r_peak": self._held.r_peak, "rr_ms": self._held.rr_ms, **self._held.inputs}
        parts = {name: part.state() for name, part in self._parts().items()} | {"held": held}
        named = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}
        return {"next": np.array(self._next), **named}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take up a saved state; KeyError, ValueError or InputError where it is of another version."""
        self._next = int(state["next"].astype(np.int64)[()])
        for name, part in self._parts().items():
            part.restore(part_of(state, name))
        held = {name: values.astype(np.float32) for name, values in part_of(state, "held").items()}
        r_peak, rr_ms = part_of(state, "held")["r_peak"].astype(np.int64), held.pop("rr_ms")
        self._held = BeatBatch(r_peak, rr_ms, {name: held[name] for name in self._held.inputs})

    def _parts(self) -> dict[str, StreamPart]:
        return {
            "resampler": self._resampler,
            "detector": self._detector,
            "cutter": self._cutter,
            "doubts": self._doubts,
        }

    def _lead_of(self, chunk: SignalChunk) -> FloatArray:
        if chunk.signal.ndim != 2 or chunk.signal.shape[1] != self._n_leads:
            raise InputError(
                f"chunk of shape {chunk.signal.shape}; the stream has {self._n_leads} leads; open it again"
            )
        if chunk.start != self._next:
            raise InputError(f"chunk starts at sample {chunk.start}, {self._next} is next; fill gaps with NaN")
        self._next += len(chunk.signal)
        return chunk.signal[:, [self._column]]

    def _released(self, batch: BeatBatch) -> CutBeats:
        """Beats whose signal has been checked; the others wait."""
        batch = join_batches([self._held, batch])
        samples = self._to_recording(batch.r_peak)
        n_known = int(np.count_nonzero(self._doubts.known(samples)))
        self._held = batch[n_known:]
        reasons = self._doubts.reasons(samples[:n_known])
        self._doubts.forget()
        return CutBeats(batch[:n_known], samples[:n_known], reasons)

    def _to_recording(self, peaks: IntArray) -> IntArray:
        return _scaled(peaks, self._fs_hz / self._pipeline.fs_hz)

    def _to_pipeline(self, samples: IntArray) -> IntArray:
        return _scaled(samples, self._pipeline.fs_hz / self._fs_hz)


def _scaled(samples: IntArray, factor: float) -> IntArray:
    return np.asarray(np.rint(samples * factor), dtype=np.int64)
