"""A digitiser from PyPI, i2s-ecg, on the same flat page as ours; see `peer_digitiser` for what it is and is given.

It lives in an environment of its own, `.venv-i2s` (or what ECGEDGE_I2S_PYTHON names), made as `peer_digitiser` says.
"""

import json
import os
import subprocess
from pathlib import Path

import cv2
import pytest
from elsewhere import other_clock, replay
from peer_digitiser import flat_page, shrunk
from pytest_benchmark.fixture import BenchmarkFixture

PYTHON = Path(os.environ.get("ECGEDGE_I2S_PYTHON") or Path(__file__).parents[1] / ".venv-i2s" / "bin" / "python")
ROUNDS = 3
CODE = """
import contextlib, io, json, os, shutil, sys, time
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt
from i2s_ecg import ecg
seconds, leads = [], 0
for _ in range(int(sys.argv[2]) + 1):
    shutil.rmtree(ecg.figures_dir, ignore_errors=True); os.makedirs(ecg.figures_dir)
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        one = ecg.ECG(); one.getImage(sys.argv[1]); one.DividingLeads(); one.SignalExtraction_Scaling()
    seconds.append(time.perf_counter() - start)
    plt.close("all")
    leads = sum(name.startswith("Scaled_1DLead_") and name.endswith(".csv") for name in os.listdir(ecg.figures_dir))
print(json.dumps({"seconds": seconds[1:], "leads": leads}))
"""


@pytest.mark.benchmark(group="a digitiser from PyPI", timer=other_clock)
def test_i2s_ecg(benchmark: BenchmarkFixture, twelve_megapixels: Path, tmp_path: Path) -> None:
    """Division into leads and contours, with the figures that it always draws; no photo, but our flat page."""
    if not PYTHON.exists():
        pytest.skip("no .venv-i2s here; benchmarks/peer_digitiser.py says how it is made")
    pixels = flat_page(twelve_megapixels)
    assert pixels is not None
    picture = tmp_path / "flat.png"
    cv2.imwrite(str(picture), shrunk(pixels))
    found = subprocess.run(
        [str(PYTHON), "-W", "ignore", "-c", CODE, str(picture), str(ROUNDS)],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": ""},
        check=False,
    )
    assert found.returncode == 0, found.stderr.strip().splitlines()[-1:]
    facts = json.loads(found.stdout.splitlines()[-1])
    benchmark.extra_info["leads found"] = facts["leads"]
    replay(benchmark, facts["seconds"], by="i2s-ecg's own process")
