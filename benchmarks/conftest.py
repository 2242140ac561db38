"""Inputs that all benchmarks share, and the ratios that the report ends with."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgedge.catalogue import locate
from ecgedge.errors import DataError
from ecgedge.formats import read_recording
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_photos
from ecgedge.paper.simulated.scenes import STRENGTHS
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.records import Recording
from ecgedge.simulate import simulate_ecg

MINUTES = 30


@pytest.fixture(scope="session")
def half_hour() -> Recording:
    """30 minutes of ECG, one lead: MIT-BIH record 100 where it is found, else simulated."""
    try:
        recording = read_recording(locate("mitdb") / "100", leads=["MLII"])
    except DataError:
        recording = simulate_ecg(MINUTES * 60, fs_hz=360, seed=0, leads=("MLII",))
    signal = np.ascontiguousarray(recording.signal[: int(MINUTES * 60 * recording.fs_hz)])
    return Recording(signal, recording.fs_hz, recording.leads, recording.name)


@pytest.fixture(scope="session")
def twelve_megapixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG of 4000 x 3000 px: a simulated 12-lead page on a table."""
    drawn = draw_page(simulate_twelve_leads(seed=4), layout="3x4+1-ticks", seed=4, style=like_photos(4))
    shot = photograph(drawn.pixels, px_per_mm=drawn.px_per_mm, seed=4, strength=STRENGTHS["mild"])
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    cv2.imwrite(str(path), shot.picture.pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return path


RATIOS = (
    ("our R-peaks against sleepecg", "test_r_peaks[ours]", "test_r_peaks[sleepecg]"),
    ("our R-peaks against neurokit2", "test_r_peaks[ours]", "test_r_peaks[neurokit2]"),
    ("our R-peaks against gqrs", "test_r_peaks[ours]", "test_r_peaks[gqrs]"),
    ("our R-peaks against xqrs", "test_r_peaks[ours]", "test_r_peaks[xqrs]"),
    ("2 threads against 1, one beat", "test_raw_invoke_one_beat[2]", "test_raw_invoke_one_beat[1]"),
    ("our judge against the raw invoke, one beat", "test_judge_one_beat", "test_raw_invoke_one_beat[1]"),
    ("engine on 30 minutes against its raw invokes", "test_engine", "test_raw_invoke_all_beats"),
    ("agent on 30 minutes against its raw invokes", "test_agent", "test_raw_invoke_all_beats"),
    ("agent on 30 minutes against the engine", "test_agent", "test_engine"),
    ("photo to flat page against its decoding", "test_find_page", "test_decode"),
    ("photo to flat page against one look at its pixels", "test_find_page", "test_resize_whole_photo"),
    ("flat page to curves against finding the page", "test_read_traces", "test_find_page"),
    ("ink against all of the curves", "test_find_ink", "test_read_traces"),
    ("photo to signals against its decoding", "test_digitise", "test_decode"),
    ("check picture against photo to signals", "test_overlay", "test_digitise"),
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print ratios of medians of this very run: they travel between machines, seconds do not."""
    session = getattr(config, "_benchmarksession", None)
    if session is None:
        return
    medians = {bench.name: bench.stats.median for bench in session.benchmarks if not bench.has_error}
    terminalreporter.section("ratios of medians in this run")
    for title, name, base in RATIOS:
        if name in medians and base in medians:
            terminalreporter.write_line(f"{title}: {medians[name] / medians[base]:.2f}")
