"""From the folder of a run to a bundle: small real models trained on simulated beats, and what is refused."""

from pathlib import Path

import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from ecgedge.bundle import Bundle, read_bundle, write_bundle  # noqa: E402
from ecgedge.catalogue import locate  # noqa: E402
from ecgedge.cli import ecgedge, run_command  # noqa: E402
from ecgedge.errors import DataError, InputError  # noqa: E402
from ecgedge.golden import selftest  # noqa: E402
from ecgedge.simulate import simulate_ecg  # noqa: E402
from ecgedge_convert.export import beat_bundle  # noqa: E402
from ecgedge_convert.parity import compare  # noqa: E402
from ecgedge_convert.quantise import to_float32, to_int8  # noqa: E402
from ecgedge_convert.run import load_model, run_facts  # noqa: E402
from tests.convert.small_models import simulated_beats, trained_run  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_run(keras, tmp_path_factory.mktemp("runs") / "small")


def float_bundle(run: Path) -> Bundle:
    """The unquantised model as a bundle in memory."""
    return beat_bundle(to_float32(load_model(run)), run_facts(run, name="float32"))


def test_int8_answers_as_float_does(run: Path, tmp_path: Path) -> None:
    quantised = to_int8(load_model(run), simulated_beats(0)[0])
    bundle = write_bundle(beat_bundle(quantised, run_facts(run, name="small")), tmp_path / "s.tflite")
    assert all(check.passed for check in selftest(read_bundle(tmp_path / "s.tflite")))
    assert bundle.manifest.training == {"recipe": "small"}
    unseen = [simulate_ecg(180, fs_hz=360, seed=seed, sveb_rate=8.0, veb_rate=8.0, name=f"s{seed}") for seed in (5, 6)]
    found = compare(float_bundle(run), bundle, unseen)
    assert found.agreement > 0.97
    assert found.jk_float > 0.7 and abs(found.jk_float - found.jk_int8) < 0.05


def test_parity_can_fail(run: Path) -> None:
    """A bundle whose class bias was changed does not agree."""
    facts = run_facts(run, name="small")
    other = run_facts(run, name="biased")
    other.decision["class_bias"] = [0.0, 20.0, 0.0, 0.0]
    model = to_int8(load_model(run), simulated_beats(0)[0])
    pair = [beat_bundle(model, one) for one in (facts, other)]
    assert compare(*pair, [simulate_ecg(60, fs_hz=360, seed=5)]).agreement < 0.5


@pytest.mark.parametrize(
    ("missing", "content", "said"),
    [
        ("model.keras", None, "no such file"),
        ("settings.json", None, "no such file"),
        ("model.keras", b"nonsense", "no Keras 3 model"),
        ("settings.json", b"{}", "beats"),
        ("training.json", b"[1", "not the JSON"),
    ],
)
def test_a_damaged_run_is_named(run: Path, tmp_path: Path, missing: str, content: bytes | None, said: str) -> None:
    for file in run.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    if content is None:
        (tmp_path / missing).unlink()
    else:
        (tmp_path / missing).write_bytes(content)
    with pytest.raises(InputError, match=said):
        float_bundle(tmp_path)


def test_the_command_calibrates_with_mitdb(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        locate("mitdb", wanted=["101.dat", "230.atr"])
    except DataError as error:
        pytest.skip(str(error))
    out = tmp_path / "small.tflite"
    arguments = ["convert", str(run), "--int8", "--calibrate", "mitdb:200", "-o", str(out)]
    assert run_command(ecgedge, arguments, program="ecgedge") == 0
    assert "self-test passed" in capfd.readouterr().out
    assert read_bundle(out).manifest.name == "small"
    assert [path.name for path in tmp_path.iterdir()] == ["small.tflite"]


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such file or folder"):
        run_facts(tmp_path / "nowhere", name="x")


def test_wrong_calibration_is_named(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for calibration, said in (("mitdb:many", "no number of inputs"), ("cats", "calibrated with mitdb")):
        arguments = ["convert", str(run), "--calibrate", calibration, "-o", str(tmp_path / "x.tflite")]
        assert run_command(ecgedge, arguments, program="ecgedge") == 1
        assert said in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []
