"""Inputs that all benchmarks share, what is written of the machine, and what the report ends with."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from build_models import built_models
from ratios import Seconds, ratio_lines

from ecgedge.board import read_board, read_condition
from ecgedge.catalogue import locate
from ecgedge.errors import DataError
from ecgedge.formats import read_recording
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_photos
from ecgedge.paper.simulated.scenes import STRENGTHS
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.plain import to_plain
from ecgedge.records import Recording
from ecgedge.revision import commit
from ecgedge.simulate import simulate_ecg

MINUTES = 30
RESULTS = Path(__file__).parent / "results"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """OpenCV on one core; interpreters are told where they are made, numpy's libraries by `make bench`."""
    cv2.setNumThreads(1)


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


@pytest.fixture(scope="session")
def models() -> Path:
    """Folder of the models that `build_models` builds; kept between runs."""
    try:
        return built_models(RESULTS / "models")
    except RuntimeError as error:
        pytest.skip(f"the models cannot be built here: {error}")


def pytest_benchmark_update_machine_info(machine_info: dict[str, object]) -> None:
    """Keep what matters to kernels; leave out the name of the machine."""
    machine_info.pop("node", None)
    machine_info["board"] = to_plain(read_board())
    machine_info["condition"] = to_plain(read_condition())
    machine_info["ecgedge_commit"] = commit()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print ratios of medians of this very run, and what was measured beside time."""
    session = getattr(config, "_benchmarksession", None)
    if session is None:
        return
    done = [bench for bench in session.benchmarks if not bench.has_error]
    terminalreporter.section("ratios of medians in this run")
    for line in ratio_lines({bench.name: Seconds(bench.stats.median, bench.stats.min) for bench in done}):
        terminalreporter.write_line(line)
    terminalreporter.section("sizes, memory, and parts of the start")
    for bench in done:
        if bench.extra_info:
            terminalreporter.write_line(f"{bench.name}: {_words(bench.extra_info)}")


def _words(facts: Mapping[str, object]) -> str:
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in facts.items()
    )
