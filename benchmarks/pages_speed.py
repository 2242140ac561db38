"""Processor time and memory that one picture takes, on one core, each measured in a process of its own.

    python benchmarks/pages_speed.py [PICTURE] [--repeats N] [--json]

Without PICTURE, a 12-megapixel simulated photo (seed 0, mild) is drawn. `flat` and `signals` count from the decoded
picture; decoding is given apart. Time is the processor's, not the wall's, so that other work beside it counts little;
numpy's own threads are held to one, since they wait in a loop that counts as processor time on every core there is.
Memory is the peak resident set of a fresh process that imports ecgedge, decodes the picture and reads it once (VmHWM,
Linux).
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2

from ecgedge.pages import find_page
from ecgedge.paper.pictures import read_picture
from ecgedge.paper.simulated.camera import photograph
from ecgedge.paper.simulated.drawing import draw_page
from ecgedge.paper.simulated.page_style import like_photos
from ecgedge.paper.simulated.scenes import STRENGTHS
from ecgedge.paper.simulated.twelve_leads import simulate_twelve_leads
from ecgedge.traces import read_traces

_ROOT = Path(__file__).parents[1]
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Read by numpy's libraries when they are loaded: to set them later is too late."""


def stages(path: Path, *, repeats: int) -> dict[str, float]:
    """Median milliseconds of decoding, of decoded -> flat page and of decoded -> signals, and megapixels."""
    cv2.setNumThreads(1)
    picture = read_picture(path)
    page = find_page(picture)
    read_traces(page)  # warms up what is cached
    decode = [_seconds(lambda: read_picture(path)) for _ in range(repeats)]
    flat = [_seconds(lambda: find_page(picture)) for _ in range(repeats)]
    curves = [_seconds(lambda: read_traces(page)) for _ in range(repeats)]
    return {
        "megapixels": picture.pixels.shape[0] * picture.pixels.shape[1] / 1e6,
        "decode_ms": 1000 * median(decode),
        "flat_ms": 1000 * median(flat),
        "signals_ms": 1000 * (median(flat) + median(curves)),
    }


def _seconds(job: Callable[[], object]) -> float:
    start = time.process_time()
    job()
    return time.process_time() - start


def peak_mb(path: Path) -> dict[str, float]:
    """Peak resident set of a fresh process that reads the picture, and of one that only imports, MB."""
    code = (
        "import sys, cv2, pathlib\n"
        "cv2.setNumThreads(1)\n"
        "from ecgedge.digitise import digitise, recording_of\n"
        "from ecgedge.paper.pictures import read_picture\n"
        "if sys.argv[1:]: recording_of(digitise(read_picture(pathlib.Path(sys.argv[1]))).traces)\n"
        "print(pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
    )  # ru_maxrss would count the parent's memory at the fork
    return {"peak_mb": _peak(code, str(path)), "imports_mb": _peak(code)}


def _peak(code: str, *arguments: str) -> float:
    found = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=_ROOT, check=False
    )
    if found.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: {found.stderr.strip().splitlines()[-1]}")
    return float(found.stdout) * 1024 / 1e6


def simulated_photo(folder: Path) -> Path:
    """Write a 12-megapixel photo drawn by the simulator, as a JPEG of usual quality, and give its path."""
    drawn = draw_page(simulate_twelve_leads(seed=0), layout="3x4+1-ticks", seed=0, style=like_photos(0))
    shot = photograph(drawn.pixels, px_per_mm=drawn.px_per_mm, seed=0, strength=STRENGTHS["mild"])
    path = folder / "simulated.jpg"
    cv2.imwrite(str(path), shot.picture.pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return path


def measure(path: Path | None, *, repeats: int) -> dict[str, float]:
    """All figures of a picture, or of a simulated one."""
    with TemporaryDirectory() as folder:
        chosen = path or simulated_photo(Path(folder))
        return {**stages(chosen, repeats=repeats), **peak_mb(chosen)}


def main() -> None:
    """Measure and print."""
    if any(os.environ.get(name) != value for name, value in _ONE_THREAD.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **_ONE_THREAD})
    parser = argparse.ArgumentParser(description="Seconds and memory that one picture takes, on one core.")
    parser.add_argument("picture", type=Path, nargs="?", help="default: a simulated photo of 12 megapixels")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.picture, repeats=options.repeats)
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{figures['megapixels']:.1f} megapixels; decode {figures['decode_ms']:.0f} ms")
    print(f"decoded -> flat page {figures['flat_ms']:.0f} ms, -> signals {figures['signals_ms']:.0f} ms, one core")
    print(f"peak memory {figures['peak_mb']:.0f} MB, of which imports {figures['imports_mb']:.0f} MB")


if __name__ == "__main__":
    main()
