"""Invented rhythms: new RR intervals and labels for a real sequence of beats.

Twenty-one training patients hold seven with more than ten supraventricular beats. Here their sinus beats are made early
(label S), irregular as in atrial fibrillation, or merely faster and slower (label N), so that a model sees prematurity,
irregularity and changes of rate in every patient. Ventricular and fusion beats keep their prematurity.
Knows nothing of signals.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import medfilt

from ecgedge.labels import AAMI
from ecgedge_train.datasets.mitdb import NOT_TRAINED

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

Scenario = Literal["real", "sinus", "few", "mixed", "most", "fibrillation"]
"""As recorded; no new ectopy; a few early beats; stretches of all kinds; early beats rule; atrial fibrillation."""
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
_SHARES = (0.12, 0.16, 0.12, 0.25, 0.17, 0.18)

N, S, V = (AAMI.names.index(name) for name in "NSV")
_SHORTEST_S, _LONGEST_S = 0.28, 4.5
_STRETCHES = {
    "few": (("sparse", "off"), (0.5, 0.5)),
    "mixed": (
        ("sparse", "mid", "bigeminy", "trigeminy", "runs", "tachycardia", "off"),
        (0.2, 0.2, 0.12, 0.1, 0.2, 0.08, 0.1),
    ),
    "most": (("bigeminy", "runs", "dense", "mid"), (0.3, 0.3, 0.3, 0.1)),
}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What becomes of each beat; all arrays are (n_beats,)."""

    rr_s: Float64Array
    """float64, s, to the beat before; the first is that to the start of the recording."""
    classes: IntArray
    p_gain: Float64Array
    """float64; factor on the P wave before the beat: 1 leaves it, 0 deletes it, below 0 turns it over."""
    pr_scale: Float64Array
    """float64; factor on the PR interval."""
    fibrillates: bool


def choose_scenario(classes: IntArray, rng: Generator, *, fibrillates: bool) -> Scenario:
    """Draw a scenario that the labels of a real record allow.

    A record that fibrillates gets no invented early beats; one with many supraventricular beats rarely fibrillates,
    since they would have to be left out.
    """
    scenario = SCENARIOS[rng.choice(len(SCENARIOS), p=_SHARES)]
    if fibrillates and scenario in _STRETCHES:
        return ("real", "sinus", "fibrillation")[rng.integers(3)]
    if scenario == "fibrillation" and np.count_nonzero(classes == S) > 20 and rng.random() < 0.8:
        return "mixed"
    return scenario


def invent_rhythm(rr_s: Float64Array, classes: IntArray, rng: Generator, *, scenario: Scenario) -> Rhythm:
    """A new rhythm for the beats of a record.

    Parameters
    ----------
    rr_s : (n_beats,) float64, s
    classes : (n_beats,) int64
    """
    ones = np.ones(len(rr_s))
    if scenario == "real":
        return Rhythm(rr_s.copy(), classes.copy(), ones, ones, False)
    sinus = _sinus_of(rr_s, classes)
    ratio = rr_s / sinus
    usual = np.clip(sinus * rng.uniform(0.75, 1.3) * np.exp(_modulation(np.cumsum(rr_s), rng)), 0.36, 1.9)
    if scenario == "fibrillation":
        return _fibrillating(usual, ratio, classes, rng)
    return _with_early_beats(usual, ratio, classes, rng, scenario)


