"""Reading and writing recordings: every format gives the same signal, every damaged file one line that says why."""

import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import edfio
import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecgedge.errors import InputError, LeadNotFound
from ecgedge.formats import iter_recording, read_recording, write_annotations, write_csv, write_wfdb
from ecgedge.labels import AAMI_CLASS_OF_SYMBOL
from ecgedge.records import Annotations, FloatArray, Recording

DATA = Path(os.environ.get("ECGEDGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_mitdb = pytest.mark.skipif(not (DATA / "mitdb" / "101.hea").exists(), reason=f"no MIT-BIH records in {DATA}")
needs_nstdb = pytest.mark.skipif(not (DATA / "nstdb" / "ma.hea").exists(), reason=f"no noise records in {DATA}")


def example(n_samples: int = 1000, fs_hz: float = 250.0) -> Recording:
    """Two leads in steps of 1 uV with a gap, and four annotated beats."""
    rng = np.random.default_rng(1)
    signal = np.round(rng.normal(0, 0.5, (n_samples, 2)), 3).astype(np.float32)
    signal[10:15, 1] = np.nan
    beats = Annotations(np.array([50, 300, 520, 999]), ("N", "V", "A", "N"))
    return Recording(signal, fs_hz, ("MLII", "V1"), "example", beats)


def write_edf(path: Path, signals: list[tuple[str, str, float, FloatArray]]) -> Path:
    """An EDF file of (label, unit, rate in Hz, samples)."""
    made = [edfio.EdfSignal(data, rate, label=label, physical_dimension=unit) for label, unit, rate, data in signals]
    edfio.Edf(made).write(path)
    return path


def sine(fs_hz: float, *, seconds: int = 4, size: float = 1.0) -> FloatArray:
    """A 2 Hz sine, (n,)."""
    return (size * np.sin(4 * np.pi * np.arange(int(seconds * fs_hz)) / fs_hz)).astype(np.float32)


def assert_same(found: Recording, expected: Recording, *, atol: float = 1e-4) -> None:
    np.testing.assert_allclose(found.signal, expected.signal, atol=atol)
    assert (found.fs_hz, found.leads, found.name) == (expected.fs_hz, expected.leads, expected.name)
    assert found.signal.dtype == np.float32


def refusal(path: Path, **options: object) -> str:
    """The message with which a file is refused: one line that names the file."""
    with pytest.raises(InputError) as caught:
        read_recording(path, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


# --- WFDB ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
def test_wfdb_comes_back_as_written(tmp_path: Path, suffix: str) -> None:
    recording = example()
    files = write_wfdb(recording, tmp_path / "made")
    assert [file.name for file in files] == ["example.hea", "example.dat", "example.atr"]
    found = read_recording(tmp_path / "made" / f"example{suffix}")
    assert_same(found, recording, atol=1e-6)
    assert found.beats is not None and recording.beats is not None
    np.testing.assert_array_equal(found.beats.sample, recording.beats.sample)
    assert found.beats.symbol == recording.beats.symbol


@pytest.mark.parametrize(
    ("fmt", "lowest"),
    [("212", -2048), ("16", -32768), ("80", -128), ("24", -(2**23)), ("32", -(2**31)), ("516", -32768)],
)
def test_invalid_samples_of_every_format_become_nan(tmp_path: Path, fmt: str, lowest: int) -> None:
    digital = np.arange(-100, 100).reshape(-1, 2)
    digital[3, 1] = lowest
    wfdb.wrsamp(
        "x", 360, ["mV", "uV"], ["I", "II"], d_signal=digital, fmt=[fmt] * 2, adc_gain=[100, 2], baseline=[10, 0],
        write_dir=str(tmp_path),
    )  # fmt: skip
    expected = np.stack([(digital[:, 0] - 10) / 100, digital[:, 1] / 2 / 1000], axis=1)
    expected[3, 1] = np.nan
    np.testing.assert_allclose(read_recording(tmp_path / "x").signal, expected, atol=1e-6)


def test_gain_of_0_counts_as_200_per_millivolt(tmp_path: Path) -> None:
    np.arange(-100, 100, dtype="<i2").tofile(tmp_path / "x.dat")
    (tmp_path / "x.hea").write_text("x 1 360 200\nx.dat 16 0 12 0 0 0 0 I\n")
    np.testing.assert_allclose(read_recording(tmp_path / "x").signal[:, 0], np.arange(-100, 100) / 200, atol=1e-6)


def test_only_beats_are_kept_of_the_annotations(tmp_path: Path) -> None:
    write_wfdb(example(), tmp_path)
    mixed = Annotations(np.array([5, 50, 60, 70]), ("+", "N", "~", "F"))
    write_annotations(mixed, tmp_path, name="example", fs_hz=250)
    beats = read_recording(tmp_path / "example").beats
    assert beats is not None
    assert (beats.sample.tolist(), beats.symbol) == ([50, 70], ("N", "F"))


def test_long_pauses_and_another_time_resolution_are_read(tmp_path: Path) -> None:
    still = Recording(np.zeros((200_000, 1), dtype=np.float32), 500.0, ("I",), "still")
    write_wfdb(still, tmp_path)
    write_annotations(Annotations(np.array([5, 90_000]), ("N", "V")), tmp_path, name="still", fs_hz=250)
    beats = read_recording(tmp_path / "still").beats
    assert beats is not None and beats.sample.tolist() == [10, 180_000]


def test_no_beats_are_written_and_read_as_none_found(tmp_path: Path) -> None:
    write_wfdb(example(), tmp_path, annotations=Annotations(np.array([], dtype=np.int64), ()))
    beats = read_recording(tmp_path / "example").beats
    assert beats is not None and len(beats.sample) == 0


def test_signals_that_are_no_voltage_are_left_out(tmp_path: Path) -> None:
    wfdb.wrsamp(
        "x", 125, ["mmHg", "V"], ["ABP", "II"], p_signal=np.stack([sine(125, size=50), sine(125, size=0.001)], axis=1),
        fmt=["16", "16"], write_dir=str(tmp_path),
    )  # fmt: skip
    found = read_recording(tmp_path / "x")
    assert found.leads == ("II",)
    np.testing.assert_allclose(found.signal[:, 0], sine(125), atol=1e-3)
    assert "'ABP' is no voltage" in refusal(tmp_path / "x", leads=["ABP"])


def test_multi_segment_record_is_joined(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_wfdb(Recording(example().signal, 250.0, ("I", "II"), name), tmp_path)
    (tmp_path / "both.hea").write_text("both/2 2 250 2000\na 1000\nb 1000\n")
    found = read_recording(tmp_path / "both")
    np.testing.assert_allclose(found.signal, np.tile(example().signal, (2, 1)), atol=1e-6)


def test_large_voltages_are_written_in_coarser_steps(tmp_path: Path) -> None:
    large = Recording(100 * example().signal, 250.0, ("I", "II"), "large")
    write_wfdb(large, tmp_path)
    assert_same(read_recording(tmp_path / "large"), large, atol=0.02)


def test_pieces_make_up_the_whole(tmp_path: Path) -> None:
    write_wfdb(example(), tmp_path)
    write_csv(example(), tmp_path / "t.csv")
    for path in (tmp_path / "example", tmp_path / "t.csv"):
        pieces = list(iter_recording(path, 0.3, leads=["v1"]))
        assert {len(piece.signal) for piece in pieces[:-1]} == {75}
        np.testing.assert_allclose(
            np.concatenate([piece.signal for piece in pieces]), example().signal[:, 1:], atol=1e-6
        )
    with pytest.raises(InputError, match="chunks of 0 s"):
        next(iter_recording(path, 0))


@pytest.mark.parametrize("claimed", [999, 1001, 500, 10**12])
def test_header_that_lies_about_its_length_is_refused(tmp_path: Path, claimed: int) -> None:
    write_wfdb(example(), tmp_path)
    header = tmp_path / "example.hea"
    header.write_text(
        header.read_text().replace("250.0 1000", f"250.0 {claimed}").replace("250 1000", f"250 {claimed}")
    )
    assert str(claimed) in header.read_text()
    message = refusal(tmp_path / "example.dat")
    assert f"holds 1000 samples, but the header claims {claimed}" in message


@pytest.mark.parametrize("cut", [1, 3, 600])
def test_cut_format_212_is_refused(tmp_path: Path, cut: int) -> None:
    signal = example().signal.clip(-2, 2)
    wfdb.wrsamp(
        "x", 360, ["mV"] * 2, ["I", "II"], p_signal=signal.astype(float), fmt=["212"] * 2, adc_gain=[200] * 2,
        baseline=[0] * 2, write_dir=str(tmp_path),
    )  # fmt: skip
    assert len(read_recording(tmp_path / "x").signal) == 1000
    whole = (tmp_path / "x.dat").read_bytes()
    (tmp_path / "x.dat").write_bytes(whole[:-cut])
    assert "but the header claims 1000" in refusal(tmp_path / "x.dat")
    (tmp_path / "x.dat").write_bytes(whole + bytes(6))
    assert "holds 1002 samples" in refusal(tmp_path / "x.dat")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("x 1 0 200\nx.dat 16 200 12 0 0 0 0 I\n", "sampling rate 0"),
        ("x 1 360 200\ny.dat 16 200 12 0 0 0 0 I\n", "y.dat: no such signal file"),
        ("x 0 360 200\n", "lists no signals"),
        ("x 1 360 0\nx.dat 16 200 12 0 0 0 0 I\n", "claims 0 samples"),
        ("\0\1garbage\n", "not a WFDB header"),
        ("x 2 360 200\nx.dat 16 200 12 0 0 0 0 I\n", "1 of 2 signals described"),
        ("x 1 360 1000000000000\nx.dat 516 200 12 0 0 0 0 I\n", "claims 1000000000000 samples in 400 bytes"),
        ("x/1 1 360 1000000000000\n~ 1000000000000\n", "x.hea"),
    ],
)
def test_damaged_wfdb_header_is_refused(tmp_path: Path, header: str, expected: str) -> None:
    np.arange(200, dtype="<i2").tofile(tmp_path / "x.dat")
    (tmp_path / "x.hea").write_text(header)
    with pytest.raises(InputError) as caught:
        read_recording(tmp_path / "x.hea")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_signal_file_without_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.dat").write_bytes(bytes(100))
    with pytest.raises(InputError, match=r"x\.hea: no such header; .*; put it beside the \.dat"):
        read_recording(tmp_path / "x.dat")


def test_beats_beyond_the_end_are_refused(tmp_path: Path) -> None:
    write_wfdb(example(), tmp_path)
    write_annotations(Annotations(np.array([50, 1000]), ("N", "N")), tmp_path, name="example", fs_hz=250)
    with pytest.raises(InputError, match=r"example\.atr: beats outside the 1000 samples"):
        read_recording(tmp_path / "example")


def test_wfdb_cannot_be_written_under_a_name_it_does_not_allow(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'a\.b' cannot name a WFDB record"):
        write_wfdb(Recording(example().signal, 250.0, ("I", "II"), "a.b"), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose another folder"):
        write_wfdb(example(), tmp_path / "file")


@needs_mitdb
def test_mit_bih_record_agrees_with_wfdb() -> None:
    found = read_recording(DATA / "mitdb" / "101")
    np.testing.assert_allclose(found.signal, wfdb.rdrecord(str(DATA / "mitdb" / "101")).p_signal, atol=1e-6)
    assert (found.fs_hz, found.leads, found.name) == (360.0, ("MLII", "V1"), "101")
    assert found.beats is not None
    assert len(found.beats.sample) == 1865


@needs_mitdb
@pytest.mark.parametrize("record", ["106", "118", "207", "209"])
def test_beats_agree_with_wfdb(record: str) -> None:
    path = DATA / "mitdb" / record
    found, expected = read_recording(path, leads=["V1"]).beats, wfdb.rdann(str(path), "atr")
    kept = [index for index, symbol in enumerate(expected.symbol) if symbol in AAMI_CLASS_OF_SYMBOL]
    assert found is not None
    np.testing.assert_array_equal(found.sample, expected.sample[kept])
    assert found.symbol == tuple(expected.symbol[index] for index in kept)


@pytest.mark.parametrize(
    "content", [b"", b"\1", b"\5\4", b"\0\xec\1\0", b"\5\xfc" + b"## time resolution: 0" + bytes(3)]
)
def test_damaged_annotations_are_refused(tmp_path: Path, content: bytes) -> None:
    write_wfdb(example(), tmp_path)
    (tmp_path / "example.atr").write_bytes(content)
    with pytest.raises(InputError, match=r"example\.atr: not a whole WFDB annotation file"):
        read_recording(tmp_path / "example")


@needs_nstdb
def test_noise_record_without_calibration_is_scaled() -> None:
    found = read_recording(DATA / "nstdb" / "ma")
    assert found.signal.shape == (650_000, 2)
    assert 0.05 < found.signal.std() < 1


# --- EDF ----------------------------------------------------------------------------------------------------------


def test_edf_units_are_converted_and_other_channels_skipped(tmp_path: Path) -> None:
    path = write_edf(
        tmp_path / "night.edf",
        [
            ("EEG Fpz-Cz", "uV", 256, sine(256, size=50)),
            ("ECG V1", "uV", 256, sine(256, size=1000)),
            ("EKG II", "mV", 256, sine(256)),
            ("ECG I", "V", 256, sine(256, size=0.001)),
            ("ECG aVR", "mV", 64, sine(64)),
            ("Resp", "", 64, sine(64)),
        ],
    )
    found = read_recording(path)
    assert (found.leads, found.fs_hz, found.name) == (("V1", "II", "I"), 256.0, "night")
    for lead in range(3):
        np.testing.assert_allclose(found.signal[:, lead], sine(256), atol=2e-3)
    assert read_recording(path, leads=["avr"]).fs_hz == 64
    assert "different rates" in refusal(path, leads=["avr", "II"])


def test_edf_without_ecg_labels_gives_its_voltages(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf", [("chan 1", "mV", 100, sine(100)), ("EMG chin", "mV", 100, sine(100))])
    assert read_recording(path).leads == ("chan 1",)
    path = write_edf(tmp_path / "y.edf", [("EEG Cz", "uV", 100, sine(100))])
    assert "no ECG channel" in refusal(path)


@pytest.mark.parametrize("n_bytes", [1, 100, 300, 600, -1, -101])
def test_cut_edf_is_refused(tmp_path: Path, n_bytes: int) -> None:
    path = write_edf(tmp_path / "x.edf", [("ECG", "mV", 100, sine(100))])
    path.write_bytes(path.read_bytes()[:n_bytes])
    assert "damaged EDF file" in refusal(path)


@pytest.mark.parametrize(
    ("start", "field"), [(236, b"99999999"), (244, b"0       "), (244, b"nan     "), (252, b"9999"), (184, b"12      ")]
)
def test_edf_header_that_lies_is_refused(tmp_path: Path, start: int, field: bytes) -> None:
    path = write_edf(tmp_path / "x.edf", [("ECG", "mV", 100, sine(100))])
    content = bytearray(path.read_bytes())
    content[start : start + len(field)] = field
    path.write_bytes(content)
    refusal(path)


# --- CSV ----------------------------------------------------------------------------------------------------------


def test_csv_comes_back_as_written(tmp_path: Path) -> None:
    recording = example()
    assert_same(read_recording(write_csv(recording, tmp_path / "example.csv")), recording)


@pytest.mark.parametrize(
    ("text", "fs_hz"),
    [
        ("time,I\n0,1\n0.004,2\n0.008,3\n", 250.0),
        ("time_ms;I\n0;1\n4;2\n8;3\n", 250.0),
        ("\ufeffTime (ms)\tI\n0\t1\n4\t2\n8\t3\n", 250.0),
        ("# a note\n# fs_hz=500\n\nI\n1\n2\n3\n", 500.0),
        ("'sample #','I'\n0,1\n1,2\n2,3\n", 360.0),
        ('"I [uV]"\n1000\n2000\n3000\n', 360.0),
        ("I_uV\n1000\n2000\n3000\n", 360.0),
    ],
)
def test_csv_dialects(tmp_path: Path, text: str, fs_hz: float) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8")
    found = read_recording(path, fs_hz=None if "time" in text.lower() or "fs_hz" in text else 360)
    assert (found.leads, found.fs_hz) == (("I",), fs_hz)
    np.testing.assert_allclose(found.signal[:, 0], [1, 2, 3], atol=1e-6)


@pytest.mark.parametrize("fs_hz", [128.0, 250.0, 360.0, 360.5, 1000.0])
def test_rate_of_rounded_times(tmp_path: Path, fs_hz: float) -> None:
    rows = "\n".join(f"{index / fs_hz:.3f},0.1" for index in range(4000))
    (tmp_path / "x.csv").write_text(f"time,I\n{rows}\n")
    assert read_recording(tmp_path / "x.csv").fs_hz == pytest.approx(fs_hz, rel=1e-4)


def test_empty_cells_are_nan(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("I,II\n1,\n,2\nnan,3\n")
    np.testing.assert_array_equal(
        read_recording(tmp_path / "x.csv", fs_hz=100).signal, np.array([[1, np.nan], [np.nan, 2], [np.nan, 3]], "f4")
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"I,II\n1,2\n1,x\n", "x.csv:3: 'x' in II"),
        (b"I,II\n1,2\n1\n", "x.csv:3: 1 cells; the header has 2"),
        (b"I\n1\n-inf\n", "x.csv:3: -inf in I"),
        (b"I\n1\n1e39\n", "x.csv:3: 1e+39 in I"),
        (b"1,2\n3,4\n", "x.csv:1: numbers where the lead names belong"),
        (b"I,II\n", "no rows of samples"),
        (b"# fs_hz=360\n", "no rows of samples"),
        (b"# fs_hz=0\nI\n1\n", "sampling rate 0.0 Hz"),
        (b"# fs_hz=nan\nI\n1\n", "sampling rate nan Hz"),
        (b"# fs_hz=fast\nI\n1\n", "x.csv:1: 'fast' in the rate"),
        (b"I\n1\n", "no sampling rate"),
        (b"time\n0\n1\n", "no lead among the columns time"),
        (b"time,I\n0,1\n", "1 row"),
        (b"time,I\n0,1\n0.1,1\n0.2,1\n0.9,1\n1.0,1\n", "x.csv:5: time step of 0.7 s; 0.1 s is usual"),
        (b"time,I\n0,1\n0.1,1\n0.2,1\n,1\n", "x.csv:5: time step of nan s"),
        (b"time,I\n0,1\n0,1\n0,1\n", "time step of 0 s"),
        (b"# fs_hz=9\nI [mmHg]\n1\n", "'I [mmHg]' in mmHg"),
        (b"\x00\x01\x02\xff" * 50, "not"),
        (bytes(range(256)) * 4, "not"),
        (b"\x7fELF\x00\x00\n\x00", "x.csv:1: binary data"),
        (b"", "empty file (0 bytes)"),
    ],
)
def test_bad_csv_is_refused_by_line(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    assert expected in refusal(tmp_path / "x.csv")


# --- NumPy --------------------------------------------------------------------------------------------------------


def test_numpy_files(tmp_path: Path) -> None:
    recording = example()
    np.savez(tmp_path / "example.npz", signal=recording.signal, fs_hz=250, leads=["MLII", "V1"])
    assert_same(read_recording(tmp_path / "example.npz"), recording)
    np.save(tmp_path / "example.npy", recording.signal.astype(float))
    found = read_recording(tmp_path / "example.npy", fs_hz=250)
    np.testing.assert_array_equal(found.signal, recording.signal)
    assert found.leads == ("lead1", "lead2")
    np.save(tmp_path / "one.npy", recording.signal[:, 0])
    assert read_recording(tmp_path / "one.npy", fs_hz=250).signal.shape == (1000, 1)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"fs_hz": np.array(250)}, "no array 'signal'"),
        ({"signal": np.zeros((5, 2))}, "no sampling rate"),
        ({"signal": np.zeros((5, 2)), "fs_hz": np.array(0)}, "sampling rate 0.0 Hz"),
        ({"signal": np.zeros((5, 2)), "fs_hz": np.array([1, 2])}, "damaged NumPy file"),
        ({"signal": np.zeros((5, 2)), "fs_hz": np.array(9), "leads": np.array(["I"])}, "1 names in 'leads' for 2"),
        ({"signal": np.zeros((2, 500)), "fs_hz": np.array(9)}, "transpose"),
        ({"signal": np.zeros((2, 2, 2)), "fs_hz": np.array(9)}, "shape (2, 2, 2)"),
        ({"signal": np.array(["a"]), "fs_hz": np.array(9)}, "dtype <U1"),
        ({"signal": np.array([{}], dtype=object), "fs_hz": np.array(9)}, "damaged NumPy file"),
        ({"signal": np.zeros((0, 2)), "fs_hz": np.array(9)}, "0 samples"),
    ],
)
def test_bad_npz_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], expected: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match="x") as caught:
        read_recording(tmp_path / "x.npz")
    assert expected in str(caught.value)


