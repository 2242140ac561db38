"""The simulated ECG: its truth lies where it says, looks as it should, and comes out of the command as files."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ecgedge import NOTICE
from ecgedge.commands.simulate import simulate
from ecgedge.errors import InputError, LeadNotFound
from ecgedge.formats import read_recording
from ecgedge.records import FloatArray, Recording
from ecgedge.simulate import RHYTHMS, simulate_ecg
from ecgedge.spoil import Spoiling, parse_spoiling, spoil


def beats_of(recording: Recording) -> list[tuple[int, str]]:
    assert recording.beats is not None
    return list(zip(recording.beats.sample.tolist(), recording.beats.symbol, strict=True))


def window(recording: Recording, sample: int, *, before_s: float, after_s: float) -> FloatArray:
    """One stretch of the first lead around a sample, about its median over the second around it, mV."""
    lead, fs_hz = recording.signal[:, 0], recording.fs_hz
    usual = np.median(lead[max(0, sample - int(0.5 * fs_hz)) : sample + int(0.5 * fs_hz)])
    return lead[max(0, sample - round(before_s * fs_hz)) : sample + round(after_s * fs_hz) + 1] - usual


@pytest.mark.parametrize("rhythm", RHYTHMS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fs_hz", [125, 360])
def test_annotation_lies_on_the_largest_deflection(rhythm: str, seed: int, fs_hz: float) -> None:
    recording = simulate_ecg(60, seed=seed, fs_hz=fs_hz, rhythm=rhythm, noise_mv=0, fusion_rate=5)
    half = round(0.06 * fs_hz)
    for sample, symbol in beats_of(recording):
        if sample < half:
            continue
        found = int(np.abs(window(recording, sample, before_s=0.06, after_s=0.06)).argmax()) - half
        assert abs(found) <= 2, (sample, symbol)


def test_amplitudes_are_those_of_mit_bih() -> None:
    recording = simulate_ecg(120, seed=0)
    peaks = [
        window(recording, sample, before_s=0, after_s=0)[0] for sample, symbol in beats_of(recording) if symbol == "N"
    ]
    assert 1.0 < np.median(peaks) < 1.5
    assert np.abs(recording.signal).max() < 3


def width_s(recording: Recording, sample: int) -> float:
    """How long the deflection around a beat stays above a quarter of its height."""
    near = np.abs(window(recording, sample, before_s=0.1, after_s=0.06))
    return float((near > 0.25 * near.max()).sum() / recording.fs_hz)


def test_ventricular_beats_are_wide_early_and_made_up_for() -> None:
    recording = simulate_ecg(600, seed=1, noise_mv=0, sveb_rate=0)
    beats = beats_of(recording)
    rr = np.diff([sample for sample, _ in beats])
    seen = [index for index, (_, symbol) in enumerate(beats) if symbol == "V"]
    assert len(seen) > 20
    for index in seen[:-1]:
        usual = np.median(rr[max(0, index - 8) : index + 8])
        assert rr[index - 1] < 0.85 * usual
        assert rr[index - 1] + rr[index] == pytest.approx(2 * usual, rel=0.12)
    widths = {kind: np.median([width_s(recording, at) for at, symbol in beats[1:] if symbol == kind]) for kind in "NV"}
    assert widths["V"] > 2 * widths["N"]


def test_atrial_beats_are_narrow_early_and_not_made_up_for() -> None:
    recording = simulate_ecg(600, seed=1, noise_mv=0, veb_rate=0, sveb_rate=6)
    beats = beats_of(recording)
    rr = np.diff([sample for sample, _ in beats])
    seen = [index for index, (_, symbol) in enumerate(beats[:-1]) if symbol == "A"]
    assert len(seen) > 20
    for index in seen:
        usual = np.median(rr[max(0, index - 8) : index + 8])
        assert 0.5 < rr[index - 1] / usual < 0.9
        assert rr[index - 1] + rr[index] < 1.98 * usual
        assert width_s(recording, beats[index][0]) == pytest.approx(width_s(recording, beats[index - 1][0]), abs=0.01)


def test_shares_of_the_classes_are_those_asked_for() -> None:
    counts = Counter(
        symbol for _, symbol in beats_of(simulate_ecg(3600, seed=0, sveb_rate=8, veb_rate=12, fusion_rate=3))
    )
    for symbol, percent in (("A", 8), ("V", 12), ("F", 3)):
        assert 100 * counts[symbol] / counts.total() == pytest.approx(percent, abs=1.5)
    bigeminy = Counter(symbol for _, symbol in beats_of(simulate_ecg(300, seed=0, rhythm="bigeminy")))
    assert bigeminy["V"] == pytest.approx(bigeminy["N"], abs=10)
    only = Counter(symbol for _, symbol in beats_of(simulate_ecg(300, seed=0, sveb_rate=0, veb_rate=0)))
    assert set(only) == {"N"}


@pytest.mark.parametrize("rate_bpm", [30, 72, 180])
def test_heart_rate_is_the_one_asked_for(rate_bpm: float) -> None:
    sample = simulate_ecg(300, seed=0, heart_rate_bpm=rate_bpm, sveb_rate=0, veb_rate=0).beats
    assert sample is not None
    assert len(sample.sample) == pytest.approx(5 * rate_bpm, rel=0.05)
    assert (np.diff(sample.sample) > 0).all()


def test_same_seed_same_recording() -> None:
    first, again, other = (simulate_ecg(20, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.signal, again.signal)
    assert beats_of(first) == beats_of(again)
    assert not np.array_equal(first.signal, other.signal)


def test_fibrillation_is_irregular_and_has_no_p_waves() -> None:
    sinus, fibrillation = (
        simulate_ecg(120, seed=0, rhythm=rhythm, sveb_rate=0, veb_rate=0, noise_mv=0)
        for rhythm in ("sinus", "fibrillation")
    )
    spread, p_wave = [], []
    for recording in (sinus, fibrillation):
        at = np.array([sample for sample, _ in beats_of(recording)][1:])
        spread.append(np.diff(at).std() / np.diff(at).mean())
        p_wave.append(np.mean([window(recording, sample, before_s=0.15, after_s=-0.15)[0] for sample in at]))
    assert spread[1] > 2 * spread[0]
    assert p_wave[0] > 0.08 > abs(p_wave[1])


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    recording = simulate_ecg(600, seed=0, on_progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, len(beats_of(recording)))
    assert len(told) > 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fs_hz": 0}, "fs_hz of 0"),
        ({"fs_hz": float("nan")}, "fs_hz of nan"),
        ({"duration_s": 0}, "duration_s of 0"),
        ({"duration_s": 1e12}, "duration_s of 1e"),
        ({"heart_rate_bpm": 0}, "heart_rate_bpm of 0"),
        ({"veb_rate": 31}, "beats V in 100 of 31"),
        ({"veb_rate": 25, "sveb_rate": 25}, "ectopic beats in 100 of 50"),
        ({"noise_mv": -1}, "noise_mv of -1"),
        ({"rhythm": "waltz"}, "'waltz'"),
        ({"leads": ("V9",)}, "V9 cannot be simulated"),
        ({"leads": ()}, "none cannot be simulated"),
    ],
)
def test_impossible_arguments_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate_ecg(**({"duration_s": 10, "seed": 0} | wrong))  # type: ignore[arg-type]


def test_spoiling_touches_its_stretch_only() -> None:
    clean = simulate_ecg(20, seed=0)
    spoilt = spoil(
        clean, [parse_spoiling("missing@5:6"), parse_spoiling("saturated@7:8/v1"), parse_spoiling("inverted@10:99")]
    )
    expected = clean.signal.copy()
    expected[1800:2160, 0] = np.nan
    expected[2520:2880, 1] = np.float32(5.115)
    expected[3600:, 0] *= -1
    np.testing.assert_array_equal(spoilt.signal, expected)
    assert beats_of(spoilt) == beats_of(clean)


def test_spoiling_is_parsed() -> None:
    assert parse_spoiling("flat@1.5:2/V1") == Spoiling("flat", 1.5, 2.0, "V1")
    assert parse_spoiling("inverted") == Spoiling("inverted")
    for text in ("", "zap@1:2", "flat@1", "flat@1:2:3", "flat@a:b", "flat@1.2.3:5", "flat@3:2", "flat@3:3"):
        with pytest.raises(InputError, match="fault"):
            parse_spoiling(text)
    with pytest.raises(InputError, match="the recording ends at 20 s"):
        spoil(simulate_ecg(20, seed=0), [Spoiling("flat", 20, 21)])
    with pytest.raises(LeadNotFound):
        spoil(simulate_ecg(20, seed=0), [Spoiling("flat", 1, 2, "V6")])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(simulate, list(arguments))


def test_command_writes_a_record_with_its_truth(tmp_path: Path) -> None:
    result = run("-o", str(tmp_path / "new" / "ecg"), "--minutes", "1", "--seed", "4", "--fault", "missing@12:15")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == NOTICE
    found, expected = read_recording(tmp_path / "new" / "ecg"), simulate_ecg(60, seed=4)
    assert beats_of(found) == beats_of(expected)
    assert (found.fs_hz, found.leads) == (360, ("MLII", "V1"))
    np.testing.assert_allclose(found.signal[6000:], expected.signal[6000:], atol=0.0006)
    assert np.isnan(found.signal[4320:5400, 0]).all()


def test_command_tells_what_it_wrote_as_json(tmp_path: Path) -> None:
    out = tmp_path / "ecg.csv"
    result = run("-o", str(out), "--minutes", "0.5", "--format", "csv", "--fs-hz", "250", "--lead", "II", "--json")
    told = json.loads(result.output)
    assert told["files"] == [str(out)]
    assert (told["fs_hz"], told["leads"], told["duration_s"], told["notice"]) == (250, ["II"], 30, NOTICE)
    expected = simulate_ecg(30, seed=0, fs_hz=250, leads=("II",))
    assert sum(told["beats"].values()) == len(beats_of(expected))
    np.testing.assert_allclose(read_recording(out).signal, expected.signal, atol=1e-4)


@pytest.mark.parametrize(
    "wrong", [["--fs-hz", "0"], ["--minutes", "0"], ["--fault", "zap"], ["--lead", "V9"], ["--veb", "99"]]
)
def test_command_refuses_what_cannot_be_simulated(tmp_path: Path, wrong: list[str]) -> None:
    result = run("-o", str(tmp_path / "ecg"), *wrong)
    assert isinstance(result.exception, InputError)
    assert "\n" not in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_help_shows_examples() -> None:
    result = run("--help")
    assert "ecgedge simulate -o demo/ecg" in result.output
    assert NOTICE in result.output
