"""A simulated 12-lead ECG whose limb leads fit together: the heart as one vector that every lead looks at.

Waves are Gaussians, as in McSharry et al. 2003 (10.1109/TBME.2003.808805), here of a vector with three components, in
Frank's axes: x to the left, y to the feet, z to the back. Dower's matrix (10.1002/clc.1980.3.2.87) turns the vector
into the leads. Departures: only I, II and V1 to V6 are taken from it; III and the augmented leads follow from I and II
by Einthoven's and Goldberger's sums, which the printed, rounded matrix fulfils to 0.001 only. Each chest lead has a
gain of its own (the electrode nearer to the heart or farther from it), and waves are placed in time, not on a cycle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from ecgedge.errors import InputError
from ecgedge.paper.layouts import LEADS
from ecgedge.records import Annotations, Recording
from ecgedge.signals import butterworth_bandpass, filter_once

Array = NDArray[np.float64]

# Rows I, II, V1 to V6; columns x, y, z.
_DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
# One row per wave: centre after the R-peak (s), standard deviation (s), x, y, z (mV).
_P = ((-0.160, 0.022, 0.05, 0.11, -0.03),)
_QRS = (
    (-0.024, 0.008, -0.12, -0.10, -0.22),  # septum: to the right and to the front
    (0.0, 0.011, 1.10, 0.95, 0.25),  # the left ventricle
    (0.026, 0.010, -0.15, -0.25, 0.45),  # its base, last: to the back
)
_T = ((0.290, 0.050, 0.26, 0.22, -0.14), (0.235, 0.040, 0.06, 0.05, -0.05))  # slow rise, faster fall
_V = ((0.0, 0.036, -0.70, 1.10, -0.55), (0.085, 0.032, 0.25, -0.45, 0.25), (0.320, 0.062, 0.25, -0.45, 0.25))
_REACH_S = 0.8  # from the R-peak; beyond it every wave is below 1 uV
_MAX_DURATION_S = 3600.0


@dataclass(frozen=True, slots=True)
class _Heart:
    """What makes one person's ECG differ from another's."""

    rate_bpm: float
    irregularity: float
    """Standard deviation of RR intervals, as a part of their mean."""
    veb_rate: float
    """Share of beats that are ventricular ectopic ones."""
    p_waves: bool
    axis: Array
    """(3, 3), turns the heart in the chest."""
    width: float
    """Of the QRS, 1 is usual."""
    size: float
    t_size: float
    st_mv: Array
    """(3,) elevation of the ST segment, mV, x, y, z."""
    chest_gain: Array
    """(6,) of V1 to V6."""


def simulate_twelve_leads(
    duration_s: float = 10.0, *, seed: int, fs_hz: float = 500.0, noise_mv: float = 0.008, wander_mv: float = 0.05
) -> Recording:
    """Make the twelve standard leads of a random person; the same arguments give the same samples.

    The seed chooses rate (40 to 150 per minute), axis, QRS width and size, ventricular ectopic beats (in a quarter of
    the persons), fibrillation of the atria (in one of ten), ST elevation or depression, inverted T waves, low voltage,
    and tall chest leads that cross other rows of a page.

    Parameters
    ----------
    duration_s : 1 to 3600
    fs_hz : 50 to 10,000
    noise_mv : standard deviation of the muscle noise, mV; 0 for none
    wander_mv : height of the baseline wander, mV; 0 for none

    Returns
    -------
    Recording of (n_samples, 12) float32, mV, leads as in `ecgedge.paper.layouts.LEADS`; I + III = II and
    aVR + aVL + aVF = 0 but for the rounding of float32; its `beats` are N or V, at the middle of the main deflection

    Raises
    ------
    InputError
        An argument out of its range.
    """
    _check("duration_s", duration_s, 1, _MAX_DURATION_S)
    _check("fs_hz", fs_hz, 50, 10_000)
    _check("noise_mv", noise_mv, 0, 1)
    _check("wander_mv", wander_mv, 0, 2)
    rng = np.random.default_rng(seed)
    heart = _random_heart(rng)
    n_samples = round(duration_s * fs_hz)
    beats = list(_plan(heart, duration_s, rng))
    vector = _draw(heart, beats, n_samples, fs_hz, rng)
    seen = vector @ _DOWER.T
    seen[:, 2:] *= heart.chest_gain
    seen += _noise(n_samples, fs_hz, noise_mv=noise_mv, wander_mv=wander_mv, rng=rng)
    inside = [(round(time_s * fs_hz), symbol) for time_s, symbol, _ in beats if 0 <= time_s * fs_hz < n_samples - 1]
    truth = Annotations(
        np.array([sample for sample, _ in inside], dtype=np.int64), tuple(symbol for _, symbol in inside)
    )
    signal = with_derived_leads(seen).astype(np.float32)
    return Recording(signal, float(fs_hz), LEADS, f"simulated-{seed}", truth)


def with_derived_leads(independent: Array) -> Array:
    """Twelve leads from the eight independent ones.

    Parameters
    ----------
    independent : (n_samples, 8) float64, mV: I, II, V1 to V6

    Returns
    -------
    (n_samples, 12) float64, mV, in the order of `LEADS`
    """
    one, two = independent[:, 0], independent[:, 1]
    limb = (one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2)
    return np.column_stack((*limb, independent[:, 2:]))


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"{name} of {value:g}; it must lie from {low:g} to {high:g}; choose one in that range")


def _random_heart(rng: np.random.Generator) -> _Heart:
    fibrillating = rng.random() < 0.1
    low_voltage = rng.random() < 0.12
    tall = rng.random() < 0.25
    ischaemic = rng.random() < 0.3
    wide = rng.random() < 0.2
    return _Heart(
        rate_bpm=float(np.clip(rng.lognormal(np.log(75), 0.3), 40, 150)),
        irregularity=0.2 if fibrillating else float(rng.uniform(0.005, 0.04)),
        veb_rate=float(rng.uniform(0.05, 0.3)) if rng.random() < 0.25 else 0.0,
        p_waves=not fibrillating,
        axis=_turn(rng.normal(0, 0.45), rng.normal(0, 0.35)),
        width=float(rng.uniform(1.3, 1.8) if wide else rng.uniform(0.8, 1.1)),
        size=float(rng.uniform(0.3, 0.5) if low_voltage else rng.uniform(0.75, 1.3)),
        t_size=float(rng.uniform(-1.2, -0.4) if rng.random() < 0.15 else rng.uniform(0.4, 1.4)),
        st_mv=rng.normal(0, 0.14, 3) if ischaemic else rng.normal(0, 0.01, 3),
        chest_gain=rng.uniform(1.2, 2.2, 6) if tall else rng.uniform(0.6, 1.2, 6),
    )


def _turn(frontal: float, horizontal: float) -> Array:
    """Turns the heart about the axis from front to back, then about the one from head to feet; rad."""
    a, b = frontal, horizontal
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return np.asarray(about_y @ about_z, dtype=np.float64)


def _plan(heart: _Heart, duration_s: float, rng: np.random.Generator) -> Iterator[tuple[float, str, float]]:
    """Time (s), symbol and RR interval (s) of each beat; those that only begin before or end after are there too."""
    usual_s = 60 / heart.rate_bpm
    phase = rng.uniform(0, 2 * pi)
    time_s, symbol, rr_s = rng.uniform(-usual_s, 0), "N", usual_s
    while time_s < duration_s + _REACH_S:
        yield float(time_s), symbol, float(rr_s)
        early = symbol == "N" and rng.random() < heart.veb_rate
        swing = 0.03 * sin(2 * pi * 0.25 * time_s + phase) + heart.irregularity * rng.standard_normal()
        next_s = usual_s * float(np.clip(1 + swing, 0.55, 1.8))
        if early:
            next_s *= rng.uniform(0.55, 0.75)
        elif symbol == "V":
            next_s = max(2 * usual_s - rr_s, usual_s)  # the pause that makes up for the early beat
        symbol, rr_s = ("V" if early else "N"), max(next_s, 0.3)
        time_s += rr_s


def _draw(
    heart: _Heart, beats: list[tuple[float, str, float]], n_samples: int, fs_hz: float, rng: np.random.Generator
) -> Array:
    """The heart's vector without noise, (n_samples, 3) float64, mV."""
    time_s = np.arange(n_samples) / fs_hz
    vector = np.zeros((n_samples, 3))
    for beat_s, symbol, rr_s in beats:
        first, last = np.searchsorted(time_s, (beat_s - _REACH_S, beat_s + _REACH_S))
        waves = _waves(heart, symbol, rr_s)
        since_s = time_s[first:last, np.newaxis] - beat_s
        shapes = np.exp(-0.5 * ((since_s - waves[:, 0]) / waves[:, 1]) ** 2)
        breath = 1 + 0.04 * sin(2 * pi * 0.25 * beat_s) + 0.02 * rng.standard_normal()
        vector[first:last] += breath * shapes @ waves[:, 2:]
    if not heart.p_waves:
        phase = 2 * pi * 6 * time_s + 2 * np.sin(2 * pi * 0.3 * time_s) + rng.uniform(0, 2 * pi)
        vector += np.sin(phase)[:, np.newaxis] * [0.01, 0.03, -0.05]
    return vector