def lying_npy() -> bytes:
    """An array header that claims 10^12 samples, with 8 behind it."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64)


def test_numpy_headers_that_claim_terabytes_take_no_memory(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(lying_npy())
    assert "damaged NumPy file" in refusal(tmp_path / "x.npy", fs_hz=100)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("signal.npy", lying_npy())
    assert "claims shape (1000000000000, 1) but is shorter" in refusal(tmp_path / "x.npz")


# --- All formats --------------------------------------------------------------------------------------------------


def test_content_is_believed_more_than_the_suffix(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.csv", [("ECG", "mV", 100, sine(100))])
    assert read_recording(path).fs_hz == 100


def test_leads_are_chosen_in_any_case_and_order(tmp_path: Path) -> None:
    path = write_csv(example(), tmp_path / "x.csv")
    found = read_recording(path, leads=["v1", "mlii"])
    assert found.leads == ("V1", "MLII")
    np.testing.assert_allclose(found.signal, example().signal[:, ::-1], atol=1e-4)


def makers(folder: Path) -> dict[str, Path]:
    """One good file of every format."""
    np.savez(folder / "x.npz", signal=example().signal, fs_hz=250, leads=["MLII", "V1"])
    write_wfdb(example(), folder)
    return {
        "wfdb": folder / "example",
        "csv": write_csv(example(), folder / "x.csv"),
        "edf": write_edf(folder / "x.edf", [("MLII", "mV", 250, sine(250)), ("V1", "mV", 250, sine(250))]),
        "npz": folder / "x.npz",
    }


@pytest.mark.parametrize("form", ["wfdb", "csv", "edf", "npz"])
def test_missing_lead_and_contradicting_rate_are_named(tmp_path: Path, form: str) -> None:
    path = makers(tmp_path)[form]
    with pytest.raises(LeadNotFound, match=r"no lead 'V6'; it has MLII, V1"):
        read_recording(path, leads=["V6"])
    assert "states 250 Hz, but 360 Hz" in refusal(path, fs_hz=360)
    assert read_recording(path, fs_hz=250).fs_hz == 250
    with pytest.raises(InputError, match="sampling rate 0 Hz"):
        read_recording(path, fs_hz=0)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    assert "a folder" in refusal(tmp_path)
    assert "no such file" in refusal(tmp_path / "nothing.csv")
    assert "no such file" in refusal(tmp_path / "100")
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff")
    assert "format .jpg is not known" in refusal(tmp_path / "x.jpg")
    for suffix in (".hea", ".edf", ".npy", ".npz", ".csv"):
        (tmp_path / f"e{suffix}").write_bytes(b"")
        assert "empty file" in refusal(tmp_path / f"e{suffix}")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), form=st.sampled_from(["example.hea", "example.dat", "example.atr", "x.csv", "x.edf", "x.npz"]))
def test_damaged_files_never_end_in_anything_but_an_input_error(tmp_path: Path, data: st.DataObject, form: str) -> None:
    makers(tmp_path)
    path = tmp_path / form
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, min(len(content), 600) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read_recording(path)
    except InputError as error:
        assert "\n" not in str(error)


def test_csv_is_read_without_importing_wfdb(tmp_path: Path) -> None:
    path = write_csv(example(), tmp_path / "x.csv")
    code = (
        "import sys; from ecgedge.formats import read_recording; "
        f"read_recording({str(path)!r}); print({{'wfdb', 'edfio', 'pandas'}} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "set()"
