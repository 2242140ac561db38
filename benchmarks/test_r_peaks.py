"""R-peaks of 30 minutes, one channel: ours and four peers, same input, same run."""

import sys
from collections.abc import Callable

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ecgedge.records import Recording
from ecgedge.rpeaks import detect_rpeaks

Detector = Callable[[np.ndarray, float], object]


def ours(signal: np.ndarray, fs_hz: float) -> object:
    return detect_rpeaks(signal, fs_hz)


def sleepecg(signal: np.ndarray, fs_hz: float) -> object:
    from sleepecg import detect_heartbeats

    return detect_heartbeats(signal.astype(float), fs_hz)


def neurokit2(signal: np.ndarray, fs_hz: float) -> object:
    from neurokit2 import ecg_clean, ecg_findpeaks

    cleaned = ecg_clean(signal, sampling_rate=round(fs_hz), method="pantompkins1985")
    return ecg_findpeaks(cleaned, sampling_rate=round(fs_hz), method="pantompkins1985")


def gqrs(signal: np.ndarray, fs_hz: float) -> object:
    from wfdb.processing import gqrs_detect

    return gqrs_detect(signal.astype(float), fs=fs_hz)


def xqrs(signal: np.ndarray, fs_hz: float) -> object:
    from wfdb.processing import xqrs_detect

    return xqrs_detect(signal.astype(float), fs=fs_hz, verbose=False)


DETECTORS: dict[str, tuple[Detector, int]] = {
    "ours": (ours, 5),
    "sleepecg": (sleepecg, 5),
    "neurokit2": (neurokit2, 3),
    "gqrs": (gqrs, 1),
    "xqrs": (xqrs, 1),
}
"""Detector and how often it runs: the slow two run once."""


@pytest.mark.benchmark(group="R-peaks of 30 minutes")
@pytest.mark.parametrize("name", DETECTORS)
def test_r_peaks(benchmark: BenchmarkFixture, half_hour: Recording, name: str) -> None:
    if name in ("sleepecg", "neurokit2"):
        pytest.importorskip(name, reason=f"{name} has no wheel for {sys.platform}")
    detector, rounds = DETECTORS[name]
    signal = half_hour.signal[:, 0]
    benchmark.pedantic(detector, (signal, half_hour.fs_hz), rounds=rounds, warmup_rounds=1 if rounds > 1 else 0)