def _waves(heart: _Heart, symbol: str, rr_s: float) -> Array:
    """Rows of a beat: centre (s), standard deviation (s), x, y, z (mV)."""
    if symbol == "V":
        return np.concatenate([np.array(_V)[:, :2], heart.size * np.array(_V)[:, 2:] @ heart.axis.T], axis=1)
    stretch = sqrt(min(max(rr_s, 0.4), 1.2))  # Bazett: QT grows with the root of RR
    qrs, p_wave, t_wave = np.array(_QRS), np.array(_P), np.array(_T)
    qrs[:, :2] *= heart.width
    p_wave[:, 0] -= 0.5 * (heart.width - 1) * 0.06
    t_wave[:, :2] *= stretch
    t_wave[:, 2:] *= heart.t_size
    # A plateau from the end of the QRS to the T wave: Gaussians one standard deviation apart add up to a flat top.
    plateau = np.linspace(0.07, 0.20, 4) * stretch
    step = float(plateau[1] - plateau[0])
    height = heart.st_mv / (sqrt(2 * pi) * heart.size)
    st = np.column_stack((plateau, np.full(4, step), np.tile(height, (4, 1))))
    waves = np.concatenate([p_wave, qrs, t_wave] if heart.p_waves else [qrs, t_wave])
    waves[:, 2:] = heart.size * waves[:, 2:] @ heart.axis.T
    return np.concatenate([waves, st])


def _noise(n_samples: int, fs_hz: float, *, noise_mv: float, wander_mv: float, rng: np.random.Generator) -> Array:
    """Muscle noise and baseline wander of the eight independent leads, (n_samples, 8) float64, mV."""
    time_s = np.arange(n_samples)[:, np.newaxis] / fs_hz
    phases = rng.uniform(0, 2 * pi, (2, 8))
    sizes = wander_mv * rng.uniform(0.2, 1.0, (2, 8))
    wander = sizes[0] * np.sin(2 * pi * 0.25 * time_s + phases[0])
    wander += sizes[1] * np.sin(2 * pi * 0.07 * time_s + phases[1])
    sos = butterworth_bandpass(5, min(100, 0.4 * fs_hz), fs_hz, order=2)
    muscle = filter_once(sos, rng.standard_normal((n_samples, 8)).astype(np.float32))
    scale = noise_mv * float(np.clip(rng.lognormal(0, 0.7), 0.2, 4))
    return np.asarray(wander + scale * muscle / muscle.std(), dtype=np.float64)
