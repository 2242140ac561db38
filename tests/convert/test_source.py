"""Models of every make become the same bundle as their run; what does not fit is named."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workshop's extra [convert] is not installed")
tf = pytest.importorskip("tensorflow", reason="the workshop's extra [convert] is not installed")

from ecgedge.bundle import write_bundle  # noqa: E402
from ecgedge.errors import InputError  # noqa: E402
from ecgedge_convert.calibration import Calibration  # noqa: E402
from ecgedge_convert.comparison import answers_of, compared  # noqa: E402
from ecgedge_convert.conversion import Workbench, convert_variant  # noqa: E402
from ecgedge_convert.source import Source, fitted_inputs, read_source  # noqa: E402
from ecgedge_convert.variant import Kind, Variant  # noqa: E402
from tests.convert.small_models import beat_inputs, beat_network, write_run  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("source") / "run", beat_network(keras))


def bench(source: Source) -> Workbench:
    inputs = beat_inputs()
    return Workbench(source, Calibration("mitdb", inputs, {name: values[:40] for name, values in inputs.items()}))


def made(source: Source, kind: Kind = "float32"):  # type: ignore[no-untyped-def]
    return convert_variant(bench(source), Variant(kind, kind), name="small").bundle


@pytest.fixture(scope="module")
def expected(run: Path) -> np.ndarray:
    return answers_of(made(read_source(run)), beat_inputs(40))


def legacy():  # type: ignore[no-untyped-def]
    return pytest.importorskip("tf_keras", reason="the workshop's extra [convert] is not installed")


def keras_3_file(folder: Path, model) -> Path:  # type: ignore[no-untyped-def]
    model.save(folder / "mine.keras")
    return folder / "mine.keras"


def keras_3_h5(folder: Path, model) -> Path:  # type: ignore[no-untyped-def]
    model.save(folder / "mine.h5")
    return folder / "mine.h5"


def keras_2_h5(folder: Path, model) -> Path:  # type: ignore[no-untyped-def]
    other = beat_network(legacy(), names=("input_1", "input_2"))
    other.set_weights(model.get_weights())
    other.save(folder / "old.h5")
    return folder / "old.h5"


def saved_model(folder: Path, model) -> Path:  # type: ignore[no-untyped-def]
    model.export(folder / "exported", verbose=False)
    return folder / "exported"


def saved_by_tf_keras(folder: Path, model) -> Path:  # type: ignore[no-untyped-def]
    other = beat_network(legacy())
    other.set_weights(model.get_weights())
    other.save(folder / "saved", save_format="tf")
    return folder / "saved"


def float_tflite(folder: Path, model) -> Path:  # type: ignore[no-untyped-def]
    path = folder / "mine.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return path


MAKES = [keras_3_file, keras_3_h5, keras_2_h5, saved_model, saved_by_tf_keras, float_tflite]


@pytest.mark.parametrize("make", MAKES)
def test_every_make_answers_as_its_run(make, run: Path, expected: np.ndarray, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = make(tmp_path, keras.models.load_model(run / "model.keras"))
    with pytest.raises(InputError, match="--like"):
        read_source(path)
    source = read_source(path, like=run)
    bundle = made(source)
    np.testing.assert_allclose(answers_of(bundle, beat_inputs(40)), expected, atol=1e-4)
    facts = bundle.manifest.training
    assert facts["source"] == path.name and facts["preprocessing, labels and decision of"] == "run"
    if make is float_tflite:
        pytest.importorskip("ai_edge_quantizer", reason="the optional extra [quantizer] is not installed")
    quantised = made(source, "int8")
    assert {tensor.dtype for tensor in (*quantised.manifest.inputs, *quantised.manifest.outputs)} == {"int8"}
    assert compared(expected, answers_of(quantised, beat_inputs(40))).largest_difference < (
        0.1 if make is float_tflite else 0.05
    )


def test_a_float_bundle_brings_its_own(run: Path, expected: np.ndarray, tmp_path: Path) -> None:
    write_bundle(made(read_source(run)), tmp_path / "float.tflite")
    again = made(read_source(tmp_path / "float.tflite"))
    np.testing.assert_array_equal(answers_of(again, beat_inputs(40)), expected)
    write_bundle(made(read_source(run), "int8"), tmp_path / "int8.tflite")
    with pytest.raises(InputError, match=r"a int8 \.tflite cannot be converted again"):
        read_source(tmp_path / "int8.tflite")


def test_what_does_not_fit_is_named(run: Path, tmp_path: Path) -> None:
    def refused(path: Path, said: str) -> None:
        with pytest.raises(InputError, match=said):
            read_source(path, like=run)

    refused(tmp_path / "nowhere.keras", "no such file or folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", r"neither a run .* nor a SavedModel")
    (tmp_path / "x.onnx").write_bytes(b"onnx")
    refused(tmp_path / "x.onnx", "known are .keras, .h5")
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n")
    refused(tmp_path / "cut.h5", "no HDF5 file, or cut short")
    beat_network(keras).save_weights(tmp_path / "w.weights.h5")
    refused(tmp_path / "w.weights.h5", "weights without a network")
    beat_network(keras, classes=5).save(tmp_path / "five.keras")
    refused(tmp_path / "five.keras", "the labels are 4 classes")
    other = keras.Input((300,), name="signal")
    keras.Model(other, keras.layers.Dense(4, activation="softmax")(other)).save(tmp_path / "other.keras")
    refused(tmp_path / "other.keras", r"input signal of shape \(300,\)")


def test_inputs_are_fitted_by_name_or_shape() -> None:
    expected = {"beat": (1, 96, 2), "features": (4,)}
    assert fitted_inputs(expected, {"a": (4,), "b": (1, 96, 2)}, every=True) == {"features": "a", "beat": "b"}
    assert fitted_inputs(expected, {"features": (4,)}, every=False) == {"features": "features"}
    with pytest.raises(InputError, match="no input 'beat'"):
        fitted_inputs(expected, {"features": (4,)}, every=True)


def test_a_file_without_layers_is_not_changed(run: Path, tmp_path: Path) -> None:
    source = read_source(float_tflite(tmp_path, keras.models.load_model(run / "model.keras")), like=run)
    with pytest.raises(InputError, match="can only be converted"):
        convert_variant(bench(source), Variant("pruned", prune=0.5), name="small")


def test_logits_are_no_answers(run: Path, tmp_path: Path) -> None:
    model = keras.models.load_model(run / "model.keras")
    keras.Model(model.inputs, keras.layers.Dense(4)(model.get_layer("hidden").output)).save(tmp_path / "logits.keras")
    bundle = made(read_source(tmp_path / "logits.keras", like=run))
    with pytest.raises(InputError, match="end the network with a softmax"):
        answers_of(bundle, beat_inputs(40))


def test_a_fresh_process_makes_the_same_bytes(run: Path, tmp_path: Path) -> None:
    """The bytes of the bundle, golden vectors and manifest included."""
    code = (
        "import sys; from pathlib import Path\n"
        "from ecgedge.bundle import write_bundle\n"
        "from tests.convert.test_source import made, read_source\n"
        f"write_bundle(made(read_source(Path({str(run)!r})), 'int8'), Path(sys.argv[1]))\n"
    )
    write_bundle(made(read_source(run), "int8"), tmp_path / "here.tflite")
    found = [(tmp_path / "here.tflite").read_bytes()]
    for name in ("one.tflite", "two.tflite"):
        subprocess.run([sys.executable, "-c", code, tmp_path / name], check=True, timeout=300, capture_output=True)
        found.append((tmp_path / name).read_bytes())
    assert found[1] == found[2] == found[0]
