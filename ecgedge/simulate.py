"""Synthetic ECG whose truth is known: sinus rhythm with atrial, ventricular and fusion beats, and noise.

Waves are Gaussians, as in McSharry et al. 2003 (10.1109/TBME.2003.808805). Departures: they are placed in time, not on
a limit cycle, so that an ectopic beat can have waves of its own; RR intervals are a sum of sinusoids (breathing, Mayer
waves, slow drift) and a little noise instead of a spectrum; two leads instead of one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.records import Annotations, Recording
from ecgedge.signals import Float64Array, butterworth_bandpass, filter_once

RHYTHMS = ("sinus", "bigeminy", "fibrillation")
Waves = tuple[tuple[float, float, float, float], ...]

# One row per wave: centre after the R-peak (s), standard deviation (s), height in MLII (mV), height in V1 (mV).
# A wave is about 4.5 standard deviations long: P 100 ms, QRS 90 ms, QRS of a PVC 150 ms.
_QRS: Waves = ((-0.026, 0.008, -0.10, 0.22), (0.0, 0.0105, 1.25, -0.85), (0.027, 0.009, -0.20, 0.0))
_P: Waves = ((-0.150, 0.022, 0.13, 0.06),)
_P_OF_A: Waves = ((-0.125, 0.016, -0.07, 0.05), (-0.100, 0.016, 0.06, -0.03))  # another focus: late and biphasic
_T: Waves = ((0.300, 0.048, 0.30, 0.10),)  # the centre grows with the root of RR (Bazett)
# A PVC has no P wave and a T wave against its QRS.
_V: Waves = ((0.0, 0.034, 1.55, -1.35), (0.085, 0.030, -0.45, 0.35), (0.310, 0.060, -0.45, 0.40))
_V_DOWNWARD: Waves = ((0.0, 0.036, -1.45, 1.05), (0.090, 0.028, 0.40, -0.25), (0.320, 0.060, 0.42, -0.30))

# Shares of MLII and V1 in each lead: rough projections, not a torso model.
_LEADS = {"MLII": (1.0, 0.0), "II": (1.0, 0.0), "V1": (0.0, 1.0), "I": (0.6, -0.2), "V2": (0.2, 1.1), "V5": (0.9, -0.3)}
_MAX_DURATION_S = 7 * 86_400
_FIRST_ECTOPIC = 8  # beats of the rhythm before the first ectopic one: something to judge it by
_COUPLING = {"A": (0.60, 0.80), "V": (0.55, 0.75), "F": (0.90, 0.97)}  # in usual RR intervals
_REACH_S = (0.45, 0.75)  # before and after the R-peak: beyond it every wave is below 1 uV
_TAIL_S = 0.06  # half a QRS: a beat that the end would cut is left out
_MAINS_HZ = 50.0


@dataclass(frozen=True, slots=True)
class _PlannedBeat:
    time_s: float
    symbol: str
    rr_s: float
    """Since the beat before."""


def simulate_ecg(
    duration_s: float,
    *,
    seed: int,
    fs_hz: float = 360.0,
    rhythm: str = "sinus",
    heart_rate_bpm: float = 72.0,
    sveb_rate: float = 4.0,
    veb_rate: float = 6.0,
    fusion_rate: float = 0.0,
    noise_mv: float = 0.015,
    leads: Sequence[str] = ("MLII", "V1"),
    name: str = "simulated",
    on_progress: Callable[[int, int], None] | None = None,
) -> Recording:
    """Make a recording; the same arguments give the same samples.

    Parameters
    ----------
    rhythm : one of `RHYTHMS`; `bigeminy` makes every second beat a PVC, `fibrillation` has no P waves and no order
    sveb_rate, veb_rate, fusion_rate : A, V and F in 100 beats, 0 to 30 each and 45 together; never two in a row, and
        none among the first beats
    noise_mv : standard deviation of the muscle noise; baseline wander and mains hum scale with it; 0 for none
    leads : of MLII, II, V1, I, V2, V5
    on_progress : called now and then with the number of beats drawn and of all beats

    Returns
    -------
    Recording of (n_samples, n_leads) float32, mV, R waves of 1 to 1.5 mV, with `beats` of symbols N, A, V and F at the
    middle of the main deflection

    Raises
    ------
    InputError
        An argument out of its range, or a lead or rhythm that is not known.
    """
    percent = {"A": sveb_rate, "V": veb_rate, "F": fusion_rate}
    _check("fs_hz", fs_hz, 50, 10_000)
    _check("duration_s", duration_s, 1, _MAX_DURATION_S)
    _check("heart_rate_bpm", heart_rate_bpm, 20, 250)
    _check("noise_mv", noise_mv, 0, 10)
    _check_rates(percent)
    _check_names(rhythm, leads)
    rng = np.random.default_rng(seed)
    beats = list(_plan(duration_s, 60 / heart_rate_bpm, rhythm, percent, rng))
    n_samples = round(duration_s * fs_hz)
    fibrillating = rhythm == "fibrillation"
    signal = _draw(beats, n_samples, fs_hz, p_waves=not fibrillating, rng=rng, on_progress=on_progress)
    if fibrillating:
        signal += _fibrillation(n_samples, fs_hz, rng)
    signal = signal @ np.array([_LEADS[lead] for lead in leads]).T
    signal += _noise((n_samples, len(leads)), fs_hz, noise_mv, rng)
    sample = np.array([round(beat.time_s * fs_hz) for beat in beats], dtype=np.int64)
    truth = Annotations(sample, tuple(beat.symbol for beat in beats))
    return Recording(signal.astype(np.float32), float(fs_hz), tuple(leads), name, truth)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not (isfinite(value) and low <= value <= high):
        raise InputError(f"{name} of {value:g}; it must lie from {low:g} to {high:g}; choose one in that range")


def _check_rates(percent: Mapping[str, float]) -> None:
    for symbol, share in percent.items():
        _check(f"beats {symbol} in 100", share, 0, 30)
    _check("ectopic beats in 100", sum(percent.values()), 0, 45)


def _check_names(rhythm: str, leads: Sequence[str]) -> None:
    if rhythm not in RHYTHMS:
        raise InputError(f"rhythm {rhythm!r} is not known; choose one of {', '.join(RHYTHMS)}")
    unknown = [lead for lead in leads if lead not in _LEADS]
    if unknown or not leads:
        raise InputError(f"leads {', '.join(unknown) or 'none'} cannot be simulated; choose from {', '.join(_LEADS)}")


def _plan(
    duration_s: float, rr_s: float, rhythm: str, percent: Mapping[str, float], rng: np.random.Generator
) -> Iterator[_PlannedBeat]:
    """When each beat comes, and what it is."""
    phases = rng.uniform(0, 2 * pi, 3)
    beat = _PlannedBeat(0.5 * rr_s, "N", rr_s)
    n_beats = 0
    while beat.time_s < duration_s - _TAIL_S:
        yield beat
        n_beats += 1
        symbol = "N" if n_beats < _FIRST_ECTOPIC else _next_symbol(beat.symbol, rhythm, percent, rng)
        interval_s = _interval_s(symbol, beat, _usual_rr_s(beat.time_s, rr_s, rhythm, phases, rng), rng)
        beat = _PlannedBeat(beat.time_s + interval_s, symbol, interval_s)


def _next_symbol(last: str, rhythm: str, percent: Mapping[str, float], rng: np.random.Generator) -> str:
    if last != "N":
        return "N"
    if rhythm == "bigeminy":
        return "V"
    # Only the beats after a normal one are drawn, so each draw is likelier than the share of all beats asked for.
    draw = rng.random() * (100 - sum(percent.values()))
    for symbol, share in percent.items():
        if draw < share:
            return symbol
        draw -= share
    return "N"


def _usual_rr_s(
    time_s: float, rr_s: float, rhythm: str, phases: NDArray[np.float64], rng: np.random.Generator
) -> float:
    """Next interval of the rhythm: breathing at 0.25 Hz, Mayer waves at 0.1 Hz, drift over 5 minutes."""
    if rhythm == "fibrillation":
        return float(rr_s * np.clip(rng.lognormal(-0.02, 0.22), 0.5, 1.9))
    swing = [
        size * sin(2 * pi * rate_hz * time_s + phase)
        for (size, rate_hz), phase in zip(((0.035, 0.25), (0.02, 0.1), (0.05, 1 / 300)), phases, strict=True)
    ]
    return float(rr_s * (1 + sum(swing) + 0.01 * rng.standard_normal()))


def _interval_s(symbol: str, last: _PlannedBeat, usual_s: float, rng: np.random.Generator) -> float:
    """Interval before the next beat: ectopic beats are early; a V or F is made up for, an A resets the sinus node."""
    if symbol in _COUPLING:
        return float(usual_s * rng.uniform(*_COUPLING[symbol]))
    if last.symbol in "VF":
        return max(2 * usual_s - last.rr_s, usual_s)
    return float(usual_s * rng.uniform(1.0, 1.1)) if last.symbol == "A" else usual_s


def _draw(
    beats: Sequence[_PlannedBeat],
    n_samples: int,
    fs_hz: float,
    *,
    p_waves: bool,
    rng: np.random.Generator,
    on_progress: Callable[[int, int], None] | None,
) -> Float64Array:
    """The beats without noise, (n_samples, 2) float64, mV, MLII and V1."""
    signal = np.zeros((n_samples, 2))
    ventricular = _V if rng.random() < 0.7 else _V_DOWNWARD  # one focus per recording
    for number, beat in enumerate(beats):
        waves = _waves(beat, ventricular, p_waves=p_waves)
        first = max(0, ceil((beat.time_s - _REACH_S[0]) * fs_hz))
        last = min(n_samples, ceil((beat.time_s + _REACH_S[1]) * fs_hz))
        since_s = np.arange(first, last) / fs_hz - beat.time_s
        shapes = np.exp(-0.5 * ((since_s[:, np.newaxis] - waves[:, 0]) / waves[:, 1]) ** 2)
        breath = 1 + 0.03 * sin(2 * pi * 0.25 * beat.time_s) + 0.02 * rng.standard_normal()
        signal[first:last] += breath * shapes @ waves[:, 2:]
        if on_progress is not None and number % 256 == 0:
            on_progress(number, len(beats))
    return signal


def _waves(beat: _PlannedBeat, ventricular: Waves, *, p_waves: bool) -> Float64Array:
    """Rows of a beat: centre (s), standard deviation (s), heights in MLII and V1 (mV)."""
    if beat.symbol == "V":
        return np.array(ventricular)
    stretch = sqrt(min(max(beat.rr_s, 0.4), 1.2))
    t_wave = [(centre * stretch, *rest) for centre, *rest in _T]
    p_wave = (_P_OF_A if beat.symbol == "A" else _P) if p_waves else ()
    conducted = np.array((*p_wave, *_QRS, *t_wave))
    if beat.symbol == "F":  # two wave fronts meet
        return np.concatenate([conducted * [1, 1, 0.75, 0.75], np.array(ventricular) * [1, 1, 0.25, 0.25]])
    return conducted


def _fibrillation(n_samples: int, fs_hz: float, rng: np.random.Generator) -> Float64Array:
    """Fibrillatory waves of about 6 Hz, larger in V1, (n_samples, 2) float64, mV."""
    rate_hz = 6 + 0.6 * np.sin(2 * pi * 0.3 * np.arange(n_samples) / fs_hz)
    phase = 2 * pi * np.cumsum(rate_hz) / fs_hz + rng.uniform(0, 2 * pi)
    return np.asarray(np.sin(phase)[:, np.newaxis] * [0.04, 0.07], dtype=np.float64)


def _noise(shape: tuple[int, int], fs_hz: float, noise_mv: float, rng: np.random.Generator) -> Float64Array:
    """Muscle noise of `noise_mv`, baseline wander of a few times as much, mains hum of a third as much."""
    time_s = np.arange(shape[0])[:, np.newaxis] / fs_hz
    phases = rng.uniform(0, 2 * pi, (3, shape[1]))
    noise = 4 * np.sin(2 * pi * 0.25 * time_s + phases[0]) + 6 * np.sin(2 * pi * 0.045 * time_s + phases[1])
    if fs_hz > 2 * _MAINS_HZ:
        noise += 0.3 * np.sin(2 * pi * _MAINS_HZ * time_s + phases[2])
    sos = butterworth_bandpass(10, min(100, 0.4 * fs_hz), fs_hz, order=2)
    muscle = filter_once(sos, rng.standard_normal(shape).astype(np.float32))
    return np.asarray(noise_mv * (noise + muscle / muscle.std()), dtype=np.float64)
