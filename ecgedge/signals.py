"""Filter and resample signals: offline and streaming, with the same result.

Every offline function here feeds its streaming class, so a file and a stream give the same numbers (to 1e-6) whatever
the size of the chunks, 0 and 1 included. Nothing is interpolated over a gap: where the input is not finite
the output is NaN. `state()` and `restore()` carry a stream over a restart.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import signal as dsp

from ecgedge.errors import InputError
from ecgedge.records import FloatArray, check_rate

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
State = Mapping[str, NDArray[np.generic]]

MAX_RATIO = 100
"""Largest ratio of two sampling rates; Holter (125 Hz) to laboratory (5 kHz) is 40."""
_RATE_DENOMINATOR = 10_000
_ZERO_CROSSINGS = 10  # of the sinc on either side, and the Kaiser beta: as scipy.signal.resample_poly has them
_KAISER_BETA = 5.0
_MAX_PHASES = 4096
_MAX_TABLE = 2**20  # taps x phases: 8 MiB
_PIECE = 2**16
_MAX_GATHER = 2**18  # taps x outputs worked on at once: 2 MiB a lead


def butterworth_bandpass(low_hz: float, high_hz: float, fs_hz: float, *, order: int) -> Float64Array:
    """Second-order sections of a Butterworth band-pass.

    Returns
    -------
    (order, 6) float64; `order` is that of each slope, as scipy counts it: the band-pass has 2 * `order` poles.

    Raises
    ------
    InputError
        Corners that are not 0 < low_hz < high_hz < fs_hz / 2, or an order below 1.
    """
    check_rate(fs_hz)
    if not 0 < low_hz < high_hz < fs_hz / 2:
        raise InputError(
            f"band-pass {low_hz}-{high_hz} Hz at {fs_hz} Hz; it needs 0 < low < high < {fs_hz / 2} Hz; move the corners"
        )
    if order < 1:
        raise InputError(f"band-pass of order {order}; it must be 1 or more; 2 is usual for an ECG")
    return np.asarray(dsp.butter(order, [low_hz, high_hz], btype="bandpass", fs=fs_hz, output="sos"), dtype=np.float64)


def pieces(signal: FloatArray) -> Iterator[FloatArray]:
    """Cut a long signal, so that working on it takes little memory beside it; at least one piece, perhaps empty."""
    return (signal[start : start + _PIECE] for start in range(0, max(1, len(signal)), _PIECE))


def filter_once(sos: Float64Array, signal: FloatArray) -> FloatArray:
    """Filter a whole signal causally, (n_samples, n_leads) float32, mV, as `StreamingFilter` does."""
    stream = StreamingFilter(sos, signal.shape[-1])
    return np.concatenate([stream.feed(piece) for piece in pieces(signal)])


class StreamingFilter:
    """A causal filter of second-order sections with memory.

    The memory starts as if the first finite sample of each lead had always been there, so that an offset gives no
    start-up step. A gap (NaN or infinite) enters the filter as the last good value, so that it neither poisons the
    memory nor makes a step of its own; the output inside the gap is NaN. Leads are independent.

    Parameters
    ----------
    sos : (n_sections, 6) float64
    """

    def __init__(self, sos: Float64Array, n_leads: int) -> None:
        self._sos = np.asarray(sos, dtype=np.float64)
        self._steady: Float64Array = np.asarray(dsp.sosfilt_zi(self._sos), dtype=np.float64)
        self._memory = np.zeros((len(self._sos), 2, n_leads))
        self._held = np.full(n_leads, np.nan)

    def feed(self, chunk: FloatArray) -> FloatArray:
        """Filter the next chunk.

        Parameters
        ----------
        chunk : (n_samples, n_leads) float32, mV; any number of samples, 0 included

        Returns
        -------
        (n_samples, n_leads) float32, mV; NaN where the chunk is not finite
        """
        check_chunk(chunk, self._held.size)
        if len(chunk) == 0:
            return np.zeros(chunk.shape, dtype=np.float32)
        good = np.isfinite(chunk)
        filled = self._fill(chunk, good)
        output, self._memory = dsp.sosfilt(self._sos, filled, axis=0, zi=self._memory)
        filtered: FloatArray = output.astype(np.float32)
        if not good.all():
            filtered[~good] = np.nan
        return filtered

    def _fill(self, chunk: FloatArray, good: BoolArray) -> Float64Array:
        """Hold the last good value over gaps; start the leads that see their first good value."""
        starting = np.isnan(self._held) & good.any(axis=0)
        first = chunk[good.argmax(axis=0), np.arange(chunk.shape[1])]
        self._held = np.where(starting, first, self._held)
        self._memory = np.where(starting, self._steady[:, :, np.newaxis] * self._held, self._memory)
        if good.all():
            filled = chunk.astype(np.float64)
            self._held = filled[-1].copy()
            return filled
        last_good = np.maximum.accumulate(np.where(good, np.arange(len(chunk))[:, np.newaxis], -1), axis=0)
        values = np.take_along_axis(chunk.astype(np.float64), np.maximum(last_good, 0), axis=0)
        filled = np.where(last_good >= 0, values, self._held)
        self._held = filled[-1]
        # A lead that has never had a good value rests at 0: its output is NaN and its memory is set when it starts.
        return np.nan_to_num(filled, nan=0.0)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy of the memory: `memory` (n_sections, 2, n_leads) and `held` (n_leads,), float64."""
        return {"memory": self._memory.copy(), "held": self._held.copy()}

    def restore(self, state: State) -> None:
        """Go on from the `state()` of a filter with the same sections and leads; `InputError` for any other."""
        memory = state_array(state, "memory", shape=self._memory.shape)
        self._held = state_array(state, "held", shape=self._held.shape)
        self._memory = memory


