"""What a digitiser from PyPI, i2s-ecg 0.1.10 (MIT licence), makes of the photos: correlation as in pages_table.py.

    python3.11 -m venv PEER && PEER/bin/pip install --no-deps i2s-ecg==0.1.10
    PEER/bin/pip install scikit-learn==1.2.2 numpy==1.25.2 scikit-image pandas matplotlib natsort scipy pillow joblib
    python benchmarks/peer_digitiser.py PEER/bin/python [--photos dev|test|all] [--data DIR]

i2s-ecg is a Streamlit page on which a person turns and crops the picture. Its code then cuts the upper two thirds into
four rows of four equal cells and gives, of the largest contour in each of twelve cells, 255 points between 0 and 1,
without seconds or millivolts. It is therefore given pictures that a patient person could have cropped: the upright
photo (`photo`), and, better than its users can do, our own flat page without perspective or shading, with half a page
of white below so that its four rows are the page's (`flat`). The points of a cell are taken for 2.5 s, upside up; of
lead II only the short part is asked for. Its Streamlit page and its pickled classifier are not installed or loaded.
"""

import argparse
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from ecgedge.catalogue import data_roots
from ecgedge.errors import EcgedgeError
from ecgedge.formats import read_recording
from ecgedge.pages import find_page
from ecgedge.paper.agreement import agreement
from ecgedge.paper.layouts import layouts
from ecgedge.paper.page import Pixels
from ecgedge.paper.pictures import read_picture
from ecgedge.records import FloatArray, Recording

DEV_PHOTOS = ("01086", "01336", "01669", "02190", "02326", "02579", "02694")
SIZE_PX = 1024  # the longer side that its page shrinks pictures to
POINTS = 255  # of each lead
LEAD_S = 2.5
_PEER = """
import contextlib, glob, io, json, os, shutil, sys
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt, pandas as pd
from i2s_ecg import ecg
answers = {}
for path in sys.argv[1:]:
    shutil.rmtree(ecg.figures_dir, ignore_errors=True); os.makedirs(ecg.figures_dir)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            one = ecg.ECG(); one.getImage(path); one.DividingLeads(); one.SignalExtraction_Scaling()
        names = [os.path.join(ecg.figures_dir, f"Scaled_1DLead_{k}.csv") for k in range(1, 13)]
        answers[path] = [pd.read_csv(name).iloc[0].tolist() for name in names]
    except Exception as error:
        answers[path] = f"{type(error).__name__}: {error}"
    plt.close("all")
print(json.dumps(answers))
"""
Answer = list[list[float]] | str


def flat_page(path: Path) -> Pixels | None:
    """Our flat page with white below it, or None where there is none."""
    try:
        page = find_page(read_picture(path)).pixels
    except EcgedgeError:
        return None
    return np.vstack([page, np.full((len(page) // 2, page.shape[1], 3), 255, np.uint8)])


def shrunk(pixels: Pixels) -> Pixels:
    """The picture at the size to which its page shrinks it."""
    scale = min(1.0, SIZE_PX / max(pixels.shape[:2]))
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def ask(python: Path, pictures: dict[str, Path]) -> dict[str, Answer]:
    """Twelve leads of 255 points, or what went wrong, for each picture."""
    paths = [str(path) for path in pictures.values()]
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": ""}
    found = subprocess.run(
        [str(python), "-W", "ignore", "-c", _PEER, *paths], capture_output=True, text=True, env=environment, check=False
    )
    if found.returncode != 0:
        raise SystemExit(found.stderr.strip().splitlines()[-1])
    answers: dict[str, Answer] = json.loads(found.stdout.strip().splitlines()[-1])
    return {name: answers[str(path)] for name, path in pictures.items()}


def correlations(answer: Answer, truth: Recording) -> list[float]:
    """Correlation of each lead after the best shift; 0 where there is no answer."""
    if isinstance(answer, str):
        return [0.0] * len(truth.leads)
    layout = layouts()["3x4+1-ticks"]
    cells = [(lead, LEAD_S * column) for row in layout.rows[:3] for column, lead in enumerate(row)]
    signal = np.full_like(truth.signal, np.nan)
    wanted = np.full_like(truth.signal, np.nan)
    length = round(LEAD_S * truth.fs_hz)
    for (lead, start_s), points in zip(cells, answer, strict=True):
        part, column = slice(round(start_s * truth.fs_hz), round(start_s * truth.fs_hz) + length), truth.lead(lead)
        signal[part, column] = _stretched(points, length)
        wanted[part, column] = truth.signal[part, column]
    found = agreement(replace(truth, signal=signal), replace(truth, signal=wanted))
    return [lead.correlation for lead in found]


def _stretched(points: list[float], length: int) -> FloatArray:
    at = np.linspace(0, POINTS - 1, length)
    return (1 - np.interp(at, np.arange(POINTS), points)).astype(np.float32)  # its y points down


def main() -> None:
    """Ask, score, print."""
    parser = argparse.ArgumentParser(description="What i2s-ecg makes of the photos.")
    parser.add_argument("python", type=Path, help="interpreter of the environment that has i2s-ecg")
    parser.add_argument("--photos", choices=["dev", "test", "all"], default="dev", help="which half")
    parser.add_argument("--data", type=Path, help="folder that holds photos/")
    options = parser.parse_args()
    roots = data_roots() if options.data is None else (options.data,)
    folder = next(root / "photos" for root in roots if (root / "photos").is_dir())
    paths = [path for path in sorted(folder.glob("*.jpg")) if _wanted(path.name, options.photos)]
    with TemporaryDirectory() as temporary:
        pictures: dict[str, Path] = {}
        for path in paths:
            for kind, pixels in (("photo", read_picture(path).pixels), ("flat", flat_page(path))):
                if pixels is not None:
                    pictures[f"{path.name} {kind}"] = Path(temporary) / f"{path.stem}-{kind}.png"
                    cv2.imwrite(str(pictures[f"{path.name} {kind}"]), shrunk(pixels))
        answers = ask(options.python, pictures)
    for kind in ("photo", "flat"):
        scores: list[float] = []
        for path in paths:
            answer = answers.get(f"{path.name} {kind}", "our page finder refused it")
            leads = correlations(answer, read_recording(folder / path.name.split("-")[0]))
            scores += leads
            remark = answer if isinstance(answer, str) else ""
            print(f"{kind:5} {path.name[:5]} median r {np.median(leads):.3f} best {max(leads):.2f} {remark}")
        print(f"{kind:5} all   median r {np.median(scores):.3f}")


def _wanted(name: str, half: str) -> bool:
    return half == "all" or (name[:5] in DEV_PHOTOS) == (half == "dev")


if __name__ == "__main__":
    main()
