"""Leads as another patient, printer, camera or reading would have given them: vectorised over a batch, seeded.

Time scaling, jitter and drift as SimCardioNet does it (SYSTEMS of this project, 4); gain, leads that are missing, and
stretches that the reading of the page left out are ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Inputs = dict[str, FloatArray]

_DRIFT_HZ = (0.05, 0.5)  # of breathing and of a wandering electrode


@dataclass(frozen=True, slots=True)
class LeadAugmentation:
    """How far a page's leads are changed; 0 leaves a property as it is. Amplitudes are shares of full scale."""

    time_scale: float = 0.1
    """Heart rate changed by at most this share."""
    shift_samples: int = 12
    """All short leads moved in time together by at most this."""
    roll_samples: int = 100
    """The strip, which begins anywhere in a heartbeat, rolled by at most this."""
    gain: float = 0.33
    """All leads multiplied by at most 1 + gain, at least its inverse."""
    lead_gain: float = 0.1
    """Each short lead again by 1 +- this."""
    jitter: float = 0.015
    """Standard deviation of white noise, at most."""
    drift: float = 0.03
    """Amplitude of a slow wave, at most."""
    lead_dropped: float = 0.05
    """Probability that a lead was not read at all."""
    strip_dropped: float = 0.1
    """The same for the rhythm strip, which is left out where its lead is not sure."""
    gap: float = 0.2
    """Probability that a lead has a stretch that was not read."""
    gap_share: float = 0.15
    """Its length, at most, as a share of the lead."""


def augment(inputs: Inputs, rng: Generator, settings: LeadAugmentation) -> Inputs:
    """A changed copy of a batch.

    Parameters
    ----------
    inputs : `leads` (n, 12, samples, 2) and `strip` (n, 1, samples, 2) float32; channel 1 says where ink was seen

    Returns
    -------
    The same shapes; channel 0 is 0 wherever channel 1 is.
    """
    n = len(inputs["leads"])
    rate = rng.uniform(1 - settings.time_scale, 1 + settings.time_scale, n)
    gain = (1 + settings.gain) ** rng.uniform(-1, 1, (n, 1, 1))
    jitter = rng.uniform(0, settings.jitter, (n, 1, 1)) if settings.jitter else np.zeros((n, 1, 1))
    leads = _resampled(inputs["leads"], rate, rng.uniform(-1, 1, n) * settings.shift_samples)
    strip = _resampled(_rolled(inputs["strip"], rng, settings.roll_samples), rate, np.zeros(n))
    own = gain * rng.uniform(1 - settings.lead_gain, 1 + settings.lead_gain, (n, leads.shape[1], 1))
    return {
        "leads": _spoilt(leads, own, jitter, rng, settings, dropped=settings.lead_dropped),
        "strip": _spoilt(strip, gain, jitter, rng, settings, dropped=settings.strip_dropped),
    }


def _rolled(values: FloatArray, rng: Generator, most: int) -> FloatArray:
    n, _, samples, _ = values.shape
    moved: NDArray[np.int64] = rng.integers(-most, most + 1, (n, 1))
    at = (np.arange(samples)[None] + moved) % samples
    return np.take_along_axis(values, at[:, None, :, None], axis=2)


def _resampled(values: FloatArray, rate: NDArray[np.float64], shift: NDArray[np.float64]) -> FloatArray:
    """Sample t of the result is sample rate * t + shift of the values, between two samples in proportion."""
    samples = values.shape[2]
    at = np.arange(samples)[None] * rate[:, None] + shift[:, None]
    inside = ((at >= 0) & (at <= samples - 1))[:, None, :, None]
    left = np.clip(np.floor(at).astype(np.intp), 0, samples - 2)
    share = np.clip(at - left, 0, 1).astype(np.float32)[:, None, :, None]
    low = np.take_along_axis(values, left[:, None, :, None], axis=2)
    high = np.take_along_axis(values, left[:, None, :, None] + 1, axis=2)
    mixed = low * (1 - share) + high * share
    mixed[..., 1] = np.where(share[..., 0] > 0, np.minimum(low[..., 1], high[..., 1]), low[..., 1])
    return np.where(inside, mixed, np.float32(0))


def _spoilt(
    values: FloatArray,
    gain: NDArray[np.float64],
    jitter: NDArray[np.float64],
    rng: Generator,
    settings: LeadAugmentation,
    *,
    dropped: float,
) -> FloatArray:
    shape = values.shape[:3]
    signal = values[..., 0] * gain + rng.standard_normal(shape, np.float32) * jitter + _drift(shape, rng, settings)
    seen = values[..., 1] * _kept(shape, rng, settings, dropped=dropped)
    signal = np.where(seen > 0, np.clip(signal, -1, 1), 0)
    return np.stack([signal, seen], axis=-1).astype(np.float32)


def _drift(shape: tuple[int, ...], rng: Generator, settings: LeadAugmentation, *, fs_hz: float = 100.0) -> FloatArray:
    rows = (*shape[:2], 1)
    wave = 2 * np.pi * rng.uniform(*_DRIFT_HZ, rows) * np.arange(shape[2]) / fs_hz + rng.uniform(0, 2 * np.pi, rows)
    return (np.sin(wave) * rng.uniform(0, 1, rows) * settings.drift).astype(np.float32)


def _kept(shape: tuple[int, ...], rng: Generator, settings: LeadAugmentation, *, dropped: float) -> FloatArray:
    """1 where a lead stays, 0 where it, or a stretch of it, is taken away."""
    rows, samples = (*shape[:2], 1), shape[2]
    begin = rng.integers(0, samples, rows)
    length = rng.uniform(0, settings.gap_share, rows) * samples * (rng.random(rows) < settings.gap)
    at = np.arange(samples)
    in_gap = (at >= begin) & (at < begin + length)
    lost = rng.random(rows) < dropped
    return (~(in_gap | lost)).astype(np.float32)
