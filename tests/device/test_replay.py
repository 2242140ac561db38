"""The replay source: every sample once, in real time or at full speed, and named reasons where it cannot."""

import threading
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from ecgedge.errors import InputError, LeadNotFound
from ecgedge.records import Recording
from ecgedge_device.source_settings import ReplaySettings, Speed
from ecgedge_device.sources import Reason, SignalWork, SourceError, Work, open_source
from ecgedge_device.sources.recording_work import RecordingWork, fingerprint

SIGNAL = np.arange(1000, dtype=np.float32).reshape(500, 2)


def source(*, chunk_s: float = 0.3, speed: Speed = "full", stop: threading.Event | None = None) -> RecordingWork:
    recording = Recording(SIGNAL, 100.0, ("II", "V1"), "made")
    return RecordingWork(recording, address="/made", stop=stop or threading.Event(), speed=speed, chunk_s=chunk_s)


@pytest.mark.parametrize("chunk_s", [0.001, 0.3, 5.0, 99.0])
def test_every_sample_comes_once(chunk_s: float) -> None:
    chunks = list(source(chunk_s=chunk_s))
    np.testing.assert_array_equal(np.concatenate([chunk.signal for chunk in chunks]), SIGNAL)
    assert [chunk.start for chunk in chunks] == np.cumsum([0, *(len(chunk.signal) for chunk in chunks[:-1])]).tolist()


def test_seek_goes_on_there() -> None:
    played = source()
    played.seek(123)
    chunks = list(played)
    assert chunks[0].start == 123
    np.testing.assert_array_equal(np.concatenate([chunk.signal for chunk in chunks]), SIGNAL[123:])
    played.seek(500)
    assert list(played) == []


@pytest.mark.parametrize("sample", [-1, 501])
def test_seek_outside_is_refused(sample: int) -> None:
    with pytest.raises(SourceError, match=f"no sample {sample}; it has 500") as refused:
        source().seek(sample)
    assert refused.value.reason is Reason.NOT_FOUND


def test_real_time_is_kept() -> None:
    played = source(chunk_s=0.1, speed="real")
    played.seek(460)
    begun_s = monotonic()
    arrivals = [monotonic() - begun_s for _ in played]
    assert arrivals == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.09)
    assert all(arrival >= due for arrival, due in zip(arrivals, [0.1, 0.2, 0.3, 0.4], strict=True))


def test_a_stop_ends_the_wait() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    begun_s = monotonic()
    assert list(source(chunk_s=60, speed="real", stop=stop)) == []
    assert monotonic() - begun_s < 2


def test_a_stop_ends_full_speed_before_the_next_chunk() -> None:
    stop = threading.Event()
    chunks = iter(source(stop=stop))
    assert next(chunks).start == 0
    stop.set()
    assert list(chunks) == []


def test_the_fingerprint_tells_samples_rate_and_leads() -> None:
    base = Recording(SIGNAL, 100.0, ("II", "V1"), "a")
    changed = SIGNAL.copy()
    changed[7, 1] += 1e-3
    others = [
        Recording(changed, 100.0, ("II", "V1"), "a"),
        Recording(SIGNAL, 101.0, ("II", "V1"), "a"),
        Recording(SIGNAL, 100.0, ("II", "V2"), "a"),
        Recording(SIGNAL[:-1], 100.0, ("II", "V1"), "a"),
    ]
    found = {fingerprint(recording) for recording in [base, *others]}
    assert len(found) == 5
    assert fingerprint(Recording(np.asfortranarray(SIGNAL), 100.0, ("II", "V1"), "b")) in found


def offered(settings: ReplaySettings) -> list[Work]:
    return list(open_source(settings, files=Path("files"), stop=threading.Event()))


def test_open_source_reads_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "ecg.npy", SIGNAL)
    (found,) = offered(ReplaySettings(path=tmp_path / "ecg.npy", fs_hz=100.0, name="bed-3"))
    assert isinstance(found, SignalWork) and not found.live
    assert found.stream.address == str(tmp_path / "ecg.npy") and found.stream.source == "bed-3"
    assert (found.stream.n_samples, found.stream.fs_hz, len(found.stream.leads)) == (500, 100.0, 2)
    assert found.recording is not None


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none: no such recording.*\[source\] path") as refused:
        offered(ReplaySettings(path=tmp_path / "none"))
    assert refused.value.reason is Reason.NOT_FOUND
    with pytest.raises(InputError, match="folder"):
        offered(ReplaySettings(path=tmp_path))
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        offered(ReplaySettings(path=tmp_path / "empty.csv"))
    np.save(tmp_path / "ecg.npy", SIGNAL)
    with pytest.raises(LeadNotFound, match="aVR"):
        offered(ReplaySettings(path=tmp_path / "ecg.npy", fs_hz=100.0, lead="aVR"))
