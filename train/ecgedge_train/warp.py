"""Move the beats of a real signal to new places: P wave, QRS and T wave keep their shape, the pause between them gives.

Piecewise-linear time warp. Between two beats the stretch from the end of T to the start of P is pressed or drawn out;
only where a beat comes so early that there is no room are T and P squeezed too, which also merges P into T.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

_QRS_END_S = 0.08
_QRS_START_S = 0.055
_P_START_S = 0.22
_T_END_S = 0.42
"""End of T at a heart rate of 60 a minute; shorter with the root of RR (Bazett 1920)."""
_LEAST_S = 0.01


def warp(
    signal: FloatArray, r_peaks: IntArray, rr_s: Float64Array, *, pr_scale: Float64Array, fs_hz: float
) -> tuple[FloatArray, IntArray]:
    """Give the beats new intervals.

    Parameters
    ----------
    signal : (n_samples,) float32, mV
    r_peaks : (n_beats,) int64, samples, increasing
    rr_s : (n_beats,) float64, s; the new intervals, the first of which is not used: the first beat stays
    pr_scale : (n_beats,) float64; factor on the PR interval

    Returns
    -------
    signal (n_new,) float32, mV, and R-peaks (n_beats,) int64 in it
    """
    old_s = r_peaks / fs_hz
    new_s = old_s[0] + np.concatenate([[0.0], np.cumsum(rr_s[1:])])
    old_knots, new_knots = _knots(np.diff(old_s), rr_s[1:], pr_scale[1:])
    old_knots = old_s[:-1, np.newaxis] + old_knots
    new_knots = new_s[:-1, np.newaxis] + new_knots
    tail_s = max(0.1, (len(signal) - 1) / fs_hz - old_s[-1])
    old = np.concatenate([[0.0], old_knots.ravel(), [old_s[-1], old_s[-1] + tail_s]])
    new = np.concatenate([[0.0], new_knots.ravel(), [new_s[-1], new_s[-1] + tail_s]])
    old, new = np.maximum.accumulate(old), _increasing(new)
    time_s = np.arange(int(new[-1] * fs_hz)) / fs_hz
    source = np.interp(time_s, new, old) * fs_hz
    warped = np.interp(source, np.arange(len(signal)), signal).astype(np.float32)
    return warped, np.rint(new_s * fs_hz).astype(np.int64)


def _knots(old_rr_s: Float64Array, new_rr_s: Float64Array, pr_scale: Float64Array) -> tuple[Float64Array, Float64Array]:
    """End of QRS, end of T, start of P, start of QRS after each beat, s from it: (n_intervals, 4), old and new."""
    t_end = np.minimum(_T_END_S * np.sqrt(np.minimum(old_rr_s, 1.2)), old_rr_s - 0.12)
    t_end = np.maximum(t_end, _QRS_END_S + 0.05)
    p_start = np.minimum(_P_START_S, np.maximum(_QRS_START_S + 0.02, old_rr_s - t_end - _LEAST_S))
    crowded = new_rr_s <= t_end + 0.32
    shorter = np.maximum(_QRS_END_S + 0.05, t_end * np.minimum(1, np.sqrt(new_rr_s / np.maximum(old_rr_s, 0.3))))
    new_t, new_p = np.where(crowded, shorter, t_end), p_start * pr_scale
    room = np.maximum(0.01, new_rr_s - _QRS_END_S - _QRS_START_S - _LEAST_S)
    wanted = np.maximum(new_t - _QRS_END_S + np.maximum(new_p - _QRS_START_S, _LEAST_S), _LEAST_S)
    squeeze = np.minimum(1, room / wanted)
    new_t = _QRS_END_S + (new_t - _QRS_END_S) * squeeze
    new_p = _QRS_START_S + np.maximum(new_p - _QRS_START_S, _LEAST_S) * squeeze
    end, start = np.full_like(old_rr_s, _QRS_END_S), _QRS_START_S
    old = np.stack([end, t_end, old_rr_s - p_start, old_rr_s - start], axis=1)
    new = np.stack([end, new_t, new_rr_s - new_p, new_rr_s - start], axis=1)
    return old, new


def _increasing(values: Float64Array) -> Float64Array:
    return np.asarray(np.maximum.accumulate(values) + np.arange(len(values)) * 1e-9, dtype=np.float64)


def scale_p_waves(signal: FloatArray, r_peaks: IntArray, gain: Float64Array, *, fs_hz: float) -> FloatArray:
    """A copy of the signal with the P wave before each beat scaled by `gain`, tapered at both ends.

    What is scaled is the deflection from the line through the ends of the stretch 240 to 55 ms before the beat, cut
    short where the T wave before it reaches into it.
    """
    scaled = signal.copy()
    for k in np.flatnonzero(gain != 1).tolist():
        first, last = r_peaks[k] - round(0.24 * fs_hz), r_peaks[k] - round(0.055 * fs_hz)
        first = max(first, 0, r_peaks[k - 1] + round(0.3 * fs_hz) if k else 0)
        if last - first >= 15 and last <= len(signal):
            scaled[first:last] = _scaled(scaled[first:last], float(gain[k]))
    return scaled


def _scaled(stretch: FloatArray, gain: float) -> FloatArray:
    n = len(stretch)
    line = np.linspace(stretch[:4].mean(), stretch[-4:].mean(), n)
    place = np.arange(n)
    taper = np.minimum(1, np.minimum(place, place[::-1]) / 8)
    return (stretch + (gain - 1) * (stretch - line) * taper).astype(np.float32)
