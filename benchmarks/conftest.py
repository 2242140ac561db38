"""Inputs that all benchmarks share, and the ratios that the report ends with."""

import numpy as np
import pytest

from ecgedge.catalogue import locate
from ecgedge.errors import DataError
from ecgedge.formats import read_recording
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
