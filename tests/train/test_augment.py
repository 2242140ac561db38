"""Virtual patients: beats and labels stay where the signal has them."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from ecgedge.errors import DataError, SettingsError
from ecgedge.records import Recording
from ecgedge.simulate import simulate_ecg
from ecgedge_train.augment import as_detected, as_recorded, noise_of, virtual_patient
from ecgedge_train.datasets.mitdb import NO_BEAT, NOT_TRAINED, class_indices
from ecgedge_train.rhythms import SCENARIOS, N, S, choose_scenario, invent_rhythm
from ecgedge_train.warp import scale_p_waves, warp

ECG = simulate_ecg(120, fs_hz=360, seed=4, sveb_rate=3.0, veb_rate=3.0, leads=("MLII", "V1"))
assert ECG.beats is not None
PEAKS, CLASSES = ECG.beats.sample, class_indices(ECG.beats)
RR_S = np.diff(PEAKS, prepend=0) / 360
NOISE = noise_of("invented")


def lead(recording: Recording = ECG) -> np.ndarray:
    return recording.signal[:, 0].copy()


def test_warped_beats_keep_their_qrs_and_get_their_intervals() -> None:
    rr_s = RR_S * np.random.default_rng(0).uniform(0.6, 1.5, len(RR_S))
    rr_s = np.maximum(rr_s, 0.35)
    moved, peaks = warp(lead(), PEAKS, rr_s, pr_scale=np.ones(len(rr_s)), fs_hz=360)
    assert np.abs(np.diff(peaks) / 360 - rr_s[1:]).max() < 2 / 360
    for old, new in itertools.islice(zip(PEAKS, peaks, strict=True), 1, len(PEAKS) - 1):
        before, after = lead()[old - 15 : old + 20], moved[new - 15 : new + 20]
        assert np.corrcoef(before, after)[0, 1] > 0.97


def test_an_unchanged_rhythm_changes_nothing() -> None:
    moved, peaks = warp(lead(), PEAKS, RR_S, pr_scale=np.ones(len(RR_S)), fs_hz=360)
    assert peaks.tolist() == PEAKS.tolist()
    n = min(len(moved), len(ECG.signal))
    assert np.abs(moved[:n] - lead()[:n]).max() < 0.02


def test_a_deleted_p_wave_leaves_the_qrs_alone() -> None:
    gain = np.where(CLASSES == N, 0.0, 1.0)
    bare = scale_p_waves(lead(), PEAKS, gain, fs_hz=360)
    for peak in PEAKS[CLASSES == N][2:-2]:
        p_wave = slice(peak - 80, peak - 25)
        assert np.ptp(bare[p_wave]) <= np.ptp(lead()[p_wave]) + 0.05
        assert np.array_equal(bare[peak - 15 : peak + 20], lead()[peak - 15 : peak + 20])


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("seed", range(3))
def test_early_beats_are_early_and_labelled(scenario, seed: int) -> None:  # type: ignore[no-untyped-def]
    rhythm = invent_rhythm(RR_S, CLASSES, np.random.default_rng(seed), scenario=scenario)
    assert len(rhythm.rr_s) == len(rhythm.classes) == len(CLASSES)
    invented = (rhythm.classes == S) & (CLASSES == N)
    if scenario in ("real", "sinus", "fibrillation"):
        assert not invented.any()
    elif invented.any():
        assert np.median(rhythm.rr_s[invented]) < 0.95 * np.median(rhythm.rr_s[1:][rhythm.classes[1:] == N])
    others = (CLASSES != N) & (CLASSES != S)
    assert (rhythm.classes[others] == CLASSES[others]).all()
    assert (rhythm.classes[CLASSES == S] == (NOT_TRAINED if scenario == "fibrillation" else S)).all()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_virtual_patients_have_a_qrs_at_their_beats(scenario) -> None:  # type: ignore[no-untyped-def]
    made = virtual_patient(ECG, np.random.default_rng(1), noise=NOISE, fibrillates=False, scenario=scenario)
    signal = made.signal[:, 0]
    slope = np.abs(np.gradient(signal))
    at_beats = [slope[max(0, peak - 30) : peak + 30].max() for peak in made.r_peaks[made.classes == N]]
    assert np.median(at_beats) > 3 * np.median(slope)
    assert (np.diff(made.r_peaks) > 0).all()
    assert made.r_peaks.min() >= 0
    assert made.r_peaks.max() < len(signal)
    assert np.isfinite(signal).all()


def test_the_same_seed_makes_the_same_patient() -> None:
    first, second = (virtual_patient(ECG, np.random.default_rng(9), noise=NOISE, fibrillates=False) for _ in "ab")
    assert np.array_equal(first.signal, second.signal)
    assert np.array_equal(first.r_peaks, second.r_peaks)


def test_a_fibrillating_record_gets_no_early_beats() -> None:
    drawn = {choose_scenario(CLASSES, np.random.default_rng(k), fibrillates=True) for k in range(200)}
    assert drawn == {"real", "sinus", "fibrillation"}


def test_as_recorded_leaves_everything_as_it_is() -> None:
    real = as_recorded(ECG)
    assert np.array_equal(real.signal[:, 0], ECG.signal[:, 0])
    assert real.classes.tolist() == CLASSES.tolist()


def test_detected_peaks_carry_the_class_of_their_beat_and_extra_ones_none() -> None:
    signal = lead()
    artefact = int((PEAKS[20] + PEAKS[21]) // 2)
    signal[artefact - 4 : artefact + 5] += np.array([0, 1, 2, 3, 4, 3, 2, 1, 0]) * 0.6
    found, labels = as_detected(signal, PEAKS, CLASSES, fs_hz=360)
    for peak, label in zip(found[1:], labels[1:], strict=True):
        nearest = int(np.abs(PEAKS - peak).argmin())
        if abs(PEAKS[nearest] - peak) <= 36:
            assert label == CLASSES[nearest]
        else:
            assert label in (NO_BEAT, NOT_TRAINED)


def test_extra_detections_in_a_long_pause_are_not_trained() -> None:
    few = np.concatenate([PEAKS[:10], PEAKS[20:]])
    _, labels = as_detected(lead(), few, np.concatenate([CLASSES[:10], CLASSES[20:]]), fs_hz=360)
    assert np.count_nonzero(labels == NOT_TRAINED) >= 8


def test_noise_that_is_not_there_is_named_and_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ecgedge data fetch nstdb"):
        noise_of("nstdb", tmp_path)
    with pytest.raises(SettingsError, match="must be nstdb or invented"):
        noise_of("cats")


def test_recorded_noise_is_read_where_it_is_found() -> None:
    try:
        noise = noise_of("nstdb")
    except DataError as error:
        pytest.skip(str(error))
    assert all(abs(float(values.std()) - 1) < 0.01 and len(values) == 650_000 for values in noise.values())