def resample(signal: FloatArray, fs_in_hz: float, fs_out_hz: float) -> FloatArray:
    """Resample a whole signal as `StreamingResampler` does.

    Parameters
    ----------
    signal : (n_samples, n_leads) float32, mV

    Returns
    -------
    (ceil(n_samples * fs_out_hz / fs_in_hz), n_leads) float32, mV; sample k lies at k / fs_out_hz seconds

    Raises
    ------
    InputError
        A rate that is not positive, or a ratio beyond `MAX_RATIO`.
    """
    resampler = StreamingResampler(fs_in_hz, fs_out_hz, signal.shape[-1])
    return np.concatenate([*(resampler.feed(piece) for piece in pieces(signal)), resampler.flush()])


class StreamingResampler:
    """Change the sampling rate by a Kaiser-windowed sinc, polyphase, with memory.

    After Smith & Gossett 1984 (10.1109/ICASSP.1984.1172555), with the window of `scipy.signal.resample_poly`.
    Departures: each phase is scaled to gain 1 at 0 Hz, so that an offset passes exactly; beyond both ends the first
    and the last sample are held instead of 0, so that an offset makes no step there.

    Output sample k lies at k / fs_out_hz: the delay of the kernel is compensated, so outputs come out at most
    `delay_s` after their input. An output whose kernel touches a gap is NaN. Equal rates pass samples through.

    Rates are taken as fractions with denominators up to 10,000 (250/3 and 360.5 exactly; any other to 1e-4 Hz, at
    360 Hz less than 25 ms a day); time is counted in integers and does not drift. A ratio that needs more phases than
    the table holds (4096, fewer for long kernels) takes the nearest one, an error of at most 1/8192 of the longer step.

    Raises
    ------
    InputError
        A rate that is not positive, or a ratio beyond `MAX_RATIO`.
    """

    def __init__(self, fs_in_hz: float, fs_out_hz: float, n_leads: int) -> None:
        step = _ratio(fs_in_hz, fs_out_hz)
        self._up, self._down = step.denominator, step.numerator
        self._half = ceil(_ZERO_CROSSINGS * max(1.0, float(step)))
        self._identity = step == 1
        self._table = _kernel_table(step, self._half)
        self.delay_s = 0.0 if self._identity else self._half / fs_in_hz
        """Seconds between an input sample and the output at its time."""
        self._n_leads = n_leads
        self._reset()

    def _reset(self) -> None:
        self._buffer = np.zeros((0, self._n_leads))
        self._next = (self._half, 0)  # next output: index into the buffer (after its padding), remainder in 1/up

    def feed(self, chunk: FloatArray) -> FloatArray:
        """Take the next chunk and give the outputs that are complete.

        Parameters
        ----------
        chunk : (n_samples, n_leads) float32, mV; any number of samples, 0 included

        Returns
        -------
        (n_outputs, n_leads) float32, mV
        """
        check_chunk(chunk, self._n_leads)
        fresh = np.where(np.isfinite(chunk), chunk, np.nan)
        if self._identity:
            return fresh.astype(np.float32)
        fresh = fresh.astype(np.float64)
        if len(self._buffer) == 0:
            fresh = np.concatenate([np.repeat(fresh[:1], self._half, axis=0), fresh])
        self._buffer = np.concatenate([self._buffer, fresh])
        outputs = self._emit(len(self._buffer) - self._half)
        self._forget()
        return outputs

    def flush(self) -> FloatArray:
        """Give the outputs up to the end of the input, as `feed` does, and be ready for a new recording."""
        end = len(self._buffer)
        self._buffer = np.concatenate([self._buffer, np.repeat(self._buffer[-1:], self._half, axis=0)])
        outputs = self._emit(end)
        self._reset()
        return outputs

    def _emit(self, end: int) -> FloatArray:
        """Outputs that lie before buffer index `end`."""
        index, remainder = self._next
        n_outputs = max(0, ceil(((end - index) * self._up - remainder) / Fraction(self._down)))
        outputs = np.empty((n_outputs, self._n_leads), dtype=np.float32)
        size = max(1, _MAX_GATHER // self._table.shape[1])
        for start in range(0, n_outputs, size):
            block = outputs[start : start + size]
            block[:] = self._convolve(len(block))
        return outputs

    def _convolve(self, n_outputs: int) -> Float64Array:
        """The next `n_outputs` outputs, (n_outputs, n_leads)."""
        index, remainder = self._next
        position = remainder + self._down * np.arange(n_outputs + 1)
        centre, rest = index + position // self._up, position % self._up
        self._next = (int(centre[-1]), int(rest[-1]))
        phase = np.rint(rest[:-1] * ((len(self._table) - 1) / self._up)).astype(np.intp)
        taps = self._table[phase]
        first = centre[:-1] - self._half + 1
        windows = np.lib.stride_tricks.sliding_window_view(self._buffer, self._table.shape[1], axis=0)[first]
        return np.asarray(np.einsum("nlt,nt->nl", windows, taps), dtype=np.float64)

    def _forget(self) -> None:
        """Drop what no later output needs."""
        index, remainder = self._next
        n_old = min(max(0, index - self._half), max(0, len(self._buffer) - 1))
        self._buffer = self._buffer[n_old:].copy()
        self._next = (index - n_old, remainder)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy of the memory: `buffer` (n_kept, n_leads) float64, mV, and `next` (2,) int64."""
        return {"buffer": self._buffer.copy(), "next": np.array(self._next, dtype=np.int64)}

    def restore(self, state: State) -> None:
        """Go on from the `state()` of a resampler with the same rates and leads; `InputError` for any other."""
        buffer = state_array(state, "buffer", shape=(-1, self._n_leads))
        index, remainder = (int(number) for number in state_array(state, "next", shape=(2,)))
        self._buffer, self._next = buffer, (index, remainder)


def check_chunk(chunk: FloatArray, n_leads: int) -> None:
    """Raise `InputError` for a chunk that is not (n_samples, `n_leads`)."""
    if chunk.ndim != 2 or chunk.shape[1] != n_leads:
        raise InputError(f"chunk of shape {chunk.shape}; it must be (n_samples, {n_leads}); pass one column per lead")


def state_array(state: State, key: str, *, shape: tuple[int, ...]) -> Float64Array:
    """Copy of one array of a saved state as float64; -1 in `shape` stands for any length.

    Raises `InputError` where the state lacks the array or has it in another shape.
    """
    found = np.array(state.get(key, np.nan), dtype=np.float64)
    if found.ndim != len(shape) or any(want not in (-1, have) for want, have in zip(shape, found.shape, strict=True)):
        raise InputError(f"saved state {key!r} of shape {found.shape}; {shape} is needed; start without the state")
    return found


def _ratio(fs_in_hz: float, fs_out_hz: float) -> Fraction:
    """Input samples per output sample."""
    check_rate(fs_in_hz)
    check_rate(fs_out_hz)
    rates = [Fraction(rate_hz).limit_denominator(_RATE_DENOMINATOR) for rate_hz in (fs_in_hz, fs_out_hz)]
    if min(rates) == 0 or not Fraction(1, MAX_RATIO) <= rates[0] / rates[1] <= MAX_RATIO:
        raise InputError(
            f"resampling {fs_in_hz} Hz to {fs_out_hz} Hz; the ratio may be {MAX_RATIO} at most; check them"
        )
    return rates[0] / rates[1]


def _kernel_table(step: Fraction, half: int) -> Float64Array:
    """Taps of each phase: (n_phases + 1, 2 * half) float64; row p is the kernel p / n_phases after a sample."""
    n_phases = min(step.denominator, _MAX_PHASES, max(1, _MAX_TABLE // (2 * half)))
    offset = np.arange(1 - half, half + 1)
    time = np.arange(n_phases + 1)[:, np.newaxis] / n_phases - offset
    cutoff = min(1.0, 1 / float(step))
    inside = np.sqrt(np.clip(1 - (time * cutoff / _ZERO_CROSSINGS) ** 2, 0, None))
    taps = np.sinc(cutoff * time) * np.i0(_KAISER_BETA * inside) * (np.abs(time) * cutoff <= _ZERO_CROSSINGS)
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), dtype=np.float64)
