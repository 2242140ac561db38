"""Evaluation through the engine, on simulated recordings whose truth is known, and on MIT-BIH where it is found."""

import json
from pathlib import Path

import numpy as np
import pytest

from ecgedge.bundle import read_bundle, write_bundle
from ecgedge.catalogue import locate
from ecgedge.cli import ecgedge, run_command
from ecgedge.errors import DataError, InputError
from ecgedge.golden import selftest
from ecgedge.metrics import COLUMNS
from ecgedge.records import Annotations, Recording
from ecgedge.simulate import simulate_ecg
from ecgedge_train.evaluate import as_json, evaluate_bundle
from ecgedge_train.split import DS1, split_hash
from ecgedge_train.stamp import stamped

BUNDLE = read_bundle("beat")


def simulated(seed: int) -> Recording:
    return simulate_ecg(120, fs_hz=360, seed=seed, sveb_rate=5.0, veb_rate=8.0, name=f"simulated{seed}")


def test_annotated_peaks_give_no_extra_and_no_missed_beats() -> None:
    found = evaluate_bundle(BUNDLE, [simulated(1), simulated(2)], peaks="annotated")
    assert found.total[-1].sum() == 0 and found.total[:, COLUMNS.index("-")].sum() == 0
    assert found.figures.beats == sum(len(simulated(seed).beats.sample) for seed in (1, 2))  # type: ignore[union-attr]
    assert found.figures.sensitivity["V"] > 0.8


def test_detected_peaks_are_matched() -> None:
    found = evaluate_bundle(BUNDLE, [simulated(3)], peaks="detected")
    assert found.figures.detection_sensitivity > 0.98 and found.figures.detection_ppv > 0.98


def test_paced_beats_are_left_out_but_counted() -> None:
    recording = simulated(4)
    assert recording.beats is not None
    symbols = ("/", *recording.beats.symbol[1:])
    paced = Recording(recording.signal, 360.0, recording.leads, "paced", Annotations(recording.beats.sample, symbols))
    found = evaluate_bundle(BUNDLE, [paced], peaks="annotated")
    assert found.paced_or_unknown == 1
    assert found.figures.beats == len(symbols) - 1


def test_without_reference_beats_nothing_is_measured() -> None:
    with pytest.raises(InputError, match="no reference beats"):
        evaluate_bundle(BUNDLE, [Recording(np.zeros((3600, 1), np.float32), 360.0, ("II",), "bare")], peaks="annotated")


def test_json_has_intervals_and_no_nan() -> None:
    found = as_json(evaluate_bundle(BUNDLE, [simulated(1), simulated(2)], peaks="annotated"))
    text = json.dumps(found, allow_nan=False)
    assert "intervals_95" in text and set(found["records"]) == {"simulated1", "simulated2"}  # type: ignore[arg-type]


def test_stamping_keeps_the_model_and_replaces_an_older_figure(tmp_path: Path) -> None:
    evaluation = evaluate_bundle(BUNDLE, [simulated(1)], peaks="annotated")
    once = stamped(BUNDLE, evaluation, data="simulated", split="one", split_sha256=split_hash())
    twice = write_bundle(
        stamped(once, evaluation, data="simulated", split="one", split_sha256=split_hash()), tmp_path / "b.tflite"
    )
    assert twice.model == BUNDLE.model
    assert len(twice.manifest.figures) == len(BUNDLE.manifest.figures) + 1
    assert "simulated one, annotated R-peaks" in read_bundle(tmp_path / "b.tflite").card
    assert all(check.passed for check in selftest(twice))


def test_the_command_prints_and_writes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        locate("mitdb", wanted=[f"{record}.dat" for record in DS1])
    except DataError as error:
        pytest.skip(str(error))
    arguments = ["evaluate", "beat", "--split", "ds1", "--json", str(tmp_path / "ds1.json")]
    assert run_command(ecgedge, arguments, program="ecgedge") == 0
    assert "jk" in capfd.readouterr().out
    assert json.loads((tmp_path / "ds1.json").read_text())["figures"]["beats"] > 49_000
