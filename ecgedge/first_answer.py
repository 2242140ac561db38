"""From a fresh process to the first answer of a bundle: how long it takes, and how much memory.

    python -m ecgedge.first_answer BUNDLE TASK THREADS       what the measured process itself runs; prints JSON

The input is the bundle's own golden one: a simulated minute of ECG, or a drawn page. Knows nothing of boards.
"""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter

from ecgedge.errors import BundleError
from ecgedge.plain import from_plain

_ROOT = Path(__file__).parents[1]
_AGAIN = 3
_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """One fresh process. What the system still had in its file cache from before is as it was."""

    process_s: float
    """Start of the process to its first answer, s; the start of Python is in it."""
    import_s: float
    """Of it, importing."""
    load_s: float
    """Of it, reading and verifying the bundle and allocating the interpreter."""
    answer_s: float
    """Of it, the first answer: a minute of ECG, or a page."""
    again_s: float
    """The same answer once more, best of three; all is warm."""
    answers: int
    """Beats, or pages, in the answer."""
    loaded_mb: float | None
    """Resident memory when the bundle was loaded, MB; None where the system does not tell."""
    peak_mb: float | None
    """The most resident memory of the process, MB."""


def first_answers(bundle: Path, *, task: str, threads: int = 1, times: int = 3) -> tuple[FirstAnswer, ...]:
    """Start so many processes one after another, and let each give its first answer.

    Parameters
    ----------
    task : of the bundle: `beat` or `page`
    threads : of the interpreter

    Raises
    ------
    BundleError
        A process failed; its last line is the reason.
    """
    return tuple(_measured(bundle.resolve(), task, threads) for _ in range(times))


def _measured(bundle: Path, task: str, threads: int) -> FirstAnswer:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *_given_paths()])}
    command = [sys.executable, "-P", "-m", "ecgedge.first_answer", str(bundle), task, str(threads)]
    start_s = monotonic()  # one clock for all processes of a machine
    try:
        found = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        lines = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise BundleError(f"{bundle.name}: a fresh process gave no answer ({lines[-1]}); try: ecgedge info") from None
    facts = json.loads(found.stdout.splitlines()[-1])
    whole_s = facts.pop("answered_at_s") - start_s
    return from_plain(FirstAnswer, {**facts, "process_s": whole_s}, where="first answer")


def _given_paths() -> list[str]:
    given = os.environ.get("PYTHONPATH", "")
    return [given] if given else []


def _main(bundle: str, task: str, threads: int) -> None:
    start_s = perf_counter()
    load = _page_import() if task == "page" else _beat_import()
    imported_s = perf_counter()
    answer = load(bundle, threads)
    loaded_s, loaded_mb = perf_counter(), _memory_mb("VmRSS")
    n = answer()
    answered_s, answered_at_s = perf_counter(), monotonic()
    again_s = min(_seconds(answer) for _ in range(_AGAIN))
    facts = {
        "import_s": imported_s - start_s,
        "load_s": loaded_s - imported_s,
        "answer_s": answered_s - loaded_s,
        "again_s": again_s,
        "answers": n,
        "loaded_mb": loaded_mb,
        "peak_mb": _memory_mb("VmHWM"),
        "answered_at_s": answered_at_s,
    }
    print(json.dumps(facts))


Load = Callable[[str, int], Callable[[], int]]
"""Bundle and threads in; out comes what answers once and gives the number of answers."""


def _beat_import() -> Load:
    import numpy as np  # imports are what is measured

    from ecgedge.bundle import read_bundle
    from ecgedge.engine import BeatEngine
    from ecgedge.records import SignalChunk

    def load(path: str, threads: int) -> Callable[[], int]:
        bundle = read_bundle(path)
        golden = bundle.golden
        signal = golden["signal_uv"].astype(np.float32)[:, np.newaxis] / np.float32(1000)
        engine = BeatEngine(bundle, fs_hz=float(golden["fs_hz"]), leads=("MLII",), threads=threads)
        minutes = itertools.count()
        return lambda: len(engine.judge(SignalChunk(signal, next(minutes) * len(signal))))

    return load


def _page_import() -> Load:
    from ecgedge.bundle import read_bundle
    from ecgedge.page_engine import PageEngine
    from ecgedge.paper.pictures import read_picture

    def load(path: str, threads: int) -> Callable[[], int]:
        bundle = read_bundle(path)
        engine, png = PageEngine(bundle, threads=threads), bundle.golden["page_png"].tobytes()
        return lambda: len([engine.judge(read_picture(png, name="golden page"))])

    return load


def _seconds(job: Callable[[], object]) -> float:
    start_s = perf_counter()
    job()
    return perf_counter() - start_s


def _memory_mb(field: str) -> float | None:
    with suppress(OSError, IndexError, ValueError):
        status = Path("/proc/self/status").read_text()
        return round(int(status.split(f"{field}:")[1].split()[0]) * 1024 / 1e6, 1)
    return None


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