def _sinus_of(rr_s: Float64Array, classes: IntArray) -> Float64Array:
    """Sinus interval at each beat: running median of the intervals between two N beats."""
    plain = np.flatnonzero(_follows_normal(classes) & (classes == N))
    if len(plain) < 5:
        return np.full(len(rr_s), np.median(rr_s[1:]))
    smooth = medfilt(rr_s[plain], min(21, len(plain) // 2 * 2 - 1))
    return np.interp(np.arange(len(rr_s)), plain, smooth)


def _follows_normal(classes: IntArray) -> BoolArray:
    return np.concatenate([[False], classes[:-1] == N])


def _modulation(time_s: Float64Array, rng: Generator) -> Float64Array:
    """Logarithm of a sinus rhythm's changes: breathing, drift, sudden lasting changes of rate, jitter."""
    end_s = time_s[-1]
    breathing = rng.uniform(0, 0.16 if rng.random() < 0.4 else 0.06)
    change = breathing * np.sin(2 * np.pi * time_s * rng.uniform(0.12, 0.35) + rng.uniform(0, 6))
    knots = np.arange(0, end_s + 120, rng.uniform(20, 120))
    change += np.interp(time_s, knots, rng.normal(0, rng.uniform(0.02, 0.15), len(knots)))
    for _ in range(rng.integers(1, 8) if rng.random() < 0.4 else 0):
        start_s = rng.uniform(0, end_s)
        inside = (time_s > start_s) & (time_s < start_s + rng.uniform(10, 300))
        change[inside] += rng.uniform(-0.4, 0.3)
    return np.asarray(
        change + rng.normal(0, rng.choice([0.005, 0.015, 0.03, 0.06], p=[0.4, 0.3, 0.2, 0.1]), len(time_s))
    )


def _fibrillating(usual: Float64Array, ratio: Float64Array, classes: IntArray, rng: Generator) -> Rhythm:
    """Irregular intervals without P waves, throughout or in stretches; S beats there would be mislabelled."""
    n, mean_s = len(usual), np.median(usual)
    noise = rng.normal(0, 1, n)
    noise[1:] += rng.uniform(-0.1, 0.3) * noise[:-1]
    irregular = np.exp(rng.uniform(0.1, 0.3) * noise) * mean_s
    irregular = np.maximum(irregular, 0.3 + 0.25 * np.minimum(irregular, 0.4))
    ectopic = np.clip(ratio, 0.4, 1.2) * mean_s * np.exp(rng.normal(0, 0.08, n))
    inside = _stretches(n, rng) if rng.random() < 0.35 else np.ones(n, bool)
    rr_s = np.where(inside, np.where(classes == N, irregular, ectopic), ratio * usual)
    return Rhythm(
        np.clip(rr_s, _SHORTEST_S, _LONGEST_S),
        np.where(classes == S, NOT_TRAINED, classes),
        np.where(inside, rng.uniform(0, 0.15), 1.0),
        np.ones(n),
        True,
    )


def _stretches(n: int, rng: Generator) -> BoolArray:
    inside = np.zeros(n, bool)
    for _ in range(rng.integers(1, 6)):
        start = rng.integers(0, n)
        inside[start : start + rng.integers(40, 600)] = True
    return inside


def _with_early_beats(
    usual: Float64Array, ratio: Float64Array, classes: IntArray, rng: Generator, scenario: Scenario
) -> Rhythm:
    early = _early_beats(classes, rng, scenario)
    prematurity = _prematurity(len(usual), rng)
    rr_s = ratio * usual
    if rng.random() < 0.3:
        plain = (classes == N) & _follows_normal(classes)
        rr_s = np.where(plain, usual * np.clip(ratio, 0.9, 1.1), rr_s)
    rr_s = np.where(early, usual * prematurity, rr_s)
    after = np.concatenate([[False], early[:-1]]) & ~early & (classes == N)
    rr_s = np.where(after, usual * _pause(prematurity, rng, scenario), rr_s)
    return Rhythm(
        np.clip(rr_s, _SHORTEST_S, _LONGEST_S),
        np.where(early, S, classes),
        np.where(early, _p_gain(len(usual), rng), 1.0),
        np.where(early, rng.uniform(0.75, 1.35), 1.0),
        False,
    )


def _prematurity(n: int, rng: Generator) -> Float64Array:
    """Coupling of early beats as a share of the usual interval: alike within a patient, now and then not."""
    spread = rng.normal(0, rng.uniform(0.01, 0.08), n) + (rng.random() < 0.2) * rng.normal(0, 0.06, n)
    return np.clip(rng.uniform(0.5, 0.88) + spread, 0.42, 0.92)


def _pause(prematurity: Float64Array, rng: Generator, scenario: Scenario) -> Float64Array:
    """The interval after an early beat as a share of the usual one: sinus node reset, compensatory, none, random."""
    kind = rng.choice(["reset", "compensatory", "none", "random"], p=[0.5, 0.2, 0.1, 0.2])
    pause = {
        "reset": np.full_like(prematurity, rng.uniform(0.98, 1.25)),
        "compensatory": np.clip(2 - np.concatenate([[1.0], prematurity[:-1]]), 1, 1.5),
        "none": np.full_like(prematurity, 0.95),
        "random": rng.uniform(0.9, 1.7, len(prematurity)),
    }[kind]
    sick_sinus = rng.uniform(1.1, 1.8) if scenario == "most" and rng.random() < 0.5 else 1.0
    return np.asarray(pause * sick_sinus * np.exp(rng.normal(0, 0.02, len(pause))), dtype=np.float64)


def _p_gain(n: int, rng: Generator) -> Float64Array:
    """The ectopic P wave: as in sinus, hidden, turned over, of another size, or another each time."""
    kind = rng.choice(["kept", "hidden", "inverted", "resized", "any"], p=[0.25, 0.2, 0.2, 0.15, 0.2])
    gain = {
        "kept": 1.0,
        "hidden": rng.uniform(0, 0.2),
        "inverted": -rng.uniform(0.2, 1.2),
        "resized": rng.uniform(0.2, 1.6),
    }
    return rng.uniform(-1.2, 1.6, n) if kind == "any" else np.full(n, gain[str(kind)])


def _early_beats(classes: IntArray, rng: Generator, scenario: Scenario) -> BoolArray:
    """Which N beats come early: never one after a ventricular beat, whose pause would be lost."""
    n = len(classes)
    early = np.zeros(n, bool)
    start = 1
    while scenario in _STRETCHES and start < n:
        kinds, shares = _STRETCHES[scenario]
        stop = min(n, start + int(rng.integers(20, 400)))
        early[start:stop] = _stretch(str(rng.choice(kinds, p=shares)), stop - start, rng)
        start = stop
    return np.asarray(early & (classes == N) & np.concatenate([[False], classes[:-1] != V]))


def _stretch(kind: str, n: int, rng: Generator) -> BoolArray:
    """Early beats in a stretch of `n` beats."""
    rates = {"off": 0.0, "sparse": rng.uniform(0.005, 0.05), "mid": rng.uniform(0.05, 0.25)}
    if kind in rates:
        return np.asarray(rng.random(n) < rates[kind])
    periods = {"bigeminy": 2, "trigeminy": 3}
    if kind in periods:
        return np.asarray((np.arange(n) % periods[kind] == 0) & (rng.random(n) < 0.93))
    return _runs(kind, n, rng)


def _runs(kind: str, n: int, rng: Generator) -> BoolArray:
    early = np.zeros(n, bool)
    place = 0
    while place < n:
        gap = int(rng.integers(1, 3 if kind == "dense" else 25))
        length = int(rng.integers(8, 60) if kind == "tachycardia" else rng.integers(2, 9))
        early[place + gap : place + gap + length] = True
        place += gap + length
    return early
