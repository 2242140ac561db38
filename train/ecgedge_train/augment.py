"""Virtual patients: a real training record with another lead axis, rhythm, speed, gain, noise and R-peak error.

Only training records are used. Noise comes from the MIT-BIH Noise Stress Test Database (`bw` baseline wander, `ma`
muscle artefact; Moody et al. 1984, Computers in Cardiology 11:381) or, where the recipe says so, from a seeded random
walk and white noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ecgedge.beat_matching import match_beats
from ecgedge.catalogue import locate
from ecgedge.errors import SettingsError
from ecgedge.records import Recording
from ecgedge.rpeaks import detect_rpeaks
from ecgedge_train.datasets.mitdb import NO_BEAT, NOT_TRAINED, class_indices
from ecgedge_train.rhythms import Scenario, V, choose_scenario, invent_rhythm
from ecgedge_train.warp import scale_p_waves, warp

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Noise = Mapping[str, FloatArray]
"""`bw` and `ma`: (n_samples, 2) float32 of unit variance."""

_SNR_DB = {"bw": (6.0, 24.0), "ma": (14.0, 34.0)}
_EDGE_N = 150  # samples at either end without a labelled beat
_LEAST_GAP_N = 60  # samples between two R-peaks after jitter
_MATCH_S = 0.15  # ANSI/AAMI EC57:2012
_LONGEST_PAUSE_S = 2.5  # between reference beats; in longer ones (flutter, asystole) an extra detection is not judged


@dataclass(frozen=True, slots=True)
class Labelled:
    """One lead with R-peaks and their classes."""

    signal: FloatArray
    """(n_samples, 1) float32, mV."""
    r_peaks: IntArray
    """(n_beats,) int64, samples."""
    classes: IntArray
    """(n_beats,) int64, index into `AAMI.names`, or `NO_BEAT`, or `NOT_TRAINED`."""


def first_lead(recording: Recording, lead: str = "MLII") -> int:
    """Column of the lead that is judged: `lead` where it is there, else the first."""
    return recording.leads.index(lead) if lead in recording.leads else 0


def as_recorded(recording: Recording) -> Labelled:
    """A record with its own lead, R-peaks and classes."""
    assert recording.beats is not None
    signal = recording.signal[:, [first_lead(recording)]]
    return Labelled(signal, recording.beats.sample, class_indices(recording.beats))


def virtual_patient(
    recording: Recording,
    rng: Generator,
    *,
    noise: Noise,
    fibrillates: bool,
    scenario: Scenario | None = None,
    detected_share: float = 0.0,
) -> Labelled:
    """One virtual patient out of a real one.

    Parameters
    ----------
    fibrillates : the record is in atrial fibrillation, so that early beats must not be invented
    scenario : drawn at random where it is not given
    detected_share : how likely R-peaks come from our own detector instead of the reference
    """
    assert recording.beats is not None
    signal, peaks, fs_hz = _new_axis(recording, rng), recording.beats.sample, recording.fs_hz
    classes = class_indices(recording.beats)
    scenario = scenario or choose_scenario(classes, rng, fibrillates=fibrillates)
    rr_s = np.diff(peaks, prepend=0) / fs_hz
    rhythm = invent_rhythm(rr_s, classes, rng, scenario=scenario)
    signal = scale_p_waves(signal, peaks, rhythm.p_gain, fs_hz=fs_hz)
    if scenario != "real":
        signal, peaks = warp(signal, peaks, rhythm.rr_s, pr_scale=rhythm.pr_scale, fs_hz=fs_hz)
        signal, peaks = _new_speed(signal, peaks, rng.uniform(0.9, 1.12))
    if rhythm.fibrillates:
        signal += _fibrillation_waves(signal, rng, fs_hz=fs_hz)
    signal = _noisy(signal * np.float32(np.exp(rng.normal(0, 0.4))), noise, rng)
    if detected_share > 0 and rng.random() < detected_share:
        peaks, classes = as_detected(signal, peaks, rhythm.classes, fs_hz=fs_hz)
    else:
        peaks, classes = _jittered(peaks, rhythm.classes, len(signal), rng)
    return Labelled(signal.astype(np.float32)[:, np.newaxis], peaks, classes)


def _new_axis(recording: Recording, rng: Generator) -> FloatArray:
    """The judged lead, or a mixture of both as if the electrodes sat elsewhere; now and then upside down."""
    column = first_lead(recording)
    first, other = recording.signal[:, column], recording.signal[:, column - 1]
    angle = 0.0 if rng.random() < 0.45 else rng.normal(0, 0.6)
    sign = -1 if rng.random() < 0.12 else 1
    return np.asarray(sign * (np.cos(angle) * first + np.sin(angle) * other), dtype=np.float32)


def _new_speed(signal: FloatArray, peaks: IntArray, factor: float) -> tuple[FloatArray, IntArray]:
    """Draw out the whole signal, QRS included."""
    time = np.arange(int(len(signal) * factor)) / factor
    drawn = np.interp(time, np.arange(len(signal)), signal).astype(np.float32)
    return drawn, np.rint(peaks * factor).astype(np.int64)


def _fibrillation_waves(signal: FloatArray, rng: Generator, *, fs_hz: float) -> FloatArray:
    """4 to 9 waves a second whose rate and size wander."""
    time_s = np.arange(len(signal)) / fs_hz
    rate_hz = rng.uniform(4, 9) + _wander(time_s, 1.0, 0.6, rng)
    phase = 2 * np.pi * np.cumsum(rate_hz) / fs_hz
    size = rng.uniform(0, 0.08) * np.percentile(np.abs(signal), 98) * (1 + _wander(time_s, 0.7, 0.5, rng))
    return np.asarray(size * (np.sin(phase) + 0.3 * np.sin(2 * phase)), dtype=np.float32)


def _wander(time_s: NDArray[np.float64], every_s: float, spread: float, rng: Generator) -> NDArray[np.float64]:
    knots = np.arange(0, time_s[-1] + 2 * every_s, every_s)
    return np.interp(time_s, knots, rng.normal(0, spread, len(knots)))


def _noisy(signal: FloatArray, noise: Noise, rng: Generator) -> FloatArray:
    """Half of the virtual patients are noisy, with a noise that swells and fades within a minute."""
    if rng.random() < 0.5:
        return signal
    n, size = len(signal), np.std(signal)
    for name, (low, high) in _SNR_DB.items():
        if rng.random() < 0.6:
            source = noise[name]
            start, column = rng.integers(0, max(1, len(source) // 2)), rng.integers(0, source.shape[1])
            knots = np.arange(0, n + 36000, 18000)
            swell = np.interp(np.arange(n), knots, rng.uniform(0, 1, len(knots)))
            level = size * 10 ** (-rng.uniform(low, high) / 20)
            signal = (signal + np.resize(source[start:, column], n) * swell * level).astype(np.float32)
    return signal


def as_detected(signal: FloatArray, peaks: IntArray, classes: IntArray, *, fs_hz: float) -> tuple[IntArray, IntArray]:
    """R-peaks as our own detector finds them in (n_samples,) mV, with the class of the reference beat each belongs to.

    An extra one is `NO_BEAT`; in a long pause between reference beats it is `NOT_TRAINED`.
    """
    found = detect_rpeaks(signal, fs_hz)
    match = match_beats(peaks, found, tolerance_samples=round(_MATCH_S * fs_hz))
    labels = np.full(len(found), NO_BEAT)
    after = np.searchsorted(peaks, found)
    pause = np.diff(peaks, prepend=-np.inf, append=np.inf)[after]
    labels[pause > _LONGEST_PAUSE_S * fs_hz] = NOT_TRAINED
    labels[match.pairs[:, 1]] = classes[match.pairs[:, 0]]
    return found, labels


def _jittered(peaks: IntArray, classes: IntArray, n: int, rng: Generator) -> tuple[IntArray, IntArray]:
    """R-peaks as a detector finds them: shifted, in ventricular beats more so, some missed, some invented."""
    spread = rng.choice([0.3, 1.0, 2.5])
    wide = rng.integers(-14, 15) if rng.random() < 0.5 else 0
    shifted = peaks + rng.integers(-4, 5) + np.rint(rng.normal(0, spread, len(peaks))).astype(np.int64)
    shifted = shifted + np.where(classes == V, wide, 0)
    found = rng.random(len(peaks)) > rng.choice([0, 0.002, 0.01], p=[0.5, 0.4, 0.1])
    false = rng.integers(0, n, rng.integers(1, 12) if rng.random() < 0.2 else 0)
    places = np.concatenate([shifted[found], false])
    order = np.argsort(places, kind="stable")
    places = places[order]
    labels = np.concatenate([classes[found], np.full(len(false), NOT_TRAINED)])[order]
    apart = np.diff(places, prepend=-_LEAST_GAP_N - 1) > _LEAST_GAP_N
    kept = apart & (places > _EDGE_N) & (places < n - _EDGE_N)
    return places[kept], labels[kept]


def noise_of(source: str, root: Path | None = None) -> Noise:
    """Both noises at unit variance, from `nstdb` or `invented`, as the recipe says.

    Raises
    ------
    SettingsError
        Another source.
    DataError
        The recipe wants nstdb, which is not on this machine.
    """
    if source == "invented":
        return _invented_noise(np.random.default_rng(0))
    if source != "nstdb":
        raise SettingsError(f"pool.noise is {source!r}; it must be nstdb or invented; correct the recipe")
    folder = locate("nstdb", root=root, wanted=[f"{name}{end}" for name in _SNR_DB for end in (".hea", ".dat")])
    return {name: _standardised(_read_raw(folder / name)) for name in _SNR_DB}


def _read_raw(path: Path) -> FloatArray:
    import wfdb

    return np.asarray(wfdb.rdrecord(str(path), physical=False).d_signal, dtype=np.float32)


def _invented_noise(rng: Generator) -> Noise:
    white = rng.normal(0, 1, (108_000, 2))
    walk = np.cumsum(white, axis=0)
    return {"bw": _standardised(walk - np.linspace(0, 1, len(walk))[:, None] * walk[-1]), "ma": _standardised(white)}


def _standardised(values: NDArray[np.floating]) -> FloatArray:
    return np.asarray((values - values.mean(axis=0)) / values.std(axis=0), dtype=np.float32)
